"""A comparison as text that fits a terminal of 80 columns: outcomes, costs, files that changed sides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from umwelten.report.comparison.comparison import ComparedMeasure, ComparedModel, Comparison, is_report
from umwelten.report.comparison.pairing import SomeFiles
from umwelten.report.models import model_label
from umwelten.report.render.scores_text import KINDS, p_text, share
from umwelten.scoring.comparison import ComparisonOutcome
from umwelten.scoring.differences import share_text
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

ShowCommand = Callable[[str, str, str, str | None], str]
"""The command that shows a call of an evaluation: of its id, file, model and prompt."""

MOST_FLIPS = 10
"""Files of a row that are named each way; with two commands each they fill a screen."""
REASONS = {**KINDS, "changed": "changed in between"}
"""Why files are left out, in words."""
MEASURE_NAMES = {
    "cost_usd": "cost",
    "p50_s": "p50",
    "input_tokens": "tokens in",
    "output_tokens": "tokens out",
}
_DASH = formatting.UNKNOWN
_HEAD = ("base", "new", "change", "95 %", "p", "files", "outcome")
_OUTCOMES: tuple[ComparisonOutcome, ...] = ("regressed", "unclear", "held")


def comparison_lines(found: Comparison, show: ShowCommand, width: int = 80) -> Iterator[str]:
    """Yield the lines, without ends of lines."""
    yield one_line(f"{found.new} against {found.base}, {formatting.count(found.files, 'file')}", width)
    for scorer, rows in groupby(sorted(found.rows, key=_scorer_order(found)), key=lambda row: row.scorer):
        yield ""
        yield from _scores(scorer, list(rows), width)
    yield from adjusted_note(found)
    for label, measures in groupby(found.measures, key=measure_label):
        yield ""
        yield from _measures(label, list(measures), width)
    for row in found.rows:
        yield from _flips(found, row, show, width)
    left_out = list(left_out_lines(found))
    if left_out:
        yield ""
        yield from (one_line(line, width) for line in left_out)
    yield ""
    yield verdict(found)


def row_label(row: ComparedModel) -> str:
    """Return the model of a row, with the one before and the prompt where there are."""
    return _label(row.base_model, row.model, row.prompt)


def measure_label(row: ComparedMeasure) -> str:
    """Return the same of a measure."""
    return _label(row.base_model, row.model, row.prompt)


def score_cells(row: ComparedModel) -> tuple[str, ...]:
    """Return base, new, difference, interval, p, files and outcome."""
    return (
        share(row.base),
        share(row.new),
        _signed(row.difference),
        _DASH if row.low is None or row.high is None else f"{row.low:+.3f} {_DASH} {row.high:+.3f}",
        _DASH if row.p_adjusted is None else p_text(row.p_adjusted),
        f"{row.files:,}",
        row.outcome,
    )


def measure_cells(row: ComparedMeasure) -> tuple[str, ...]:
    """Return name, base, new, ratio, interval and files."""
    return (
        MEASURE_NAMES[row.measure],
        *(_amount(row.measure, value) for value in (row.base, row.new)),
        _DASH if row.ratio is None else f"{row.ratio:.2f}",
        _DASH if row.low is None or row.high is None else f"{row.low:.2f} {_DASH} {row.high:.2f}",
        f"{row.files:,}",
    )


def known(rows: Iterable[ComparedMeasure]) -> list[ComparedMeasure]:
    """Return the measures of which anything is known."""
    return [row for row in rows if row.base is not None or row.new is not None]


def row_notes(row: ComparedModel) -> Iterator[str]:
    """Yield what a row leaves open: the files left out, and what it could not have seen."""
    if row.left_out:
        reasons = ", ".join(
            f"{count:,} {REASONS.get(reason, reason)}" for reason, count in row.left_out.items()
        )
        yield f"left out: {reasons}"
    if row.outcome != "unclear":
        return
    if row.difference is None or row.low is None:
        yield "too few files that both have"
    elif row.detectable is not None and row.detectable < 1:
        yield f"a difference of {share_text(row.detectable)} would have been seen four times of five"


def adjusted_note(found: Comparison) -> Iterator[str]:
    """Yield how p is adjusted, where it is."""
    if len(found.rows) > 1:
        yield f"p is adjusted for {len(found.rows)} comparisons (Holm)"


def left_out_lines(found: Comparison) -> Iterator[str]:
    """Yield which files are not compared."""
    for some, words in (
        (found.changed, "changed in between, left out"),
        (found.only_base, f"only in {found.base}"),
        (found.only_new, f"only in {found.new}"),
    ):
        if some.count:
            yield f"{words}: {some_files(some)}"


def some_files(some: SomeFiles) -> str:
    """Return how many they are, and the names of the first."""
    more = ", …" if some.count > len(some.names) else ""
    return f"{formatting.count(some.count, 'file')} ({', '.join(some.names)}{more})"


def verdict(found: Comparison) -> str:
    """Return what all rows came to, in a line."""
    allowed = f", where a drop of {found.max_drop:g} is allowed" if found.max_drop else ""
    if len(found.rows) == 1:
        return f"{found.outcome}{allowed}"
    counts = Counter(row.outcome for row in found.rows)
    words = ", ".join(f"{counts[outcome]} {outcome}" for outcome in _OUTCOMES if counts[outcome])
    return f"{found.outcome}: {words}{allowed}"


def _label(base_model: str, model: str, prompt: str | None) -> str:
    label = model_label(model, prompt)
    return label if base_model == model else f"{base_model} → {label}"


def _scorer_order(found: Comparison) -> Callable[[ComparedModel], int]:
    order = list(dict.fromkeys(row.scorer for row in found.rows))
    return lambda row: order.index(row.scorer)


def _signed(value: float | None) -> str:
    return _DASH if value is None else f"{value:+.3f}"


def _amount(measure: str, value: float | None) -> str:
    if measure == "cost_usd":
        return formatting.money(value)
    if measure == "p50_s":
        return formatting.seconds(value)
    return _DASH if value is None else formatting.short(value)


def _scores(scorer: str, rows: Sequence[ComparedModel], width: int) -> Iterator[str]:
    notes = [[f"  {note}" for note in row_notes(row)] for row in rows]
    table = [(row_label(row), *score_cells(row)) for row in rows]
    yield from _table((scorer, *_HEAD), table, notes, width)


def _measures(label: str, measures: Sequence[ComparedMeasure], width: int) -> Iterator[str]:
    shown = known(measures)
    if shown:
        head = (label, "base", "new", "new ÷ base", "95 %", "files")
        yield from _table(head, [measure_cells(row) for row in shown], [[] for _ in shown], width)


def _table(
    head: Sequence[str], rows: Sequence[Sequence[str]], notes: Sequence[Sequence[str]], width: int
) -> Iterator[str]:
    """Columns side by side; names that leave no room for them stand on lines of their own."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    rest = sum(widths[1:]) + 2 * (len(widths) - 1)
    first = max(0, width - rest)
    for row, below in zip((head, *rows), ((), *notes), strict=True):
        name = one_line(row[0], width)
        figures = "  ".join(text.rjust(size) for text, size in zip(row[1:], widths[1:], strict=True))
        if widths[0] <= first:
            yield f"{name.ljust(widths[0])}  {figures}".rstrip()
        elif row is head and len(name) <= first:
            yield f"{name.ljust(first)}  {figures}".rstrip()
        else:
            yield name
            yield f"{'':{first}}  {figures}".rstrip()
        yield from below


def _flips(found: Comparison, row: ComparedModel, show: ShowCommand, width: int) -> Iterator[str]:
    for files, words in ((row.flips.broke, "passed and now fail"), (row.flips.mended, "failed and now pass")):
        if not files:
            continue
        yield ""
        yield one_line(f"{row.scorer}, {row_label(row)}: {len(files):,} {words}", width)
        for file in files[:MOST_FLIPS]:
            for id_, model in ((found.base, row.base_model), (found.new, row.model)):
                if not is_report(id_):
                    yield f"  {show(id_, file, model, row.prompt)}"
        if len(files) > MOST_FLIPS:
            yield f"  and {len(files) - MOST_FLIPS:,} more"
