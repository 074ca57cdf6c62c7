"""Inputs at a worker: read at their paths where that gives what the coordinator saw, else sent by it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import msgspec

from umwelten.attempts.input_reader import LARGE_INPUT, InputReader, ReadInput
from umwelten.attempts.target import Target
from umwelten.errors import InputError, MachineError
from umwelten.events import Observer
from umwelten.fleet.interfaces import AssignedCall
from umwelten.fleet.messages import Supply
from umwelten.fleet.packed_content import PackedError, PreparedContent, unpack_content, unpack_error
from umwelten.fleet.packing import unpack
from umwelten.inputs.content import Content, UnsupportedInput
from umwelten.inputs.reader import content_of, file_stamp
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.threads import run_in_thread
from umwelten.types import Input

_assigned: ContextVar[AssignedCall] = ContextVar("assigned")


@contextmanager
def assigned_call(assigned: AssignedCall) -> Iterator[None]:
    """Have the inputs that are read meanwhile be those of this assignment."""
    token = _assigned.set(assigned)
    try:
        yield
    finally:
        _assigned.reset(token)


def sending_allowed() -> bool:
    """Return whether a request may go out for the assignment under way."""
    return _assigned.get().may_send()


class WorkerInputs(InputReader):
    """Reads the input of an assignment, within `assigned_call`. See `InputReader`.

    `folder` is where the coordinator's relative paths begin.
    """

    def __init__(
        self, builder: RequestBuilder, conversions: ConversionPool, observer: Observer, folder: str
    ) -> None:
        super().__init__(builder, conversions, None, observer)
        self._folder = folder

    async def load(self, source: Input, target: Target) -> Content:
        """Return an input's content, not converted yet."""
        assigned = _assigned.get()
        supply = await assigned.supply()
        if supply is None:
            content = await self._load_here(source, target)
            if content is not None:
                return content
            supply = await assigned.wanted()
        return await self._supplied(supply, source, target)

    async def prepare(
        self, content: Content, source: Input, target: Target, *, quiet: bool = False
    ) -> ReadInput:
        """Return what is sent of an input that was loaded; `quiet`: without reports."""
        if isinstance(content, PreparedContent):
            return content.ready
        return await super().prepare(content, source, target, quiet=quiet)

    async def _load_here(self, source: Input, target: Target) -> Content | None:
        """Return the content of the file at the path, `None` where it is not what the coordinator saw."""
        try:
            path = os.path.join(self._folder, source.path)  # noqa: PTH118
            if source.part or not source.stamp or file_stamp(path) != source.stamp:
                return None
            return await super().load(msgspec.structs.replace(source, path=path), target)
        except (UnsupportedInput, MachineError):
            raise
        except InputError:
            return None

    async def _supplied(self, supply: Supply, source: Input, target: Target) -> Content:
        if supply.form == "content":
            return unpack_content(supply.data)
        if supply.form == "error":
            raise unpack_error(unpack(supply.data, PackedError))
        if supply.form == "missing":
            raise InputError(supply.data.decode("utf-8", "replace"))
        making = partial(
            content_of,
            supply.data,
            name=source.name,
            changed=supply.form == "changed",
            capabilities=target.capabilities,
            pdf=self._builder.settings.pdf,
        )
        return making() if len(supply.data) < LARGE_INPUT else await run_in_thread(making)
