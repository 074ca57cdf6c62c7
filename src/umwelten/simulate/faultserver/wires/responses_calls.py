"""A model's turn that calls functions, in the items of the Responses API: whole, and as events."""

from __future__ import annotations

from collections.abc import Iterator

from umwelten.simulate.faultserver.tools.seals import seal
from umwelten.simulate.faultserver.tools.values import PlannedTurn
from umwelten.simulate.faultserver.wires.base import Json, cut

_PIECES = 3
Event = tuple[str, Json]
"""A type, and the fields beside it."""


def items_of(turn: PlannedTurn, message: Json | None, *, encrypted: bool) -> list[Json]:
    """The output: thoughts, `message`, and the calls. `encrypted`: thoughts come with their content."""
    items: list[Json] = []
    if turn.thought:
        item: Json = {"id": f"rs_{seal(turn.thought, digits=24)}", "type": "reasoning", "summary": []}
        items.append(item | {"encrypted_content": turn.thought.rpartition(" ")[2]} if encrypted else item)
    items += [] if message is None else [message]
    status = "incomplete" if "cut_arguments" in turn.quirks else "completed"
    for call in turn.calls:
        made = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
        given = f"fc_{seal(str(call.id), str(turn.number), digits=24)}"
        items.append({"id": given, "type": "function_call", "status": status} | made)
    return items


def events_of(items: list[Json]) -> Iterator[Event]:
    """The events of all items, one item after the other."""
    for index, item in enumerate(items):
        opened = item
        if item["type"] == "message":
            opened = item | {"status": "in_progress", "content": []}
        elif item["type"] == "function_call":
            opened = item | {"status": "in_progress", "arguments": ""}
        yield "response.output_item.added", {"output_index": index, "item": opened}
        where = {"item_id": item["id"], "output_index": index}
        if item["type"] == "message":
            yield from _text_events(where | {"content_index": 0}, item["content"][0])
        elif item["type"] == "function_call":
            yield from _argument_events(where, item)
        yield "response.output_item.done", {"output_index": index, "item": item}


def _text_events(where: Json, part: Json) -> Iterator[Event]:
    yield "response.content_part.added", where | {"part": part | {"text": ""}}
    for piece in cut(part["text"], _PIECES):
        yield "response.output_text.delta", where | {"delta": piece, "logprobs": []}
    yield "response.output_text.done", where | {"text": part["text"], "logprobs": []}
    yield "response.content_part.done", where | {"part": part}


def _argument_events(where: Json, item: Json) -> Iterator[Event]:
    for piece in cut(item["arguments"], _PIECES):
        yield "response.function_call_arguments.delta", where | {"delta": piece}
    whole = {"name": item["name"], "arguments": item["arguments"]}
    yield "response.function_call_arguments.done", where | whole
