"""A mean with its interval as a small drawing in a table; the figures stand beside it as text."""

from __future__ import annotations

_WIDTH, _HEIGHT, _MARGIN = 210, 22, 5
"""Of the drawing, in pixels; the margin lets a dot at 0 or 1 stay whole."""


def drawn_interval(
    mean: float | None, low: float | None, high: float | None, bounds: tuple[float, float] | None = None
) -> str:
    """Return a dot on a bar, the mean and its interval; a bracket where unscored answers could move it."""
    marks = [f'<path class="axis" d="M{_x(0)} 9H{_x(1)}M{_x(0)} 5V13M{_x(0.5)} 6V12M{_x(1)} 5V13"/>']
    if bounds is not None:
        marks.append(f'<path class="bounds" d="M{_x(bounds[0])} 16V20H{_x(bounds[1])}V16"/>')
    if low is not None and high is not None:
        width = max(_at(high) - _at(low), 1)
        marks.append(f'<rect x="{_x(low)}" y="6" width="{width:.1f}" height="6" rx="3"/>')
    if mean is not None:
        marks.append(f'<circle cx="{_x(mean)}" cy="9" r="5"/>')
    size = f'width="{_WIDTH}" height="{_HEIGHT}" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
    return f'<svg class="interval" {size} aria-hidden="true">{"".join(marks)}</svg>'


def _at(value: float) -> float:
    return _MARGIN + value * (_WIDTH - 2 * _MARGIN)


def _x(value: float) -> str:
    return f"{_at(value):.1f}"
