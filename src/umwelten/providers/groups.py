"""Named groups of models: `@fast` in a list of models stands for the models of the group."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from umwelten.errors import UsageError

MARK = "@"


def expand_groups(text: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of a comma list, blanks trimmed, each group replaced by its models in their order.

    Groups may hold groups. Raises `UsageError` for a group that is not known (with the nearest name and
    all there are) and for one that holds itself (with the way round).
    """
    return list(_expanded(text, groups, ()))


def _expanded(text: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> Iterator[str]:
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        if not piece.startswith(MARK):
            yield piece
            continue
        name = piece[1:].strip()
        if name not in groups:
            raise _unknown(name, groups, above)
        if name in above:
            way = " → ".join(MARK + step for step in (*above[above.index(name) :], name))
            raise UsageError(f"the group @{name} holds itself: {way}", "Take one of the steps out.")
        for item in groups[name]:
            yield from _expanded(item, groups, (*above, name))


def _unknown(name: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> UsageError:
    inside = f", which @{above[-1]} names," if above else ""
    if not groups:
        hint = 'There are none: write [groups] and fast = ["provider:model", …] in umwelten.toml.'
    else:
        close = difflib.get_close_matches(name, groups, n=1)
        guess = f"Did you mean @{close[0]}? " if close else ""
        hint = f"{guess}Groups: {', '.join(MARK + known for known in sorted(groups))}."
    return UsageError(f"@{name}{inside} is not a group of models", hint)
