"""Answers that are stored and belong to no call of the latest plan."""

from __future__ import annotations

from umwelten.store.reader import Reader
from umwelten.store.tables import SUCCEEDED
from umwelten.text.formatting import count

_SHOWN = 5


def leftovers(reader: Reader) -> str | None:
    """Return `3 answers of earlier runs are kept but not part of this plan (models: …; 2 inputs)`, or `None`.

    Counts the models and inputs that were left out since; reads the calls only if there are some.
    """
    connection = reader.connection
    names = connection.execute("SELECT name FROM models WHERE NOT active GROUP BY name ORDER BY min(id)")
    models = [str(row[0]) for row in names]
    inputs = connection.execute("SELECT count(*) FROM inputs WHERE NOT active").fetchone()[0]
    if not models and not inputs:
        return None
    answers = connection.execute(
        "SELECT count(*) FROM calls c JOIN models m ON m.id = c.model_id JOIN inputs i ON i.id = c.input_id"
        " WHERE c.status = ? AND NOT (m.active AND i.active)",
        (SUCCEEDED,),
    ).fetchone()[0]
    if not answers:
        return None
    more = ["…"] if len(models) > _SHOWN else []
    left = [f"models: {', '.join(models[:_SHOWN] + more)}"] if models else []
    left += [count(inputs, "input")] if inputs else []
    of = f"{count(answers, 'answer')} of earlier runs {'is' if answers == 1 else 'are'} kept"
    return f"{of} but not part of this plan ({'; '.join(left)})"
