"""The library's `compare`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.argument_names import as_argument
from umwelten.api.functions import _output_dir
from umwelten.api.results import Results
from umwelten.config.option_fields import PathLike
from umwelten.errors import UmweltenError

if TYPE_CHECKING:
    from umwelten.report.comparison.comparison import Comparison
    from umwelten.report.comparison.side import Side


def compare(
    base: str | Path | Results[Any],
    new: str | Results[Any],
    *,
    score: str | Sequence[str] | None = None,
    models: Mapping[str, str | Sequence[str]] | None = None,
    max_drop: float = 0.0,
    output_dir: PathLike | None = None,
) -> Comparison:
    """Compare the scores of a new evaluation with those of an earlier one of the same files.

    `base` and `new` are ids or `Results`; `base` may also be the path of a JSON report, which ends in
    `.json`. `score` names the scorers to compare, all by default; `models` are models of `new` by those of
    `base`, where the names differ; `max_drop` is the drop that is allowed, from 0 to below 1. Raises
    `StoreError`, `InputError`, and `UsageError` where the two cannot be compared.

    >>> comparison = umwelten.compare("base", "new", score="right")
    >>> comparison.rows[0].outcome, comparison.rows[0].difference
    ('held', 0.0)
    """
    from umwelten.report.comparison.comparison import compare as compare_sides

    try:
        return compare_sides(
            _side(base, output_dir),
            _side(new, output_dir),
            scores=_texts(score),
            models={old: _texts(names) for old, names in (models or {}).items()},
            max_drop=max_drop,
            spelling=as_argument,
        )
    except UmweltenError as error:
        error.spell(as_argument)
        raise


def _side(named: str | Path | Results[Any], output_dir: PathLike | None) -> Side:
    from umwelten.report.comparison.comparison import read_side
    from umwelten.report.comparison.stored_side import stored_side

    if isinstance(named, Results):
        return stored_side(named.folder)
    return read_side(str(named), _output_dir(output_dir))


def _texts(given: str | Sequence[str] | None) -> Sequence[str]:
    return (given,) if isinstance(given, str) else given or ()
