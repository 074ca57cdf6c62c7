"""Replies that call tools, as a stream in the manner of some server and as one body, on every wire."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from wirekit import sse

Json = dict[str, Any]
Call = tuple[str, str, str]
"""Id ("" for one of ours), name, arguments."""


class Case(NamedTuple):
    """One reply. `text` is what it says besides the calls."""

    stream: bytes
    calls: tuple[Call, ...]
    text: str = ""
    vendor: str = "openai"


ADD: Call = ("call_a", "add", '{"a": 1, "b": "ü}"}')
MUL: Call = ("call_b", "mul", '{"a": {"x": [2]}}')
NOW: Call = ("call_c", "now", "{}")


# --- chat completions ------------------------------------------------------------------------


def openai_body(
    calls: Iterable[Call], text: str | None = None, stop: str = "tool_calls", **fields: Any
) -> Json:
    """A whole chat completion."""
    entries = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
    message = {"role": "assistant", "content": text, "refusal": None, **fields, "tool_calls": entries}
    return {"id": "c1", "choices": [{"index": 0, "message": message, "finish_reason": stop}]}


def openai_stream(*deltas: Json, stop: str | None = "tool_calls", done: bool = True) -> bytes:
    """A streamed one: a delta each, then the finish reason."""
    pieces: list[Json] = [{"role": "assistant", "content": None}, *deltas]
    chunks = [{"id": "c1", "choices": [{"index": 0, "delta": d, "finish_reason": None}]} for d in pieces]
    chunks.append({"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": stop}]})
    return sse(*chunks) + (b"data: [DONE]\n\n" if done else b"")


def entry(index: Any, id: str | None, name: str | None, arguments: str | None, **more: Any) -> Json:
    """An entry of `tool_calls` in a stream; `None` leaves a field out."""
    function = {k: v for k, v in (("name", name), ("arguments", arguments)) if v is not None}
    fields = {k: v for k, v in (("index", index), ("id", id)) if v is not None}
    return {**fields, **({"type": "function"} if id else {}), "function": function, **more}


def _calls(*entries: Json) -> Json:
    return {"tool_calls": list(entries)}


def _cut(text: str, *ends: int) -> list[str]:
    return [text[a:b] for a, b in zip((0, *ends), (*ends, len(text)), strict=True)]


def _in_pieces(index: Any, call: Call, tail: Any = "same", named: bool = False, id: str | None = None) -> Any:
    """A call in three pieces; `tail` is the index of the last two, `named` repeats id and name."""
    first, *rest = _cut(call[2], 4, 9)
    tail = index if tail == "same" else tail
    yield _calls(entry(index, call[0] or None, call[1], first))
    for piece in rest:
        yield _calls(entry(tail, call[0] if named else id, call[1] if named else None, piece))


def _unnamed(call: Call) -> Call:
    return ("", *call[1:])


OPENAI: dict[str, Case] = {
    "as documented": Case(
        openai_stream({"content": "Let me see."}, *_in_pieces(0, ADD), *_in_pieces(1, MUL)),
        (ADD, MUL),
        "Let me see.",
    ),
    "no arguments": Case(openai_stream(_calls(entry(0, NOW[0], "now", ""))), (NOW,)),
    "null arguments": Case(openai_stream(_calls(entry(0, NOW[0], "now", None))), (NOW,)),
    "stop as reason": Case(openai_stream(*_in_pieces(0, ADD), stop="stop"), (ADD,)),
    "no end mark": Case(openai_stream(*_in_pieces(0, ADD), done=False), (ADD,)),
    # Ollama before 0.5, Google's OpenAI address, openai-python#2806
    "index missing, whole": Case(
        openai_stream(*(_calls(entry(None, *call)) for call in (ADD, MUL))), (ADD, MUL)
    ),
    "index missing, in pieces": Case(
        openai_stream(*_in_pieces(None, ADD), *_in_pieces(None, MUL)), (ADD, MUL)
    ),
    # ollama#15457
    "all 0, whole": Case(openai_stream(*(_calls(entry(0, *call)) for call in (ADD, MUL))), (ADD, MUL)),
    "all 0, in pieces": Case(openai_stream(*_in_pieces(0, ADD), *_in_pieces(0, MUL)), (ADD, MUL)),
    "all 0, no ids, one tool": Case(
        openai_stream(*(_calls(entry(0, "", *c[1:])) for c in (ADD, ADD))), (_unnamed(ADD), _unnamed(ADD))
    ),
    "all 0, no ids, two tools": Case(
        openai_stream(*_in_pieces(0, _unnamed(ADD)), *_in_pieces(0, _unnamed(MUL))),
        (_unnamed(ADD), _unnamed(MUL)),
    ),
    # DeepSeek, Nebius, Cerebras
    "unknown index on the tails": Case(openai_stream(*_in_pieces(0, ADD, tail=7)), (ADD,)),
    "index of the first on the tails": Case(
        openai_stream(*_in_pieces(0, ADD), *_in_pieces(1, MUL, tail=0)), (ADD, MUL)
    ),
    "wrong index, known id": Case(
        openai_stream(*_in_pieces(0, ADD), *_in_pieces(1, MUL, tail=0, id=MUL[0])), (ADD, MUL)
    ),
    "interleaved": Case(
        openai_stream(
            _calls(entry(0, ADD[0], "add", ADD[2][:5]), entry(1, MUL[0], "mul", MUL[2][:3])),
            _calls(entry(1, None, None, MUL[2][3:]), entry(0, None, None, ADD[2][5:])),
        ),
        (ADD, MUL),
    ),
    # openai-python#3201, vLLM
    "two entries of one index in a chunk": Case(
        openai_stream(_calls(entry(0, ADD[0], "add", None), entry(0, None, None, ADD[2]))), (ADD,)
    ),
    # Together
    "a float": Case(openai_stream(*_in_pieces(0.0, ADD), *_in_pieces(1.0, MUL)), (ADD, MUL)),
    "whole calls in a chunk": Case(openai_stream(_calls(entry(0, *ADD), entry(1, *MUL))), (ADD, MUL)),
    "names twice": Case(openai_stream(*_in_pieces(0, ADD, named=True)), (ADD,)),
    "names twice, no ids": Case(
        openai_stream(*_in_pieces(0, _unnamed(ADD), named=True), *_in_pieces(1, _unnamed(MUL), named=True)),
        (_unnamed(ADD), _unnamed(MUL)),
    ),
    # vLLM before 0.8
    "an id for each piece": Case(
        openai_stream(
            _calls(entry(0, ADD[0], "add", "")),
            *(_calls(entry(0, f"call-{n}", None, piece)) for n, piece in enumerate(_cut(ADD[2], 4, 9))),
        ),
        (ADD,),
    ),
    # gateways to Anthropic
    "an empty object first": Case(
        openai_stream(_calls(entry(0, ADD[0], "add", "{}")), _calls(entry(0, None, None, ADD[2]))), (ADD,)
    ),
    "arguments as an object": Case(
        openai_stream(_calls({"id": MUL[0], "function": {"name": "mul", "arguments": {"a": {"x": [2]}}}})),
        ((MUL[0], "mul", '{"a":{"x":[2]}}'),),
    ),
    "one id for all": Case(
        openai_stream(_calls(entry(0, "x", *ADD[1:])), _calls(entry(1, "x", *MUL[1:]))),
        (("x", *ADD[1:]), _unnamed(MUL)),
    ),
    "ids of Mistral": Case(
        openai_stream(_calls(entry(0, "null", *ADD[1:]), entry(1, "D681PevKs", *MUL[1:]))),
        (_unnamed(ADD), ("D681PevKs", *MUL[1:])),
        vendor="mistral",
    ),
}
