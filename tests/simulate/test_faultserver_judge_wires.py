"""The rehearsal server's judge on the wires of Anthropic, Gemini and Ollama."""

from __future__ import annotations

from typing import Any

from provider import provider
from toolturnkit import (
    Break,
    anthropic_tools,
    expect,
    gemini_results,
    gemini_tools,
    openai_tools,
    post,
    profile,
    swap,
    told,
)

# --- Anthropic

VERSION = {"anthropic-version": "2023-06-01"}


def _anthropic_body(server: Any) -> Any:
    body: Any = {
        "max_tokens": 99,
        "messages": [{"role": "user", "content": "How?"}],
        "tools": anthropic_tools(),
    }
    for _ in range(2):
        content = post(server, "/v1/messages", VERSION, **body)[1]["content"]
        ids = [block["id"] for block in content if block["type"] == "tool_use"]
        results = [{"type": "tool_result", "tool_use_id": given, "content": "7"} for given in ids]
        body["messages"] += [{"role": "assistant", "content": content}, {"role": "user", "content": results}]
    return body


def _block(body: Any, place: int, number: int) -> Any:
    return body["messages"][place]["content"][number]


def _content(body: Any, place: int) -> Any:
    return body["messages"][place]["content"]


TEXT = {"type": "text", "text": "!"}
# Messages: 0 question, 1 thinking + two calls, 2 results, 3 the same again, 4 results.
ANTHROPIC: list[tuple[str, Break]] = [
    (
        "`tool_use` ids were found without `tool_result` blocks immediately after: toolu_",
        lambda b: _content(b, 4).pop(),
    ),
    ("messages.3: `tool_use` ids were found without", lambda b: _content(b, 4).insert(0, TEXT)),
    ("messages.3: `tool_use` ids were found without", lambda b: _content(b, 4).insert(1, TEXT)),
    (
        "messages.1: `tool_use` ids were found without",
        lambda b: b["messages"].insert(2, {"role": "user", "content": "!"}),
    ),
    (
        "messages.3: `tool_use` ids were found without",
        lambda b: b["messages"].append({"role": "user", "content": [_content(b, 4).pop()]}),
    ),
    (
        "messages.0.content.0: unexpected `tool_use_id` found",
        lambda b: b["messages"].__delitem__(slice(0, 2)),
    ),
    (
        "unexpected `tool_use_id` found in `tool_result` blocks: x",
        lambda b: _content(b, 4).append(_block(b, 4, 0) | {"tool_use_id": "x"}),
    ),
    ("each tool_use must have a single result", lambda b: _content(b, 4).append(_block(b, 4, 0))),
    ("faultserver: results in the order", lambda b: swap(_content(b, 4), 0, 1)),
    ("Input should be a valid dictionary", lambda b: _block(b, 1, 1).update(input="{}")),
    ("is not the call that the model made", lambda b: _block(b, 1, 1)["input"].update(days=9)),
    ("is not the call that the model made", lambda b: _block(b, 3, 2).update(name="rate")),
    ("tool_use.id: String should match pattern", lambda b: _block(b, 1, 1).update(id="a b")),
    ("`tool_use` ids must be unique", lambda b: _block(b, 3, 2).update(id=_block(b, 3, 1)["id"])),
    ("Invalid `signature` in `thinking` block", lambda b: _block(b, 3, 0).update(signature="c2ln")),
    ("Invalid `signature` in `thinking` block", lambda b: _block(b, 3, 0).pop("signature")),
    ("Invalid `signature` in `thinking` block", lambda b: _block(b, 1, 0).update(thinking="Hm.")),
    (
        "blocks in the latest assistant message cannot be modified",
        lambda b: _block(b, 3, 0).update(_block(b, 1, 0)),
    ),
    ("Expected `thinking` or `redacted_thinking`, but found `tool_use`", lambda b: _content(b, 3).pop(0)),
    (
        "Expected `thinking` or `redacted_thinking`, but found `text`",
        lambda b: _content(b, 1).insert(0, TEXT),
    ),
    ("text content blocks must be non-empty", lambda b: _content(b, 1).append(TEXT | {"text": ""})),
    ("all messages must have non-empty content", lambda b: b["messages"][0].update(content=[])),
    (
        "does not support assistant message prefill",
        lambda b: b["messages"].append({"role": "assistant", "content": "So"}),
    ),
    ("must define tools", lambda b: b.pop("tools")),
    ("List should have at least 1 item", lambda b: b.update(tools=[])),
    ("tools.0.custom.name: String should match pattern", lambda b: b["tools"][0].update(name="mcp:git.log")),
    ("tools.0.custom.input_schema: Field required", lambda b: b["tools"][0].pop("input_schema")),
    ("input_schema.type: Input should be 'object'", lambda b: b["tools"][0].update(input_schema={})),
    ("Tool names must be unique", lambda b: b["tools"].append(b["tools"][0])),
    ("Tool 'x' not found in provided tools", lambda b: b.update(tool_choice={"type": "tool", "name": "x"})),
    ("tool_choice: Input tag 'required'", lambda b: b.update(tool_choice={"type": "required"})),
    ("tool_choice forces tool use is not compatible", lambda b: b.update(tool_choice={"type": "any"})),
]


