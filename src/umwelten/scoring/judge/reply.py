"""A judge's reply: the schema it is asked for by, and what its verdicts are. Nothing is filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from umwelten.scoring.json_text import NotJson, names_twice, parse_json
from umwelten.scoring.judge.scale import CANNOT_TELL, Scale
from umwelten.scoring.judge.wording import LONGEST_REASON
from umwelten.scoring.score import Unscored
from umwelten.types import FrozenStruct, Schema

SEVERAL = "last of several"
"""The mark of a reply that holds other records than the one that was kept."""
_SHOWN = 60
_SEVERAL_VERDICTS = "the reply holds more than one verdict"


class Verdict(FrozenStruct):
    """What a judge said: `label` is its word on the scale, `value` what that is worth, from 0 to 1."""

    value: float
    label: str
    reason: str = ""


Opinion = Verdict | Unscored
"""What came of asking a judge about one thing: a verdict, or why there is none."""


def reply_schema(scale: Scale, criteria: Sequence[str], *, unsure: bool) -> Schema:
    """Return the schema of replies: a reason, then a verdict; with criteria an object of both for each.

    The verdict is one of a list of strings, numbers too: that is the one form that every provider enforces
    natively (Gemini's first dialect has no list of numbers, and none has one of numbers and `cannot_tell`).
    The longest reason is told in words, for a reply is not worth asking again for a long one.
    """
    words = [*scale.words, CANNOT_TELL] if unsure else [*scale.words]
    one: dict[str, Any] = {
        "type": "object",
        "properties": {
            "reason": {
                "type": "string",
                "description": f"What decides, in at most {LONGEST_REASON} characters; written first.",
            },
            "verdict": {"type": "string", "enum": words, "description": "What follows from the reason."},
        },
        "required": ["reason", "verdict"],
        "additionalProperties": False,
    }
    if not criteria:
        return Schema(json=one, name="verdict")
    several = {
        "type": "object",
        "properties": dict.fromkeys(criteria, one),
        "required": list(criteria),
        "additionalProperties": False,
    }
    return Schema(json=several, name="verdicts")


def read_reply(
    data: str | None,
    scale: Scale,
    criteria: Sequence[str],
    *,
    unsure: bool,
    text: str = "",
    marks: Sequence[str] = (),
) -> dict[str, Opinion]:
    """Return the opinion on each criterion, under "" where there are none.

    `data` is the stored record as JSON, `text` the reply as it came and `marks` what was done to read it: a
    reply with two verdicts has none. `unsure`: the judge may say that it cannot tell.
    """
    names = criteria or ("",)
    try:
        record = _record(data, text, marks)
        if criteria:
            _check_fields(record, criteria, "the record")
    except _Unusable as error:
        return failed(names, str(error))
    return {
        name: _opinion(record[name] if name else record, scale, unsure, f"{name}: " if name else "")
        for name in names
    }


def failed(names: Sequence[str], message: str) -> dict[str, Opinion]:
    """Return that a judge's call gave no verdict on any of these criteria."""
    return {name: Unscored(kind="judge_failed", message=message) for name in names}


class _Unusable(Exception):
    """There is no verdict in it, and why."""


def _record(data: str | None, text: str, marks: Sequence[str]) -> Mapping[str, Any]:
    if data is None:
        raise _Unusable("the reply has no record")
    if SEVERAL in marks or names_twice(text):
        raise _Unusable(_SEVERAL_VERDICTS)
    if names_twice(data):
        raise _Unusable(_SEVERAL_VERDICTS)
    try:
        record = parse_json(data)
    except (NotJson, RecursionError) as error:
        raise _Unusable(f"the reply is no JSON: {error}") from None
    if not isinstance(record, Mapping):
        raise _Unusable("the reply is no object")
    return record


def _check_fields(record: Any, names: Sequence[str], what: str) -> None:
    if not isinstance(record, Mapping):
        raise _Unusable(f"{what} is no object but {_excerpt(record)}")
    for name in names:
        if name not in record:
            raise _Unusable(f"{what} has no {name}")
    for name in record:
        if name not in names:
            raise _Unusable(f"{what} has {_excerpt(name)}, which was not asked for")


def _opinion(record: Any, scale: Scale, unsure: bool, where: str) -> Opinion:
    try:
        _check_fields(record, ("reason", "verdict"), "the reply")
        reason, word = record["reason"], record["verdict"]
        if not isinstance(reason, str):
            raise _Unusable(f"the reason is no text but {_excerpt(reason)}")
        if isinstance(word, int) and not isinstance(word, bool) and scale.kind == "numbers":
            word = str(word) if abs(word) < 10**12 else word  # a number that was not put in quotes
        if word == CANNOT_TELL and unsure:
            return Unscored(kind="judge_declined", message=where + _cut(reason))
        if not isinstance(word, str) or word not in scale.words:
            raise _Unusable(f"the verdict is {_excerpt(word)}, which is not on the scale")
    except _Unusable as error:
        return Unscored(kind="judge_failed", message=f"{where}{error}")
    return Verdict(value=float(scale.share(word)), label=word, reason=_cut(reason))


def _cut(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"


def _excerpt(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very long number"
    if isinstance(value, str):
        value = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    return json.dumps(value)
