"""Reads what a request says about tools, on every wire."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from umwelten.simulate.faultserver.message_parts import MARK
from umwelten.simulate.faultserver.tools.seals import seal
from umwelten.simulate.faultserver.tools.values import Entry, Json, OfferedTool, Transcript, fields, objects

Choice = tuple[Literal["auto", "any", "none"], str | None]
# Only a body with one of these has to do with tools; all others are not read twice.
_LISTS = {"gemini": "contents"}
_SIGNS = (b'"tool', b'"function')


def read_transcript(wire: str, data: bytes) -> Transcript | None:
    """Return what the body of a request says about tools; `None` if it offers none and none were called."""
    if not any(sign in data for sign in _SIGNS):
        return None
    body = msgspec.json.decode(data)
    messages = (
        _turns(body.get("input")) if wire == "responses" else objects(body.get(_LISTS.get(wire, "messages")))
    )
    entries = tuple(_ENTRIES.get(wire, _openai_entry)(message) for message in messages)
    if "tools" not in body and not any(entry.calls or entry.results or entry.pauses for entry in entries):
        return None
    choice, named = _CHOICES.get(wire, _openai_choice)(body)
    first = next((place for place, entry in enumerate(entries) if entry.role == "user"), None)
    told = [_dump(message) for message in messages]
    return Transcript(
        body=body,
        tools=tuple(_TOOLS.get(wire, _openai_tools)(body)),
        choice=choice,
        named=named,
        entries=entries,
        conversation="" if first is None else _conversation(entries[first].text, messages[first]),
        content=seal(*told, digits=16),
        size=len(_dump(body.get("tools")))
        + sum(
            len(text) for text, entry in zip(told, entries, strict=True) if entry.role in ("model", "results")
        ),
    )


def texts(content: object) -> str:
    """The text of a message's content: a string, or the text parts of a list."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(str(part["text"]) for part in parts if isinstance(part, dict) and part.get("text"))


def blocks(content: object, kind: str) -> list[Json]:
    """The parts of one type in a list."""
    parts = content if isinstance(content, list) else []
    return [part for part in parts if isinstance(part, dict) and part.get("type") == kind]


def _conversation(text: str, message: Json) -> str:
    return " ".join(MARK.findall(text)) or seal(_dump(message), digits=16)


def _dump(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


# --- OpenAI and Ollama


def _openai_entry(message: Json) -> Entry:
    text, role = texts(message.get("content")), message.get("role")
    if role == "assistant":
        return Entry(role="model", text=text, calls=len(objects(message.get("tool_calls"))))
    if role == "tool":
        return Entry(role="results", results=(text,))
    return Entry(role="user" if role == "user" else "system", text=text)


def _openai_tools(body: Json) -> Iterator[OfferedTool]:
    for tool in objects(body.get("tools")):
        function = fields(tool.get("function"))
        yield OfferedTool(name=str(function.get("name")), schema=fields(function.get("parameters")))


def _openai_choice(body: Json) -> Choice:
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return "any", fields(choice.get("function")).get("name")
    return ("any" if choice == "required" else "none" if choice == "none" else "auto"), None


# --- OpenAI's Responses API


def _turns(given: object) -> list[Json]:
    """The items, those of one turn of the model's together as a message of their own."""
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    turns: list[Json] = []
    for item in objects(given):
        own = item.get("type") in ("reasoning", "function_call") or item.get("role") == "assistant"
        if own and turns and "items" in turns[-1]:
            turns[-1]["items"].append(item)
        else:
            turns.append({"items": [item]} if own else item)
    return turns


def _responses_entry(turn: Json) -> Entry:
    if "items" in turn:
        calls = sum(item.get("type") == "function_call" for item in turn["items"])
        text = "\n".join(texts(item.get("content")) for item in turn["items"])
        return Entry(role="model", text=text.strip(), calls=calls)
    if turn.get("type") == "function_call_output":
        return Entry(role="results", results=(texts(turn.get("output")),))
    return Entry(role="user" if turn.get("role") == "user" else "system", text=texts(turn.get("content")))


def _responses_tools(body: Json) -> Iterator[OfferedTool]:
    for tool in objects(body.get("tools")):
        if tool.get("type") == "function":
            yield OfferedTool(name=str(tool.get("name")), schema=fields(tool.get("parameters")))


def _responses_choice(body: Json) -> Choice:
    choice = body.get("tool_choice")
    if isinstance(choice, dict):
        return "any", choice.get("name")
    return _openai_choice(body)


# --- Anthropic


def _anthropic_entry(message: Json) -> Entry:
    content = message.get("content")
    text = texts(content)
    if message.get("role") == "assistant":
        paused = len(blocks(content, "server_tool_use"))
        return Entry(role="model", text=text, calls=len(blocks(content, "tool_use")), pauses=paused)
    results = tuple(texts(block.get("content")) for block in blocks(content, "tool_result"))
    return Entry(role="results" if results else "user", text=text, results=results)


def _anthropic_tools(body: Json) -> Iterator[OfferedTool]:
    for tool in objects(body.get("tools")):
        if tool.get("type") in (None, "custom"):  # others run at the provider
            yield OfferedTool(name=str(tool.get("name")), schema=fields(tool.get("input_schema")))


def _anthropic_choice(body: Json) -> Choice:
    choice = fields(body.get("tool_choice"))
    kind = choice.get("type", "auto")
    if kind == "tool":
        return "any", choice.get("name")
    return ("any" if kind == "any" else "none" if kind == "none" else "auto"), None


# --- Gemini


def _gemini_entry(message: Json) -> Entry:
    parts = objects(message.get("parts"))
    text = texts([part for part in parts if not part.get("thought")])
    calls = sum(1 for part in parts if "functionCall" in part)
    if message.get("role") == "model":
        return Entry(role="model", text=text, calls=calls)
    results = tuple(_response_text(part["functionResponse"]) for part in parts if "functionResponse" in part)
    return Entry(role="results" if results else "user", text=text, results=results)


def _response_text(response: object) -> str:
    given = fields(response).get("response")
    values = list(fields(given).values())
    return values[0] if len(values) == 1 and isinstance(values[0], str) else _dump(given)


def _gemini_tools(body: Json) -> Iterator[OfferedTool]:
    for group in objects(body.get("tools")):
        for tool in objects(group.get("functionDeclarations")):
            schema = tool.get("parametersJsonSchema") or tool.get("parameters")
            yield OfferedTool(name=str(tool.get("name")), schema=fields(schema))


def _gemini_choice(body: Json) -> Choice:
    config = fields(fields(body.get("toolConfig")).get("functionCallingConfig"))
    mode, names = config.get("mode"), config.get("allowedFunctionNames")
    if mode == "ANY":
        return "any", names[0] if isinstance(names, list) and names else None
    return ("none" if mode == "NONE" else "auto"), None


_ENTRIES: dict[str, Callable[[Json], Entry]] = {
    "anthropic": _anthropic_entry,
    "gemini": _gemini_entry,
    "responses": _responses_entry,
}
_TOOLS: dict[str, Callable[[Json], Iterator[OfferedTool]]] = {
    "anthropic": _anthropic_tools,
    "gemini": _gemini_tools,
    "responses": _responses_tools,
}
_CHOICES: dict[str, Callable[[Json], Choice]] = {
    "anthropic": _anthropic_choice,
    "gemini": _gemini_choice,
    "responses": _responses_choice,
}
