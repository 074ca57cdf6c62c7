"""Calls of tools in OpenAI's chat completions: whole, and in the pieces of a stream."""

from __future__ import annotations

from umwelten.simulate.faultserver.tools.values import PlannedCall, PlannedTurn
from umwelten.simulate.faultserver.wires.base import Json, cut

_PIECES = 3


def message_fields(turn: PlannedTurn, text: str, *, details: bool) -> Json:
    """The fields of a whole message. `details`: thoughts as OpenRouter has them."""
    calls = [_entry(call, call.arguments) for call in turn.calls]
    return {"content": text or None, "tool_calls": calls} | thought_fields(turn, details=details)


def thought_fields(turn: PlannedTurn, *, details: bool) -> Json:
    """What the model thought, none if it did not."""
    if not turn.thought:
        return {}
    if not details:
        return {"reasoning_content": turn.thought}
    detail = {"type": "reasoning.encrypted", "data": turn.thought.rpartition(" ")[2], "id": "rs_1"}
    return {
        "reasoning": turn.thought,
        "reasoning_details": [detail | {"format": "openai-responses-v1", "index": 0}],
    }


def deltas_of(turn: PlannedTurn) -> list[Json]:
    """The deltas of a stream, each with one entry or several."""
    rows = [_pieces(turn.quirks, place, call) for place, call in enumerate(turn.calls)]
    if "whole_calls" in turn.quirks:
        return [{"tool_calls": [entry for row in rows for entry in row]}]
    if "shared_index" in turn.quirks:
        return [
            delta
            for row in rows
            for delta in ({"tool_calls": row[:2]}, *({"tool_calls": [e]} for e in row[2:]))
        ]
    if "interleaved" in turn.quirks:
        longest = max(map(len, rows))
        entries = [row[place] for place in range(longest) for row in rows if place < len(row)]
    else:
        entries = [entry for row in rows for entry in row]
    return [{"tool_calls": [entry]} for entry in entries]


def _pieces(quirks: frozenset[str], place: int, call: PlannedCall) -> list[Json]:
    """The entries of one call: its name and id, then its arguments in pieces."""
    if "whole_calls" in quirks:
        return [_indexed(_entry(call, call.arguments), quirks, place, tail=False)]
    entries = [_indexed(_entry(call, ""), quirks, place, tail=False)]
    for piece in cut(call.arguments, _PIECES):
        tail: Json = {"function": {"arguments": piece}}
        if "name_twice" in quirks:
            tail["function"] = {"name": call.name, "arguments": piece}
        if "id_on_tails" in quirks and call.id is not None:
            tail |= {"id": call.id, "type": "function"}
        entries.append(_indexed(tail, quirks, place, tail=True))
    return entries


def _indexed(entry: Json, quirks: frozenset[str], place: int, *, tail: bool) -> Json:
    if "no_index" in quirks:
        return entry
    if "zero_index" in quirks:
        return {"index": 0} | entry
    if "wrong_tail_index" in quirks and tail:
        return {"index": place + 1} | entry
    return {"index": float(place) if "float_index" in quirks else place} | entry


def _entry(call: PlannedCall, arguments: str) -> Json:
    entry: Json = {} if call.id is None else {"id": call.id}
    return entry | {"type": "function", "function": {"name": call.name, "arguments": arguments}}


def finish_of(turn: PlannedTurn, finish: str) -> str:
    """The finish reason of a reply with calls."""
    return "tool_calls" if finish == "stop" and "finish_stop" not in turn.quirks else finish
