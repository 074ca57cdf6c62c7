"""Requests with tools in the formats of Anthropic, Google and Ollama, held against their own packages."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from ollama._types import ChatRequest

from providers.tool_corpus import (
    ADD,
    MUL,
    claude_body,
    function_call,
    gemini_body,
    ollama_call,
    ollama_line,
    tool_use,
)
from providers.toolwires import (
    CLAUDE_CHOICE,
    CLAUDE_MESSAGE,
    CLAUDE_TOOLS,
    TOOL,
    asked,
    on_every_wire,
    sent,
    unary,
)
from umwelten.tool_calls import ModelTurn, ToolCall, ToolResult, ToolResults
from umwelten.types import Request
from wirekit import answered, question


def declared(wire: str, request: Request, *dropped: str) -> tuple[list[str], Any]:
    """The names of the declared tools, and the choice, as the vendor's package reads them."""
    body = sent(wire, request, *dropped)
    if wire == "anthropic":
        CLAUDE_TOOLS.validate_python(body["tools"], strict=True)
        choice = body.get("tool_choice")
        if choice is not None:
            CLAUDE_CHOICE.validate_python(choice, strict=True)
        assert all(tool["input_schema"] == TOOL.parameters for tool in body["tools"])
        return [tool["name"] for tool in body["tools"]], choice
    if wire == "ollama":
        read = ChatRequest.model_validate(body)
        return [tool.function.name for tool in read.tools or ()], None  # type: ignore[union-attr, misc]
    config = body.get("toolConfig", {}).get("functionCallingConfig")
    functions = body["tools"][0]["functionDeclarations"]
    assert [f["parametersJsonSchema"] for f in functions] == [TOOL.parameters]
    google.Tool(
        function_declarations=[{"name": f["name"], "description": f["description"]} for f in functions]
    )
    json_format.ParseDict({"toolConfig": body.get("toolConfig", {})}, google.GenerateContentRequest.pb()())
    return [f["name"] for f in functions], config


CHOICES = {
    "anthropic": {
        "auto": None,
        "any": {"type": "any"},
        "none": {"type": "none"},
        "add": {"type": "tool", "name": "add"},
    },
    "gemini": {
        "auto": None,
        "any": {"mode": "ANY"},
        "none": {"mode": "NONE"},
        "add": {"mode": "ANY", "allowedFunctionNames": ["add"]},
    },
    "ollama": {"auto": None, "any": None, "add": None, "none": None},
}


@on_every_wire
@pytest.mark.parametrize("choice", ["auto", "any", "none", "add"])
def test_tools_and_the_choice_are_declared(wire: str, choice: str) -> None:
    # Ollama knows no choice: where none may be called, none is declared.
    names = [] if (wire, choice) == ("ollama", "none") else ["add"]
    assert declared(wire, asked(choice=choice)) == (names, CHOICES[wire][choice])


def test_a_refused_choice_is_not_sent_again() -> None:
    for choice in ("any", "add"):
        assert declared("anthropic", asked(choice=choice), "tool_choice") == (["add"], None)
        assert declared("gemini", asked(choice=choice), "tool_choice") == (["add"], None)
    # A model that cannot be made to call a tool can be told not to.
    assert declared("anthropic", asked(choice="none"), "tool_choice") == (["add"], {"type": "none"})


@on_every_wire
def test_without_tools_nothing_of_them_is_sent(wire: str) -> None:
    assert not {"tools", "tool_choice", "toolConfig"} & set(sent(wire, question()))


def test_tools_that_run_at_the_provider_stay() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    choice = {"type": "any", "disable_parallel_tool_use": True}
    body = sent("anthropic", asked(extra={"tools": [search], "tool_choice": choice}))
    assert [tool["name"] for tool in body["tools"]] == ["web_search", "add"]
    assert body["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    extra = {
        "tools": [{"googleSearch": {}}],
        "toolConfig": {"includeServerSideToolInvocations": True, "functionCallingConfig": {"mode": "ANY"}},
    }
    body = sent("gemini", asked(extra=extra))
    assert [sorted(tool) for tool in body["tools"]] == [["googleSearch"], ["functionDeclarations"]]
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}


