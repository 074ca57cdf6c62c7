from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from benchmarks import families
from umwelten.control.safety import Safety


def test_after_refusals_few_calls_are_unresolved_and_more_the_more_are_let_in() -> None:
    law, now = Safety(), 0.0
    for number in range(8):
        law.on_start(now, number)
    for number in range(8):
        law.on_refusal(number, now, 0.1)
    now, number, most = 0.2, 100, []
    for _ in range(20):
        begun = number
        while law.earliest_start(now) <= now:
            law.on_start(now, number)
            number += 1
        most.append(number - begun)
        for started in range(begun, number):
            law.on_answer(started)
        now += 1.0
    assert most[0] <= 6
    assert most[-1] > most[0]


@given(st.lists(st.booleans(), max_size=200))
def test_a_call_goes_at_last_after_a_wait_in_proportion_to_the_one_before(let_in: list[bool]) -> None:
    law, now, closure, last = Safety(), 0.0, 0.0, 0.0
    for number, well in enumerate([False, *let_in]):
        law.on_start(now, number)
        if well:
            law.on_answer(number)
            closure, last = max(closure, now - last), now
        else:
            law.on_refusal(number, now, now)
        wait = law.patience() - now
        assert wait <= max(0.5, 2 * closure, 0.6 * (now - last)) + 1e-9 if law.refused else True
        now += max(0.0, min(wait, 1e6))


def test_what_states_that_nothing_is_left_is_not_refused_for_ever() -> None:
    # Its figures always fit the second that is stated, so they are believed.
    figures = families.run(families.draw("tokens", 325))
    assert figures.refused < 1.0 and figures.efficiency > 0.9


def test_a_storm_at_the_start_is_paid_off_in_time() -> None:
    law = Safety()
    for number in range(60):
        law.on_start(0.0, number)
    for number in range(60):
        law.on_refusal(number, 0.0, 0.1)
    for number in range(100, 151):
        law.on_start(float(number), number)
        law.on_answer(number)
    assert law.tokens >= 1.0
