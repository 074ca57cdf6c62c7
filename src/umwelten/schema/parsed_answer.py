"""What an answer turned out to be."""

from __future__ import annotations

from umwelten.types import FrozenStruct, Problem


class ParsedAnswer(FrozenStruct):
    """An answer after parsing. `data` is the record as compact JSON, `None` if there are `problems`.

    `marks` say what was done to it: "fenced" (text or a code fence around it removed), "mended" (its JSON
    repaired), "coerced", "last of several" (the answer holds another record too).
    """

    data: str | None
    problems: tuple[Problem, ...] = ()
    marks: tuple[str, ...] = ()
