"""Limit and calls in flight over time, drawn with letters."""

from __future__ import annotations

from umwelten.simulate.run import LaneReport, LaneSample

_BLOCKS = " ▁▂▃▄▅▆▇█"


def chart(lane: LaneReport, width: int = 72, height: int = 8) -> str:
    """Columns of calls in flight (blocks) below the limit (dots), with the scale at the left."""
    columns = _columns(lane.samples, width)
    if not columns:
        return "(too short to draw)"
    # A limit far above what is in flight would flatten the picture: it is cut off at the top.
    busiest = max(in_flight for _, in_flight in columns)
    top = max(1.0, min(max(limit for limit, _ in columns), 1.5 * busiest + 1))
    rows = [_row(columns, top, height, level) for level in range(height - 1, -1, -1)]
    scale = [f"{top:6.0f} "] + [" " * 7] * (height - 2) + ["     0 "]
    end = lane.samples[-1].at_s
    axis = f"{'':7}0 s{'':{max(0, width - 12)}}{end:7.0f} s"
    lines = [left + row for left, row in zip(scale, rows, strict=True)]
    return "\n".join([*lines, axis, "       ▆ in flight   · limit"])


def _columns(samples: tuple[LaneSample, ...], width: int) -> list[tuple[float, float]]:
    """Mean limit and mean in flight of each column."""
    n = min(width, len(samples))
    groups = [samples[i * len(samples) // n : (i + 1) * len(samples) // n] for i in range(n)]
    return [(sum(s.limit for s in g) / len(g), sum(s.in_flight for s in g) / len(g)) for g in groups]


def _row(columns: list[tuple[float, float]], top: float, height: int, level: int) -> str:
    cells = []
    for limit, in_flight in columns:
        filled = in_flight / top * height - level
        dot = level <= min(limit / top * height, height - 0.01) < level + 1
        cells.append(_BLOCKS[max(0, min(8, round(filled * 8)))] if filled > 0.06 or not dot else "·")
    return "".join(cells)
