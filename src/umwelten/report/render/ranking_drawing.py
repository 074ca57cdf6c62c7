"""Points with their intervals, and ranges of ranks, as drawings; words beside them say the same."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.scoring.ranking.ranking import MEAN_POINTS, RankedContestant
from umwelten.types import FrozenStruct

_WIDTH, _HEIGHT, _MARGIN = 230, 22, 9
"""Of a drawn interval, in pixels; the margin lets a dot at the end and an arrow stay whole."""
_FURTHEST = 400.0
"""Points beyond those of all contestants to which an interval is drawn: one that is so wide says nothing, and
would press all others into a line."""
_LEAST = 50.0
"""Points that a drawing spans at least: contestants that are all alike have no wide bars."""
_SLOT, _MOST_SLOTS_PX = 9.0, 100.0


class DrawnInterval(FrozenStruct):
    """Where points and their interval are on a scale, from 0 to 1; `None`: no interval is known.

    `goes_below` and `goes_above`: it goes on beyond the end of the scale, or has no end.
    """

    at: float
    low: float | None = None
    high: float | None = None
    goes_below: bool = False
    goes_above: bool = False


class PointsScale:
    """The scale that all intervals of a board are drawn on."""

    def __init__(self, board: Sequence[RankedContestant]) -> None:
        all_points = [row.points for row in board]
        ends = [*all_points, MEAN_POINTS]
        for row in board:
            own = (row.low, row.high, row.bootstrap_low, row.bootstrap_high)
            ends += [end for end in own if end is not None]
        low = max(min(ends), min(*all_points, MEAN_POINTS) - _FURTHEST)
        high = min(max(ends), max(*all_points, MEAN_POINTS) + _FURTHEST)
        more = max(_LEAST - (high - low), 0) / 2
        self._low, self._high = low - more, high + more
        self.title = f"from {self._low:,.0f} to {self._high:,.0f} points"

    def drawn(self, row: RankedContestant) -> str:
        """Return a dot on a bar, with an arrow where the bar goes on; a bracket of the resampled interval."""
        mean = _x(self._share(MEAN_POINTS))
        marks = [f'<path class="axis" d="M{_MARGIN} 9H{_WIDTH - _MARGIN}M{mean:.1f} 3V15"/>']
        if row.bootstrap_low is not None and row.bootstrap_high is not None:
            low, high = (_x(self._share(end)) for end in (row.bootstrap_low, row.bootstrap_high))
            marks.append(f'<path class="bounds" d="M{low:.1f} 16V20H{high:.1f}V16"/>')
        places = self.places(row)
        marks += _bar(places)
        marks.append(f'<circle cx="{_x(places.at):.1f}" cy="9" r="5"/>')
        return _svg("interval", _WIDTH, marks)

    def places(self, row: RankedContestant) -> DrawnInterval:
        """Return where the points and their interval are drawn."""
        at = self._share(row.points)
        if row.se is None:
            return DrawnInterval(at=at)  # not known, which is not the same as open
        return DrawnInterval(
            at=at,
            low=self._share(self._low if row.low is None else row.low),
            high=self._share(self._high if row.high is None else row.high),
            goes_below=row.low is None or row.low < self._low,
            goes_above=row.high is None or row.high > self._high,
        )

    def _share(self, points: float) -> float:
        return min(max((points - self._low) / (self._high - self._low), 0.0), 1.0)


def _bar(places: DrawnInterval) -> list[str]:
    if places.low is None or places.high is None:
        return []
    left, right = _x(places.low), _x(places.high)
    marks = [f'<rect x="{left:.1f}" y="6" width="{max(right - left, 1):.1f}" height="6" rx="3"/>']
    if places.goes_below:
        marks.append(f'<path class="open" d="M{_MARGIN - 1} 4L2 9L{_MARGIN - 1} 14"/>')
    if places.goes_above:
        at = _WIDTH - _MARGIN + 1
        marks.append(f'<path class="open" d="M{at} 4L{_WIDTH - 2} 9L{at} 14"/>')
    return marks


def _x(share: float) -> float:
    return _MARGIN + share * (_WIDTH - 2 * _MARGIN)


def rank_slots(row: RankedContestant, contestants: int) -> str:
    """Return a line of slots, one a rank: those that cannot be ruled out are filled."""
    slot = min(_SLOT, _MOST_SLOTS_PX / contestants)
    size = slot * 0.8
    left = (row.best_rank - 1) * slot
    width = (row.worst_rank - row.best_rank) * slot + size
    slots = "".join(
        f'<circle class="slot" cx="{n * slot + size / 2:.1f}" cy="9" r="{size / 4:.1f}"/>'
        for n in range(contestants)
    )
    place = f'x="{left:.1f}" y="{9 - size / 2:.1f}" width="{width:.1f}" height="{size:.1f}"'
    filled = f'<rect {place} rx="{size / 2:.1f}"/>'
    return _svg("interval slots", round(contestants * slot), [slots, filled])


def _svg(kind: str, width: float, marks: Sequence[str]) -> str:
    size = f'width="{width:g}" height="{_HEIGHT}"'
    return f'<svg class="{kind}" {size} aria-hidden="true">{"".join(marks)}</svg>'
