"""What calls asked, in the data of an HTML report: each text once, however many calls have it.

`texts` are the pieces of prompts, and the inputs; `sent` is {n: [prompt, input, earlier answer, recalled,
media]} without the nulls at its end. A prompt is the list of its pieces, by number; an input that was put
into it is one of them. The rows of tables are `rows` by number, their values as texts, and `row_of` names the
row of each input. What is beyond the budgets is left out, and the page says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from umwelten.identity import content_hash
from umwelten.report.queries.call_extras import kept_questions, kept_size
from umwelten.report.render.embedded_scores import trimmed
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import embeddable
from umwelten.report.schema_fields import compact
from umwelten.store.asked import Asked, AskedReader
from umwelten.store.contents import SentMedia, text_bytes
from umwelten.text import formatting
from umwelten.text.sanitize import safe

BUDGET = 8_000_000
"""Characters of all texts, and of all rows, together: a third of what answers may have."""
MOST_CALLS = 50_000
"""Calls whose questions a page holds: reading each takes some 50 µs."""
_SHORTEST = 160


class SentTexts:
    """The questions of a page's calls. Reads them all at once; nothing where none were kept."""

    def __init__(self, parts: Sequence[ReportSection], *, rows: int) -> None:
        """Take in the questions of the first `rows` calls of the page."""
        self.columns: dict[str, None] = {}
        self.rows: list[list[str | None]] = []
        self.row_of: dict[str, int] = {}
        self._texts: dict[str, int] = {}
        self._numbers: dict[bytes, int] = {}
        self._calls: dict[int, list[object]] = {}
        self._row_numbers: dict[tuple[str | None, ...], int] = {}
        self._left_out = self._rows_size = 0
        self._without_row: set[str] = set()
        sizes = [kept_size(part.reader) for part in parts]
        size, count = sum(one for one, _ in sizes), sum(one for _, one in sizes)
        self._cut = None if size <= BUDGET else max(BUDGET // count, _SHORTEST)
        first = 0
        for part in parts:
            self._take(part, first, rows)
            first += part.overview.summary.succeeded + part.overview.summary.failed
        for row in self.rows:
            row.extend([None] * (len(self.columns) - len(row)))

    @property
    def notes(self) -> list[str]:
        """What a reader has to be told."""
        notes = []
        if self._cut is not None:
            notes.append(f"Prompts and inputs are shortened to {self._cut:,} characters here")
        if self._left_out:
            notes.append(f"What {formatting.count(self._left_out, 'call')} asked is left out here")
        if self._without_row:
            rows = formatting.count(len(self._without_row), "row")
            notes.append(f"The columns of {rows} are left out here")
        return notes

    def pieces(self) -> Iterator[str]:
        """Yield the two elements of the data, without braces around."""
        yield '"texts":['
        before = ""
        for text in self._texts:
            yield before + embeddable(text)
            before = ",\n"
        yield '],"sent":{'
        before = ""
        for n, values in self._calls.items():
            yield f'{before}"{n}":{embeddable(values)}'
            before = ",\n"
        yield "}"

    def _take(self, part: ReportSection, first: int, rows: int) -> None:
        reader = AskedReader(part.reader)
        for n, call, file in kept_questions(part.reader):
            if first + n >= rows:
                return
            if len(self._calls) >= MOST_CALLS:
                self._left_out += 1
                continue
            found = reader.of(call)
            self._calls[first + n] = trimmed(
                (
                    self._prompt(found),
                    self._number(found.input_text),
                    self._number(found.answer),
                    self._number(found.memory),
                    [_media(one) for one in found.media] or None,
                )
            )
            if found.row is not None and file is not None and file not in self.row_of:
                self._row(file, found.row)

    def _prompt(self, found: Asked) -> list[int] | None:
        """The pieces of the prompt: the input in it is kept as a piece of its own."""
        text = found.text
        if text is None:
            return None
        about = found.input_text or found.answer
        if not about or len(about) < _SHORTEST:
            return [self._known(text)]
        before, there, after = text.partition(about)
        pieces = (before, about, after) if there else (text,)
        return [self._known(piece) for piece in pieces if piece]

    def _number(self, text: str | None) -> int | None:
        return None if text is None else self._known(text)

    def _known(self, text: str) -> int:
        # By its hash: whole texts of many long inputs would not fit into memory.
        key = content_hash(text_bytes(text))
        number = self._numbers.get(key)
        if number is None:
            whole = safe(text)
            shown = whole if self._cut is None or len(whole) <= self._cut else f"{whole[: self._cut - 1]}…"
            number = self._numbers[key] = self._texts.setdefault(shown, len(self._texts))
        return number

    def _row(self, file: str, row: dict[str, object]) -> None:
        for name in row:
            self.columns.setdefault(safe(name))
        known = {safe(name): value for name, value in row.items()}
        values = tuple(_cell(known.get(name)) for name in self.columns)
        number = self._row_numbers.get(values)
        if number is None:
            self._rows_size += sum(len(value or "") for value in values)
            if self._rows_size > BUDGET:
                self._without_row.add(file)
                return
            number = self._row_numbers[values] = len(self.rows)
            self.rows.append(list(values))
        self.row_of[file] = number


def _cell(value: object) -> str | None:
    if value is None:
        return None
    return safe(value if isinstance(value, str) else compact(value))


def _media(one: SentMedia) -> str:
    return safe(f"{one.name} ({one.mime}, {one.size:,} bytes)")
