"""What is written to a store of scores, and read from it, as values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec.structs import asdict

from umwelten.scoring.figures import Figure
from umwelten.scoring.gates import Gate
from umwelten.scoring.repeats import OfRepeats
from umwelten.scoring.score import Result, Unscored, UnscoredKind
from umwelten.types import FrozenStruct


class StoredScorer(FrozenStruct):
    """A scorer as it is stored. `id` numbers it; `table` is what defines it, as in a scorers file.

    `low` and `high` are the scale on which thresholds are given, `at_least` a share from 0 to 1. `judge` is
    the id of the evaluation that holds its verdicts.
    """

    name: str
    type: str
    table: Mapping[str, Any]
    digest: str
    graded: bool
    at_least: float | None = None
    weight: float = 1.0
    low: float = 0.0
    high: float = 1.0
    judge: str | None = None
    id: int = 0


class Verdict(FrozenStruct):
    """What one judge said of an answer, by `criterion` ("": there is one alone).

    `value` is `None` where it gave no usable verdict. Of several criteria in one call the first has its cost,
    the others cost nothing.
    """

    judge: str
    sample: int
    criterion: str
    value: float | None
    label: str | None = None
    reason: str | None = None
    unscored: str | None = None
    message: str | None = None
    cost_nusd: int | None = None


class ScoreRecord(FrozenStruct):
    """The score of one answer by one scorer. `call_key` is the answer's call's, `key` the score's own."""

    call_id: int
    scorer_id: int
    call_key: str
    key: str
    result: Result
    reference: bytes | None = None
    verdicts: tuple[Verdict, ...] = ()
    cost_nusd: int | None = None


class StoredScore(FrozenStruct):
    """A score as it is read, without its parts and verdicts."""

    call_id: int
    scorer_id: int
    call_key: str
    value: float | None
    label: str | None
    passed: bool | None
    reason: str | None
    unscored: UnscoredKind | None
    message: str | None
    reference: bytes | None
    cost_nusd: int | None


class _StoredGate(FrozenStruct):
    """A gate as it is stored."""

    text: str
    name: str
    figure: Figure | None
    k: int
    operator: Literal[">=", ">", "<=", "<"]
    number: float
    sure: bool = False
    model: str | None = None


class _StoredJudge(FrozenStruct):
    """What is kept of the judge of a scorer."""

    cost_nusd: int | None
    unpriced: int
    pending: int
    figures: dict[str, Any]
    check: dict[str, Any] | None = None


SETTING_TYPES: Mapping[str, Any] = {
    "expected": str,
    "cluster": str,
    "failed_as_zero": bool,
    "of_repeats": OfRepeats,
    "gates": list[_StoredGate],
    "judges": dict[str, _StoredJudge],
    "ranking": dict[str, Any],
}
"""What the settings of a scored evaluation are, as JSON."""


def gate_values(gates: Iterable[Gate]) -> list[dict[str, Any]]:
    """Return gates as they are stored, as JSON: without where they were given, and the task of a suite.

    What is stored belongs to one task.
    """
    left_out = ("place", "task")
    return [{name: value for name, value in asdict(gate).items() if name not in left_out} for gate in gates]


def stored_gates(settings: Mapping[str, Any]) -> tuple[Gate, ...]:
    """Return the gates among the stored settings. Errors: `msgspec.ValidationError`."""
    try:
        return tuple(Gate(**values) for values in settings.get("gates") or ())
    except TypeError as error:
        # As of all JSON in a database that is not what was written there.
        raise msgspec.ValidationError(str(error)) from None


def columns_of(result: Result) -> tuple[object, ...]:
    """Return value, label, passed, reason, unscored and message, as the table has them."""
    if isinstance(result, Unscored):
        return None, None, None, None, result.kind, result.message
    passed = None if result.passed is None else int(result.passed)
    return result.value, result.label, passed, result.reason, None, None
