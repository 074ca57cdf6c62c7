"""Names that fit into a column and stay different."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

_HEADS = (0.5, 0.35, 0.65, 0.2, 0.8, 0.0, 1.0)
"""Shares of the room that the beginning of a name gets, in the order in which they are tried."""


def shorten(names: Sequence[str], width: int) -> list[str]:
    """Return the names in at most so many characters, cut in the middle; different ones stay different."""
    width = max(width, 3)
    if all(len(name) <= width for name in names):
        return list(names)
    most = len(set(names))
    fewest, best = most + 1, list(names)
    for head in _HEADS:
        cut = [_cut(name, width, head) for name in names]
        lost = most - len(set(cut))
        if lost < fewest:
            fewest, best = lost, cut
        if not lost:
            return best
    return _apart(names, best, width)


def _cut(name: str, width: int, head: float) -> str:
    if len(name) <= width:
        return name
    first = round((width - 1) * head)
    last = width - 1 - first
    return name[:first] + "…" + (name[-last:] if last else "")


def _apart(names: Sequence[str], cut: Sequence[str], width: int) -> list[str]:
    """Number those that are still alike: they differ in their middle alone."""
    seen, alike = Counter[str](), Counter(cut)
    numbers: dict[str, str] = {}
    for name, short in zip(names, cut, strict=True):
        if alike[short] > 1 and name not in numbers:
            seen[short] += 1
            number = f"…{seen[short]}"
            numbers[name] = short[: max(width - len(number), 0)] + number
    return [numbers.get(name, short) for name, short in zip(names, cut, strict=True)]
