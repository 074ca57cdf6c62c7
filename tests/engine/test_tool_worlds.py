"""Random evaluations of calls with tools, broken off and resumed: what is promised holds in each of them.

`python -m engine.tool_worlds FROM TO` in `tests` plays as many as you like.
"""

from __future__ import annotations

from engine.tool_worlds import play


def test_whatever_happens_no_answer_is_lost_no_stored_step_paid_twice_and_every_run_ends() -> None:
    for seed in range(40):
        play(seed)
