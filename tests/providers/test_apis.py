"""Which of OpenAI's APIs a model is asked by: known, chosen, or learned from a refusal."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES, wires_of
from umwelten.tool_calls import ToolSettings
from umwelten.types import ModelRef, Parameters, Prompt, RequestSettings
from wirekit import decoded, failed, head, place

ROW = VENDORS["openai"]
HOME = Endpoint(vendor=ROW, base_url=ROW.base_url)
GATEWAY = Endpoint(vendor=ROW, base_url="http://127.0.0.1:4000/v1")
TOOLS = ToolSettings(tools=())


def api(model: str, home: Endpoint = HOME, tools: ToolSettings | None = None, **extra: Any) -> str:
    """The name of the API that a model is asked by."""
    prompts = (Prompt(name="", text="Hi"),)
    settings = RequestSettings(prompts=prompts, parameters=Parameters(extra=extra), tools=tools)
    wire, other = wires_of(home, ModelRef("openai", model), settings)
    assert (other is not None) == (wire is WIRES["openai"] and home.vendor.api == "auto")
    return "responses" if wire is WIRES["responses"] else "chat"


ONLY_RESPONSES = """
o1-pro o3-pro-2025-06-10 o3-deep-research o4-mini-deep-research-2025-06-26 computer-use-preview
gpt-5-codex gpt-5.1-codex gpt-5.1-codex-mini gpt-5.1-codex-max gpt-5.2-codex gpt-5.3-codex
gpt-5-pro gpt-5-pro-2025-10-06 gpt-5.2-pro gpt-5.4-pro gpt-5.5-pro-2026-04-23
gpt-daybreak-blue-latest gpt-5.6-cyber gpt-6-cyber gpt-rosalind-research gpt-6-rosalind gpt-6.2-astra-law
"""


@pytest.mark.parametrize("model", ONLY_RESPONSES.split())
def test_models_that_know_nothing_else_are_asked_over_responses(model: str) -> None:
    assert api(model) == "responses"
    assert api(model, GATEWAY) == "chat"


@pytest.mark.parametrize(
    "model", ["gpt-4o", "gpt-5", "gpt-5.4", "gpt-6-luna", "o3", "o1", "gpt-5-codex-spark"]
)
def test_all_others_are_asked_over_chat_completions(model: str) -> None:
    assert api(model) == "chat"


@pytest.mark.parametrize(
    ("model", "extra", "expected"),
    [
        ("gpt-5.4", {}, "responses"),
        ("gpt-5.4-mini-2026-03-01", {"reasoning_effort": "high"}, "responses"),
        ("gpt-5.6-luna", {}, "responses"),
        ("gpt-6-sol", {}, "responses"),
        ("gpt-10", {}, "responses"),
        ("gpt-5.4", {"reasoning_effort": "none"}, "chat"),
        ("gpt-6-sol", {"reasoning": {"effort": "none"}}, "chat"),
        ("gpt-6-sol", {"reasoning.effort": "none"}, "chat"),
        ("gpt-5.3", {}, "chat"),
        ("gpt-5", {}, "chat"),
        ("gpt-4.1", {}, "chat"),
        ("o3", {}, "chat"),
    ],
)
def test_tools_go_where_a_model_takes_them_while_it_reasons(
    model: str, extra: dict[str, Any], expected: str
) -> None:
    assert api(model, tools=TOOLS, **extra) == expected
    assert api(model, GATEWAY, TOOLS, **extra) == "chat"


def test_a_summary_of_the_reasoning_is_only_to_be_had_there() -> None:
    assert api("gpt-5", **{"reasoning.summary": "auto"}) == "responses"
    assert api("gpt-5", reasoning={"summary": "auto"}) == "responses"
    assert api("gpt-5", reasoning={"effort": "low"}) == "chat"


@pytest.mark.parametrize(
    ("kind", "expected"), [("web_search", "responses"), ("function", "chat"), ("custom", "chat")]
)
def test_so_are_tools_that_run_at_the_provider(kind: str, expected: str) -> None:
    parameters = Parameters(extra={"tools": [{"type": kind}]})
    settings = RequestSettings(prompts=(Prompt(name="", text="Hi"),), parameters=parameters)
    for model in ("gpt-4.1", "gpt-6-sol"):
        wire, _ = wires_of(HOME, ModelRef("openai", model), settings)
        assert wire is WIRES["responses" if expected == "responses" else "openai"]


def test_what_is_chosen_holds_everywhere() -> None:
    for home in (HOME, GATEWAY):
        for chosen in ("chat", "responses"):
            row = msgspec.structs.replace(ROW, api=chosen)
            there = msgspec.structs.replace(home, vendor=row)
            assert api("gpt-5-pro", there) == api("gpt-4o", there, TOOLS) == chosen


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (
            404,
            {
                "message": "This model is only supported in v1/responses and not in v1/chat/completions.",
                "type": "invalid_request_error",
                "param": "model",
            },
        ),
        (
            404,
            {
                "message": "This is not a chat model and thus not supported in the v1/chat/completions "
                "endpoint. Did you mean to use v1/completions?",
                "param": "model",
            },
        ),
        (
            400,
            {
                "message": "Function tools with reasoning_effort are not supported for gpt-5.6-luna in "
                "/v1/chat/completions. To use function tools, use /v1/responses or set "
                "reasoning_effort to 'none'.",
                "param": "reasoning_effort",
            },
        ),
        (
            400,
            {
                "message": "Function tools with reasoning_effort are not supported for gpt-5.4 in "
                "/v1/chat/completions. Please use /v1/responses instead.",
                "param": "reasoning_effort",
            },
        ),
        (
            400,
            {
                "code": "OperationNotSupported",
                "message": "The chatCompletion operation does not work with the specified model, gpt-5-codex"
                ". Please choose different model and try again.",
            },
        ),
        (
            400,
            {
                "message": 'model "gpt-5.2-codex" is not accessible via the /chat/completions endpoint',
                "code": "unsupported_api_for_model",
            },
        ),
    ],
)
@pytest.mark.parametrize("tools", [False, True])
def test_a_refusal_of_the_api_is_told_from_others(status: int, error: dict[str, Any], tools: bool) -> None:
    body = json.dumps({"error": error}).encode()
    failure = failed(WIRES["openai"].decode(head(status), body, HOME, tools=tools))
    assert (failure.parameter, failure.model_down, failure.lane_down) == ("api", False, False)


def test_a_server_without_the_responses_api_is_no_reason_to_ask_elsewhere() -> None:
    error = {"error": {"message": "Invalid URL (POST /v1/responses)", "type": "invalid_request_error"}}
    for wire in ("openai", "responses"):
        assert failed(decoded(WIRES[wire], place(wire, "http://x/v1"), error, status=404)).parameter is None
