"""What a scorer's process says about an answer, made into a score. It may say anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from umwelten.scoring.rule import shown
from umwelten.scoring.score import Part, Result, Score, Unscored
from umwelten.text.sanitize import one_line, safe

EXPECTED_VALUE = "a value from 0 to 1, True, False or None is expected"
_LONGEST = 2_000
"""Characters of a reason or of an error's message."""
_QUOTED = 80

Masked = Callable[[str], str]


class Unreadable(Exception):
    """The line is no reply. The message says what it is."""


def decode_reply(line: bytes) -> Mapping[str, Any]:
    """Return the object in a line, which has a whole number `id`. Errors: `Unreadable`."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        what = "an empty line" if not line.strip() else repr(one_line(line.decode(errors="replace"), _QUOTED))
        raise Unreadable(f'wrote {what}, where {{"id": 1, "value": 0.5}} is expected; notes go to stderr')
    id = said.get("id")
    if not isinstance(id, int) or isinstance(id, bool):
        raise Unreadable("wrote a line without the id of an answer")
    return said


def read_result(said: Mapping[str, Any], at_least: float | None, masked: Masked) -> Result:
    """Return the score in a reply, or why there is none. Without a threshold, true passes and false fails."""
    reason = _text(said.get("reason"), masked)
    if "error" in said and said["error"] is not None:
        return Unscored(kind="scorer_error", message=_text(said["error"], masked) or "error")
    if "unscored" in said:
        kind = said["unscored"]
        return Unscored(
            kind="no_reference" if kind == "no_reference" else "scorer_error",
            message=_text(said.get("message"), masked) or "",
        )
    if "value" not in said:
        return Unscored(kind="scorer_error", message='no "value" was given')
    value = said["value"]
    if value is None:
        return Unscored(kind="judge_declined", message=reason or "the scorer declined")
    if not isinstance(value, int | float) or not 0 <= value <= 1:  # NaN fails every comparison
        what = masked(one_line(json.dumps(value), _QUOTED))
        return Unscored(kind="scorer_error", message=f"{EXPECTED_VALUE}, not {what}")
    try:
        return Score(
            value=float(value),
            label=_label(said.get("label"), masked),
            passed=_passed(value, said.get("passed"), at_least),
            reason=reason,
            parts=tuple(_part(part, masked) for part in said.get("parts") or ()),
        )
    except (TypeError, ValueError, KeyError, AttributeError):
        return Unscored(kind="scorer_error", message="its parts are not what parts of a score are")


def _passed(value: float, said: Any, at_least: float | None) -> bool | None:
    if at_least is not None:
        return value >= at_least
    if isinstance(value, bool):
        return value
    return said if isinstance(said, bool) else None


def _part(part: Mapping[str, Any], masked: Masked) -> Part:
    value = part["value"]
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("no share")
    return Part(
        name=masked(shown(safe(str(part["name"])))),
        value=float(value),
        label=_label(part.get("label"), masked),
        message=_text(part.get("message"), masked),
    )


def _label(said: Any, masked: Masked) -> str | None:
    if said is None:
        return None
    return masked(shown(safe(said if isinstance(said, str) else json.dumps(said))))


def _text(said: Any, masked: Masked) -> str | None:
    if said is None:
        return None
    # Masked before it is cut: half of a key is harder to find.
    text = masked(safe(said if isinstance(said, str) else json.dumps(said)))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
