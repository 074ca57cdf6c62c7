"""Replies that call tools, as a stream in the manner of some server and as one body, on every wire."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any, NamedTuple

from wirekit import sse

CUT_EVERY = 13
"""Bytes between the places where streams are cut. A prime, so that neighbouring cases differ in them.

The part `calls` of `make torture` cuts at every byte.
"""
EXAMPLES = 1_000 if "UMWELTEN_TEST_THOROUGH" in os.environ else 40
"""Of calls in pieces that are drawn by chance; the more of them by `make torture`."""

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


# --- Anthropic's messages ----------------------------------------------------------------------


def claude_body(*blocks: Json, stop: str = "tool_use") -> Json:
    """A whole message."""
    return {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "content": list(blocks),
        "stop_reason": stop,
        "usage": {"input_tokens": 20, "output_tokens": 7},
    }


def claude_stream(*events: Json, stop: str = "tool_use", ended: bool = True) -> bytes:
    """A streamed one: its beginning, these events, its end."""
    start = {**claude_body(stop=stop), "stop_reason": None}
    delta = {"stop_reason": stop, "stop_sequence": None}
    end: list[Json] = [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 7}},
        {"type": "message_stop"},
    ]
    return sse({"type": "message_start", "message": start}, *events, *(end if ended else ()), named=True)


def block(index: int, opened: Json, *deltas: Json) -> list[Json]:
    """The events of a block."""
    named = [{"type": _delta_type(delta), **delta} for delta in deltas]
    return [
        {"type": "content_block_start", "index": index, "content_block": opened},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in named),
        {"type": "content_block_stop", "index": index},
    ]


def _delta_type(delta: Json) -> str:
    kinds = {"partial_json": "input_json", "citation": "citations"}
    return next(f"{kinds.get(name, name)}_delta" for name in delta)


def tool_use(call: Call, input: Any = None) -> Json:
    """A block that calls a tool; in a stream, its input follows."""
    return {"type": "tool_use", "id": call[0], "name": call[1], "input": {} if input is None else input}


def _pieces(call: Call, *ends: int) -> list[Json]:
    return [{"partial_json": piece} for piece in ("", *_cut(call[2], *ends))]


THOUGHT: Json = {"type": "thinking", "thinking": "Hm, “so”.", "signature": "c2lnbmF0dXJl+/=="}
REDACTED: Json = {"type": "redacted_thinking", "data": "ZGF0YQ=="}
_THINKING = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    *({"thinking": piece} for piece in _cut(THOUGHT["thinking"], 3)),
    {"signature": THOUGHT["signature"]},
)
_SEARCH: Json = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}}
_FOUND: Json = {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"url": "u"}]}
_CITED: Json = {
    "type": "text",
    "text": "It is 3.",
    "citations": [{"type": "char_location", "cited_text": "3"}],
}


def _events(*blocks: list[Json]) -> list[Json]:
    return [event for events in blocks for event in events]


ANTHROPIC: dict[str, tuple[Case, list[Json]]] = {
    # The second is the content that goes back.
    "as documented": (
        Case(
            claude_stream(
                *_events(
                    _THINKING,
                    block(1, REDACTED),
                    block(2, {"type": "text", "text": ""}, {"text": "Let "}, {"text": "me."}),
                    block(3, tool_use(ADD), *_pieces(ADD, 3, 11)),
                    block(4, tool_use(MUL), *_pieces(MUL, 1)),
                )
            ),
            (ADD, MUL),
            "Let me.",
        ),
        [
            THOUGHT,
            REDACTED,
            {"type": "text", "text": "Let me."},
            tool_use(ADD, {"a": 1, "b": "ü}"}),
            tool_use(MUL, {"a": {"x": [2]}}),
        ],
    ),
    "no input": (
        Case(claude_stream(*block(0, tool_use(NOW), {"partial_json": ""})), (NOW,)),
        [tool_use(NOW)],
    ),
    "no piece of input": (Case(claude_stream(*block(0, tool_use(NOW))), (NOW,)), [tool_use(NOW)]),
    "input whole at the start": (
        Case(
            claude_stream(*block(0, tool_use(MUL, {"a": {"x": [2]}}))),
            ((*MUL[:2], '{"a": {"x": [2]}}'),),
        ),
        [tool_use(MUL, {"a": {"x": [2]}})],
    ),
    "interleaved, end_turn": (
        Case(
            claude_stream(
                *block(0, tool_use(ADD))[:1],
                *block(1, tool_use(MUL), *_pieces(MUL, 5))[:3],
                *block(0, tool_use(ADD), *_pieces(ADD, 5))[1:],
                *block(1, tool_use(MUL), *_pieces(MUL, 5))[3:],
                stop="end_turn",
            ),
            (ADD, MUL),
        ),
        [tool_use(ADD, {"a": 1, "b": "ü}"}), tool_use(MUL, {"a": {"x": [2]}})],
    ),
    "all blocks 0": (
        Case(
            claude_stream(
                *block(0, tool_use(ADD), *_pieces(ADD, 5)), *block(0, tool_use(MUL), *_pieces(MUL, 5))
            ),
            (ADD, MUL),
        ),
        [tool_use(ADD, {"a": 1, "b": "ü}"}), tool_use(MUL, {"a": {"x": [2]}})],
    ),
    "a hosted tool, blank text": (
        Case(
            claude_stream(
                *_events(
                    block(0, {"type": "text", "text": ""}, {"text": "\n\n"}),
                    block(
                        1, {**_SEARCH, "input": {}}, {"partial_json": '{"query":'}, {"partial_json": ' "x"}'}
                    ),
                    block(2, _FOUND),
                    block(
                        3,
                        {"type": "text", "text": "", "citations": []},
                        {"text": "It is 3."},
                        {"citation": _CITED["citations"][0]},
                    ),
                    block(4, tool_use(NOW)),
                )
            ),
            (NOW,),
            "\n\nIt is 3.",
        ),
        [_SEARCH, _FOUND, _CITED, tool_use(NOW)],
    ),
}


# --- Gemini ------------------------------------------------------------------------------------


def gemini_body(*parts: Json, stop: str | None = "STOP") -> Json:
    """A reply, or a chunk of one."""
    candidate = {"content": {"role": "model", "parts": list(parts)}}
    return {"responseId": "r1", "candidates": [{**candidate, **({"finishReason": stop} if stop else {})}]}


def gemini_stream(*chunks: list[Json], stop: str = "STOP") -> bytes:
    """A chunk for each list of parts; the last one has the finish reason."""
    *before, last = chunks
    return sse(*(gemini_body(*parts, stop=None) for parts in before), gemini_body(*last, stop=stop))


def function_call(name: str, args: Json | None = None, id: str = "", **more: Any) -> Json:
    """A part that calls a function."""
    call = {**({"id": id} if id else {}), "name": name, **({} if args is None else {"args": args})}
    return {"functionCall": call, **more}


_SIGNED = function_call("add", {"a": 1, "b": "ü}"}, thoughtSignature="c2ln/w==")
_SECOND = function_call("mul", {"a": {"x": [2]}})
_G_ADD, _G_MUL = ("", "add", ADD[2]), ("", "mul", MUL[2])

GEMINI: dict[str, tuple[Case, list[Json]]] = {
    "as documented": (Case(gemini_stream([_SIGNED, _SECOND]), (_G_ADD, _G_MUL)), [_SIGNED, _SECOND]),
    "in several chunks": (
        Case(
            gemini_stream([{"text": "Let "}], [{"text": "me."}, _SIGNED], [_SECOND]),
            (_G_ADD, _G_MUL),
            "Let me.",
        ),
        [{"text": "Let me."}, _SIGNED, _SECOND],
    ),
    "signature in a later empty text": (
        Case(gemini_stream([_SECOND], [{"text": "", "thoughtSignature": "bGF0ZQ=="}]), (_G_MUL,)),
        [_SECOND, {"text": "", "thoughtSignature": "bGF0ZQ=="}],
    ),
    "thoughts, and text with a signature": (
        Case(
            gemini_stream(
                [{"text": "Hm.", "thought": True}],
                [{"text": "So", "thoughtSignature": "YQ=="}, {"text": ": "}],
                [_SIGNED, {"text": ""}],
            ),
            (_G_ADD,),
            "So: ",
        ),
        [
            {"text": "Hm.", "thought": True},
            {"text": "So", "thoughtSignature": "YQ=="},
            {"text": ": "},
            _SIGNED,
        ],
    ),
    "ids, no args": (
        Case(
            gemini_stream([function_call("now", id="fc-1"), function_call("now", {}, id="fc-2")]),
            (("fc-1", "now", "{}"), ("fc-2", "now", "{}")),
        ),
        [function_call("now", id="fc-1"), function_call("now", {}, id="fc-2")],
    ),
    "args null": (
        Case(gemini_stream([{"functionCall": {"name": "now", "args": None}}], []), (("", "now", "{}"),)),
        [{"functionCall": {"name": "now", "args": None}}],
    ),
    "STOP in every chunk": (
        Case(
            sse(gemini_body({"text": "Hm"}), gemini_body(_SIGNED), gemini_body(_SECOND)),
            (_G_ADD, _G_MUL),
            "Hm",
        ),
        [{"text": "Hm"}, _SIGNED, _SECOND],
    ),
}


# --- Ollama ------------------------------------------------------------------------------------


def ollama_line(done: bool = True, content: str = "", **message: Any) -> Json:
    """A reply, or a line of one."""
    fields = {"role": "assistant", "content": content, **message}
    end = {"done_reason": "stop", "prompt_eval_count": 20, "eval_count": 7} if done else {}
    return {"model": "m", "created_at": "2026-11-30T04:00:00Z", "message": fields, "done": done, **end}


def ollama_stream(*messages: Json) -> bytes:
    """A line for each message, and a last one without any."""
    lines = [*(ollama_line(False, **message) for message in messages), ollama_line()]
    return b"".join(json.dumps(line, ensure_ascii=False).encode() + b"\n" for line in lines)


def ollama_call(name: str, arguments: Any, index: int | None = None, id: str = "") -> Json:
    """An entry of `tool_calls`."""
    function = {**({} if index is None else {"index": index}), "name": name, "arguments": arguments}
    return {**({"id": id} if id else {}), "function": function}


_O_ADD = ollama_call("add", {"a": 1, "b": "ü}"})
_O_MUL = ollama_call("mul", {"a": {"x": [2]}}, 1, "call_m")

OLLAMA: dict[str, tuple[Case, Json]] = {
    # The second is the turn that goes back, but for its role.
    "as documented": (
        Case(
            ollama_stream({"content": "Let "}, {"content": "me."}, {"tool_calls": [_O_ADD]}),
            (_G_ADD,),
            "Let me.",
        ),
        {"content": "Let me.", "tool_calls": [_O_ADD]},
    ),
    "in several lines, with thinking": (
        Case(
            ollama_stream(
                {"thinking": "H"}, {"thinking": "m."}, {"tool_calls": [_O_ADD]}, {"tool_calls": [_O_MUL]}
            ),
            (_G_ADD, ("call_m", *_G_MUL[1:])),
        ),
        {"content": "", "thinking": "Hm.", "tool_calls": [_O_ADD, _O_MUL]},
    ),
    "several in one line": (
        Case(ollama_stream({"tool_calls": [_O_ADD, _O_ADD]}), (_G_ADD, _G_ADD)),
        {"content": "", "tool_calls": [_O_ADD, _O_ADD]},
    ),
    "in the last line": (
        Case(
            json.dumps(ollama_line(tool_calls=[_O_ADD])).encode(), (("", "add", '{"a": 1, "b": "\\u00fc}"}'),)
        ),
        {"content": "", "tool_calls": [_O_ADD]},
    ),
    "arguments null": (
        Case(ollama_stream({"tool_calls": [ollama_call("now", None)]}), (("", "now", "{}"),)),
        {"content": "", "tool_calls": [ollama_call("now", {})]},
    ),
    "arguments as text": (
        Case(ollama_stream({"tool_calls": [ollama_call("mul", MUL[2])]}), (_G_MUL,)),
        {"content": "", "tool_calls": [ollama_call("mul", {"a": {"x": [2]}})]},
    ),
}
