"""When a closed lane is tried again, in virtual time."""

from __future__ import annotations

import pytest

from umwelten.control.gate import Gate

REFUSED_AFTER_S = 0.05


def closed(at: float = 10.0, hint: float | None = None) -> Gate:
    """A gate that one call passed at 0 s, and that was closed by one that started at `at`."""
    gate = Gate()
    gate.on_start(0.0)
    gate.on_start(at)
    gate.take_back(at)
    gate.on_refusal(at, at + REFUSED_AFTER_S, hint)
    return gate


def refuse_probe(gate: Gate, at: float, hint: float | None = None) -> float:
    """Let a probe go, refuse it; how long after the refusal the next one goes."""
    gate.on_start(at)
    gate.take_back(at)
    gate.on_refusal(at, at + REFUSED_AFTER_S, hint)
    return gate.earliest_start(at) - at - REFUSED_AFTER_S


def test_an_open_gate_lets_calls_start_at_once() -> None:
    gate = Gate()
    assert not gate.closed
    for now in (0.0, 3.0):
        assert gate.earliest_start(now) == now
        gate.on_start(now)
    assert (gate.start, gate.let_in) == (0.0, 2)


def test_a_first_probe_goes_after_a_quarter_of_a_second_and_alone() -> None:
    gate = closed()
    gate.note_refusal_time(0.2)
    probe = gate.earliest_start(10.1)
    assert gate.closed
    assert probe == pytest.approx(10.05 + 0.25)
    gate.on_start(probe)
    # What is not refused in twice the time of a refusal is let in.
    assert gate.earliest_start(probe) == pytest.approx(probe + 0.4)
    gate.on_start(probe + 0.4)
    assert not gate.closed


@pytest.mark.parametrize(
    ("took", "known"), [((0.2,), 0.2), ((5.0,), 1.0), ((0.001,), 0.08), ((0.001,) * 40, 0.02)]
)
def test_how_long_refusals_take_follows_the_slowest_of_late(took: tuple[float, ...], known: float) -> None:
    gate = Gate()
    for seconds in took:
        gate.note_refusal_time(seconds)
    assert gate.refusal_s == pytest.approx(known)


def test_probes_grow_rarer_by_a_fifth_of_the_time_and_never_rarer_than_half_a_minute() -> None:
    gate = closed()
    for after in (0.5, 2.0, 5.0, 20.0, 100.0, 500.0):
        gap = max(0.25, 0.2 * (after + REFUSED_AFTER_S))
        assert refuse_probe(gate, 10.0 + after) == pytest.approx(min(30.0, gap))


@pytest.mark.parametrize("length", [10.0, 60.0, 3600.0])
def test_a_probe_goes_when_a_window_of_a_usual_length_would_end(length: float) -> None:
    gate = closed(at=1.0)
    assert refuse_probe(gate, length - 0.06) == pytest.approx(0.06)


def test_an_answer_to_a_call_from_after_the_refusal_opens_the_gate() -> None:
    gate = closed(at=10.0)
    for started_at in (9.0, 10.0):
        gate.on_answer(started_at)
        assert gate.closed
    gate.on_answer(10.1)
    assert not gate.closed


def test_hints_that_agree_on_a_moment_are_exact_and_the_only_probe_goes_then() -> None:
    gate = closed(hint=20.0)
    assert not gate.exact
    assert refuse_probe(gate, 11.0, hint=19.0) == pytest.approx(19.05)
    assert gate.exact
    # What is told within a quarter of a second, or is a second at most, tells nothing.
    for at, first, second in ((10.1, 20.0, 19.9), (10.9, 1.9, 1.0)):
        gate = closed(hint=first)
        refuse_probe(gate, at, hint=second)
        assert not gate.exact


@pytest.mark.parametrize("hint", [20.0, 12.0])
def test_hints_that_do_not_agree_are_asked_before(hint: float) -> None:
    gate = closed(hint=20.0)
    gap = refuse_probe(gate, 15.0, hint=hint)
    assert not gate.exact
    assert gap == pytest.approx(5.05)


def test_a_hint_of_a_second_at_most_is_taken_at_its_word() -> None:
    assert closed(hint=0.8).earliest_start(10.05) == pytest.approx(10.85)
    assert closed(hint=0.1).earliest_start(10.05) == pytest.approx(10.15)
    assert closed(hint=0.0).earliest_start(10.05) == pytest.approx(10.10)
