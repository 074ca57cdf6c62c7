"""A handful of calls that put a rate to the test, and what decides when: see `rate_estimator.py`."""

from __future__ import annotations

from dataclasses import dataclass

TEST_CALLS = 4
"""Calls of a test: more than an empty bucket admits. At 2 `noise_bucket` falls from 0.95 to 0.88, at 8 it is
refused 0.25 a call, not 0.20."""

MOST_TEST_CALLS = 40
"""Calls of a test, at most. At 4 `drop_blind` falls from 0.99 to 0.96; not sensitive up to 200."""

TEST_GAIN = 2.0
"""The rate is multiplied by it after a test that was admitted. At 1.3 `noise` falls from 0.69 to 0.58, at 4
`noise_bucket` is refused 0.34 a call, not 0.20."""

FALL = 0.6
"""Fallen so far since the last test, a rate is tested again. At 0.9 `drop` falls from 0.99 to 0.96; not
sensitive down to 0.3."""

EARLY = 0.33
"""Part of the quiet time within which a refusal is early. At 0.1 `noise_bucket` falls from 0.95 to 0.66, at
0.8 `drop` is refused 0.059 a call, not 0.047."""

IN_A_ROW = 2
"""Early refusals that call for a test. At 4 `noise_bucket` falls from 0.95 to 0.76, at 1 `drop_blind` from
0.99 to 0.97."""

TOO_MANY = 8
"""Early refusals that no bucket makes. At 4 `noise_bucket` is refused 0.26 a call, not 0.20, at 16 its worst
run falls from 0.94 to 0.89."""

HELPED = 0.85
"""A raise helped if so much of the former rate is admitted. At 1 `noise_bucket`'s worst run falls from 0.94
to 0.89; 0.5 does as well."""

FIRST_BACKOFF = 12.0
"""Calls between tests, at first. At 4 `drop` falls from 0.99 to 0.96, at 48 `noise_bucket`'s worst run from
0.94 to 0.88."""

LONGEST_BACKOFF = 1000.0
"""Calls between tests, at most. Not sensitive from 100 to 10,000: the cells are too short for it."""


@dataclass(slots=True)
class BurstTest:
    """A handful of calls that go at once: `left` to start of `size`, `refused` so far; over at `until`."""

    began_at: float
    size: int
    left: int
    until: float = float("inf")
    refused: int = 0
