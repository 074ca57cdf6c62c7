"""Whether a new evaluation is worse than an earlier one of the same files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from umwelten.errors import UsageError
from umwelten.phrases import Spelling, Wording, by_name, spell
from umwelten.report.comparison.json_side import json_side
from umwelten.report.comparison.pairing import (
    ColumnPair,
    FilePairs,
    SomeFiles,
    pair_columns,
    pair_scorers,
)
from umwelten.report.comparison.side import MEASURES, Side
from umwelten.report.comparison.stored_side import stored_side
from umwelten.scoring.comparison import (
    Compared,
    ComparisonOutcome,
    ComparisonRow,
    Pair,
    Ratio,
    compare_scores,
    flips,
    mean_ratio,
    median_ratio,
)
from umwelten.text.html_table import html_table
from umwelten.types import FrozenStruct

CHANGED = "changed"
"""Why a file is left out whose content is another one than before."""

_DOUBTFUL = ("no_answer", "pending", "input_changed", "judge_failed", "scorer_error")
"""Reasons for which the files that are left out could have said something else."""


class FileFlips(FrozenStruct):
    """The names of the files that passed and now fail (`broke`), and the reverse (`mended`)."""

    broke: tuple[str, ...] = ()
    mended: tuple[str, ...] = ()


class ComparedModel(ComparisonRow):
    """The scores of a model by one scorer, in both evaluations.

    `model` is that of the new evaluation, `base_model` the one it is compared with. `flips` are empty where
    nothing says what passes. The figures are those of `scoring.comparison.ComparisonRow`.
    """

    base_model: str
    flips: FileFlips


class ComparedMeasure(Ratio):
    """A measure of a model's answers in both: "cost_usd", "p50_s", "input_tokens" or "output_tokens".

    `base` and `new` are means by answer, of "p50_s" the medians of the files' times.
    """

    model: str
    base_model: str
    prompt: str | None
    measure: str


class Comparison(FrozenStruct):
    """A new evaluation beside an earlier one: is it worse?

    `base` and `new` are the ids, or the path of the base's report. A row regressed if it is surely worse by
    more than `max_drop`. `files` are in both and unchanged for some row; `changed` have another content, and
    are left out. `notes` say what was paired and what was not.
    """

    base: str
    new: str
    max_drop: float
    level: float
    rows: tuple[ComparedModel, ...]
    measures: tuple[ComparedMeasure, ...]
    files: int
    changed: SomeFiles
    only_base: SomeFiles
    only_new: SomeFiles
    notes: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        rows = [
            (row.model, row.scorer, *map(_figure, (row.base, row.new, row.difference)), row.outcome)
            for row in self.rows
        ]
        headings = ("model", "scorer", "base", "new", "difference", "outcome")
        return html_table(f"{self.new} against {self.base}: {self.outcome}", headings, rows)

    @property
    def outcome(self) -> ComparisonOutcome:
        """The worst of the rows' outcomes: "regressed", "unclear" or "held"."""
        found = {row.outcome for row in self.rows}
        if "regressed" in found:
            return "regressed"
        return "unclear" if "unclear" in found else "held"

    @property
    def doubtful(self) -> int:
        """How many files are left out of rows because a call, verdict or scorer failed or is pending."""
        return sum(row.left_out.get(reason, 0) for row in self.rows for reason in _DOUBTFUL)


def read_side(name: str, output_dir: Path) -> Side:
    """Return the evaluation of that id, or of the JSON report at that path. Raises `UmweltenError`."""
    return json_side(Path(name)) if is_report(name) else stored_side(output_dir / name)


def is_report(name: str) -> bool:
    """Whether this names a JSON report, not an id."""
    return name.lower().endswith(".json")


def compare(
    base: Side,
    new: Side,
    *,
    scores: Sequence[str] = (),
    models: Mapping[str, Sequence[str]] | None = None,
    max_drop: float = 0.0,
    level: float = 0.95,
    spelling: Spelling = by_name,
) -> Comparison:
    """Return what the new evaluation is beside the base.

    `scores` names the scorers, all where there are none; `models` are models of `new` by those of `base`,
    where the names differ; `max_drop` is the drop that is allowed, from 0 to below 1. Raises `UsageError`
    where the two cannot be compared.
    """
    if not 0 <= max_drop < 1:
        raise UsageError(
            f"max_drop is {max_drop:g}: a share from 0 to below 1 is expected",
            "Give the drop that is allowed, such as 0.02.",
            argument="max_drop",
        )
    notes: list[Wording] = []
    scorers = pair_scorers(base, new, scores, notes)
    pairs = pair_columns(base, new, models or {}, notes)
    files = FilePairs(base, new)
    same = {pair: files.of(pair) for pair in pairs}
    if not any(same.values()):
        raise UsageError(
            f"all files that both have, {len(files.base):,}, were changed in between",
            f"Run {new.label} on the files of {base.label}, or take another base.",
        )
    rows = [
        (pair, _compared(base, new, pair, scorer, same[pair], files)) for pair in pairs for scorer in scorers
    ]
    found = compare_scores([row for _, row in rows], max_drop=max_drop, level=level)
    names = list(new.names)
    return Comparison(
        base=base.label,
        new=new.label,
        max_drop=max_drop,
        level=level,
        rows=tuple(
            ComparedModel(
                **{name: getattr(row, name) for name in ComparisonRow.__struct_fields__},
                base_model=pair[0].model,
                flips=_flips(compared, new, names),
            )
            for row, (pair, compared) in zip(found, rows, strict=True)
        ),
        measures=tuple(
            _measure(base, new, pair, name, same[pair], level) for pair in pairs for name in MEASURES
        ),
        files=max(map(len, same.values())),
        changed=files.changed,
        only_base=files.only_base,
        only_new=files.only_new,
        notes=tuple(spell(note, spelling) for note in notes),
    )


def _compared(
    base: Side, new: Side, pair: ColumnPair, scorer: str, same: Sequence[Pair], files: FilePairs
) -> Compared:
    return Compared(
        model=pair[1].model,
        prompt=pair[1].prompt,
        scorer=scorer,
        base=base.columns[pair[0]].scores[scorer],
        new=new.columns[pair[1]].scores[scorer],
        pairs=same,
        left_out=Counter({CHANGED: len(files.base) - len(same)}),
    )


def _flips(row: Compared, new: Side, names: Sequence[str]) -> FileFlips:
    found = flips(row)

    def named(pairs: Sequence[Pair]) -> tuple[str, ...]:
        return tuple(names[new.files.places[file]] for _, file in pairs)

    return FileFlips(broke=named(found.broke), mended=named(found.mended))


def _measure(
    base: Side, new: Side, pair: ColumnPair, name: str, same: Sequence[Pair], level: float
) -> ComparedMeasure:
    before, after = base.columns[pair[0]].measures, new.columns[pair[1]].measures
    first = [before.mean(name, file) for file, _ in same]
    second = [after.mean(name, file) for _, file in same]
    timed = name == "response_s"
    ratio = median_ratio(first, second) if timed else mean_ratio(first, second, level=level)
    return ComparedMeasure(
        **msgspec.structs.asdict(ratio),
        model=pair[1].model,
        base_model=pair[0].model,
        prompt=pair[1].prompt,
        measure="p50_s" if timed else name,
    )


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
