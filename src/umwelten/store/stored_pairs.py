"""Pairs of earlier answers as inputs of an evaluation, and what its calls said of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from umwelten.store.reader import Reader
from umwelten.store.stored_calls import JUDGE_CALL, WITH_ANSWERS, JudgeCall, tuple_cursor
from umwelten.types import FrozenStruct

PAIR_PART = "pair "
"""How the part of an input begins that is two answers in an order: `pair [ID:]CALL [ID:]CALL`.

An answer without ID is of the evaluation whose database is the input's path, others are of ones beside it."""

_PLACE = re.compile(r"(?:([A-Za-z0-9_-][A-Za-z0-9_.-]*):)?([0-9]{1,19})")
_MOST = (1 << 63) - 1  # what SQLite holds


class AnswerPlace(FrozenStruct):
    """Where an answer is stored: the number of its call, and the evaluation, "" for the one that is read."""

    call: int
    evaluation: str = ""

    def __str__(self) -> str:
        return f"{self.evaluation}:{self.call}" if self.evaluation else str(self.call)


def pair_part(first: AnswerPlace, second: AnswerPlace) -> str:
    """Return the part of an input that is these two answers in this order."""
    return f"{PAIR_PART}{first} {second}"


def answer_places(part: str) -> tuple[AnswerPlace, AnswerPlace]:
    """Return the places of a pair's answers. Raises ValueError for what is no part of a pair."""
    words = part.split(" ", 3)[1:3]
    places = [_place(found) for word in words if (found := _PLACE.fullmatch(word))]
    if not part.startswith(PAIR_PART) or len(places) != 2 or any(each.call > _MOST for each in places):
        raise ValueError(f"{part[:80]!r} names no two answers")
    return places[0], places[1]


def _place(found: re.Match[str]) -> AnswerPlace:
    return AnswerPlace(call=int(found[2]), evaluation=found[1] or "")


class PairCall(JudgeCall, frozen=True):
    """A call that ended of an evaluation over pairs of answers, and the two answers in their order."""

    first: AnswerPlace
    second: AnswerPlace


def pair_calls(reader: Reader) -> Iterator[PairCall]:
    """Yield the calls that ended of an evaluation over pairs of answers, by pair, model and repeat.

    Those about what names no two answers are not among them: they are about none.
    """
    query = f"""SELECT {JUDGE_CALL}, c.part
        FROM current_calls c {WITH_ANSWERS} WHERE c.part LIKE '{PAIR_PART}%' ORDER BY c.id"""
    for *values, part in tuple_cursor(reader).execute(query):
        try:
            places = answer_places(part)
        except ValueError:
            continue
        yield msgspec.convert((*values, *places), PairCall)