BACK: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_a", "content": "3"},
                {"type": "tool_result", "tool_use_id": "call_b", "is_error": True, "content": "no account"},
            ],
        }
    ],
    "gemini": [
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "call_a", "name": "add", "response": {"output": "3"}}},
                {"functionResponse": {"name": "mul", "response": {"error": "no account"}}},
            ],
        }
    ],
    "ollama": [
        {"role": "tool", "tool_name": "add", "tool_call_id": "call_a", "content": "3"},
        {"role": "tool", "tool_name": "mul", "content": "Error: no account"},
    ],
}
NOTE: dict[str, dict[str, Any]] = {
    "anthropic": {"type": "text", "text": "Answer now."},
    "gemini": {"role": "user", "parts": [{"text": "Answer now."}]},
    "ollama": {"role": "user", "content": "Answer now."},
}
BOTH = {
    "anthropic": claude_body(tool_use(ADD), tool_use(MUL)),
    "gemini": gemini_body(function_call("add", {}, "call_a"), function_call("mul", {})),
    "ollama": ollama_line(tool_calls=[ollama_call("add", {}, id="call_a"), ollama_call("mul", {})]),
}


@on_every_wire
@pytest.mark.parametrize("note", ["", "Answer now."])
def test_results_follow_their_turn_in_the_order_of_the_calls(wire: str, note: str) -> None:
    reply = answered(unary(wire, BOTH[wire]))
    first, second = reply.calls
    results = ToolResults(
        results=(ToolResult(first, "3"), ToolResult(second, "no account", is_error=True)), note=note
    )
    body = sent(wire, asked(ModelTurn(raw=reply.turn, calls=reply.calls), results))
    messages = body["contents" if wire == "gemini" else "messages"]
    expected = json.loads(json.dumps(BACK[wire]))
    if note and wire == "anthropic":
        expected[0]["content"].append(NOTE[wire])
    elif note:
        expected.append(NOTE[wire])
    assert messages[2:] == expected
    if wire == "anthropic":
        for message in messages:
            CLAUDE_MESSAGE.validate_python(message, strict=True, extra="forbid")
    elif wire == "gemini":
        pb = json_format.ParseDict({"contents": messages}, google.GenerateContentRequest.pb()())
        assert [part.WhichOneof("data") for part in pb.contents[2].parts] == ["function_response"] * 2
    else:
        ChatRequest.model_validate(body)


def test_an_empty_result_has_no_content_where_an_empty_text_is_refused() -> None:
    results = ToolResults(results=(ToolResult(ToolCall(*ADD), ""),))
    body = sent("anthropic", asked(ModelTurn(raw=b'{"role":"assistant"}'), results))
    assert body["messages"][-1]["content"] == [{"type": "tool_result", "tool_use_id": "call_a"}]


ENFORCED = {
    ("anthropic", "claude-opus-5-5"): "output_config",
    ("anthropic", "claude-3-haiku-20240307"): "",
    ("gemini", "gemini-3-flash"): "generationConfig",
    ("gemini", "gemini-2.5-flash"): "",
    ("ollama", "qwen3:8b"): "format",
}


@pytest.mark.parametrize(("wire", "model"), ENFORCED)
def test_a_shape_is_enforced_only_where_no_tool_may_be_called(wire: str, model: str) -> None:
    for choice in ("auto", "any", "none"):
        body = sent(wire, asked(model=model, choice=choice, schema="title"))
        assert "JSON Schema" in json.dumps(body)
        assert "give_answer" not in json.dumps(body)
        field = ENFORCED[wire, model]
        found = {"output_config", "generationConfig", "format"} & set(body)
        assert found == ({field} if choice == "none" and field else set())
