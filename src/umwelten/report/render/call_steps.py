"""The steps of one call, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from umwelten.report.queries.call_steps import StepCall
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.text.tracebacks import last_place, last_words

_ARGUMENTS = 300
_RESULT = 600
"""Characters of a result, which may have 16,000; `--json` has all of it."""


def called(call: StepCall) -> Iterator[tuple[str, str]]:
    """What a tool was called with, and what came of it."""
    yield "called", f"{call.tool} {shortened(call.arguments, _ARGUMENTS)}"
    took = "" if call.took_s is None else f" ({formatting.duration(call.took_s)})"
    if call.result is None:
        yield call.state, _UNRESOLVED.get(call.state, "no result")
    else:
        yield call.state, f"{shortened(call.result, _RESULT)}{took}"
    if call.error is not None and (place := last_place(call.error)):
        yield "raised", f"{last_words(call.error)} at {place}"


def shortened(text: str, most: int) -> str:
    """On one line; of a long text its beginning, its end, and how much there is."""
    if len(text) <= most:
        return one_line(text, most)
    head, tail = text[: most * 2 // 3], text[-most // 4 :]
    return f"{one_line(head, most)} … {one_line(tail, most)} ({len(text):,} characters)"


_UNRESOLVED = {
    "pending": "no result yet",
    "started": "it was started, and may have run",
}
