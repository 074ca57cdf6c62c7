"""Function calling in chat completions: streams of every server, what goes back, what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import TypeAdapter

from providers.tool_corpus import (
    ADD,
    CUT_EVERY,
    EXAMPLES,
    MUL,
    OPENAI,
    Case,
    entry,
    openai_body,
    openai_stream,
)
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.schema import load_schema
from umwelten.tool_calls import ModelTurn, ToolCall, ToolDefinition, ToolResult, ToolResults
from umwelten.types import FailureKind, FinishReason, Outcome, Reply, Request, Secret, Turn
from wirekit import CUTS, answered, body_of, failed, head, question, user

WIRE = OpenAIChat()
K = FailureKind
TOOL = ToolDefinition(
    name="add",
    description="Adds.",
    parameters={"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]},
)
MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
TOOLS: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionToolParam])
every_case = pytest.mark.parametrize("case", OPENAI.values(), ids=OPENAI.keys())


def at(vendor: str = "openai") -> Endpoint:
    row = VENDORS[vendor]
    return Endpoint(vendor=row, base_url=row.base_url, api_key=Secret("sk-key"))


def unary(body: Any, vendor: str = "openai", status: int = 200, tools: bool = True) -> Outcome:
    return WIRE.decode(head(status), json.dumps(body).encode(), at(vendor), tools=tools)


def streamed(data: bytes, *ends: int, vendor: str = "openai") -> Outcome:
    decoder = WIRE.stream(head(), at(vendor), tools=True)
    for start, end in zip((0, *ends), (*ends, len(data)), strict=True):
        decoder.feed(data[start:end])
    return decoder.finish()


def asked(*turns: Turn, choice: str = "auto", schema: str = "", **settings: Any) -> Request:
    base = question(**settings)
    return Request(
        model=base.model,
        messages=(user("Hi"), *turns),
        parameters=base.parameters,
        schema=load_schema(schema).schema if schema else None,
        tools=(TOOL,),
        tool_choice=choice,
    )


def sent(request: Request, vendor: str = "openai", *dropped: str) -> dict[str, Any]:
    return body_of(WIRE.encode(request, at(vendor), frozenset(dropped)))


def turn_of(reply: Reply) -> dict[str, Any]:
    turn: dict[str, Any] = json.loads(reply.turn)
    return turn


# --- replies -----------------------------------------------------------------------------------


@every_case
def test_a_stream_gives_the_calls_that_its_server_meant(case: Case) -> None:
    reply = answered(streamed(case.stream, vendor=case.vendor))
    assert [(call.name, call.arguments) for call in reply.calls] == [call[1:] for call in case.calls]
    for call, (id, *_) in zip(reply.calls, case.calls, strict=True):
        assert call.id == id if id else len(call.id) == 9
    assert len({call.id for call in reply.calls}) == len(reply.calls)
    assert (reply.text, reply.finish_reason) == (case.text, FinishReason.TOOL)
    turn = turn_of(reply)
    assert [(e["id"], e["function"]["name"], e["function"]["arguments"]) for e in turn["tool_calls"]] == [
        (call.id, call.name, call.arguments) for call in reply.calls
    ]
    assert turn["content"] == (case.text or None)
    MESSAGES.validate_python([turn], strict=True)


@every_case
def test_a_whole_reply_gives_the_same(case: Case) -> None:
    body = openai_body(case.calls, case.text or None)
    assert ChatCompletion.model_validate({**body, "created": 1, "model": "m", "object": "chat.completion"})
    whole, pieces = answered(unary(body, case.vendor)), answered(streamed(case.stream, vendor=case.vendor))
    assert (whole.calls, whole.text, whole.finish_reason) == (pieces.calls, pieces.text, pieces.finish_reason)
    assert json.loads(whole.turn) == json.loads(pieces.turn)


@every_case
def test_a_stream_may_be_cut_anywhere(case: Case) -> None:
    expected = streamed(case.stream, vendor=case.vendor)
    for end in range(1, len(case.stream), CUT_EVERY):
        assert streamed(case.stream, end, vendor=case.vendor) == expected


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,20}", fullmatch=True),
            st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers() | st.lists(st.none())),
        ),
        min_size=1,
        max_size=4,
    ),
    pieces=st.lists(st.integers(0, 60), max_size=6),
    has_ids=st.booleans(),
    has_indices=st.booleans(),
    repeats=st.booleans(),
    cuts=CUTS,
)
def test_calls_in_any_pieces_are_put_together(
    calls: list[tuple[str, dict[str, Any]]],
    pieces: list[int],
    has_ids: bool,
    has_indices: bool,
    repeats: bool,
    cuts: tuple[int, ...],
) -> None:
    deltas = []
    for index, (name, value) in enumerate(calls):
        text = json.dumps(value, ensure_ascii=False)
        ends = sorted({end % (len(text) + 1) for end in pieces})
        for number, (a, b) in enumerate(zip((0, *ends), (*ends, len(text)), strict=True)):
            opens = number == 0
            id = f"call_{index}" if has_ids and (opens or repeats) else None
            given_name = name if opens or repeats else None
            deltas.append({"tool_calls": [entry(index if has_indices else 0, id, given_name, text[a:b])]})
    data = openai_stream(*deltas)
    reply = answered(streamed(data, *sorted({cut % len(data) for cut in cuts})))
    assert [(c.name, json.loads(c.arguments)) for c in reply.calls] == calls


def test_fields_that_the_vendor_wants_back_are_in_the_turn_and_no_others() -> None:
    details = [{"type": "reasoning.encrypted", "data": "AA==", "id": None, "index": 0}]
    body = openai_body((ADD,), "Hm", reasoning_content="why", reasoning_details=details, annotations=[])
    assert turn_of(answered(unary(body))) == {
        "role": "assistant",
        "content": "Hm",
        "reasoning_content": "why",
        "reasoning_details": details,
        "tool_calls": body["choices"][0]["message"]["tool_calls"],
    }


def test_a_field_that_came_empty_is_not_missed() -> None:
    assert turn_of(answered(unary(openai_body((ADD,), reasoning_content=""))))["reasoning_content"] == ""
    assert "reasoning_content" not in turn_of(answered(unary(openai_body((ADD,), reasoning_content=None))))


def test_they_are_put_together_from_a_stream() -> None:
    text = {"type": "reasoning.text", "format": "anthropic-claude-v1", "index": 0}
    data = openai_stream(
        {"reasoning_content": "Let ", "reasoning_details": [{**text, "text": "Let "}]},
        {"reasoning_content": "me.", "reasoning_details": [{**text, "text": "me."}]},
        {"reasoning_details": [{**text, "signature": "c2ln"}]},
        {"reasoning_details": [{**text, "text": "More."}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "AA", "index": 1}]},
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "BB", "index": 1}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "a", "signature": ""}]},
        {"thinking_blocks": [{"type": "thinking", "thinking": "b", "signature": "s"}]},
        {"tool_calls": [entry(0, *ADD, extra_content={"google": {"thought_signature": "Zm8="}})]},
    )
    reply = answered(streamed(data))
    turn = turn_of(reply)
    assert reply.reasoning == turn["reasoning_content"] == "Let me."
    assert turn["reasoning_details"] == [
        {**text, "text": "Let me.", "signature": "c2ln"},
        {**text, "text": "More."},
        {"type": "reasoning.encrypted", "data": "AA", "index": 1},
        {"type": "reasoning.encrypted", "data": "BB", "index": 1},
    ]
    assert turn["thinking_blocks"] == [{"type": "thinking", "thinking": "ab", "signature": "s"}]
    assert turn["tool_calls"][0]["extra_content"] == {"google": {"thought_signature": "Zm8="}}


def test_content_in_pieces_goes_back_as_pieces() -> None:
    def thinking(text: str) -> dict[str, Any]:
        return {"type": "thinking", "thinking": [{"type": "text", "text": text}]}

    data = openai_stream(
        {"content": [thinking("a")]},
        {"content": [thinking("b")]},
        {"content": "So"},
        {"content": ":"},
        {"tool_calls": [entry(0, *ADD)]},
    )
    reply = answered(streamed(data))
    assert (reply.text, reply.reasoning) == ("So:", "ab")
    assert turn_of(reply)["content"] == [thinking("ab"), {"type": "text", "text": "So:"}]


def test_thinking_in_tags_goes_back_with_the_text() -> None:
    reply = answered(unary(openai_body((ADD,), "<think>Hm.</think>So:")))
    assert (reply.text, reply.reasoning) == ("So:", "Hm.")
    assert turn_of(reply)["content"] == "<think>Hm.</think>So:"


@pytest.mark.parametrize("arguments", ['{"a": 1, "b', "[1]", "five"])
def test_arguments_that_no_server_takes_back_are_told_as_they_were(arguments: str) -> None:
    reply = answered(unary(openai_body((("c", "add", arguments),), stop="length")))
    assert (reply.calls[0].arguments, reply.finish_reason) == (arguments, FinishReason.LENGTH)
    back = json.loads(turn_of(reply)["tool_calls"][0]["function"]["arguments"])
    assert back == {"invalid_json": arguments}


def test_a_name_that_no_server_takes_back_is_spelled_so_that_it_does() -> None:
    reply = answered(unary(openai_body((("c", "functions.add", "{}"),))))
    assert reply.calls[0].name == "functions.add"
    assert turn_of(reply)["tool_calls"][0]["function"]["name"] == "functions_add"


def test_the_same_call_has_another_id_in_another_reply() -> None:
    body = openai_body((("", "add", "{}"), ("", "add", "{}")))
    ids = [call.id for call in answered(unary(body)).calls]
    again = [call.id for call in answered(unary(body)).calls]
    other = [call.id for call in answered(unary({**body, "id": "c2"})).calls]
    assert ids == again
    assert len({*ids, *other}) == 4
    assert all(id.isalnum() and id.isascii() for id in ids)


@pytest.mark.parametrize("calls", [[{"function": {"arguments": "{}"}}], ["add"], [{"id": "x"}], {"id": 5}])
def test_a_call_that_cannot_be_read_is_asked_for_again(calls: Any) -> None:
    message = {"role": "assistant", "content": None, "tool_calls": calls}
    failure = failed(unary({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))
    assert (failure.kind, failure.retry, failure.code) == (K.EMPTY, True, "tool_calls")


def test_a_stop_for_calls_that_are_not_there_is_asked_for_again() -> None:
    message = {"role": "assistant", "content": None}
    failure = failed(unary({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))
    assert (failure.kind, failure.retry) == (K.EMPTY, True)


def test_calls_that_a_filter_stopped_are_blocked() -> None:
    failure = failed(unary(openai_body((ADD,), stop="content_filter")))
    assert (failure.kind, failure.retry) == (K.BAD_REQUEST, False)


def test_half_a_stream_of_calls_is_none() -> None:
    data = openai_stream({"tool_calls": [entry(0, *ADD[:2], ADD[2][:6])]}, stop=None, done=False)
    assert failed(streamed(data)).kind is K.SERVER
    decoder = WIRE.stream(head(), at(), tools=True)
    decoder.feed(data)
    assert not decoder.complete
    decoder.feed(openai_stream({"tool_calls": [entry(0, None, None, ADD[2][6:])]}, stop="stop", done=False))
    assert decoder.complete


# --- requests ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", None),
        ("any", "required"),
        ("none", "none"),
        ("add", {"type": "function", "function": {"name": "add"}}),
    ],
)
def test_tools_and_the_choice_are_declared(choice: str, expected: Any) -> None:
    body = sent(asked(choice=choice))
    TOOLS.validate_python(body["tools"], strict=True)
    assert [tool["function"]["name"] for tool in body["tools"]] == ["add"]
    assert body["tools"][0]["function"]["parameters"] == TOOL.parameters
    assert body.get("tool_choice") == expected
    assert "tool_choice" not in sent(asked(choice=choice), "openai", "tool_choice")


def test_without_tools_nothing_of_them_is_sent() -> None:
    assert not {"tools", "tool_choice"} & set(sent(question()))


def test_tools_that_run_at_the_provider_stay() -> None:
    hosted = {"type": "web_search"}
    body = sent(asked(extra={"tools": [hosted], "tool_choice": "required", "parallel_tool_calls": False}))
    assert [tool["type"] for tool in body["tools"]] == ["web_search", "function"]
    assert "tool_choice" not in body
    assert body["parallel_tool_calls"] is False


CALLS = (ToolCall(*ADD), ToolCall(*MUL))


@pytest.mark.parametrize("note", ["", "Answer now."])
def test_results_follow_their_turn_in_the_order_of_the_calls(note: str) -> None:
    reply = answered(unary(openai_body((ADD, MUL))))
    results = ToolResults(
        results=(ToolResult(CALLS[0], "3"), ToolResult(CALLS[1], "no such account", is_error=True)), note=note
    )
    body = sent(asked(ModelTurn(raw=reply.turn, calls=reply.calls), results))
    MESSAGES.validate_python(body["messages"], strict=True)
    assert reply.turn in (WIRE.encode(asked(ModelTurn(raw=reply.turn), results), at()).body or b"")
    assert body["messages"][2:4] == [
        {"role": "tool", "tool_call_id": "call_a", "content": "3"},
        {"role": "tool", "tool_call_id": "call_b", "content": "Error: no such account"},
    ]
    assert body["messages"][4:] == ([{"role": "user", "content": note}] if note else [])


def test_mistral_takes_no_words_of_the_user_after_results() -> None:
    results = ToolResults(results=(ToolResult(CALLS[0], "3"),), note="Answer now.")
    *_, last = sent(asked(ModelTurn(raw=b'{"role":"assistant"}'), results), "mistral")["messages"]
    assert last == {"role": "tool", "tool_call_id": "call_a", "content": "3\n\nAnswer now."}
    *_, last = sent(asked(ToolResults(note="Go on.")), "mistral")["messages"]
    assert last == {"role": "user", "content": "Go on."}


@pytest.mark.parametrize("vendor", ["openai", "openrouter", "groq", "vllm", "deepseek"])
def test_a_shape_is_enforced_only_where_no_tool_may_be_called(vendor: str) -> None:
    bodies = {choice: sent(asked(choice=choice, schema="title"), vendor) for choice in ("auto", "none")}
    assert all("JSON Schema" in body["messages"][0]["content"] for body in bodies.values())
    assert "response_format" not in bodies["auto"] and "provider" not in bodies["auto"]
    assert ("response_format" in bodies["none"]) is (vendor in ("openai", "openrouter"))


# --- refusals ----------------------------------------------------------------------------------

REFUSALS = [
    (404, {"message": 'No endpoints found that support tool use. Try disabling "add".', "code": 404}),
    (500, {"message": "tools param requires --jinja flag", "code": 500, "type": "server_error"}),
    (
        400,
        {"message": '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'},
    ),
    (400, {"message": "`tool calling` is not supported with this model", "type": "invalid_request_error"}),
    (400, {"message": "registry.ollama.ai/library/smollm2:135m does not support tools"}),
    (400, {"message": "Function calling is not enabled for this model"}),
    (400, {"message": "deepseek-reasoner does not support Function Calling"}),
    (400, {"message": "Tools are not supported.", "param": "tools"}),
    (400, {"message": "Unsupported parameter: 'tools'", "param": "tools", "code": "unsupported_parameter"}),
    (
        400,
        {
            "message": "Invalid schema for function 'add': None is not of type 'object'.",
            "param": "tools[0].function.parameters",
            "code": "invalid_function_parameters",
        },
    ),
]


@pytest.mark.parametrize(("status", "error"), REFUSALS)
def test_a_refusal_of_tools_stops_the_model(status: int, error: dict[str, Any]) -> None:
    for outcome in (
        unary({"error": error}, status=status),
        WIRE.decode(head(), json.dumps({"error": {**error, "code": status}}).encode(), at(), tools=True),
        streamed(b"data: " + json.dumps({"error": {**error, "code": status}}).encode() + b"\n\n"),
    ):
        failure = failed(outcome)
        assert (failure.kind, failure.retry, failure.model_down) == (K.BAD_REQUEST, False, True), failure
        assert failure.parameter is None and error["message"] in failure.message
        assert failure.message.count("takes no tools") <= 1


@pytest.mark.parametrize(
    ("status", "error", "parameter"),
    [
        (400, {"message": "Unsupported parameter: 'parallel_tool_calls'"}, "parallel_tool_calls"),
        (400, {"message": "tool_choice is not supported", "param": "tool_choice"}, "tool_choice"),
        (400, {"message": "Extra inputs are not permitted", "param": "seed"}, "seed"),
        (400, {"message": "'tool_choice' does not support tool use of this kind"}, "tool_choice"),
        (400, {"message": "response_format with tools is not supported"}, "schema"),
    ],
)
def test_fields_beside_them_are_dropped(status: int, error: dict[str, Any], parameter: str) -> None:
    failure = failed(unary({"error": error}, status=status))
    assert (failure.parameter, failure.model_down) == (parameter, False)


def test_other_failures_are_left_alone() -> None:
    for status, message in (
        (429, "Rate limit reached: tools are not available right now"),
        (500, "internal error"),
        (400, "This model does not support tool choice required"),
        (400, "Parallel tool calls are not supported"),
        (400, "Function tools with reasoning_effort are not supported. Please use /v1/responses instead."),
    ):
        error = {"error": {"message": message}}
        assert unary(error, status=status) == unary(error, status=status, tools=False)


def test_a_call_that_groq_could_not_read_is_asked_for_again() -> None:
    error = {
        "message": "Failed to call a function. Please adjust your prompt. See 'failed_generation'",
        "type": "invalid_request_error",
        "code": "tool_use_failed",
        "failed_generation": '<function=add{"a": 1}</function>',
    }
    failure = failed(unary({"error": error}, "groq", 400))
    assert (failure.kind, failure.retry, failure.model_down) == (K.EMPTY, True, False)
