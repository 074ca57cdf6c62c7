"""Answers in a shape: the input of a tool, and what refusals of a shape mean."""

from __future__ import annotations

import json
from typing import Any

import pytest
from anthropic import types as claude
from hypothesis import given

from umwelten.providers.anthropic.requests import ANSWER_TOOL
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import FailureKind, FinishReason, Secret
from wirekit import (
    CUTS,
    KEY,
    answered,
    decoded,
    failed,
    place,
    sse,
    streamed,
)

RECORD = {
    "title": "A Carol",
    "date": "1843-12-19",
    "status": "final",
    "confidence": 9,
    "score": 0.5,
    "tags": ["ghosts"],
    "author": {"name": "Dickens", "affiliation": None},
    "note": None,
    "email": None,
    "editor": None,
}


def _home(vendor: str) -> Endpoint:
    row = VENDORS[vendor]
    return Endpoint(vendor=row, base_url=row.base_url or "http://127.0.0.1:1/v1", api_key=Secret(KEY))


# --- anthropic's answers ---------------------------------------------------------------------

CLAUDE = WIRES["anthropic"]
CLAUDE_HOME = place("anthropic", "https://api.anthropic.com", quirks=VENDORS["anthropic"].quirks)
TOOL = ANSWER_TOOL
USAGE = {"input_tokens": 5, "output_tokens": 7}


def _message(*content: dict[str, Any], stop: str = "tool_use") -> dict[str, Any]:
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(content),
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": USAGE,
    }
    claude.Message.model_validate(message)
    return message


def _use(value: dict[str, Any], name: str = TOOL, number: int = 1) -> dict[str, Any]:
    return {"type": "tool_use", "id": f"toolu_{number}", "name": name, "input": value}


def test_the_tools_input_is_the_answer_and_its_call_the_end() -> None:
    reply = answered(decoded(CLAUDE, CLAUDE_HOME, _message({"type": "text", "text": "So: "}, _use(RECORD))))
    assert json.loads(reply.text) == RECORD
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage.output_tokens == 7


def test_of_two_records_the_first_counts_and_another_tool_is_none() -> None:
    two = _message(_use({"a": 1}), _use({"a": 2}, number=2))
    assert answered(decoded(CLAUDE, CLAUDE_HOME, two)).text == '{"a":1}'
    other = failed(decoded(CLAUDE, CLAUDE_HOME, _message(_use({"a": 1}, name="mine"))))
    assert (other.kind, other.code) == (FailureKind.BAD_REQUEST, "tool_calls")


def test_an_empty_record_is_one_and_a_cut_off_one_is_not() -> None:
    assert answered(decoded(CLAUDE, CLAUDE_HOME, _message(_use({})))).text == "{}"
    cut = failed(decoded(CLAUDE, CLAUDE_HOME, _message(_use({}), stop="max_tokens")))
    assert (cut.kind, cut.retry, cut.code) == (FailureKind.EMPTY, False, "max_tokens")


def _events(*pieces: str, stop: str = "tool_use", end: bool = True) -> bytes:
    start = {**_message(stop="end_turn"), "stop_reason": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": _use({})},
        {"type": "ping"},
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": p}}
        for p in pieces
    ]
    events += [
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": _use({}, number=2)},
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "input_json_delta", "partial_json": '{"b":2}'},
        },
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop, "stop_sequence": None},
            "usage": {"output_tokens": 9},
        },
    ]
    return sse(*events, *([{"type": "message_stop"}] if end else []), named=True)


@given(cuts=CUTS)
def test_a_streamed_record_comes_piece_by_piece_wherever_it_is_cut(cuts: tuple[int, ...]) -> None:
    text, outcome = streamed(CLAUDE, CLAUDE_HOME, _events("", '{"title": "Grü', 'ße", "n"', ": 1}"), cuts)
    reply = answered(outcome)
    assert text == reply.text == '{"title": "Grüße", "n": 1}'
    assert reply.finish_reason is FinishReason.STOP
    assert reply.usage.output_tokens == 9


def test_a_streamed_record_that_breaks_off_is_kept_as_far_as_it_came() -> None:
    data = _events('{"title": "Gr', end=False)
    failure = failed(streamed(CLAUDE, CLAUDE_HOME, data[: data.index(b"content_block_stop")])[1])
    assert (failure.kind, failure.partial) == (FailureKind.SERVER, '{"title": "Gr')
    assert answered(streamed(CLAUDE, CLAUDE_HOME, _events())[1]).text == "{}"
    cut = answered(streamed(CLAUDE, CLAUDE_HOME, _events('{"a', stop="max_tokens"))[1])
    assert (cut.text, cut.finish_reason) == ('{"a', FinishReason.LENGTH)


