"""What all evaluations of an output directory have cost, summed up by month, model, tag and the like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from umwelten.errors import StoreError, UsageError
from umwelten.store.database import VALUE_ERRORS, evaluations, store_errors
from umwelten.store.derived import DatabaseErrors, owner
from umwelten.store.reader import Reader
from umwelten.store.spending import Spent, origin, spending
from umwelten.store.tags import read_tags
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import NANO, FrozenStruct

NO_TAG = "(no tag)"


class _Source(FrozenStruct):
    """Where spending was found: `id` is whose evaluation it is."""

    id: str
    tags: tuple[str, ...]


BY: Mapping[str, Callable[[Spent, _Source], Sequence[str]]] = {
    "month": lambda spent, source: (spent.day[:7],),
    "day": lambda spent, source: (spent.day,),
    "model": lambda spent, source: (spent.model,),
    "provider": lambda spent, source: (spent.provider,),
    "tag": lambda spent, source: source.tags or (NO_TAG,),
    "id": lambda spent, source: (source.id,),
}
"""What costs may be summed up by. An evaluation with several tags counts for each of them."""


class CostRow(FrozenStruct):
    """The sum of all attempts with the same values. `unknown` counts the attempts whose cost is not known;
    `cost_usd` is `None` if there are any and nothing else was paid.
    """

    by: Mapping[str, str]
    cost_usd: float | None
    attempts: int
    unknown: int
    input_tokens: int
    output_tokens: int


class Costs(FrozenStruct):
    """Rows in the order of their values, the sum of all, in which every attempt counts once, and `unread`:
    evaluations that could not be read, with the reason."""

    rows: tuple[CostRow, ...]
    total: CostRow
    unread: Mapping[str, str] = {}


def check_by(words: Iterable[str]) -> tuple[str, ...]:
    """Return what to sum up by, given also several in one text. Raises `UsageError`."""
    found = dict.fromkeys(word.strip() for each in words for word in each.split(",") if word.strip())
    for word in found:
        if word not in BY:
            raise UsageError(
                f"costs cannot be summed up by {word!r}",
                did_you_mean(closest(word, BY)) or f"Choose from {', '.join(BY)}.",
            )
    return tuple(found)


def costs(
    output_dir: Path,
    by: Sequence[str],
    *,
    since: str = "",
    until: str = "",
    tags: Sequence[str] = (),
    ids: Sequence[str] = (),
) -> Costs:
    """Return the sums of what was paid from day to day, both included, for evaluations with all these tags.

    `ids` are patterns, of which one must fit. What judges, and what learns, counts too: judges' with the id
    and tags of what they judge. Copies of an evaluation count for what they have of their own.
    """
    sums: dict[tuple[str, ...], Counter[str]] = {}
    total = Counter[str]()
    unread: dict[str, str] = {}
    folders = list(evaluations(output_dir))
    counted = _shared(folders)
    for folder in folders:
        try:
            with store_errors(folder), Reader.open(folder) as reader:
                source = _source(folder, reader)
                # First: what another copy has counted that is not asked for is in no sum.
                if not _is_wanted(source, tags, ids):
                    continue
                found = list(spending(reader, besides=counted.get(origin(reader))))
        except (StoreError, *DatabaseErrors, *VALUE_ERRORS) as error:
            unread[folder.name] = error.message if isinstance(error, StoreError) else str(error)
            continue
        for spent in found:
            if not (since <= spent.day and (not until or spent.day <= until)):
                continue
            amounts = _amounts(spent)
            total.update(amounts)
            for key in _keys(spent, source, by):
                sums.setdefault(key, Counter()).update(amounts)
    rows = tuple(_row(dict(zip(by, key, strict=True)), sums[key]) for key in sorted(sums))
    return Costs(rows=rows if by else (), total=_row({}, total), unread=unread)


def _is_wanted(source: _Source, tags: Sequence[str], ids: Sequence[str]) -> bool:
    return set(tags) <= set(source.tags) and (not ids or any(fnmatchcase(source.id, id) for id in ids))


def _shared(folders: Iterable[Path]) -> dict[str, set[bytes]]:
    """For evaluations of which there are several copies, where to note which attempts were counted."""
    seen = Counter[str]()
    for folder in folders:
        try:
            with store_errors(folder), Reader.open(folder) as reader:
                seen[origin(reader)] += 1
        except (StoreError, *DatabaseErrors, *VALUE_ERRORS):
            continue
    return {name: set() for name, number in seen.items() if number > 1}


def _source(folder: Path, reader: Reader) -> _Source:
    derived = reader.spec().derived
    whose = None if derived is None else owner(folder, derived)
    if whose is None:
        return _Source(id=folder.name, tags=read_tags(reader.connection))
    try:
        with Reader.open(whose) as other:
            return _source(whose, other)
    except StoreError:
        return _Source(id=whose.name, tags=())


def _keys(spent: Spent, source: _Source, by: Sequence[str]) -> list[tuple[str, ...]]:
    keys: list[tuple[str, ...]] = [()]
    for word in by:
        keys = [(*key, value) for key in keys for value in BY[word](spent, source)]
    return keys


def _amounts(spent: Spent) -> dict[str, int]:
    names = ("cost_nusd", "attempts", "unknown", "input_tokens", "output_tokens")
    return {name: getattr(spent, name) for name in names}


def _row(by: Mapping[str, str], sums: Counter[str]) -> CostRow:
    is_known = sums["cost_nusd"] or not sums["unknown"]
    return CostRow(
        by=by,
        cost_usd=sums["cost_nusd"] / NANO if is_known else None,
        attempts=sums["attempts"],
        unknown=sums["unknown"],
        input_tokens=sums["input_tokens"],
        output_tokens=sums["output_tokens"],
    )
