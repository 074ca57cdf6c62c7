"""What goes into a request to the Responses API: a conversation as items, and tools."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from umwelten.errors import InputError
from umwelten.phrases import Phrase
from umwelten.providers.common.bodies import load
from umwelten.providers.common.tool_turns import sendable, words_of
from umwelten.tool_calls import ModelTurn, ToolCall, ToolChoice, ToolDefinition, ToolResults
from umwelten.types import Media, Part, Role, Text, Turn

Item = dict[str, Any]

_CHOICES = {"any": "required"}

# A turn's fields that say how it came about. OpenAI refuses them where a turn comes back: `status` of
# reasoning ("Unknown parameter: 'input[1].status'"), and null for a field that may be left out.
_OUTPUT_ONLY = {"reasoning": ("status",)}


def is_own_turn(turn: Turn) -> bool:
    """Return whether it is a model's turn in the format of this API: a list of items."""
    return isinstance(turn, ModelTurn) and turn.raw.lstrip()[:1] == b"["


def input_items(messages: Iterable[Turn]) -> list[Item]:
    """Return a conversation. Errors: `InputError` for a file that this API does not take."""
    return [item for turn in messages for item in _items(turn)]


def tool_fields(tools: Iterable[ToolDefinition]) -> list[Item]:
    """Return the tools as they are offered."""
    return [
        {
            "type": "function",
            "name": tool.name,
            "description": tool.description,
            "parameters": tool.parameters,
            # Left out, it is true here, and a schema with an optional property is refused.
            "strict": False,
        }
        for tool in tools
    ]


def tool_choice(choice: ToolChoice) -> Any:
    """Return whether and which tool is to be called."""
    if choice in ("auto", "any", "none"):
        return _CHOICES.get(choice, choice)
    return {"type": "function", "name": choice}


def flat_tool(tool: Any) -> Any:
    """Return a user's tool, written for either API."""
    function = tool.get("function") if isinstance(tool, dict) else None
    if not isinstance(function, dict):
        return tool
    return {"strict": False, **{k: v for k, v in tool.items() if k != "function"}, **function}


def flat_choice(choice: Any) -> Any:
    """Return a user's choice of a tool, written for either API."""
    function = choice.get("function") if isinstance(choice, dict) else None
    return {"type": "function", **function} if isinstance(function, dict) else choice


def _items(turn: Turn) -> Iterator[Item]:
    if isinstance(turn, ModelTurn):
        yield from _model_turn(turn)
    elif isinstance(turn, ToolResults):
        for result in turn.results:
            yield {"type": "function_call_output", "call_id": result.call.id, "output": words_of(result)}
        if turn.note:
            yield {"type": "message", "role": str(Role.USER), "content": turn.note}
    else:
        yield {"type": "message", "role": str(turn.role), "content": _content(turn.parts)}


# --- a model's turn --------------------------------------------------------------------------


def _model_turn(turn: ModelTurn) -> Iterator[Item]:
    items = _own_items(turn.raw)
    if items is None:
        # It was made over chat completions: what it called is known, what it thought is not.
        yield from map(_call, turn.calls)
        return
    while items and items[-1].get("type") == "reasoning":
        # Thinking that led to nothing is refused ("without its required following item").
        items.pop()
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    # Without its contents, the provider looks for a thought in what it stored, which is nothing. Then the
    # ids of the others must go as well: they say that a thought belongs to them.
    complete = all(item.get("encrypted_content") or item.get("content") for item in thoughts)
    for item in items:
        if complete or item.get("type") != "reasoning":
            yield _sent_back(item, with_id=complete)


def _own_items(raw: bytes) -> list[Item] | None:
    items = load(raw, object)
    if not isinstance(items, list) or not all(isinstance(item, dict) and "type" in item for item in items):
        return None
    return items


def _sent_back(item: Item, *, with_id: bool) -> Item:
    if not with_id and item["type"] == "message":
        # A message of the model's that has no id is one of ours, which holds its words alone.
        words = "".join(part["text"] for part in _parts(item) if isinstance(part.get("text"), str))
        phase = {"phase": item["phase"]} if item.get("phase") else {}
        return {"type": "message", "role": str(Role.ASSISTANT), "content": words, **phase}
    left_out = (*_OUTPUT_ONLY.get(str(item["type"]), ()), *(() if with_id else ("id",)))
    return {name: value for name, value in item.items() if value is not None and name not in left_out}


def _parts(item: Item) -> list[Item]:
    content = item.get("content")
    return [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []


def _call(call: ToolCall) -> Item:
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": call.name,
        "arguments": sendable(call.arguments),
    }


# --- words and files -------------------------------------------------------------------------


def _content(parts: tuple[Part, ...]) -> str | list[Item]:
    """Return text alone as one string, which is the same for both roles, and text with files as a list."""
    texts = [part.text for part in parts if isinstance(part, Text)]
    return "\n\n".join(texts) if len(texts) == len(parts) else [_piece(part) for part in parts]


def _piece(part: Part) -> Item:
    if isinstance(part, Text):
        return {"type": "input_text", "text": part.text}
    if part.uri is not None:
        raise InputError(f"{part.name}: this provider does not store uploaded files", "Send the file itself.")
    mime = part.mime.partition(";")[0].strip().lower()
    if mime.startswith("text/"):
        return {"type": "input_text", "text": part.data.decode("utf-8", "replace")}
    if mime.startswith("image/"):
        return {"type": "input_image", "detail": "auto", "image_url": _data_url(part, mime)}
    if mime == "application/pdf":
        return {"type": "input_file", "filename": part.name, "file_data": _data_url(part, mime)}
    raise InputError(
        f"{part.name}: {part.mime} can't be sent over the Responses API",
        Phrase(
            "It takes text, images and PDF. Some models take audio over chat completions: {option:api} chat."
        ),
    )


def _data_url(part: Media, mime: str) -> msgspec.Raw:
    # Built as JSON right away: files are large, and every further step would copy them again.
    start = msgspec.json.encode(f"data:{mime};base64,")[:-1]
    return msgspec.Raw(b"".join((start, b64encode(part.data), b'"')))
