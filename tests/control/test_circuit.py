from __future__ import annotations

import itertools

from umwelten.control.circuit import LONGEST_S, NEVER, Circuit


def down(circuit: Circuit, at: float = 1.0) -> None:
    for i in range(60):
        circuit.on_failure(at + i / 1000, at + 0.1 + i / 1000, limit=200)


def test_failures_without_an_answer_open_the_circuit_and_one_probe_goes_at_a_time() -> None:
    circuit = Circuit()
    down(circuit)
    assert circuit.open_since is not None
    at = circuit.earliest_start(1.2)
    assert at > 1.2
    circuit.on_start(at)
    assert circuit.earliest_start(at + 100) == NEVER


def test_probes_are_never_further_apart_than_a_second_and_a_half() -> None:
    circuit = Circuit()
    down(circuit)
    now, probes = 2.0, []
    for _ in range(20):
        now = circuit.earliest_start(now)
        circuit.on_start(now)
        probes.append(now)
        circuit.on_failure(now, now + 0.05, limit=200)
        now += 0.05
    gaps = [b - a for a, b in itertools.pairwise(probes)]
    assert max(gaps) <= LONGEST_S + 0.06
    assert gaps[0] < gaps[-1]


def test_an_answer_to_a_call_from_before_the_outage_does_not_close_it() -> None:
    circuit = Circuit()
    down(circuit)
    assert not circuit.on_answer(started_at=0.5)
    assert circuit.open_since is not None
    assert circuit.on_answer(started_at=5.0)
    assert circuit.earliest_start(6.0) == 6.0


def test_failures_between_answers_open_nothing() -> None:
    circuit = Circuit()
    for i in range(200):
        circuit.on_failure(float(i), i + 0.1, limit=5)
        circuit.on_answer(i + 0.5)
    assert circuit.open_since is None
