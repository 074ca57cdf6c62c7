from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.cli.flag_names import as_flag
from umwelten.control.attribution import Attribution, Reason, Timesheet, advice

TURNS = st.lists(st.tuples(st.floats(0, 50), st.sampled_from(list(Reason)), st.floats(0, 60)), max_size=50)


@given(TURNS)
def test_the_parts_add_up_to_the_wall_time(turns: list) -> None:
    sheet, now = Timesheet(), 0.0
    for wait, reason, until in turns:
        now += wait
        sheet.turn(now, reason, now + until)
    whole = sheet.sheet("a", now, 10.0, capped_by_user=True)
    assert sum(whole.parts().values()) == pytest.approx(1.0 if now else 0.0, abs=1e-9)


def test_a_timer_that_fires_late_is_our_own_doing() -> None:
    sheet = Timesheet()
    sheet.turn(0.0, Reason.REQUESTS, until=2.0)
    sheet.turn(3.0, Reason.NO_WORK)
    assert sheet.seconds == {Reason.REQUESTS: 2.0, Reason.CPU: 1.0}


def test_the_advice_names_what_took_most_time_and_what_would_help() -> None:
    line = str(advice(Attribution(lane="google", wall_s=100.0, requests_s=71.0, latency_s=29.0)))
    assert line == (
        "google was limited by requests per minute 71 % of the time: "
        "a higher tier would help, more concurrency would not"
    )
    full = Attribution(lane="a", wall_s=1.0, concurrency_s=1.0, limit=5, capped_by_user=True)
    assert advice(full).spell(as_flag) == (
        "a was full 100 % of the time: more than 5 calls at a time (--max-concurrency) may be faster, "
        "as far as the account allows it; auto finds out"
    )
    single = Attribution(lane="a", wall_s=1.0, concurrency_s=1.0, limit=1, capped_by_user=True)
    assert advice(single).spell(as_flag) == (
        "a was asked one call at a time, and was full 100 % of the time: --concurrent makes five at a time, "
        "--max-concurrency auto as many as the account allows"
    )
    dear = Attribution(lane="{a}", wall_s=2.0, cost_s=1.5, no_work_s=0.5)
    assert advice(dear).spell(as_flag) == (
        "{a} was stopped by the cost cap 75 % of the time: raise --max-cost and resume"
    )


def test_the_advice_after_failures_points_to_nothing_that_may_not_follow() -> None:
    line = str(advice(Attribution(lane="openai", wall_s=100.0, backoff_s=98.0, latency_s=2.0)))
    assert line == (
        "openai was waiting after failures 98 % of the time (attempts that failed and were made again)"
    )
