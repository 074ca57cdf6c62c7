"""The rehearsal server's judge: a client that gets a conversation with tools wrong is told so."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from provider import provider
from toolturnkit import Break, expect, openai_tools, post, profile, swap, told
from umwelten.simulate.faultserver import Behaviour, Profile, Rule, ToolTurns, Window


def _openai_body(server: Any, **more: Any) -> Any:
    """A right second step: two calls of one turn, answered in order."""
    body: Any = {"messages": [{"role": "user", "content": "How?"}], "tools": openai_tools(), **more}
    message = post(server, "/v1/chat/completions", **body)[1]["choices"][0]["message"]
    body["messages"].append(message)
    for call in message["tool_calls"]:
        body["messages"].append({"role": "tool", "tool_call_id": call["id"], "content": "7"})
    return body


OPENAI: list[tuple[str, Break]] = [
    ("The following tool_call_ids did not have response messages: call_", lambda b: b["messages"].pop()),
    (
        "must be followed by tool messages",
        lambda b: b["messages"].insert(2, {"role": "user", "content": "!"}),
    ),
    ("must be followed by tool messages", lambda b: b["messages"].__delitem__(slice(2, 4))),
    ("must be a response to a preceeding message with 'tool_calls'", lambda b: b["messages"].pop(1)),
    ("must be a response to a preceeding", lambda b: b["messages"].insert(0, b["messages"].pop())),
    ("'tool_call_id' of 'x' not found", lambda b: b["messages"][2].update(tool_call_id="x")),
    ("Duplicate value for 'tool_call_id'", lambda b: b["messages"].append(b["messages"][3])),
    (
        "Missing required parameter: 'messages[2].tool_call_id'",
        lambda b: b["messages"][2].pop("tool_call_id"),
    ),
    (
        "Missing required parameter: 'messages[1].tool_calls[0].id'",
        lambda b: b["messages"][1]["tool_calls"][0].pop("id"),
    ),
    ("faultserver: results in the order", lambda b: swap(b["messages"], 2, 3)),
    (
        "is not the call that the model made",
        lambda b: b["messages"][1]["tool_calls"][0]["function"].update(arguments="{}"),
    ),
    (
        "is not the call that the model made",
        lambda b: b["messages"][1]["tool_calls"][1]["function"].update(name="time"),
    ),
    (
        "expected a string, but got an object",
        lambda b: b["messages"][1]["tool_calls"][0]["function"].update(arguments={}),
    ),
    ("expected one of a string or array of objects", lambda b: b["messages"][2].update(content=None)),
    ("Invalid 'messages[1].tool_calls': empty array", lambda b: b["messages"][1].update(tool_calls=[])),
    (
        "Invalid value for 'content': expected a string, got null",
        lambda b: b["messages"].append({"role": "assistant", "content": None}),
    ),
    ("Invalid 'tools': empty array", lambda b: b.update(tools=[])),
    (
        "'tool_choice' is only allowed when 'tools' are specified",
        lambda b: (b.pop("tools"), b.update(tool_choice="auto")),
    ),
    ("does not match pattern", lambda b: b["tools"][0]["function"].update(name="mcp:git.log")),
    (
        "maximum length 64, but got a string with length 65",
        lambda b: b["tools"][0]["function"].update(name="x" * 65),
    ),
    ("tool names must be unique", lambda b: b["tools"].append(b["tools"][0])),
    (
        "no function named 'x'",
        lambda b: b.update(tool_choice={"type": "function", "function": {"name": "x"}}),
    ),
    (
        "Invalid schema for function 'weather'",
        lambda b: b["tools"][0]["function"].update(parameters={"type": "string"}),
    ),
    ("Unknown parameter: 'parallel_tool_calls'", lambda b: b.update(parallel_tool_calls=False)),
    ("'tool_choice' of this kind is not supported", lambda b: b.update(tool_choice="required")),
    (
        "Unexpected role 'user' after role 'tool'",
        lambda b: b["messages"].append({"role": "user", "content": "!"}),
    ),
]
STRICT = ("parallel_tool_calls", "forced_choice", "user_after_tool")


def test_openai() -> None:
    with provider(profile(turns=1, calls=2, refuse=STRICT)) as server:
        right = _openai_body(server)
        expect(server, "/v1/chat/completions", right, OPENAI)
        # A conversation that this server did not begin is as good, if it is right.
        for place, name in enumerate(("a", "b")):
            right["messages"][1]["tool_calls"][place]["id"] = right["messages"][2 + place]["tool_call_id"] = (
                name
            )
        assert post(server, "/v1/chat/completions", **right)[0] == 200
        server.use(profile(judge=False))
        right["messages"].pop()
        assert post(server, "/v1/chat/completions", **right)[0] == 200


def test_mistral() -> None:
    with provider(profile(calls=2, ids="mistral")) as server:
        right = _openai_body(server)
        ids = [call["id"] for call in right["messages"][1]["tool_calls"]]
        assert [len(given) for given in ids] == [9, 9] and all(given.isalnum() for given in ids)
        assert post(server, "/v1/chat/completions", **right)[0] == 200
        body = copy.deepcopy(right)
        body["messages"].pop()
        assert "Not the same number" in told(post(server, "/v1/chat/completions", **body)[1])
        right["messages"][1]["tool_calls"][0]["id"] = right["messages"][2]["tool_call_id"] = "call_1"
        assert "but must be a-z, A-Z, 0-9" in told(post(server, "/v1/chat/completions", **right)[1])


@pytest.mark.parametrize(
    ("path", "field", "words"),
    [
        ("/v1/chat/completions", "reasoning_content", "must be passed back to the API"),
        ("/api/v1/chat/completions", "reasoning_details", "must be passed back to the API"),
    ],
)
def test_thoughts_come_back_openai(path: str, field: str, words: str) -> None:
    with provider(profile(turns=2, thinking=True)) as server:
        body: Any = {"messages": [{"role": "user", "content": "How?"}], "tools": openai_tools()}
        for _ in range(2):
            message = post(server, path, **body)[1]["choices"][0]["message"]
            call = message["tool_calls"][0]
            body["messages"] += [message, {"role": "tool", "tool_call_id": call["id"], "content": "7"}]
        assert post(server, path, **body)[0] == 200
        first, second = body["messages"][1], body["messages"][3]
        second[field] = first[field]
        assert "the model's" in told(post(server, path, **body)[1])
        del second[field]
        assert words in told(post(server, path, **body)[1])
        body["messages"].append({"role": "user", "content": "And now?"})
        assert post(server, path, **body)[0] == 200


def test_a_refused_request_is_told_from_a_fault() -> None:
    """The judge speaks where limits and outages did not, and rules may strike one step alone."""
    limits = (Window(n=2, window_s=60),)
    rules = (Rule(step=2, first=1, counting="step", behaviour=Behaviour(fault=500)),)
    default = Behaviour(tool_turns=ToolTurns())
    with provider(Profile(default=default, rules=rules)) as server:
        body: Any = {"messages": [{"role": "user", "content": "?"}], "tools": openai_tools()}
        message = post(server, "/v1/chat/completions", **body)[1]["choices"][0]["message"]
        body["messages"].append(message)
        assert post(server, "/v1/chat/completions", **body)[0] == 400
        answered = {"role": "tool", "tool_call_id": message["tool_calls"][0]["id"], "content": "7"}
        body["messages"].append(answered)
        statuses = [post(server, "/v1/chat/completions", **body)[0] for _ in range(2)]
        assert statuses == [500, 200]
        fates = [record.fate for record in server.idle().records]
        assert fates == ["answered", "invalid", "faulted", "answered"]
        (whole,) = server.ledger.conversations()
        assert (whole.requests, whole.paid, whole.paid_again) == ({1: 1, 2: 3}, {1: 1, 2: 1}, 0)
        server.use(Profile(default=default, limiters=limits))
        body["messages"].pop()
        assert [post(server, "/v1/chat/completions", **body)[0] for _ in range(3)] == [400, 400, 429]