def test_anthropic() -> None:
    with provider(profile(turns=2, calls=2, thinking=True, refuse=("forced_choice",))) as server:
        right = _anthropic_body(server)
        expect(server, "/v1/messages", right, ANTHROPIC, VERSION)
        # Words of the user may follow the results, and what was thought before them may be left out.
        right["messages"][4]["content"].append(TEXT)
        assert post(server, "/v1/messages", VERSION, **right)[0] == 200
        right["messages"] += [
            {"role": "assistant", "content": "So it is."},
            {"role": "user", "content": "Why?"},
        ]
        del right["messages"][3]["content"][0], right["messages"][1]["content"][0]
        assert post(server, "/v1/messages", VERSION, **right)[0] == 200
        server.use(profile())
        thinking = {"type": "enabled", "budget_tokens": 1024}
        forced = right | {"thinking": thinking, "tool_choice": {"type": "any"}}
        status, reply = post(server, "/v1/messages", VERSION, **forced)
        assert (status, "Thinking may not be enabled" in told(reply)) == (400, True)


def test_a_pause_is_continued() -> None:
    with provider(profile(quirks=("pause_turn",))) as server:
        body: Any = {
            "max_tokens": 9,
            "messages": [{"role": "user", "content": "?"}],
            "tools": anthropic_tools(),
        }
        paused = post(server, "/v1/messages", VERSION, **body)[1]
        body["messages"].append({"role": "assistant", "content": paused["content"]})
        assert post(server, "/v1/messages", VERSION, **body)[0] == 200
        body["messages"].append({"role": "user", "content": "Go on."})
        assert "`web_search` tool use with id" in told(post(server, "/v1/messages", VERSION, **body)[1])


# --- Gemini


def _gemini_body(server: Any) -> Any:
    body: Any = {"contents": [{"role": "user", "parts": [{"text": "How?"}]}], "tools": gemini_tools()}
    for _ in range(2):
        content = post(server, GENERATE, **body)[1]["candidates"][0]["content"]
        body["contents"] += [content, gemini_results(content["parts"])]
    return body


GENERATE = "/v1beta/models/m:generateContent"


def _parts(body: Any, place: int) -> Any:
    return body["contents"][place]["parts"]


def _said(*parts: Any, role: str = "user") -> Any:
    return {"role": role, "parts": list(parts)}


def _config(body: Any, **fields: Any) -> None:
    body["toolConfig"] = {"functionCallingConfig": fields}


