"""Calls of tools in the formats of Anthropic, Google and Ollama, held against their own packages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ollama import ChatResponse

from providers.tool_corpus import (
    ADD,
    ANTHROPIC,
    CUT_EVERY,
    EXAMPLES,
    GEMINI,
    MUL,
    NOW,
    OLLAMA,
    REDACTED,
    THOUGHT,
    Case,
    block,
    claude_body,
    claude_stream,
    function_call,
    gemini_body,
    gemini_stream,
    ollama_call,
    ollama_line,
    ollama_stream,
    openai_body,
    tool_use,
)
from providers.toolwires import (
    CLAUDE_MESSAGE,
    VENDOR_OF,
    asked,
    at,
    on_every_wire,
    sent,
    streamed,
    unary,
)
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ModelTurn, ToolResult, ToolResults
from umwelten.types import FailureKind, FinishReason, Reply
from wirekit import CUTS, answered, body_of, failed, head, noisy

K = FailureKind
CASES: list[Any] = [
    *(
        pytest.param("anthropic", case, back, id=f"anthropic-{name}")
        for name, (case, back) in ANTHROPIC.items()
    ),
    *(pytest.param("gemini", case, back, id=f"gemini-{name}") for name, (case, back) in GEMINI.items()),
    *(pytest.param("ollama", case, back, id=f"ollama-{name}") for name, (case, back) in OLLAMA.items()),
]
every_case = pytest.mark.parametrize(("wire", "case", "back"), CASES)
ROLES = {"anthropic": ("assistant", "content"), "gemini": ("model", "parts"), "ollama": ("assistant", "")}
WHOLE: dict[str, Callable[[Any], Any]] = {
    "anthropic": lambda back: claude_body(*back),
    "gemini": lambda back: gemini_body(*back),
    "ollama": lambda back: ollama_line(**back),
}


def check_turn(wire: str, turn: dict[str, Any]) -> None:
    """The turn, read by the vendor's own package as a part of a request."""
    if wire == "anthropic":
        CLAUDE_MESSAGE.validate_python(turn)
    elif wire == "gemini":
        json_format.ParseDict(turn, google.Content.pb()(), ignore_unknown_fields=False)
    else:
        for entry in turn["tool_calls"]:
            assert isinstance(entry["function"]["arguments"], dict)


# --- replies -----------------------------------------------------------------------------------


@every_case
def test_a_stream_gives_the_calls_that_its_server_meant(wire: str, case: Case, back: Any) -> None:
    reply = answered(streamed(wire, case.stream))
    assert [(call.name, call.arguments) for call in reply.calls] == [call[1:] for call in case.calls]
    for call, (id, *_) in zip(reply.calls, case.calls, strict=True):
        assert call.id == id if id else len(call.id) == 9
    assert len({call.id for call in reply.calls}) == len(reply.calls)
    assert (reply.text, reply.finish_reason) == (case.text, FinishReason.TOOL)
    role, name = ROLES[wire]
    turn = json.loads(reply.turn)
    assert turn == {"role": role, **({name: back} if name else back)}
    check_turn(wire, turn)


@every_case
def test_a_whole_reply_gives_the_same(wire: str, case: Case, back: Any) -> None:
    body = WHOLE[wire](back)
    if wire == "ollama":
        ChatResponse.model_validate(body)
    elif wire == "gemini":
        json_format.ParseDict(body, google.GenerateContentResponse.pb()(), ignore_unknown_fields=False)
    whole, pieces = answered(unary(wire, body)), answered(streamed(wire, case.stream))
    assert [
        (call.id, call.name, json.loads(call.arguments))
        for call in whole.calls
        if call.id in case.stream.decode()
    ] == [
        (call.id, call.name, json.loads(call.arguments))
        for call in pieces.calls
        if call.id in case.stream.decode()
    ]
    assert [json.loads(call.arguments) for call in whole.calls] == [
        json.loads(call.arguments) for call in pieces.calls
    ]
    assert whole.finish_reason is FinishReason.TOOL
    assert json.loads(whole.turn) == json.loads(pieces.turn)


@every_case
def test_a_stream_may_be_cut_anywhere(wire: str, case: Case, back: Any) -> None:
    expected = streamed(wire, case.stream)
    for end in range(1, len(case.stream), CUT_EVERY):
        assert streamed(wire, case.stream, end) == expected


NAMES = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True)
VALUES = st.text(max_size=8) | st.integers(-9, 10**12) | st.floats(allow_nan=False, allow_infinity=False)
ARGUMENTS = st.dictionaries(
    st.text(max_size=5), VALUES | st.lists(st.none() | VALUES, max_size=3), max_size=3
)


