"""How long messages are gathered before they are sent: a frame costs each end as much as one or two calls."""

from __future__ import annotations

_LEAST_S, LONGEST_GATHERING_S = 0.001, 0.01
_PART = 0.02
"""Of the mean answer time: what gathering may cost a lane whose slots are few."""

PIECES_S = 0.02
"""The same for the text of streamed answers, which is only looked at."""


def gathering_s(answer_s: float) -> float:
    """Return how long a message may wait where answers take so long, in seconds."""
    return min(LONGEST_GATHERING_S, max(_LEAST_S, _PART * answer_s))


class MeanAnswers:
    """The mean time of the latest answers by lane, in seconds; 0 while none came."""

    def __init__(self) -> None:
        self._means: dict[str, float] = {}

    def __call__(self, lane: str) -> float:
        """Return the mean of a lane."""
        return self._means.get(lane, 0.0)

    def add(self, lane: str, took_s: float) -> None:
        """Take the time of an answer."""
        mean = self._means.get(lane)
        self._means[lane] = took_s if mean is None else mean + (took_s - mean) / 50
