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
    one = reasoned("verdict", words)
    if not criteria:
        return Schema(json=one, name="verdict")
    several = {
        "type": "object",
        "properties": dict.fromkeys(criteria, one),
        "required": list(criteria),
        "additionalProperties": False,
    }
    return Schema(json=several, name="verdicts")


def reasoned(name: str, words: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of a reason and, after it, a field that is one of `words`."""
    return {
        "type": "object",
        "properties": {
            "reason": {
                "type": "string",
                "description": f"What decides, in at most {LONGEST_REASON} characters; written first.",
            },
            name: {"type": "string", "enum": list(words), "description": "What follows from the reason."},
        },
        "required": ["reason", name],
        "additionalProperties": False,
    }


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
        record = read_record(data, text, marks)
        if criteria:
            check_fields(record, criteria, "the record")
    except Unusable as error:
        return failed(names, str(error))
    return {
        name: _opinion(record[name] if name else record, scale, unsure, f"{name}: " if name else "")
        for name in names
    }


def failed(names: Sequence[str], message: str) -> dict[str, Opinion]:
    """Return that a judge's call gave no verdict on any of these criteria."""
    return {name: Unscored(kind="judge_failed", message=message) for name in names}


class Unusable(Exception):
    """There is no verdict in a reply, and why."""


def read_record(data: str | None, text: str, marks: Sequence[str]) -> Mapping[str, Any]:
    """Return the one record of a stored reply, as `read_reply` takes it. Errors: `Unusable`."""
    if data is None:
        raise Unusable("the reply has no record")
    if SEVERAL in marks or names_twice(text):
        raise Unusable(_SEVERAL_VERDICTS)
    if names_twice(data):
        raise Unusable(_SEVERAL_VERDICTS)
    try:
        record = parse_json(data)
    except (NotJson, RecursionError) as error:
        raise Unusable(f"the reply is no JSON: {error}") from None
    if not isinstance(record, Mapping):
        raise Unusable("the reply is no object")
    return record


def check_fields(record: Any, names: Sequence[str], what: str) -> None:
    """Raise `Unusable` unless a record, which is called `what`, has these fields and no other."""
    if not isinstance(record, Mapping):
        raise Unusable(f"{what} is no object but {excerpt(record)}")
    for name in names:
        if name not in record:
            raise Unusable(f"{what} has no {name}")
    for name in record:
        if name not in names:
            raise Unusable(f"{what} has {excerpt(name)}, which was not asked for")


def read_reason(record: Mapping[str, Any]) -> str:
    """Return the reason, cut at its longest. Errors: `Unusable` if it is no text."""
    reason = record["reason"]
    if not isinstance(reason, str):
        raise Unusable(f"the reason is no text but {excerpt(reason)}")
    return reason if len(reason) <= LONGEST_REASON else reason[: LONGEST_REASON - 1] + "…"


def _opinion(record: Any, scale: Scale, unsure: bool, where: str) -> Opinion:
    try:
        check_fields(record, ("reason", "verdict"), "the reply")
        reason, word = read_reason(record), record["verdict"]
        if isinstance(word, int) and not isinstance(word, bool) and scale.kind == "numbers":
            word = str(word) if abs(word) < 10**12 else word  # a number that was not put in quotes
        if word == CANNOT_TELL and unsure:
            return Unscored(kind="judge_declined", message=where + reason)
        if not isinstance(word, str) or word not in scale.words:
            raise Unusable(f"the verdict is {excerpt(word)}, which is not on the scale")
    except Unusable as error:
        return Unscored(kind="judge_failed", message=f"{where}{error}")
    return Verdict(value=float(scale.share(word)), label=word, reason=reason)


def excerpt(value: Any) -> str:
    """Return what a reply has in place of what it should have, as errors show it."""
    if isinstance(value, Mapping | list):
        return "an object" if isinstance(value, Mapping) else "a list"
    if isinstance(value, int) and value.bit_length() > 200:
        return "a very long number"
    if isinstance(value, str):
        value = value if len(value) <= _SHOWN else value[:_SHOWN] + "…"
    return json.dumps(value)