@on_every_wire
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(st.tuples(NAMES, ARGUMENTS), min_size=1, max_size=4), cuts=CUTS, data=st.data())
def test_calls_in_any_pieces_are_put_together(
    wire: str, calls: list[tuple[str, dict[str, Any]]], cuts: tuple[int, ...], data: st.DataObject
) -> None:
    if wire == "anthropic":
        events: list[dict[str, Any]] = []
        for index, (name, value) in enumerate(calls):
            text = json.dumps(value, ensure_ascii=data.draw(st.booleans()))
            ends = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=3)))
            pieces = [text[a:b] for a, b in zip((0, *ends), (*ends, len(text)), strict=True)]
            events += block(index, tool_use((f"t{index}", name, "")), *({"partial_json": p} for p in pieces))
        raw = claude_stream(*events)
    elif wire == "gemini":
        raw = gemini_stream(*([function_call(name, value)] for name, value in calls))
    else:
        raw = ollama_stream(*({"tool_calls": [ollama_call(name, value)]} for name, value in calls))
    reply = answered(streamed(wire, raw, *sorted({cut % len(raw) for cut in cuts})))
    assert [(c.name, json.loads(c.arguments)) for c in reply.calls] == calls
    check_turn(wire, json.loads(reply.turn))


BYTES = {
    "anthropic": b'{"id":"m","content":[{"type":"thinking","thinking":"x","signature":"\\u00e9=" },'
    b'{ "type":"tool_use","id":"a","name":"f","input":{"n":1.50,"big":12345678901234567890} }],'
    b'"stop_reason":"tool_use"}',
    "gemini": b'{"candidates":[{"content":{"parts":[{ "thoughtSignature":"\\u00e9=","functionCall":'
    b'{"name":"f","args":{"n":1.50,"big":12345678901234567890}}}]},"finishReason":"STOP"}]}',
    "ollama": b'{"message":{"content":"","tool_calls":[{"x":1.50,"function":{"name":"f","arguments":'
    b'{"n":1.50,"big":12345678901234567890}}}]},"done":true,"done_reason":"stop"}',
}


PARTS = {
    "anthropic": (
        b'{"type":"thinking","thinking":"x","signature":"\\u00e9=" }',
        b'{ "type":"tool_use","id":"a","name":"f","input":{"n":1.50,"big":12345678901234567890} }',
    ),
    "gemini": (
        b'{ "thoughtSignature":"\\u00e9=","functionCall":'
        b'{"name":"f","args":{"n":1.50,"big":12345678901234567890}}}',
    ),
    "ollama": (b'{"x":1.50,"function":{"name":"f","arguments":{"n":1.50,"big":12345678901234567890}}}',),
}


@on_every_wire
def test_what_came_whole_goes_back_byte_by_byte(wire: str) -> None:
    body = BYTES[wire]
    reply = answered(unary(wire, body))
    assert reply.calls[0].arguments == '{"n":1.50,"big":12345678901234567890}'
    assert all(part in body and part in reply.turn for part in PARTS[wire])
    request = asked(ModelTurn(raw=reply.turn, calls=reply.calls))
    assert reply.turn in (WIRES[wire].encode(request, at(wire)).body or b"")


@on_every_wire
def test_broken_letters_do_not_lose_a_call(wire: str) -> None:
    for bad in (b"\xff", b"\\ud800"):
        body = BYTES[wire].replace(b"\\u00e9", bad).replace(b'"n":', b'"n' + bad + b'":')
        reply = answered(unary(wire, body))
        assert "n\ufffd" in json.loads(reply.calls[0].arguments)
        assert json.loads(reply.turn.decode())


SEEDS: dict[str, list[Any]] = {
    "openai": [openai_body((ADD, MUL), "Hm", reasoning_details=[{"type": "reasoning.text", "text": "Hm"}])],
    **{wire: [] for wire in VENDOR_OF},
}
for _wire, _, _back in (param.values for param in CASES):
    SEEDS[_wire].append(WHOLE[_wire](_back))
ODD = st.sampled_from(
    [None, 5, -1, 1e300, True, "", "x", "{}", [], [[]], [None], {}, {"a": {}}, {"type": "tool_use"}]
)