# --- refusals --------------------------------------------------------------------------------


def _openai(message: str, param: str | None = None, code: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "error": {"message": message, "type": "invalid_request_error", "param": param, "code": code, **more}
    }


def _google(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


def _claude(message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


REFUSALS = [
    (
        "openai",
        400,
        _openai(
            "'response_format' of type 'json_schema' is not supported with this model.", "response_format"
        ),
    ),
    (
        "openai",
        400,
        _openai(
            "Invalid schema for response_format: 11 levels exceed limit of at most 10.", "response_format"
        ),
    ),
    ("groq", 400, _openai("This model does not support response format `json_schema`.")),
    ("lmstudio", 400, {"error": "'response_format.type' must be 'json_schema' or 'text'"}),
    (
        "mistral",
        422,
        {
            "detail": [
                {
                    "type": "extra_forbidden",
                    "loc": ["body", "response_format"],
                    "msg": "Extra inputs are not permitted",
                }
            ]
        },
    ),
    (
        "local",
        400,
        {
            "error": {
                "code": 400,
                "message": "Unable to generate parser. JSON schema error at #: unrecognized type",
            }
        },
    ),
    (
        "openrouter",
        404,
        {"error": {"code": 404, "message": "No endpoints found that can handle the requested parameters."}},
    ),
    (
        "openrouter",
        400,
        {
            "error": {
                "code": 400,
                "message": "Provider returned error",
                "metadata": {"raw": '{"error":{"message":"response_format is not supported"}}'},
            }
        },
    ),
    ("google", 400, _google("Unknown name \"additionalProperties\" at 'generation_config.response_schema'")),
    ("google", 400, _google("JSON mode is not enabled for models/gemma-3-27b-it")),
    (
        "google",
        400,
        _google("generation_config.response_schema.properties[x]: should be non-empty for OBJECT type"),
    ),
    ("ollama", 400, {"error": "invalid JSON schema in format"}),
    ("ollama", 500, {"error": "failed to load model vocabulary required for format"}),
    ("anthropic", 400, _claude("output_config.format: Extra inputs are not permitted")),
    ("anthropic", 400, _claude("tools.0.custom.input_schema: JSON schema is invalid.")),
    ("anthropic", 400, _claude("'claude-2.1' does not support tool use.")),
    ("anthropic", 400, _claude("This model does not support structured outputs")),
]


@pytest.mark.parametrize(("vendor", "status", "body"), REFUSALS)
def test_a_refusal_of_the_shape_names_it_so_that_words_are_tried(
    vendor: str, status: int, body: dict[str, Any]
) -> None:
    home = _home(vendor)
    failure = failed(decoded(WIRES[home.vendor.wire], home, body, status))
    assert (failure.kind, failure.parameter, failure.lane_down) == (FailureKind.BAD_REQUEST, "schema", False)


def test_a_tool_that_cannot_be_forced_is_told_apart() -> None:
    message = _claude("Thinking may not be enabled when tool_choice forces tool use.")
    assert failed(decoded(CLAUDE, CLAUDE_HOME, message, 400)).parameter == "tool_choice"


def test_groqs_refusal_of_an_answer_is_an_answer_that_does_not_fit() -> None:
    body = _openai("Failed to validate JSON.", code="json_validate_failed", failed_generation='{"a":')
    failure = failed(decoded(WIRES["openai"], _home("groq"), body, 400))
    assert (failure.kind, failure.retry, failure.partial) == (FailureKind.SCHEMA, True, '{"a":')


@pytest.mark.parametrize(
    ("vendor", "body"),
    [
        ("openai", _openai("temperature must be at most 2", "temperature")),
        ("google", _google("Request contains an invalid argument.")),
        ("anthropic", _claude("messages: at least one message is required")),
        ("ollama", {"error": "invalid options"}),
    ],
)
def test_other_refusals_do_not_blame_the_shape(vendor: str, body: dict[str, Any]) -> None:
    home = _home(vendor)
    assert failed(decoded(WIRES[home.vendor.wire], home, body, 400)).parameter != "schema"
