"""The Responses API: what is sent, held against the official client's types."""

from __future__ import annotations

import json
from typing import Any

import pytest

from providers.responsekit import (
    BOOK,
    CALL,
    HOME,
    OPENAI,
    PDF,
    REASONING,
    RESULTS,
    TURN,
    WAV,
    WEATHER,
    WIRE,
    asking,
    message,
    sent,
)
from umwelten.errors import InputError
from umwelten.tool_calls import ModelTurn
from umwelten.types import (
    ModelRef,
    Parameters,
    Request,
)
from wirekit import (
    assistant,
    body_of,
    image,
    question,
    user,
)


def test_nothing_is_kept_at_the_provider_and_the_system_text_is_apart() -> None:
    body = sent(question("Hi", system="Be brief.", temperature=0.5, max_tokens=9))
    assert body == {
        "store": False,
        "temperature": 0.5,
        "max_output_tokens": 9,
        "model": "some-model",
        "input": [{"type": "message", "role": "user", "content": "Hi"}],
        "instructions": "Be brief.",
    }
    streamed_body = sent(question("Hi", stream=True), OPENAI)
    assert streamed_body["stream_options"] == {"include_obfuscation": False}
    assert "stream_options" not in sent(question("Hi", stream=True))


def test_files_and_the_models_own_turns_go_along() -> None:
    body = sent(question("Look", image(), PDF, turns=(assistant("No."), user("Again."))))
    kinds = [part["type"] for part in body["input"][0]["content"]]
    assert kinds == ["input_text", "input_image", "input_file"]
    assert body["input"][1:] == [
        {"type": "message", "role": "assistant", "content": "No."},
        {"type": "message", "role": "user", "content": "Again."},
    ]
    with pytest.raises(InputError, match="Responses API"):
        sent(question(WAV))


def test_parameters_have_their_names_here_and_those_of_chat_alone_are_left_out() -> None:
    extra: dict[str, Any] = {
        "reasoning_effort": "low",
        "reasoning.summary": "auto",
        "verbosity": "high",
        "logprobs": True,
        "n": 2,
        "presence_penalty": 1,
        "background": True,
        "stream": True,
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "metadata": {"a": "b"},
    }
    request = question("Hi", seed=3, stop=("x",), top_p=0.5, max_tokens=5, extra=extra)
    body = sent(request)
    assert body["reasoning"] == {"effort": "low", "summary": "auto"}
    assert body["text"] == {"verbosity": "high"}
    assert body["include"] == ["message.output_text.logprobs"]
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["metadata"] == {"a": "b"}
    assert not {"seed", "stop", "n", "presence_penalty", "background", "stream", "top_k"} & set(body)
    both = sent(question("Hi", extra={"include": ["web_search_call.action.sources"], "logprobs": True}))
    assert both["include"] == ["web_search_call.action.sources", "message.output_text.logprobs"]
    nested = sent(question("Hi", extra={"reasoning": {"summary": "auto"}, "reasoning_effort": "low"}))
    assert nested["reasoning"] == {"summary": "auto", "effort": "low"}


@pytest.mark.parametrize(
    ("dropped", "gone"),
    [
        ("schema", ("text", "format")),
        ("verbosity", ("text", "verbosity")),
        ("reasoning_effort", ("reasoning", "effort")),
        ("reasoning_summary", ("reasoning", "summary")),
        ("temperature", ("temperature",)),
        ("store", ("store",)),
        ("include", ("include",)),
    ],
)
def test_a_refused_field_is_left_out_alone(dropped: str, gone: tuple[str, ...]) -> None:
    extra = {
        "verbosity": "low",
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["message.output_text.logprobs"],
    }
    parameters = Parameters(temperature=0.1, extra=extra)
    request = Request(model=ModelRef("p", "m"), messages=(user("Hi"),), parameters=parameters, schema=BOOK)
    whole, rest = sent(request), sent(request, dropped=(dropped,))
    inner = whole
    for step in gone[:-1]:
        inner = inner[step]
    del inner[gone[-1]]
    assert rest == {**whole, **({"instructions": rest["instructions"]} if "instructions" in rest else {})}


def test_a_limit_that_is_refused_goes_by_its_other_name() -> None:
    body = body_of(WIRE.encode(question("Hi", max_tokens=5), HOME, frozenset({"max_tokens"})))
    assert body["max_tokens"] == 5 and "max_output_tokens" not in body


def test_a_schema_is_native_and_in_words_while_tools_may_be_called() -> None:
    plain = Request(model=ModelRef("openai", "gpt-6"), messages=(user("Hi"),), schema=BOOK)
    body = sent(plain, OPENAI)
    form = body["text"]["format"]
    assert (form["type"], form["name"], form["strict"]) == ("json_schema", "book", True)
    assert "instructions" not in body
    with_tools = sent(asking(schema=BOOK), OPENAI)
    assert "text" not in with_tools and "JSON Schema" in with_tools["instructions"]
    last = sent(asking(TURN, RESULTS, choice="none", schema=BOOK), OPENAI)
    assert "format" in last["text"] and last["tool_choice"] == "none"


@pytest.mark.parametrize(
    ("choice", "written"),
    [
        ("auto", None),
        ("any", "required"),
        ("none", "none"),
        ("weather", {"type": "function", "name": "weather"}),
    ],
)
def test_tools_are_flat_and_never_strict(choice: str, written: object) -> None:
    body = sent(asking(choice=choice))
    (tool,) = body["tools"]
    assert tool == {
        "type": "function",
        "name": "weather",
        "description": WEATHER.description,
        "parameters": WEATHER.parameters,
        "strict": False,
    }
    assert body.get("tool_choice") == written
    assert body["include"] == ["reasoning.encrypted_content"]
    assert "include" not in sent(asking(model="gpt-4.1-mini"))


def test_a_turn_goes_back_as_it_came_and_the_results_follow() -> None:
    body = sent(asking(TURN, RESULTS))
    thought, call, result, note = body["input"][1:]
    assert thought == {name: REASONING[name] for name in ("id", "type", "summary", "encrypted_content")}
    assert call == CALL
    assert result == {"type": "function_call_output", "call_id": "call_1", "output": "rain"}
    assert note == {"type": "message", "role": "user", "content": "Go on."}


def test_thoughts_that_the_provider_would_have_to_look_up_stay_out_with_all_ids() -> None:
    bare = {name: value for name, value in REASONING.items() if name != "encrypted_content"}
    turn = ModelTurn(
        raw=json.dumps([bare, message("So:", phase="commentary"), CALL]).encode(), calls=TURN.calls
    )
    said, call = sent(asking(turn, RESULTS))["input"][1:3]
    assert (said["phase"], call["call_id"]) == ("commentary", "call_1")
    assert "id" not in said and "id" not in call


def test_a_thought_that_led_to_nothing_stays_out() -> None:
    turn = ModelTurn(raw=json.dumps([REASONING, CALL, REASONING]).encode(), calls=TURN.calls)
    kinds = [item["type"] for item in sent(asking(turn, RESULTS))["input"]]
    assert kinds == ["message", "reasoning", "function_call", "function_call_output", "message"]


@pytest.mark.parametrize("raw", [b'{"role": "assistant", "tool_calls": []}', b"", b"[1]", b"\xff"])
def test_a_turn_of_chat_completions_is_told_by_its_calls(raw: bytes) -> None:
    turn = ModelTurn(raw=raw, calls=TURN.calls)
    call = sent(asking(turn, RESULTS))["input"][1]
    assert call == {name: CALL[name] for name in ("type", "call_id", "name", "arguments")}
