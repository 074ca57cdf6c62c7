"""The rehearsal server's models call tools, and its judge refuses what providers refuse."""

from __future__ import annotations

import json
from typing import Any

import openai

from provider import Provider, fetch, provider
from toolturnkit import fetched, openai_tools, post, profile
from umwelten.simulate.faultserver import Profile


def openai_client(server: Provider, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + path, api_key="x", max_retries=0)


def openai_turn(client: openai.OpenAI, messages: list[Any], stream: bool, **more: Any) -> Any:
    """A message, put together by the official package if it came in pieces."""
    asked: Any = {"model": "m", "messages": messages, "tools": openai_tools()} | more
    if not stream:
        return client.chat.completions.create(**asked).choices[0].message
    with client.chat.completions.stream(**asked) as events:
        for _ in events:
            pass
        return events.get_final_completion().choices[0].message


def converse_openai(client: openai.OpenAI, prompt: str, stream: bool = False, **more: Any) -> tuple[str, int]:
    """The answer at the end of a conversation, and how many calls there were."""
    messages: list[Any] = [{"role": "user", "content": prompt}]
    count = 0
    while (message := openai_turn(client, messages, stream, **more)).tool_calls:
        turn = message.to_dict()
        messages.append({key: turn[key] for key in turn if key not in ("parsed", "refusal")})
        for call in messages[-1]["tool_calls"]:
            call["function"].pop("parsed_arguments", None)
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments or "{}")
            content = f"{call.function.name} of {arguments.get('city')} is {count}"
            messages.append({"role": "tool", "tool_call_id": call.id, "content": content})
            count += 1
    return message.content, count


def test_conversation_openai() -> None:
    """The official package understands what is sound, and the judge finds nothing wrong with it."""
    turns = {"turns": 2, "calls": (2, 1), "tools": ("*",), "arguments": ({"city": "Rome {turn}"},)}
    sound: tuple[Any, ...] = ("interleaved", "whole_calls", "float_index", "repeated_ids")
    with provider() as server, openai_client(server) as client:
        for quirks in [(), *((quirk,) for quirk in sound)]:
            for stream in (False, True):
                server.reset()
                server.use(profile(**turns, text="Let me see.", quirks=quirks))
                text, count = converse_openai(client, "How is mark:a?", stream)
                ledger = server.idle()
                assert ledger.verdicts == [] and ledger.totals.invalid == 0
                assert count == 3
                assert text.endswith(": weather of Rome 1 is 0 | time of Rome 1 is 1 | rate of Rome 2 is 2")
                found = [(record.step, record.status) for record in ledger.records]
                assert found == [(1, 200), (2, 200), (3, 200)]
                (whole,) = ledger.conversations()
                assert (whole.conversation, whole.paid) == ("mark:a", {1: 1, 2: 1, 3: 1})
                assert whole.paid_again == 0


def test_usage_grows_and_arguments_are_made_up() -> None:
    with provider(profile(turns=2)) as server:
        messages: list[Any] = [{"role": "user", "content": "How?"}]
        tokens = []
        for _ in range(3):
            reply = post(server, "/v1/chat/completions", messages=messages, tools=openai_tools())[1]
            tokens.append(reply["usage"]["prompt_tokens"])
            message = reply["choices"][0]["message"]
            if calls := message.get("tool_calls"):
                arguments = json.loads(calls[0]["function"]["arguments"])
                assert list(arguments) == ["city", "days"] and arguments["days"] == 2
                assert reply["choices"][0]["finish_reason"] == "tool_calls"
                messages += [message, {"role": "tool", "tool_call_id": calls[0]["id"], "content": "x" * 400}]
        assert tokens[1] > tokens[0] + 100 and tokens[2] > tokens[1] + 100
        # The same request again is the same step, and is told from the next one.
        post(server, "/v1/chat/completions", messages=messages, tools=openai_tools())
        (whole,) = server.idle().conversations()
        assert (whole.paid, whole.paid_again) == ({1: 1, 2: 1, 3: 2}, 1)
        assert fetched(server)["conversations"][0]["paid"] == {"1": 1, "2": 1, "3": 2}


def entries(server: Provider, **body: Any) -> tuple[list[list[Any]], str]:
    """The entries of calls in each piece of a stream, and its finish reason."""
    asked = {"model": "m", "messages": [{"role": "user", "content": "?"}], "tools": openai_tools()}
    data = fetch(f"{server.url}/v1/chat/completions", asked | {"stream": True} | body)[1].decode()
    choices = [json.loads(line[6:])["choices"][0] for line in data.split("\n\n") if line[6:7] == "{"]
    pieces = [choice["delta"]["tool_calls"] for choice in choices if "tool_calls" in choice["delta"]]
    return pieces, choices[-1]["finish_reason"]


def _indexes(pieces: list[list[Any]]) -> list[Any]:
    return [entry.get("index") for piece in pieces for entry in piece]


