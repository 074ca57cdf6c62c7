"""A judge's reply on two answers: the schema it is asked for by, and which one wins. Nothing is filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from umwelten.scoring.judge.reply import Unusable, check_fields, excerpt, read_reason, read_record, reasoned
from umwelten.scoring.score import Unscored
from umwelten.types import FrozenStruct, Schema

Winner = Literal["first", "second", "tie"]
WINNERS: tuple[Winner, ...] = get_args(Winner)

SCHEMA = Schema(json=reasoned("winner", WINNERS), name="comparison")
"""A reason, then the winner, by the seats of the answers."""


class Preference(FrozenStruct):
    """What a judge said of two answers: which one wins, by their seats, and why."""

    winner: Winner
    reason: str = ""


def read_winner(data: str | None, text: str = "", marks: Sequence[str] = ()) -> Preference | Unscored:
    """Return which answer wins by a stored reply; `judge_failed` where it does not say so, once and in words.

    `data` is the stored record as JSON, `text` the reply as it came and `marks` what was done to read it: a
    reply with two verdicts has none. A winner that is missing or unknown is no tie.
    """
    try:
        record = read_record(data, text, marks)
        check_fields(record, ("reason", "winner"), "the reply")
        reason, winner = read_reason(record), record["winner"]
        if not isinstance(winner, str) or winner not in WINNERS:
            raise Unusable(f"the winner is {excerpt(winner)}, which is none of {', '.join(WINNERS)}")
    except Unusable as error:
        return Unscored(kind="judge_failed", message=str(error))
    return Preference(winner=winner, reason=reason)
