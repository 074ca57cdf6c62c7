"""A model's turn that calls tools, in Anthropic's blocks: whole, and as events of a stream."""

from __future__ import annotations

from umwelten.simulate.faultserver.tools.seals import sign
from umwelten.simulate.faultserver.tools.values import PlannedTurn, arguments_object
from umwelten.simulate.faultserver.wires.base import Json, cut

_PIECES = 3
_SEARCH = {"type": "server_tool_use", "name": "web_search", "input": {"query": "weather"}}


def blocks_of(turn: PlannedTurn, text: str) -> list[Json]:
    """The content of a whole message."""
    blocks = _thought(turn)
    if text:
        blocks.append({"type": "text", "text": text})
    if not turn.calls:
        blocks.append(_SEARCH | {"id": f"srvtoolu_{sign(text, 'pause')[:24]}"})
    for call in turn.calls:
        made = arguments_object(call.arguments)
        blocks.append({"type": "tool_use", "id": call.id, "name": call.name, "input": made})
    return blocks


def stop_of(turn: PlannedTurn, stop: str) -> str:
    """The stop reason of a message with these blocks."""
    if not turn.calls:
        return "pause_turn"
    return "tool_use" if stop == "end_turn" and "finish_stop" not in turn.quirks else stop


def events_of(turn: PlannedTurn, text: str) -> list[list[Json]]:
    """The events of each block: its start, its deltas, its end."""
    told = iter(turn.calls)
    return [
        [
            {"type": "content_block_start", "index": index, "content_block": _opened(block)},
            *(
                {"type": "content_block_delta", "index": index, "delta": delta}
                for delta in _deltas(block, next(told).arguments if block["type"] == "tool_use" else "")
            ),
            {"type": "content_block_stop", "index": index},
        ]
        for index, block in enumerate(blocks_of(turn, text))
    ]


def _thought(turn: PlannedTurn) -> list[Json]:
    if not turn.thought:
        return []
    if "redacted_thinking" in turn.quirks:
        return [{"type": "redacted_thinking", "data": turn.thought.rpartition(" ")[2]}]
    signature = sign(turn.thought, turn.thought)
    return [{"type": "thinking", "thinking": turn.thought, "signature": signature}]


def _opened(block: Json) -> Json:
    """A block as it is when it starts: without what its deltas will bring."""
    empty = {"thinking": {"thinking": "", "signature": ""}, "text": {"text": ""}}
    return block | empty.get(block["type"], {"input": {}} if "input" in block else {})


def _deltas(block: Json, arguments: str) -> list[Json]:
    match block["type"]:
        case "thinking":
            thoughts = [{"type": "thinking_delta", "thinking": piece} for piece in cut(block["thinking"], 2)]
            return [*thoughts, {"type": "signature_delta", "signature": block["signature"]}]
        case "text":
            return [{"type": "text_delta", "text": piece} for piece in cut(block["text"], 2)]
        case "tool_use":
            # The first piece is empty, and the only one where there are no arguments.
            pieces = ["", *(cut(arguments, _PIECES) if arguments else ())]
            return [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        case "server_tool_use":
            return [{"type": "input_json_delta", "partial_json": '{"query": "weather"}'}]
    return []
