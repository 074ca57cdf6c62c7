"""The rankings that a report shows: that of a ranking's own evaluation, or those made of its answers."""

from __future__ import annotations

from pathlib import Path

import msgspec

from umwelten.errors import StoreError
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.database import store_errors
from umwelten.store.derived import derived_of
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader, has_scores
from umwelten.store.scores.tables import SCORES

RANKING = "ranking"
"""The name under which a ranking is stored among the settings of its scores."""


def rankings(reader: Reader) -> tuple[Ranking, ...]:
    """Return the ranking of an evaluation that was made to rank, or those that belong to the evaluation.

    None: it was never ranked, or nothing has come of it yet. Raises StoreError if its own cannot be read; a
    ranking of its answers that cannot be read is left out, for it hides nothing of the evaluation.
    """
    own = own_ranking(reader)
    return others(reader) if own is None else (own,)


def own_ranking(reader: Reader) -> Ranking | None:
    """Return what an evaluation that was made to rank came to, `None` for any other. Raises StoreError."""
    return _stored(reader.folder)


def others(reader: Reader) -> tuple[Ranking, ...]:
    """Return the rankings that belong to the evaluation, by their names."""
    found = []
    for folder in derived_of(reader.folder):
        try:
            found.append(_stored(folder))
        except StoreError:
            continue
    return tuple(ranking for ranking in found if ranking is not None)


def _stored(folder: Path) -> Ranking | None:
    if not has_scores(folder):
        return None
    with ScoreReader.open(folder) as scores, store_errors(folder, SCORES):
        value = scores.settings().get(RANKING)
        if value is None:
            return None
        # An evaluation may have been renamed or copied since.
        return msgspec.structs.replace(msgspec.convert(value, Ranking), id=folder.name)
