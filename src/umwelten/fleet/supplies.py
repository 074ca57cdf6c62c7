"""Inputs that workers do not read by themselves: read here and sent to them.

Workers read a file at its path if they find there what was seen here. Rows of tables, earlier answers, and
inputs to which something is added, such as recalled facts, are always read here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from umwelten.attempts.input_reader import LARGE_INPUT, InputReader
from umwelten.attempts.target import Target
from umwelten.errors import InputError
from umwelten.events import Note, NoteLevel, Observer
from umwelten.fleet.interfaces import ONCE
from umwelten.fleet.messages import Supply
from umwelten.fleet.packed_content import PreparedContent, pack_content, pack_error
from umwelten.fleet.packing import pack
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.files.names import escaped
from umwelten.inputs.reader import MAX_BYTES, file_stamp, read_file
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.threads import run_in_thread
from umwelten.types import Call, Input

_FEW = 3
"""Files that a node could not read, after which its workers are sent all files without being asked."""

_SHARED = 16_000
"""Bytes. A smaller input is read anew for each attempt, which takes less than keeping account of it."""


class InputSupplies:
    """The supplies of a run, see `interfaces.Supplies`. `targets` by the models' numbers."""

    def __init__(
        self,
        inputs: InputReader,
        builder: RequestBuilder,
        targets: Mapping[int, Target],
        added: AddedValues | None,
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._unread: dict[str, int] = {}
        self._inputs, self._targets = inputs, targets
        self._numbers = itertools.count(1)
        self._failed: dict[str, int] = {}
        kinds: dict[object, int] = {}
        self._kinds = {
            number: kinds.setdefault((target.prompt, target.capabilities), len(kinds))
            for number, target in targets.items()
        }
        self._uses_added = {
            number: bool(_names(added).intersection(builder.places(target.prompt)))
            for number, target in targets.items()
        }
        self._is_framed = _is_framed(added)

    def key(self, call: Call, node: str) -> str:
        """Return the key of what is sent with a call, "" where workers read its input at its path."""
        source = call.input
        if source is None:
            return ""
        if not self._is_read_here(call, source):
            if self._unread.get(node, 0) < _FEW:
                return ""
            return self._file(call, source, file_stamp(source.path))
        if source.size < _SHARED:
            return f"{ONCE}.{next(self._numbers)}"
        return self._named(f"content.{source.id}.{self._kinds[call.model]}", file_stamp(source.path))

    def want(self, call: Call, worker: int, node: str) -> str:
        """Take note that a worker cannot read the input of a call; returns the key of its `Supply`."""
        source = call.input
        assert source is not None, "nothing is wanted for a call without an input"
        stamp = file_stamp(source.path)
        if stamp == source.stamp:  # else nobody finds it there any more
            if node not in self._unread:
                folder = escaped(str(Path(source.path).absolute().parent))
                text = f"worker {worker} on {node} cannot read {folder}; its files are sent from here"
                self._observer(Note(text=text, level=NoteLevel.INFO))
            self._unread[node] = self._unread.get(node, 0) + 1
        return self._file(call, source, stamp)

    def _file(self, call: Call, source: Input, stamp: str) -> str:
        # How large a file may be depends on the model only above this size.
        kind = f".{self._kinds[call.model]}" if source.size > MAX_BYTES else ""
        return self._named(f"file.{source.id}{kind}", stamp)

    async def load(self, call: Call, key: str) -> Supply:
        """Return what is sent, an error where it cannot be read. It is not kept here."""
        source, target = call.input, self._targets[call.model]
        assert source is not None
        try:
            if self._is_read_here(call, source):
                content = await self._inputs.load(source, target)
                if self._is_framed:
                    content = await self._prepared(content, source, target)
                return Supply(key=key, form="content", data=pack_content(content))
            data, changed = await self._read(source, target)
            return Supply(key=key, form="changed" if changed else "file", data=data)
        except InputError as error:
            self._failed[key.partition("/")[0]] = next(self._numbers)
            return Supply(key=key, form="error", data=pack(pack_error(error)))

    async def _read(self, source: Input, target: Target) -> tuple[bytes, bool]:
        reading = partial(
            read_file,
            source.path,
            name=source.name,
            stamp=source.stamp,
            capabilities=target.capabilities,
        )
        return reading() if source.size < LARGE_INPUT else await run_in_thread(reading)

    async def _prepared(self, content: Content, source: Input, target: Target) -> Content:
        """Return the content with all that is sent of it, where that needs what is only here."""
        ready = await self._inputs.prepare(content, source, target)
        return PreparedContent(digest=content.digest, parts=(), ready=ready)

    def _is_read_here(self, call: Call, source: Input) -> bool:
        return bool(source.part) or self._is_framed or self._uses_added[call.model]

    def _named(self, name: str, stamp: str) -> str:
        """Return the key for a name: another one when the file changes, and after each failure."""
        return f"{name}/{self._failed.get(name, 0)}/{stamp}"


def same_worker(targets: Mapping[int, Target]) -> Callable[[Call], str | None]:
    """Return what gives calls that upload the same file the same text, `None` where nothing is uploaded.

    Each worker uploads for itself: a file should go to as few of them as possible.
    """

    def text(call: Call) -> str | None:
        source, takes = call.input, targets[call.model].capabilities
        if source is None or not takes.upload or source.size <= takes.inline_bytes:
            return None
        return f"{source.path}\n{source.part}"

    return text


def _names(added: AddedValues | None) -> frozenset[str]:
    return frozenset() if added is None else frozenset(added.all_names)


def _is_framed(added: AddedValues | None) -> bool:
    while added is not None:
        if added.framed is not dict:
            return True
        added = added.also
    return False
