"""Conversations with tools on the other wires of the rehearsal server, by official packages if there are."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import anthropic
import ollama
import pytest

from provider import Provider, fetch, provider
from toolturnkit import (
    anthropic_tools,
    gemini_results,
    gemini_tools,
    openai_tools,
    post,
    profile,
)

TURNS: dict[str, Any] = {
    "turns": 2,
    "calls": (2, 1),
    "tools": ("*",),
    "arguments": ({"city": "Rome {turn}"}, {}),
}


def _answer(city: str, name: str, count: int) -> str:
    return f"{name} of {city} is {count}"


def _anthropic_turn(client: anthropic.Anthropic, messages: list[Any], stream: bool) -> Any:
    asked: Any = {"model": "m", "max_tokens": 99, "messages": messages, "tools": anthropic_tools()}
    if not stream:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as events:
        return events.get_final_message()


def _converse_anthropic(client: anthropic.Anthropic, stream: bool) -> tuple[str, list[str]]:
    messages: list[Any] = [{"role": "user", "content": "How is mark:a?"}]
    reasons: list[str] = []
    count = 0
    while True:
        message = _anthropic_turn(client, messages, stream)
        reasons.append(message.stop_reason)
        if message.stop_reason == "end_turn":
            return message.content[-1].text, reasons
        messages.append({"role": "assistant", "content": [block.to_dict() for block in message.content]})
        results = []
        for block in message.content:
            if block.type == "tool_use":
                told = _answer(str(block.input.get("city")), block.name, count)
                results.append({"type": "tool_result", "tool_use_id": block.id, "content": told})
                count += 1
        messages += [{"role": "user", "content": results}] if results else []


def _anthropic_client(server: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=server.url, api_key="x", max_retries=0)


def test_conversation_anthropic() -> None:
    more: list[dict[str, Any]] = [{}, {"thinking": True, "text": "Let me see."}]
    more.append({"thinking": True, "quirks": ("redacted_thinking",)})
    with provider() as server, _anthropic_client(server) as client:
        for fields, stream in product(more, (False, True)):
            server.reset()
            server.use(profile(**TURNS, **fields))
            text, reasons = _converse_anthropic(client, stream)
            assert server.idle().verdicts == []
            assert reasons == ["tool_use", "tool_use", "end_turn"]
            assert text.endswith(": weather of Rome 1 is 0 | time of None is 1 | rate of Rome 2 is 2")
            assert [record.step for record in server.ledger.records] == [1, 2, 3]


def test_a_turn_pauses() -> None:
    spec = profile(quirks=("pause_turn",), thinking=True)
    with provider(spec) as server, _anthropic_client(server) as client:
        for stream in (False, True):
            server.reset()
            text, reasons = _converse_anthropic(client, stream)
            assert server.idle().verdicts == []
            assert reasons == ["pause_turn", "tool_use", "end_turn"] and text.endswith(" is 0")
            assert [record.step for record in server.ledger.records] == [1, 2, 3]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("more", [{}, {"thinking": True, "text": "Let me see."}, {"quirks": ("no_ids",)}])
def test_conversation_ollama(stream: bool, more: Any) -> None:
    messages: list[Any] = [{"role": "user", "content": "How is mark:a?"}]
    count = 0
    with provider(profile(**TURNS, **more)) as server:
        client = ollama.Client(host=server.url)
        while True:
            asked: Any = {"model": "m", "messages": messages, "tools": openai_tools()}
            lines = list(client.chat(**asked, stream=True)) if stream else [client.chat(**asked)]
            text = "".join(line.message.content or "" for line in lines)
            calls = [call for line in lines for call in line.message.tool_calls or ()]
            assert lines[-1].done_reason == "stop"
            if not calls:
                break
            given = [call.model_dump(exclude_none=True) for call in calls]
            messages.append({"role": "assistant", "content": text, "tool_calls": given})
            for call in calls:
                city = str(call.function.arguments.get("city"))
                told = _answer(city, call.function.name, count)
                messages.append({"role": "tool", "tool_name": call.function.name, "content": told})
                count += 1
        client._client.close()
        assert server.idle().verdicts == []
        assert text.endswith(": weather of Rome 1 is 0 | time of None is 1 | rate of Rome 2 is 2")
        assert [record.step for record in server.ledger.records] == [1, 2, 3]


def _places(parts: list[Any], field: str) -> list[int]:
    return [place for place, part in enumerate(parts) if field in part]


def _gemini_parts(server: Provider, contents: list[Any], verb: str) -> list[Any]:
    asked = {"contents": contents, "tools": gemini_tools()}
    data = fetch(f"{server.url}/v1beta/models/m:{verb}", asked)[1]
    whole = [json.loads(line[6:]) for line in data.split(b"\n\n") if line[:6] == b"data: "]
    replies = whole if "alt=sse" in verb else json.loads(data)
    replies = replies if isinstance(replies, list) else [replies]
    candidates = [reply["candidates"][0] for reply in replies]
    assert [each.get("finishReason") for each in candidates] == [None] * (len(candidates) - 1) + ["STOP"]
    return [part for each in candidates for part in each["content"]["parts"]]


@pytest.mark.parametrize(
    "verb", ["generateContent", "streamGenerateContent", "streamGenerateContent?alt=sse"]
)
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"thinking": True, "text": "Let me see."},
        {"thinking": True, "quirks": ("late_signature",)},
        {"quirks": ("no_ids", "empty_arguments")},
    ],
)
def test_conversation_gemini(verb: str, more: Any) -> None:
    contents: list[Any] = [{"role": "user", "parts": [{"text": "How is mark:a?"}]}]
    with provider(profile(**TURNS, **more)) as server:
        counts = []
        while called := _places(parts := _gemini_parts(server, contents, verb), "functionCall"):
            counts.append(len(called))
            signed = _places(parts, "thoughtSignature")
            late = "late_signature" in more.get("quirks", ())
            assert signed == ([] if "thinking" not in more else [len(parts) - 1] if late else called[:1])
            contents += [{"role": "model", "parts": parts}, gemini_results(parts)]
        assert server.idle().verdicts == []
        assert counts == [2, 1] and "".join(part["text"] for part in parts).endswith(": 0 | 1 | 0")
        assert [record.step for record in server.ledger.records] == [1, 2, 3]


@pytest.mark.parametrize(
    ("quirk", "reason"),
    [("malformed_call", "MALFORMED_FUNCTION_CALL"), ("unexpected_call", "UNEXPECTED_TOOL_CALL")],
)
def test_calls_that_come_to_nothing(quirk: Any, reason: str) -> None:
    asked: Any = {"contents": [{"role": "user", "parts": [{"text": "?"}]}], "tools": gemini_tools()}
    with provider(profile(quirks=(quirk,))) as server:
        for verb in ("generateContent", "streamGenerateContent"):
            reply = post(server, f"/v1beta/models/m:{verb}", **asked)[1]
            (candidate,) = (reply[0] if isinstance(reply, list) else reply)["candidates"]
            assert candidate["finishReason"] == reason and "parts" not in candidate["content"]


def test_arguments_that_are_no_json_on_wires_with_objects() -> None:
    for quirk in ("malformed_arguments", "cut_arguments"):
        with provider(profile(quirks=(quirk,))) as server:
            asked: Any = {
                "messages": [{"role": "user", "content": "?"}],
                "tools": openai_tools(),
                "stream": False,
            }
            reply = post(server, "/api/chat", **asked)[1]
            assert list(reply["message"]["tool_calls"][0]["function"]["arguments"]) == ["no_such_argument"]
            assert reply["done_reason"] == ("length" if quirk == "cut_arguments" else "stop")
