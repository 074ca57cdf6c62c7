"""Which labels were taken for which, in an HTML report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from umwelten.report.queries.score_details import MOST_LABELS
from umwelten.report.render.markup import details, table, text
from umwelten.report.render.scores_text import interval, share
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.confusion import Confusion

_LABELS = 12
"""Labels of which a table is still read; of more, the most frequent mistakes are shown."""
_MISTAKES = 10
_OTHER = "other"


def as_html(of_columns: Mapping[ColumnName, Confusion] | None) -> str:
    """A table of agreement, and of each model what was wanted and what was said. None: too many labels."""
    if of_columns is None:
        return f"<p>More than {MOST_LABELS} labels: no table of which was taken for which.</p>\n"
    head = ("model", "answers", "right", "macro-F1", "Cohen's κ", "95% of κ")
    agreement = table(head, map(_agreement, of_columns, of_columns.values()), name="Labels")
    return agreement + "".join(
        details(f"Wanted and said: {column}", _confusion(confusion))
        for column, confusion in of_columns.items()
        if confusion.answers
    )


def _agreement(column: ColumnName, confusion: Confusion) -> Sequence[str]:
    kappa = confusion.kappa()
    figures = (share(kappa.agreement), share(confusion.macro_f1), share(kappa.kappa))
    return (text(str(column)), f"{confusion.answers:,}", *figures, interval(kappa.low, kappa.high))


def _confusion(confusion: Confusion) -> str:
    counts = confusion.counts
    if len(confusion.labels) > _LABELS:
        wrong = [pair for pair in counts if pair[0] != pair[1]]
        wrong.sort(key=lambda pair: (-counts[pair], str(pair)))
        rows = [(text(one), text(said or _OTHER), f"{counts[one, said]:,}") for one, said in wrong]
        return table(("wanted", "said", "answers"), rows[:_MISTAKES], name="Most frequent mistakes", words=2)
    other = any(said is None for _, said in counts)
    said_labels: Sequence[str | None] = (*confusion.labels, *((None,) if other else ()))
    return table(
        ("wanted", *(_OTHER if label is None else label for label in said_labels)),
        (
            (text(wanted), *(f"{counts.get((wanted, said), 0):,}" for said in said_labels))
            for wanted in confusion.labels
        ),
        name="What was wanted and what was said",
    )
