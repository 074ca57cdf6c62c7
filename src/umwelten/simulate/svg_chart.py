"""Calls let in and refused over time, beside one who knows the limit, drawn as SVG.

The picture has a background of its own, so that it can be read on pages of any colour; it is dark where the
reader prefers that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from umwelten.simulate.run import LaneReport, Report

_STEPS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0)
"""Seconds that are counted together."""

_MOST_STEPS = 120
"""Of them in a picture: each is some pixels wide."""

_WIDTH, _PANEL, _HEAD = 900.0, 300.0, 34.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 20.0, 50.0, 40.0
_STYLE = """
text { font: 13px system-ui, sans-serif; fill: #57606a; }
.head { font-size: 16px; font-weight: 600; fill: #1f2328; }
.paper { fill: #ffffff; }
.grid { stroke: #d8dee4; }
.zero { stroke: #57606a; }
.in { fill: #6ea8d9; }
.best { fill: none; stroke: #1f2328; stroke-width: 1.6; stroke-dasharray: 5 3; }
.refused { fill: #d1442c; }
@media (prefers-color-scheme: dark) {
  text { fill: #9aa4ae; }
  .head { fill: #e6e8ea; }
  .paper { fill: #14171a; }
  .grid { stroke: #2e343a; }
  .zero { stroke: #9aa4ae; }
  .in { fill: #3b78ad; }
  .best { stroke: #e6e8ea; }
  .refused { fill: #f08d78; }
}
"""


def svg_chart(report: Report) -> str:
    """Return a picture with a panel for each lane."""
    height = _HEAD + _PANEL * len(report.lanes)
    head = f"{report.title or 'simulation'} ({report.calls:,} calls, seed {report.seed})"
    ends = [lane.wall_s for lane in report.lanes] + [
        times[-1] for lane in report.lanes for times in _times(lane) if times
    ]
    end_s = max(_STEPS[0], *ends)
    panels = [_panel(lane, _HEAD + _PANEL * i, end_s) for i, lane in enumerate(report.lanes)]
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height:g}" '
        f'width="{_WIDTH:g}" height="{height:g}" role="img">',
        f"<title>{_text(head)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="paper" width="{_WIDTH:g}" height="{height:g}" rx="6"/>',
        f'<text class="head" x="{_LEFT:g}" y="26">{_text(head)}</text>',
        *panels,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panel(lane: LaneReport, top: float, end_s: float) -> str:
    """Rates upwards: let in as an area, the best possible as a line. Refusals downwards."""
    step_s = next((step for step in _STEPS if end_s / step <= _MOST_STEPS), end_s / _MOST_STEPS)
    let_in, refused, best = (_rates(times, step_s, end_s) for times in _times(lane))
    high, low = max(1.0, *let_in, *best), max(refused)
    tick = _tick(high + low, 6)
    high, low = tick * math.ceil(high / tick), tick * math.ceil(low / tick)
    across = (_WIDTH - _LEFT - _RIGHT) / (len(let_in) * step_s)
    scale = (_PANEL - _TOP - _BOTTOM) / (high + low)
    zero = top + _TOP + high * scale

    def y(rate: float) -> float:
        return zero - rate * scale

    parts = [_caption(lane, top)]
    for i in range(-round(low / tick), round(high / tick) + 1):
        at = y(i * tick)
        parts.append(f'<path class="grid" d="M{_LEFT:g} {at:.1f}H{_WIDTH - _RIGHT:g}"/>')
        parts.append(f'<text x="{_LEFT - 8:g}" y="{at + 4:.1f}" text-anchor="end">{abs(i * tick):g}</text>')
    parts.append(f'<path class="in" d="{_steps(let_in, step_s * across, y)}V{zero:.1f}Z"/>')
    for i, rate in enumerate(refused):
        if rate:
            width = max(1.5, 0.8 * step_s * across)
            parts.append(
                f'<rect class="refused" x="{_LEFT + (i + 0.1) * step_s * across:.1f}" y="{zero:.1f}" '
                f'width="{width:.1f}" height="{max(2.0, rate * scale):.1f}"/>'
            )
    parts.append(f'<path class="best" d="{_steps(best, step_s * across, y)}V{zero:.1f}"/>')
    parts.append(f'<path class="zero" d="M{_LEFT:g} {zero:.1f}H{_WIDTH - _RIGHT:g}"/>')
    return "\n".join([*parts, *_time_axis(end_s, across, top + _PANEL - _BOTTOM)])


def _times(lane: LaneReport) -> tuple[Sequence[float], Sequence[float], Sequence[float]]:
    return lane.let_in_at, lane.refused_at, lane.ideal_let_in_at


def _rates(times: Sequence[float], step_s: float, end_s: float) -> list[float]:
    """Return how many a second fall into each step."""
    rates = [0.0] * max(1, math.ceil(end_s / step_s))
    for at in times:
        rates[min(len(rates) - 1, int(at / step_s))] += 1 / step_s
    return rates


def _steps(rates: Sequence[float], width: float, y: Callable[[float], float]) -> str:
    """Return a path along the tops of columns, from the axis on."""
    tops = "".join(f"V{y(rate):.1f}H{_LEFT + (i + 1) * width:.1f}" for i, rate in enumerate(rates))
    return f"M{_LEFT:g} {y(0.0):.1f}{tops}"


def _caption(lane: LaneReport, top: float) -> str:
    words = f"{lane.name}: limit found: {lane.kind}, efficiency {lane.efficiency:.2f}, "
    words += f"{lane.refused:,} refused ({lane.refused_per_call:.3f} per call)"
    y = top + 16
    legend = [("in", "let in per second", 0.0), ("refused", "refused per second", 150.0)]
    parts = [f'<text x="{_LEFT:g}" y="{y:g}">{_text(words)}</text>']
    for name, label, x in legend:
        parts.append(f'<rect class="{name}" x="{_LEFT + x:g}" y="{y + 11:g}" width="12" height="10"/>')
        parts.append(f'<text x="{_LEFT + x + 18:g}" y="{y + 20:g}">{label}</text>')
    parts.append(f'<path class="best" d="M{_LEFT + 310:g} {y + 16:g}h24"/>')
    parts.append(f'<text x="{_LEFT + 340:g}" y="{y + 20:g}">possible for one who knows the limit</text>')
    return "\n".join(parts)


def _time_axis(end_s: float, across: float, y: float) -> list[str]:
    tick = _tick(end_s, 10)
    return [
        f'<text x="{_LEFT + i * tick * across:.1f}" y="{y + 20:.1f}" text-anchor="middle">'
        f"{i * tick:g}{' s' if not i else ''}</text>"
        for i in range(int(end_s / tick) + 1)
    ]


def _tick(span: float, most: int) -> float:
    """Return a round figure of which at most so many fit.

    >>> [_tick(span, 6) for span in (5.0, 65.0, 180.0)]
    [1.0, 20.0, 50.0]
    """
    unit = 10.0 ** math.floor(math.log10(span / most))
    return next(unit * factor for factor in (1.0, 2.0, 5.0, 10.0) if unit * factor * most >= span)


def _text(words: str) -> str:
    """Return text that XML can hold."""
    return escape("".join(letter if letter.isprintable() else " " for letter in words))
