"""People's ratings as the table that a judge is checked against: `check` in a scorers file reads it."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import TextIO

from umwelten.report.render.csv import harmless
from umwelten.store.ratings.ratings import RatedAnswer

_WORDS = {0.0: "fail", 1.0: "pass"}


def render_labels(scale: str, rows: Iterable[RatedAnswer], out: TextIO) -> None:
    """Write a row an answer: `label` with the scale pass/fail, else `value`; comments are `reason`.

    Names stay as they are, for they are compared with those of the evaluation.
    """
    column = "label" if scale == "pass/fail" else "value"
    table = csv.writer(out, lineterminator="\n")
    table.writerow(("file", "model", "prompt", "repeat", column, "reason"))
    for row in rows:
        value = row.rating.value or 0.0
        said = _WORDS[value] if column == "label" else f"{value:g}"
        reason = harmless(" ".join(row.rating.comment.split()))
        table.writerow((row.file, row.model, row.prompt, row.repeat, said, reason))
