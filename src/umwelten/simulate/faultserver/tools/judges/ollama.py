"""Ollama, which checks types and little else; what else is checked here is in our words."""

from __future__ import annotations

from umwelten.simulate.faultserver.tools.judges.verdict import (
    Wrong,
    changed,
    dumped,
    out_of_order,
)
from umwelten.simulate.faultserver.tools.seals import is_changed
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import Json, Transcript, fields, objects


def judge_ollama(spec: ToolTurns, transcript: Transcript) -> None:
    """Raise `Wrong` for what is."""
    body = transcript.body
    for place, tool in enumerate(objects(body.get("tools"))):
        function = tool.get("function")
        if tool.get("type") != "function" or not isinstance(function, dict) or not function.get("name"):
            raise Wrong(f"faultserver: tools[{place}] is no function with a name")
    calls: list[Json] = []
    results: list[Json] = []
    for place, message in enumerate(objects(body.get("messages"))):
        if message.get("role") == "tool":
            if not isinstance(message.get("content"), str):
                raise Wrong(_unmarshal("content", message.get("content"), "string"))
            if not calls:
                raise Wrong(f"faultserver: messages[{place}] is a result, and no call comes before it")
            results.append(message)
            continue
        _check_answered(calls, results)
        calls, results = objects(message.get("tool_calls")), []
        for number, call in enumerate(calls):
            _check_call(f"messages[{place}].tool_calls[{number}]", call)
    _check_answered(calls, results)


def _check_call(where: str, call: Json) -> None:
    function = fields(call.get("function"))
    arguments = function.get("arguments")
    if not isinstance(arguments, dict):
        kind = "api.ToolCallFunctionArguments"
        raise Wrong(_unmarshal("tool_calls.function.arguments", arguments, kind))
    if is_changed(str(call.get("id")), "call_", str(function.get("name")), dumped(arguments)):
        raise changed(where)


def _check_answered(calls: list[Json], results: list[Json]) -> None:
    if len(results) != len(calls):
        raise Wrong(f"faultserver: {len(calls)} calls, {len(results)} results right after them")
    called = [str(fields(call.get("function")).get("name")) for call in calls]
    told = [str(result.get("tool_name", name)) for result, name in zip(results, called, strict=True)]
    if told != called:
        raise out_of_order(told, called)
    for call, result in zip(calls, results, strict=True):
        if "id" in call and result.get("tool_call_id", call["id"]) != call["id"]:
            raise out_of_order([str(result["tool_call_id"])], [str(call["id"])])
        if "tool_name" not in result and "tool_call_id" not in result:
            raise Wrong("faultserver: a result has neither tool_name nor tool_call_id")


def _unmarshal(field: str, value: object, kind: str) -> str:
    names = {str: "string", dict: "object", list: "array", int: "number", type(None): "null"}
    name = names.get(type(value), "value")
    return f"json: cannot unmarshal {name} into Go struct field ChatRequest.messages.{field} of type {kind}"
