"""Words looked for in the answers of an evaluation."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from umwelten.store.like_pattern import literal
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct

_PAGE = 500
_ANSWERS = f"""SELECT id, file, model, prompt, repeat, text FROM current_answers
    WHERE id > :last AND (:like IS NULL OR text LIKE :like ESCAPE '\\')
    AND (:model IS NULL OR model = :model) ORDER BY id LIMIT {_PAGE}"""


class FoundAnswer(FrozenStruct):
    """An answer in which something was found, from `start` to `end` of its text."""

    file: str | None
    model: str
    prompt: str | None
    repeat: int
    text: str
    start: int
    end: int


def search_answers(
    reader: Reader, patterns: Sequence[re.Pattern[str]], *, like: str = "", model: str | None = None
) -> Iterator[FoundAnswer]:
    """Yield the good answers that have all the patterns, by input, model and repeat, page by page.

    `like`: ASCII letters that all of them have, by which SQLite looks first; "": it does not.
    """
    cursor = reader.connection.cursor()
    cursor.row_factory = None
    values: dict[str, object] = {"last": -1, "model": model, "like": f"%{literal(like)}%" if like else None}
    while rows := cursor.execute(_ANSWERS, values).fetchall():
        values["last"] = rows[-1][0]
        for _, file, name, prompt, repeat, text in rows:
            found = [pattern.search(text) for pattern in patterns]
            first = found[0]
            if first is not None and None not in found:
                yield FoundAnswer(
                    file=file,
                    model=name,
                    prompt=prompt,
                    repeat=repeat,
                    text=text,
                    start=first.start(),
                    end=first.end(),
                )
