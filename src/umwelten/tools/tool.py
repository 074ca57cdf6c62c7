"""A tool as the runner sees it, and what the authors of tools use: `tool`, `ToolContext` and two errors."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, overload

from umwelten.errors import UsageError
from umwelten.frozen import FrozenStruct
from umwelten.tool_calls import OfferedTool, ToolDefinition

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS_ATTRIBUTE = "__umwelten_tool__"
"""Where `tool` keeps its options on a function, which stays a plain function otherwise."""


class ToolError(Exception):
    """Raise it in a tool: the model is told its text, as an error, and may go on."""


class StopCall(Exception):
    """Raise it in a tool: the whole call of the model ends as failed, with this text."""


class ToolContext(FrozenStruct):
    """What a tool may know of the call that it is run for; a function's parameter `context` gets it.

    `model` as in `provider:model`; `input_name` is the file or row, `row` its fields where it is a row of a
    table. `step` counts the call's requests from 1, `place` the tool calls of one turn from 0. `call_key` is
    the same whenever this call is run again, and no other's. `started_at`: when the call was first started,
    Unix seconds.
    """

    model: str
    input_name: str | None = None
    row: Mapping[str, str] | None = None
    step: int = 1
    place: int = 0
    call_key: str = ""
    seed: int | None = None
    started_at: float = 0.0


class Tool(abc.ABC):
    """Something that models may call.

    `name` is what users call it, `definition` what models are offered. `fingerprint` changes whenever it may
    do something else; `source` is where it comes from, `path` its file as the user wrote it, if it is of one.
    `timeout_s` is its own limit, `None` for the run's. `sequential`: one call of it at a time. `once`: never
    run twice for one call of a model, whatever is interrupted. `retries`: further tries after an error,
    within the same limit of time. `read_only`: it changes nothing. `at_once`: so many calls at a time of all
    tools of its source; waiting for a place takes nothing of a call's time. `blocking`: `run` is called in a
    thread, instead of `call`.
    """

    name: str
    definition: ToolDefinition
    fingerprint: str
    source: str = ""
    path: str = ""
    timeout_s: float | None = None
    sequential: bool = False
    once: bool = False
    retries: int = 0
    read_only: bool = False
    at_once: int | None = None
    blocking: bool = False

    @abc.abstractmethod
    async def call(self, arguments: str, context: ToolContext) -> str:
        """Return the result as the model is told it. `arguments` is JSON as the model wrote it.

        Raises `ToolError` for what the model is told, `StopCall` to end the call; any other exception is
        told by its type and message.
        """

    def run(self, arguments: str, context: ToolContext) -> str:
        """Do the same in the thread of the caller, for a tool that is `blocking`."""
        raise NotImplementedError

    @property
    def offered(self) -> OfferedTool:
        """The tool as an evaluation's store keeps it."""
        return OfferedTool(
            name=self.name, definition=self.definition, fingerprint=self.fingerprint, source=self.source
        )


class ToolOptions(FrozenStruct):
    """What `tool` says about a function."""

    name: str | None = None
    timeout_s: float | None = None
    sequential: bool = False
    once: bool = False
    version: str | None = None
    retries: int = 0
    read_only: bool = False


_MOST_RETRIES = 10
"""More would only spend the tool's limit of time."""


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    *,
    name: str | None = None,
    timeout_s: float | None = None,
    sequential: bool = False,
    once: bool = False,
    version: str | None = None,
    retries: int = 0,
    read_only: bool = False,
) -> Callable[[F], F]: ...
def tool(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    timeout_s: float | None = None,
    sequential: bool = False,
    once: bool = False,
    version: str | None = None,
    retries: int = 0,
    read_only: bool = False,
) -> F | Callable[[F], F]:
    """Say how a function is run as a tool; it stays the function it is. Not needed for the defaults.

        @umwelten.tool(timeout_s=5, once=True)
        async def book(seat: int) -> str: ...

    `name`: what models call it, instead of the function's name. `timeout_s`: seconds for one call, instead of
    the run's limit. `sequential`: one call of it at a time. `once`: never run a second time for the same call
    of a model, even after a kill; the call then fails. `version`: stands for the code when an evaluation is
    resumed. `retries`: further tries after an exception. `read_only`: it changes nothing.

    Raises `UsageError` for values that cannot be meant.
    """
    options = ToolOptions(
        name=name,
        timeout_s=timeout_s,
        sequential=sequential,
        once=once,
        version=version,
        retries=retries,
        read_only=read_only,
    )
    _check_options(options)

    def decorate(decorated: F) -> F:
        try:
            setattr(decorated, OPTIONS_ATTRIBUTE, options)
        except AttributeError:
            shown = getattr(decorated, "__qualname__", repr(decorated))
            raise UsageError(
                f"{shown} cannot be decorated: it takes no attributes", "Write a function that calls it."
            ) from None
        return decorated

    return decorate if function is None else decorate(function)


def _check_options(options: ToolOptions) -> None:
    timeout, retries = options.timeout_s, options.retries
    if timeout is not None and not (isinstance(timeout, int | float) and 0 < timeout < float("inf")):
        raise UsageError(f"timeout_s={timeout!r} is not allowed", "Give seconds above 0.")
    if type(retries) is not int or not 0 <= retries <= _MOST_RETRIES:
        raise UsageError(
            f"retries={retries!r} is not allowed", f"Give a whole number from 0 to {_MOST_RETRIES}."
        )
    if options.once and retries:
        raise UsageError(
            f"once=True and retries={retries} exclude each other",
            "A tool that runs at most once is not tried again.",
        )
    for what in ("name", "version"):
        value = getattr(options, what)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise UsageError(f"{what}={value!r} is not allowed", "Give a text that is not empty.")