UNEQUAL = "the number of function response parts is equal to the number of function call parts"
GEMINI: list[tuple[str, Break]] = [
    (UNEQUAL, lambda b: _parts(b, 4).pop()),
    (UNEQUAL, lambda b: b["contents"].pop()),
    (UNEQUAL, lambda b: b["contents"].insert(4, _said({"text": "!"}))),
    (UNEQUAL, lambda b: b["contents"].append(_said(_parts(b, 4).pop()))),
    (UNEQUAL, lambda b: b["contents"].insert(2, _said(_parts(b, 1).pop(), role="model"))),
    ("function response turn comes immediately after a function call turn", lambda b: b["contents"].pop(1)),
    ("function call turn comes immediately after a user turn", lambda b: b["contents"].pop(0)),
    ("has other parts beside its function responses", lambda b: _parts(b, 4).append({"text": "!"})),
    (
        "Invalid value at 'contents[4].parts[0].function_response.response'",
        lambda b: _parts(b, 4)[0]["functionResponse"].update(response="7"),
    ),
    (
        "function_response.name: Name cannot be empty",
        lambda b: _parts(b, 4)[0]["functionResponse"].pop("name"),
    ),
    ("faultserver: results in the order", lambda b: swap(_parts(b, 4), 0, 1)),
    ("faultserver: results in the order", lambda b: _parts(b, 4)[0]["functionResponse"].update(name="rate")),
    ("is not the call that the model made", lambda b: _parts(b, 1)[1]["functionCall"]["args"].update(days=9)),
    ("missing a thought_signature in functionCall parts", lambda b: _parts(b, 3)[0].pop("thoughtSignature")),
    ("Corrupted thought signature", lambda b: _parts(b, 3)[0].update(thoughtSignature="c2ln")),
    (
        "Corrupted thought signature",
        lambda b: _parts(b, 3)[0].update(thoughtSignature=_parts(b, 1)[0]["thoughtSignature"]),
    ),
    (
        "Corrupted thought signature",
        lambda b: _parts(b, 3)[1].update(thoughtSignature=_parts(b, 3)[0]["thoughtSignature"]),
    ),
    ("no tools are declared", lambda b: b.pop("tools")),
    ("tools is an empty list", lambda b: b.update(tools=[])),
    ("must have one initialized field", lambda b: b.update(tools=[{}])),
    (
        "Invalid function name. Must start with a letter",
        lambda b: b["tools"][0]["functionDeclarations"][0].update(name="1x"),
    ),
    ("Duplicate function declaration found", lambda b: b["tools"].extend(gemini_tools("rate"))),
    ("are mutually exclusive", lambda b: b["tools"][0]["functionDeclarations"][0].update(parameters={})),
    (
        "'application/json' is unsupported",
        lambda b: b.update(generationConfig={"responseMimeType": "application/json"}),
    ),
    (
        "only when function calling mode is ANY",
        lambda b: _config(b, mode="AUTO", allowedFunctionNames=["rate"]),
    ),
    ("should be a subset", lambda b: _config(b, mode="ANY", allowedFunctionNames=["x"])),
    ("mode ANY is not supported", lambda b: _config(b, mode="ANY")),
]


def test_gemini() -> None:
    with provider(
        profile(turns=2, calls=2, thinking=True, refuse=("json_with_tools", "forced_choice"))
    ) as server:
        right = _gemini_body(server)
        expect(server, GENERATE, right, GEMINI)
        right["contents"] += [_said({"text": "So."}, role="model"), _said({"text": "Why?"})]
        del right["contents"][3]["parts"][0]["thoughtSignature"]
        assert post(server, GENERATE, **right)[0] == 200


# --- Ollama


def _ollama_body(server: Any) -> Any:
    body: Any = {"messages": [{"role": "user", "content": "How?"}], "tools": openai_tools(), "stream": False}
    message = post(server, "/api/chat", **body)[1]["message"]
    body["messages"].append(message)
    for call in message["tool_calls"]:
        told = {"tool_name": call["function"]["name"], "tool_call_id": call["id"], "content": "7"}
        body["messages"].append({"role": "tool"} | told)
    return body


OLLAMA: list[tuple[str, Break]] = [
    ("2 calls, 1 results", lambda b: b["messages"].pop()),
    ("2 calls, 0 results", lambda b: b["messages"].insert(2, {"role": "user", "content": "!"})),
    ("no call comes before it", lambda b: b["messages"].pop(1)),
    ("results in the order", lambda b: swap(b["messages"], 2, 3)),
    ("results in the order", lambda b: b["messages"][2].update(tool_call_id="x")),
    (
        "neither tool_name nor tool_call_id",
        lambda b: [b["messages"][2].pop(name) for name in ("tool_name", "tool_call_id")],
    ),
    (
        "is not the call that the model made",
        lambda b: b["messages"][1]["tool_calls"][0]["function"].update(arguments={}),
    ),
    (
        "cannot unmarshal string into Go struct field",
        lambda b: b["messages"][1]["tool_calls"][0]["function"].update(arguments="{}"),
    ),
    (
        "cannot unmarshal array into Go struct field",
        lambda b: b["messages"][2].update(content=[{"type": "text", "text": "7"}]),
    ),
    ("is no function with a name", lambda b: b["tools"][0]["function"].pop("name")),
]


def test_ollama() -> None:
    with provider(profile(calls=2, tools=("*",))) as server:
        expect(server, "/api/chat", _ollama_body(server), OLLAMA)