def _swapped(value: Any, path: list[int], odd: Any) -> Any:
    """The value with one of the values in it replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return odd
    keys = list(value) if isinstance(value, dict) else range(len(value))
    at = keys[path[0] % len(keys)]
    inside = _swapped(value[at], path[1:], odd)
    if isinstance(value, dict):
        return {**value, at: inside}
    return [*value[:at], inside, *value[at + 1 :]]


@pytest.mark.parametrize("wire", SEEDS)
@settings(max_examples=40)
@given(data=st.data(), path=st.lists(st.integers(0, 20), min_size=1, max_size=9), odd=ODD)
def test_no_bytes_make_a_decoder_raise(wire: str, data: st.DataObject, path: list[int], odd: Any) -> None:
    body = json.dumps(_swapped(data.draw(st.sampled_from(SEEDS[wire])), path, odd)).encode()
    row = VENDORS[VENDOR_OF.get(wire, wire)]
    place = Endpoint(vendor=row, base_url=row.base_url)
    for raw in (body, data.draw(noisy(body, b'data: {"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}'))):
        decoder = WIRES[wire].stream(head(), place, tools=True)
        decoder.feed(raw)
        for outcome in (WIRES[wire].decode(head(), raw, place, tools=True), decoder.finish()):
            if isinstance(outcome, Reply) and outcome.calls:
                assert json.loads(outcome.turn)
                assert all(call.name and call.id for call in outcome.calls)
                turns = (ModelTurn(raw=outcome.turn, calls=outcome.calls), told(outcome))
                assert body_of(WIRES[wire].encode(asked(*turns), place))


def told(reply: Reply) -> ToolResults:
    return ToolResults(results=tuple(ToolResult(call, "3") for call in reply.calls))


NAMELESS = {
    "anthropic": claude_body({"type": "tool_use", "id": "a", "input": {}}),
    "gemini": gemini_body({"functionCall": {"args": {}}}),
    "ollama": ollama_line(tool_calls=[{"function": {"arguments": {}}}]),
}


@on_every_wire
def test_a_call_that_cannot_be_read_is_asked_for_again(wire: str) -> None:
    failure = failed(unary(wire, NAMELESS[wire]))
    assert (failure.kind, failure.retry, failure.code) == (K.EMPTY, True, "tool_calls")


CALLED = {
    "anthropic": claude_body(tool_use(ADD)),
    "gemini": gemini_body(function_call("add")),
    "ollama": ollama_line(tool_calls=[ollama_call("add", {})]),
}
CUT = {
    "anthropic": {"stop_reason": "max_tokens"},
    "gemini": gemini_body(function_call("add"), stop="MAX_TOKENS"),
    "ollama": {"done_reason": "length"},
}


@on_every_wire
def test_calls_at_the_limit_of_tokens_say_so(wire: str) -> None:
    reply = answered(unary(wire, {**CALLED[wire], **CUT[wire]}))
    assert (reply.finish_reason, len(reply.calls)) == (FinishReason.LENGTH, 1)


@on_every_wire
def test_a_text_is_an_answer_as_ever(wire: str) -> None:
    text = {
        "anthropic": claude_body({"type": "text", "text": "3"}, stop="end_turn"),
        "gemini": gemini_body({"text": "3"}),
        "ollama": ollama_line(content="3"),
    }[wire]
    reply = answered(unary(wire, text))
    assert reply == unary(wire, text, tools=False)
    assert (reply.text, reply.calls, reply.turn, reply.paused) == ("3", (), b"", False)


def test_cut_input_goes_back_as_an_object() -> None:
    reply = answered(
        streamed(
            "anthropic", claude_stream(*block(0, tool_use(ADD), {"partial_json": '{"a'}), stop="max_tokens")
        )
    )
    assert (reply.calls[0].arguments, reply.finish_reason) == ('{"a', FinishReason.LENGTH)
    assert json.loads(reply.turn)["content"][0]["input"] == {"invalid_json": '{"a'}


@pytest.mark.parametrize(
    ("entry", "arguments", "sent_back"),
    [
        ({"input": None}, "{}", {}),
        ({}, "{}", {}),
        ({"input": '{"a": 1}'}, '{"a": 1}', {"a": 1}),
        ({"input": ""}, "{}", {}),
        ({"input": [1]}, "[1]", {"invalid_json": "[1]"}),
    ],
)
def test_a_whole_call_that_would_be_refused_goes_back_as_one_that_is_not(
    entry: dict[str, Any], arguments: str, sent_back: dict[str, Any]
) -> None:
    body = claude_body({"type": "tool_use", "id": "a", "name": "add it!", **entry})
    reply = answered(unary("anthropic", body))
    assert (reply.calls[0].name, reply.calls[0].arguments) == ("add it!", arguments)
    (call,) = json.loads(reply.turn)["content"]
    assert (call["name"], call["input"]) == ("add_it_", sent_back)
    CLAUDE_MESSAGE.validate_python(json.loads(reply.turn))


@pytest.mark.parametrize("whole", [True, False])
def test_a_pause_goes_on_from_what_it_has(whole: bool) -> None:
    events = [*block(0, {"type": "text", "text": ""}, {"text": "Let me "}), *block(1, REDACTED)]
    content = [{"type": "text", "text": "Let me "}, REDACTED]
    outcome = (
        unary("anthropic", claude_body(*content, stop="pause_turn"))
        if whole
        else streamed("anthropic", claude_stream(*events, stop="pause_turn"))
    )
    reply = answered(outcome)
    assert (reply.paused, reply.calls, reply.text) == (True, (), "Let me ")
    assert json.loads(reply.turn) == {"role": "assistant", "content": content}
    body = sent("anthropic", asked(ModelTurn(raw=reply.turn), ToolResults()))
    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]


def test_a_pause_with_a_call_waits_for_its_result() -> None:
    reply = answered(unary("anthropic", claude_body(tool_use(NOW), stop="pause_turn")))
    assert (reply.paused, len(reply.calls)) == (False, 1)


def test_a_pause_with_nothing_is_a_failure() -> None:
    assert failed(unary("anthropic", claude_body(stop="pause_turn"))).code == "pause_turn"


def test_a_refusal_beside_calls_stays_one() -> None:
    assert failed(unary("anthropic", claude_body(tool_use(ADD), stop="refusal"))).code == "refusal"


def test_a_tool_may_be_called_as_the_one_that_takes_records() -> None:
    call = ("t", "give_answer", "{}")
    reply = answered(unary("anthropic", claude_body(tool_use(call))))
    assert [c.name for c in reply.calls] == ["give_answer"]


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"])
def test_a_call_that_google_could_not_read_is_asked_for_again(reason: str) -> None:
    for parts in ([], [function_call("add")]):
        failure = failed(unary("gemini", gemini_body(*parts, stop=reason)))
        assert (failure.kind, failure.retry, failure.code) == (K.EMPTY, True, reason)


@on_every_wire
def test_half_a_stream_of_calls_is_none(wire: str) -> None:
    data = {
        "anthropic": claude_stream(*block(0, tool_use(ADD), {"partial_json": "{"})[:2], ended=False),
        "gemini": gemini_stream([function_call("add")], []),
        "ollama": ollama_stream({"tool_calls": [ollama_call("add", {})]}),
    }[wire]
    if wire != "anthropic":
        data = data[: len(data) // 2]
    assert failed(streamed(wire, data)).kind is K.SERVER


# --- refusals ----------------------------------------------------------------------------------

REFUSALS = [
    ("ollama", 400, {"error": "registry.ollama.ai/library/gemma3:270m does not support tools"}),
    (
        "gemini",
        400,
        {
            "error": {
                "code": 400,
                "message": "Function calling is not enabled for models/gemma-3-27b-it",
                "status": "INVALID_ARGUMENT",
            }
        },
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {"type": "invalid_request_error", "message": "This model does not support tool use."},
        },
    ),
    (
        "anthropic",
        400,
        {
            "type": "error",
            "error": {
                "type": "invalid_request_error",
                "message": "tools.0.custom.input_schema: JSON schema is invalid",
            },
        },
    ),
]


@pytest.mark.parametrize(("wire", "status", "body"), REFUSALS)
def test_a_refusal_of_tools_stops_the_model(wire: str, status: int, body: Any) -> None:
    failure = failed(unary(wire, body, status))
    assert (failure.kind, failure.retry, failure.model_down) == (K.BAD_REQUEST, False, True)
    assert failure.parameter is None
    assert not failed(unary(wire, body, status, tools=False)).model_down


def test_a_choice_that_claude_refuses_is_dropped() -> None:
    message = "Thinking may not be enabled when tool_choice forces tool use."
    body = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    failure = failed(unary("anthropic", body, 400))
    assert (failure.parameter, failure.model_down) == ("tool_choice", False)


@on_every_wire
def test_without_offered_tools_a_call_stays_a_failure(wire: str) -> None:
    failure = failed(unary(wire, CALLED[wire], tools=False))
    assert (failure.code, failure.retry) == ("tool_calls", False)


def test_signed_thinking_is_unchanged_by_a_turn_in_between() -> None:
    reply: Reply = answered(unary("anthropic", claude_body(THOUGHT, tool_use(ADD))))
    body = sent("anthropic", asked(ModelTurn(raw=reply.turn), ToolResults(note="Go on.")))
    assert body["messages"][1]["content"][0] == THOUGHT