STREAMS: dict[str, Any] = {
    "no_index": lambda pieces, _: set(_indexes(pieces)) == {None},
    "zero_index": lambda pieces, _: set(_indexes(pieces)) == {0},
    "wrong_tail_index": lambda pieces, _: _indexes(pieces) == [0, 1, 1, 1, 1, 2, 2, 2],
    "shared_index": lambda pieces, _: [e["index"] for e in pieces[0]] == [0, 0] and "id" not in pieces[0][1],
    "float_index": lambda pieces, _: repr(_indexes(pieces)[-1]) == "1.0",
    "whole_calls": lambda pieces, _: len(pieces) == 1 and [e["index"] for e in pieces[0]] == [0, 1],
    "interleaved": lambda pieces, _: _indexes(pieces) == [0, 1, 0, 1, 0, 1, 0, 1],
    "name_twice": lambda pieces, _: all(e["function"].get("name") for piece in pieces for e in piece),
    "id_on_tails": lambda pieces, _: all(e.get("id") for piece in pieces for e in piece),
    "no_ids": lambda pieces, _: not any(e.get("id") for piece in pieces for e in piece),
    "empty_arguments": lambda pieces, _: (
        not any(e["function"]["arguments"] for piece in pieces for e in piece)
    ),
    "unknown_tool": lambda pieces, _: pieces[0][0]["function"]["name"] == "no_such_tool",
    "finish_stop": lambda _, finish: finish == "stop",
    "cut_arguments": lambda pieces, finish: finish == "length" and not _parses(pieces),
    "malformed_arguments": lambda pieces, finish: finish == "tool_calls" and not _parses(pieces),
}


def _parses(pieces: list[list[Any]]) -> bool:
    text = "".join(e["function"]["arguments"] for piece in pieces for e in piece if e["index"] == 1)
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_quirks_of_openai() -> None:
    with provider() as server:
        for quirk, shows in STREAMS.items():
            server.use(profile(calls=2, quirks=(quirk,)))
            assert shows(*entries(server)), quirk
            server.use(profile(calls=2))
            assert not shows(*entries(server)), quirk


def test_quirks_strike_in_the_first_turns_only() -> None:
    with provider(profile(turns=2, quirks=("unknown_tool",), quirk_turns=1)) as server:
        messages: list[Any] = [{"role": "user", "content": "?"}]
        names = []
        for _ in range(2):
            reply = post(server, "/v1/chat/completions", messages=messages, tools=openai_tools())[1]
            message = reply["choices"][0]["message"]
            (call,) = message["tool_calls"]
            names.append(call["function"]["name"])
            messages += [message, {"role": "tool", "tool_call_id": call["id"], "content": "?"}]
        assert names == ["no_such_tool", "weather"]


def test_choice() -> None:
    """`none` and forced choices are obeyed, unless the model always calls."""

    def called(**body: Any) -> list[str]:
        asked = {"messages": [{"role": "user", "content": "?"}], "tools": openai_tools()} | body
        message = post(server, "/v1/chat/completions", **asked)[1]["choices"][0]["message"]
        return [call["function"]["name"] for call in message.get("tool_calls", ())]

    forced = {"type": "function", "function": {"name": "rate"}}
    with provider(profile(turns=0)) as server:
        assert called() == []
        assert called(tool_choice="required") == ["weather"]
        assert called(tool_choice=forced) == ["rate"]
        server.use(profile(tools=("r*",)))
        assert called() == ["rate"]
        assert called(tool_choice="none") == []
        server.use(profile(quirks=("always_calls",)))
        assert called(tool_choice="none") == ["weather"]


def test_empty_reply_after_results() -> None:
    with provider(profile(quirks=("empty_reply",))) as server:
        messages: list[Any] = [{"role": "user", "content": "?"}]
        message = post(server, "/v1/chat/completions", messages=messages, tools=openai_tools())[1]["choices"][
            0
        ]
        call = message["message"]["tool_calls"][0]
        messages += [message["message"], {"role": "tool", "tool_call_id": call["id"], "content": "7"}]
        answers = []
        for more in ([], [{"role": "user", "content": "Answer now."}]):
            reply = post(server, "/v1/chat/completions", messages=messages + more, tools=openai_tools())[1]
            answers.append(reply["choices"][0]["message"]["content"])
        assert answers[0] == "" and answers[1].endswith(": 7")


def test_models_without_tools() -> None:
    with provider(Profile(no_tools=("old*",), responses_only=("gpt-5.4*",))) as server:
        asked = {"messages": [{"role": "user", "content": "?"}], "tools": openai_tools()}
        status, reply = post(server, "/api/chat", model="old:1b", **asked)
        assert (status, reply) == (400, {"error": "registry.ollama.ai/library/old:1b does not support tools"})
        assert "tools" not in post(server, "/api/show", model="old:1b")[1]["capabilities"]
        assert "tools" in post(server, "/api/show", model="new:1b")[1]["capabilities"]
        server.use(Profile(no_tools=("old*",), responses_only=("gpt-5.4*",), models=("older", "new")))
        listed = json.loads(fetch(f"{server.url}/api/v1/models")[1])["data"]
        assert ["tools" in row["supported_parameters"] for row in listed] == [False, True]
        for models in (("older", "new"), ()):
            server.use(Profile(no_tools=("old*",), responses_only=("gpt-5.4*",), models=models))
            caps = json.loads(fetch(f"{server.url}/props")[1])["chat_template_caps"]
            assert caps == {"supports_tools": not models}
        status, reply = post(server, "/api/v1/chat/completions", model="older", **asked)
        assert status == 404 and "support tool use" in reply["error"]["message"]
        for effort, wanted in (
            ({}, 400),
            ({"reasoning_effort": "low"}, 400),
            ({"reasoning_effort": "none"}, 200),
        ):
            status, reply = post(server, "/v1/chat/completions", model="gpt-5.4-mini", **asked, **effort)
            assert status == wanted
            if status == 400:
                assert "Function tools with reasoning_effort are not supported" in reply["error"]["message"]
                assert reply["error"]["param"] == "reasoning_effort"
        assert post(server, "/v1/chat/completions", model="gpt-5.4", messages=asked["messages"])[0] == 200
        assert server.idle().totals.invalid == 4
