"""A model's turn that calls functions, in Gemini's parts."""

from __future__ import annotations

import base64
import json

from umwelten.simulate.faultserver.tools.seals import canonical, sign
from umwelten.simulate.faultserver.tools.values import PlannedTurn, arguments_object
from umwelten.simulate.faultserver.wires.base import Json

_FAILED = {"malformed_call": "MALFORMED_FUNCTION_CALL", "unexpected_call": "UNEXPECTED_TOOL_CALL"}


def parts_of(turn: PlannedTurn, text: str) -> list[Json]:
    """The parts of a whole content. Only the first of parallel calls is signed."""
    parts: list[Json] = [{"text": text}] if text else []
    for place, call in enumerate(turn.calls):
        made: Json = {"name": call.name}
        if call.id is not None:
            made = {"id": call.id} | made
        if call.arguments:
            made["args"] = arguments_object(call.arguments)
        part: Json = {"functionCall": made}
        if turn.thought and place == 0 and "late_signature" not in turn.quirks:
            part["thoughtSignature"] = _signature(turn)
        parts.append(part)
    if turn.thought and turn.calls and "late_signature" in turn.quirks:
        parts.append({"text": "", "thoughtSignature": _signature(turn)})
    return parts


def finish_of(turn: PlannedTurn, finish: str) -> str:
    """The finish reason: of an answer, or of a call that came to nothing."""
    return next(
        (reason for quirk, reason in _FAILED.items() if quirk in turn.quirks and not turn.calls), finish
    )


def _signature(turn: PlannedTurn) -> str:
    call = turn.calls[0]
    arguments = json.dumps(arguments_object(call.arguments))
    text = sign(turn.thought, str(turn.number), call.name, canonical(arguments))
    return base64.b64encode(text.encode()).decode()
