"""The rankings that a report shows: that of a ranking's own evaluation, or those made of its answers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from umwelten.errors import StoreError
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.database import store_errors
from umwelten.store.derived import RANK, owner, stored_derived
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader, has_scores
from umwelten.store.scores.tables import SCORES
from umwelten.types import FrozenStruct

RANKING = "ranking"
"""The name under which a ranking is stored among the settings of its scores."""


class ShownRankings(FrozenStruct):
    """The rankings that the report of an evaluation shows.

    `is_ranking`: the evaluation was made to rank; then `own` is what came of it, `None` for nothing yet. Of
    any other evaluation `others` are the rankings of its answers, `unread` the ids of those that cannot be
    read: a report of the answers is made without them, and says so.
    """

    is_ranking: bool
    own: Ranking | None
    others: tuple[Ranking, ...] = ()
    unread: tuple[str, ...] = ()


def shown_rankings(reader: Reader) -> ShownRankings:
    """Return what the report of an evaluation shows. Raises StoreError if its own ranking cannot be read."""
    own = own_ranking(reader)
    if own is not None or made_to_rank(reader):
        return ShownRankings(is_ranking=True, own=own)
    return _others(reader.folder)


def made_to_rank(reader: Reader) -> bool:
    """Return whether the settings of an evaluation say that it was made to rank."""
    derived = reader.spec().derived
    return derived is not None and derived.role == RANK


def rankings(reader: Reader) -> tuple[Ranking, ...]:
    """Return the ranking of an evaluation that was made to rank, or those that belong to the evaluation.

    None: it was never ranked, or nothing has come of it yet. Raises StoreError if its own cannot be read; a
    ranking of its answers that cannot be read is left out, for it hides nothing of the evaluation.
    """
    found = shown_rankings(reader)
    return found.others if found.own is None else (found.own,)


def own_ranking(reader: Reader) -> Ranking | None:
    """Return what an evaluation that was made to rank came to, `None` for any other. Raises StoreError."""
    return _stored(reader.folder)


def _others(evaluation: Path) -> ShownRankings:
    """Return the rankings that belong to an evaluation and are named after it, by their names."""
    found, unread = [], []
    start = f"{evaluation.name}."
    # The other folders are not touched: a report of many evaluations looks for the rankings of each.
    for folder in sorted(other for other in evaluation.parent.iterdir() if other.name.startswith(start)):
        if not has_scores(folder) or owner(folder) != evaluation:
            continue
        try:
            found.append(_stored(folder))
        except StoreError:
            # Scores of a judge's own calls are no ranking.
            unread += [folder.name] * _is_made_to_rank(folder)
    made = tuple(ranking for ranking in found if ranking is not None)
    return ShownRankings(is_ranking=False, own=None, others=made, unread=tuple(unread))


def _is_made_to_rank(folder: Path) -> bool:
    try:
        derived = stored_derived(folder)
    except StoreError:  # removed meanwhile
        return False
    return derived is not None and derived.role == RANK


def _stored(folder: Path) -> Ranking | None:
    if not has_scores(folder):
        return None
    with ScoreReader.open(folder) as scores, store_errors(folder, SCORES):
        value = scores.settings().get(RANKING)
        if value is None:
            return None
        # An evaluation may have been renamed or copied since.
        return msgspec.structs.replace(msgspec.convert(value, Ranking), id=folder.name)
