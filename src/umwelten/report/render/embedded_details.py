"""What an opened call shows beside its answer, in the data of an HTML report: the element `details`.

`{"attempts": {n: [[number, outcome, seconds, HTTP status, message], …]}, "reasoning": {n: text}, …}`, `n`
being the call's place among the rows; the rest is that of `embedded_sent`. It is read when a call is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from umwelten.report.queries import call_extras
from umwelten.report.render.embedded_sent import SentTexts
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import embeddable
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.text.sanitize import safe
from umwelten.types import FrozenStruct

REASONING_BUDGET = 8_000_000
"""Characters of all reasoning: a third of what answers may have."""
MOST_ATTEMPTS = 50_000
"""Some five megabytes; where more failed, an outage did, and the first tell of it."""
_MESSAGE = 300
_SHORTEST = 160


class DetailLimits(FrozenStruct):
    """How much of it a page holds: characters of each reasoning, `None` for all; attempts left out."""

    reasoning: int | None
    left_out: int

    @property
    def notes(self) -> list[str]:
        """What a reader has to be told."""
        notes = []
        if self.reasoning is not None:
            notes.append(f"Reasoning is shortened to {self.reasoning:,} characters here")
        if self.left_out:
            notes.append(f"{formatting.count(self.left_out, 'attempt')} are left out here")
        return notes


def limits_of(parts: Sequence[ReportSection]) -> DetailLimits:
    """Return how much of the evaluations' details the page holds."""
    length = answers = attempts = 0
    for part in parts:
        characters, count = call_extras.reasoning_lengths(part.reader)
        length, answers = length + characters, answers + count
        attempts += call_extras.attempt_count(part.reader)
    cut = None if length <= REASONING_BUDGET else max(REASONING_BUDGET // answers, _SHORTEST)
    return DetailLimits(reasoning=cut, left_out=max(attempts - MOST_ATTEMPTS, 0))


def detail_pieces(
    parts: Sequence[ReportSection], limits: DetailLimits, sent: SentTexts, *, rows: int
) -> Iterator[str]:
    """Yield the element's content, for the first `rows` calls of the page."""
    longest = REASONING_BUDGET if limits.reasoning is None else limits.reasoning
    left = MOST_ATTEMPTS

    def attempts(reader: Reader) -> Iterator[tuple[int, object]]:
        nonlocal left
        for n, lines in call_extras.attempts_by_call(reader, most=left, longest=_MESSAGE):
            left -= len(lines)
            yield n, [(*line[:4], None if line[4] is None else safe(line[4])) for line in lines]

    def reasoning(reader: Reader) -> Iterator[tuple[int, object]]:
        return ((n, safe(text)) for n, text in call_extras.reasoning_by_call(reader, longest=longest))

    yield '{"attempts":{'
    yield from _by_call(parts, attempts, rows)
    yield '},"reasoning":{'
    yield from _by_call(parts, reasoning, rows)
    yield "},"
    yield from sent.pieces()
    yield "}"


def _by_call(
    parts: Sequence[ReportSection], read: Callable[[Reader], Iterator[tuple[int, object]]], rows: int
) -> Iterator[str]:
    first, before = 0, ""
    for part in parts:
        for n, value in read(part.reader):
            if first + n < rows:
                yield f'{before}"{first + n}":{embeddable(value)}'
                before = ",\n"
        first += part.overview.summary.succeeded + part.overview.summary.failed
