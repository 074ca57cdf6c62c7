"""Conversations with tools over the Responses API of the rehearsal server, and its judge."""

from __future__ import annotations

import json
from itertools import product
from typing import Any

import openai

from provider import provider
from toolturnkit import Break, expect, post, profile, responses_tools, swap, told

INCLUDE = ["reasoning.encrypted_content"]
RESPONSES = "/v1/responses"


def _turn(client: openai.OpenAI, items: list[Any], stream: bool) -> Any:
    asked: Any = {
        "model": "m",
        "input": items,
        "tools": responses_tools(),
        "store": False,
        "include": INCLUDE,
    }
    if not stream:
        return client.responses.create(**asked)
    with client.responses.stream(**asked) as events:
        for _ in events:
            pass
        return events.get_final_response()


def _converse(client: openai.OpenAI, stream: bool) -> tuple[str, list[int]]:
    items: list[Any] = [{"role": "user", "content": "How is mark:a?"}]
    counts: list[int] = []
    while True:
        response = _turn(client, items, stream)
        calls = [item for item in response.output if item.type == "function_call"]
        if not calls:
            return response.output_text, counts
        given = [item.to_dict() for item in response.output]
        items += [{key: item[key] for key in item if key != "parsed_arguments"} for item in given]
        for call in calls:
            text = f"{call.name} of {json.loads(call.arguments).get('city')}"
            items.append({"type": "function_call_output", "call_id": call.call_id, "output": text})
        counts.append(len(calls))


def test_conversation_responses() -> None:
    turns: dict[str, Any] = {"turns": 2, "calls": (2, 1), "tools": ("*",), "arguments": ({"city": "Rome"},)}
    more: list[dict[str, Any]] = [{}, {"thinking": True, "text": "Let me see."}]
    with (
        provider() as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="x", max_retries=0) as client,
    ):
        for fields, stream in product(more, (False, True)):
            server.reset()
            server.use(profile(**turns, **fields))
            text, counts = _converse(client, stream)
            assert server.idle().verdicts == [] and counts == [2, 1]
            assert text.endswith(": weather of Rome | time of Rome | rate of Rome")
            assert [record.step for record in server.ledger.records] == [1, 2, 3]
            assert server.ledger.records[0].conversation == "mark:a"


def _body(server: Any) -> Any:
    """Items: 0 question, 1 thought, 2 and 3 calls, 4 and 5 outputs, 6 to 10 the same again."""
    body: Any = {"input": [{"role": "user", "content": "How?"}], "tools": responses_tools()}
    body |= {"store": False, "include": INCLUDE}
    for _ in range(2):
        items = post(server, RESPONSES, **body)[1]["output"]
        ids = [item["call_id"] for item in items if item["type"] == "function_call"]
        outputs = [{"type": "function_call_output", "call_id": given, "output": "7"} for given in ids]
        body["input"] += [*items, *outputs]
    return body


def _item(body: Any, place: int, **fields: Any) -> None:
    body["input"][place].update(fields)


_LONE = {"type": "reasoning", "id": "rs_2", "summary": []}
TABLE: list[tuple[str, Break]] = [
    ("No tool output found for function call call_", lambda b: b["input"].pop()),
    ("No tool output found for function call call_", lambda b: b["input"].insert(4, b["input"][0])),
    ("No tool call found for function call output", lambda b: b["input"].pop(3)),
    ("No tool call found for function call output", lambda b: swap(b["input"], 0, 4)),
    ("Duplicate function call output", lambda b: b["input"].append(b["input"][-1])),
    ("faultserver: results in the order", lambda b: swap(b["input"], 4, 5)),
    ("Missing required parameter: 'input[4].call_id'", lambda b: b["input"][4].pop("call_id")),
    ("Missing required parameter: 'input[2].call_id'", lambda b: b["input"][2].pop("call_id")),
    ("Invalid type for 'input[4].output'", lambda b: _item(b, 4, output={"a": 1})),
    ("Invalid type for 'input[2].arguments'", lambda b: _item(b, 2, arguments={})),
    ("is not the call that the model made", lambda b: _item(b, 2, arguments="{}")),
    ("is not the call that the model made", lambda b: _item(b, 3, name="rate")),
    ("without its required 'reasoning' item", lambda b: b["input"].pop(6)),
    ("without its required following item", lambda b: (b.pop("store"), b["input"].append(_LONE))),
    ("could not be verified", lambda b: _item(b, 6, encrypted_content="x")),
    ("could not be verified", lambda b: _item(b, 6, encrypted_content=b["input"][1]["encrypted_content"])),
    ("not found. Items are not persisted", lambda b: b["input"][6].pop("encrypted_content")),
    ("Expected an ID that begins with 'fc'", lambda b: _item(b, 2, id="call_1")),
    ("Duplicate item found with id rs_", lambda b: _item(b, 6, id=b["input"][1]["id"])),
    ("Invalid 'tools': empty array", lambda b: b.update(tools=[])),
    ("Invalid 'tools[0].name': string does not match", lambda b: b["tools"][0].update(name="mcp:git.log")),
    ("Missing required parameter: 'tools[0].name'", lambda b: b["tools"][0].pop("name")),
    ("Invalid schema for function 'weather'", lambda b: b["tools"][0].update(parameters={})),
    ("not found in 'tools'", lambda b: b.update(tool_choice={"type": "function", "name": "x"})),
    ("must be specified with 'tools'", lambda b: (b.pop("tools"), b.update(tool_choice="required"))),
    ("is not supported with this model", lambda b: b.update(tool_choice="required")),
]


def test_judge_of_responses() -> None:
    with provider(profile(turns=2, calls=2, thinking=True, refuse=("forced_choice",))) as server:
        right = _body(server)
        expect(server, RESPONSES, right, TABLE)
        right["input"] += [{"role": "assistant", "content": "So."}, {"role": "user", "content": "Why?"}]
        del right["input"][6], right["input"][1]
        assert post(server, RESPONSES, **right)[0] == 200


def test_arguments_cut_off() -> None:
    with provider(profile(quirks=("cut_arguments",))) as server:
        body: Any = {"input": "How?", "tools": responses_tools()}
        reply = post(server, RESPONSES, **body)[1]
        assert (reply["status"], reply["output"][0]["status"]) == ("incomplete", "incomplete")
        assert reply["incomplete_details"] == {"reason": "max_output_tokens"}
        body["tools"][0]["name"] = "a b"
        assert "string does not match pattern" in told(post(server, RESPONSES, **body)[1])
