"""Gemini's contents."""

from __future__ import annotations

import base64
import binascii
import json

from umwelten.simulate.faultserver.tools.judges.verdict import (
    Wrong,
    changed,
    dumped,
    fits,
    out_of_order,
)
from umwelten.simulate.faultserver.tools.seals import canonical, is_changed, is_signed
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import Json, Transcript, fields, objects

_HOSTED = frozenset(("googleSearch", "googleSearchRetrieval", "codeExecution", "urlContext", "googleMaps"))
"""Tools that run at Google."""

_NAME = r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}"
_UNEQUAL = (
    "Please ensure that the number of function response parts is equal to the number of function call "
    "parts of the function call turn."
)


def judge_gemini(spec: ToolTurns, transcript: Transcript) -> None:
    """Raise `Wrong` for what is."""
    body = transcript.body
    names = _check_tools(body)
    _check_config(spec, body, names)
    if not names and transcript.calls:
        raise Wrong("faultserver: contents have function calls, and no tools are declared")
    _Contents(spec, objects(body.get("contents"))).check()


def _check_tools(body: Json) -> list[str]:
    if body.get("tools") == []:
        raise Wrong("faultserver: tools is an empty list")
    names: list[str] = []
    for group, tool in enumerate(objects(body.get("tools"))):
        declared = objects(tool.get("functionDeclarations"))
        if not declared and _HOSTED.isdisjoint(tool):
            raise Wrong(
                f"* GenerateContentRequest.tools[{group}].tool_type: required one_of 'tool_type' must have "
                "one initialized field"
            )
        for place, function in enumerate(declared):
            where = f"GenerateContentRequest.tools[{group}].function_declarations[{place}]"
            name = function.get("name")
            if not fits(_NAME, name):
                raise Wrong(
                    f"* {where}.name: Invalid function name. Must start with a letter or an underscore. "
                    "Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or "
                    "dashes (-), with a maximum length of 128."
                )
            if name in names:
                raise Wrong(f"Duplicate function declaration found: {name}")
            if "parameters" in function and "parametersJsonSchema" in function:
                raise Wrong(f"* {where}: parameters and parameters_json_schema are mutually exclusive")
            names.append(str(name))
    return names


def _check_config(spec: ToolTurns, body: Json, names: list[str]) -> None:
    generation = fields(body.get("generationConfig"))
    if (
        names
        and "json_with_tools" in spec.refuse
        and generation.get("responseMimeType") == "application/json"
    ):
        raise Wrong("Function calling with a response mime type: 'application/json' is unsupported")
    if "toolConfig" not in body:
        return
    config = fields(fields(body["toolConfig"]).get("functionCallingConfig"))
    if not names:
        raise Wrong("Function calling config is set without function_declarations.")
    allowed, mode = config.get("allowedFunctionNames"), config.get("mode", "AUTO")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise Wrong("Please set allowed_function_names only when function calling mode is ANY.")
    if isinstance(allowed, list) and any(name not in names for name in allowed):
        raise Wrong("allowed_function_names should be a subset of the names of function_declarations")
    if mode == "ANY" and "forced_choice" in spec.refuse:
        raise Wrong("Function calling mode ANY is not supported for this model.")


class _Contents:
    """The contents, read from the first to the last."""

    def __init__(self, spec: ToolTurns, contents: list[Json]) -> None:
        self._spec, self._contents = spec, contents
        self._parts = [objects(content.get("parts")) for content in contents]
        self._wanted: list[Json] = []
        self._turn = 0
        asked = [place for place, parts in enumerate(self._parts) if self._asks(place, parts)]
        self._last_asked = max(asked, default=-1)

    def check(self) -> None:
        """Raise `Wrong` for what is."""
        for place, parts in enumerate(self._parts):
            given = [fields(part["functionResponse"]) for part in parts if "functionResponse" in part]
            if given:
                if len(given) < len(parts):
                    raise Wrong(
                        f"faultserver: contents[{place}] has other parts beside its function responses"
                    )
                self._take_responses(place, given)
                continue
            if self._wanted:
                raise Wrong(_UNEQUAL)
            calls = [fields(part["functionCall"]) for part in parts if "functionCall" in part]
            if calls:
                self._take_calls(place, parts, calls)
        if self._wanted:
            raise Wrong(_UNEQUAL)

    def _asks(self, place: int, parts: list[Json]) -> bool:
        """Whether it is a user's content of its own, not just responses."""
        return self._contents[place].get("role") != "model" and not any(
            "functionResponse" in p for p in parts
        )

    def _take_calls(self, place: int, parts: list[Json], calls: list[Json]) -> None:
        if place == 0 or self._contents[place - 1].get("role") == "model":
            raise Wrong(
                "Please ensure that function call turn comes immediately after a user turn or after a "
                "function response turn."
            )
        for number, call in enumerate(calls):
            given = call.get("id")
            if given is not None and is_changed(
                str(given), "call_", str(call.get("name")), dumped(call.get("args"))
            ):
                raise changed(f"contents[{place}], function call {number},")
        self._check_signature(place, parts, calls[0])
        self._turn += 1
        self._wanted = calls

    def _check_signature(self, place: int, parts: list[Json], call: Json) -> None:
        late = "late_signature" in self._spec.quirks
        signed = [number for number, part in enumerate(parts) if "thoughtSignature" in part]
        first = next(number for number, part in enumerate(parts) if "functionCall" in part)
        for number in signed:
            told = (str(self._turn), str(call.get("name")), canonical(dumped(call.get("args"))))
            if (number != first and not late) or not is_signed(_decoded(parts[number]), *told):
                raise Wrong("Corrupted thought signature.")
        if not signed and self._spec.thinking and place > self._last_asked:
            raise Wrong(
                "Function call is missing a thought_signature in functionCall parts. This is required for "
                "tools to work correctly, and missing thought_signature may lead to degraded model "
                f"performance. Additional data, function call `default_api:{call.get('name')}` , position "
                f"{place + 1}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures "
                "for more details."
            )

    def _take_responses(self, place: int, given: list[Json]) -> None:
        if not self._wanted:
            raise Wrong(
                "Please ensure that function response turn comes immediately after a function call turn."
            )
        for number, response in enumerate(given):
            where = f"contents[{place}].parts[{number}].function_response"
            if not response.get("name"):
                raise Wrong(f"* GenerateContentRequest.{where}.name: Name cannot be empty.")
            if not isinstance(response.get("response"), dict):
                kind, value = (
                    "type.googleapis.com/google.protobuf.Struct",
                    json.dumps(response.get("response")),
                )
                raise Wrong(f"Invalid value at '{where}.response' ({kind}), {value}")
        if len(given) != len(self._wanted):
            raise Wrong(_UNEQUAL)
        for field in ("name", "id"):
            answered = [str(response.get(field)) for response in given]
            called = [str(call.get(field)) for call in self._wanted]
            # Ids that a client made up for calls without any are its own affair.
            if answered != called and (field == "name" or any("id" in call for call in self._wanted)):
                raise out_of_order(answered, called)
        self._wanted = []


def _decoded(part: Json) -> str:
    try:
        return base64.b64decode(str(part["thoughtSignature"]), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
