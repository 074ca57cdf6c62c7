from __future__ import annotations

from umwelten.control.gate import Gate
from umwelten.control.knee import Knee
from umwelten.control.limit import Limit, LimitReason
from umwelten.control.limit_kind import LimitKind
from umwelten.control.pacer import Pacer
from umwelten.control.ramp import Ramp
from umwelten.control.refusals import RefusalDiagnosis, RefusedCall, StartSnapshot
from umwelten.types import Budget, RateLimitHints, Resource


def new_diagnosis(ceiling: int = 100, knee: Knee | None = None) -> RefusalDiagnosis:
    limit, gate = Limit(value=float(ceiling), ceiling=ceiling, slow_start=False), Gate()
    gate.on_start(0.0)
    return RefusalDiagnosis(limit, Ramp(), gate, Pacer(), knee)


def refused(level: int, *budgets: Budget, high: int = 0, started_at: float = 1.0) -> RefusedCall:
    start = StartSnapshot(number=level, level=level, high=high)
    hints = RateLimitHints(budgets=budgets)
    return RefusedCall(started_at, started_at + 0.05, hints, start, in_flight=level - 1)


def test_a_refusal_that_states_an_empty_budget_changes_no_limit() -> None:
    for resource, kind in ((Resource.REQUESTS, LimitKind.RATE), (Resource.TOKENS, LimitKind.TOKENS)):
        diagnosis = new_diagnosis()
        empty = Budget(resource=resource, limit=10.0, remaining=0.0)
        assert diagnosis.on_refusal(refused(40, empty)) is None
        assert (diagnosis.kind, diagnosis.limit.value) == (kind, 100.0)


def test_a_refusal_at_a_height_that_was_never_let_in_is_a_cap() -> None:
    diagnosis = new_diagnosis()
    change = diagnosis.on_refusal(refused(41, high=40))
    assert change is not None
    assert (change.limit, change.reason) == (40.0, LimitReason.CONCURRENCY)
    assert (diagnosis.kind, diagnosis.limit.edge) == (LimitKind.CONCURRENCY, 41)


def test_refusals_where_calls_had_been_let_in_turn_a_cap_into_a_rate() -> None:
    diagnosis = new_diagnosis()
    diagnosis.on_refusal(refused(41, high=40))
    reasons = []
    for number in range(4):
        call = refused(5, high=40, started_at=5.0 + number)
        change = diagnosis.on_refusal(call)
        reasons += [change.reason] if change is not None else []
    assert LimitReason.NOT_CONCURRENCY in reasons
    assert diagnosis.kind is not LimitKind.CONCURRENCY


def test_a_watched_server_that_refuses_is_held_at_half_from_then_on() -> None:
    diagnosis = new_diagnosis(knee=Knee(level=64, ceiling=100))
    change = diagnosis.on_refusal(refused(64))
    assert change is not None
    assert (change.limit, change.reason) == (50.0, LimitReason.RATE_LIMIT)
    assert diagnosis.knee is not None
    assert (diagnosis.knee.level, diagnosis.knee.ceiling) == (50, 50)
