"""OpenAI's chat completions, and what Mistral and DeepSeek add."""

from __future__ import annotations

from umwelten.simulate.faultserver.tools.judges.verdict import (
    Wrong,
    changed,
    fits,
    out_of_order,
)
from umwelten.simulate.faultserver.tools.seals import is_changed, is_signed
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import Json, Transcript, fields, objects

_NAME = r"[a-zA-Z0-9_-]+"
_LONGEST = 64
_MISTRAL = r"[a-zA-Z0-9]{9}"


def judge_openai(spec: ToolTurns, transcript: Transcript) -> None:
    """Raise `Wrong` for what is."""
    _check_fields(spec, transcript.body)
    _Messages(spec, objects(transcript.body.get("messages"))).check()


def _check_fields(spec: ToolTurns, body: Json) -> None:
    tools = body.get("tools")
    if tools == []:
        raise empty("tools")
    for field in ("tool_choice", "parallel_tool_calls"):
        if field in body and not tools:
            raise Wrong(
                f"Invalid value for '{field}': '{field}' is only allowed when 'tools' are specified.", field
            )
    if "parallel_tool_calls" in body and "parallel_tool_calls" in spec.refuse:
        raise Wrong("Unknown parameter: 'parallel_tool_calls'.", "parallel_tool_calls", "unknown_parameter")
    names = [_check_tool(place, tool) for place, tool in enumerate(objects(tools))]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise Wrong(f"Invalid 'tools': tool names must be unique, and '{twice}' is there twice.", "tools")
    choice = body.get("tool_choice")
    if isinstance(choice, dict) and (name := fields(choice.get("function")).get("name")) not in names:
        text = f"no function named '{name}' was specified in the 'tools' parameter"
        raise Wrong(f"Invalid value for 'tool_choice': {text}.", "tool_choice")
    if choice not in (None, "none", "auto") and "forced_choice" in spec.refuse:
        raise Wrong(
            "'tool_choice' of this kind is not supported with this model.", "tool_choice", "unsupported_value"
        )


def _check_tool(place: int, tool: Json) -> str:
    where = f"tools[{place}]"
    if tool.get("type") != "function":
        raise missing(f"{where}.type")
    function = tool.get("function")
    if not isinstance(function, dict):
        raise missing(f"{where}.function")
    name = check_name(f"{where}.function.name", function.get("name"))
    parameters = function.get("parameters", {"type": "object"})
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        kind = parameters.get("type") if isinstance(parameters, dict) else type(parameters).__name__
        raise Wrong(
            f"Invalid schema for function '{name}': schema must be a JSON Schema of 'type: \"object\"', "
            f"got 'type: \"{kind}\"'.",
            f"{where}.function.parameters",
            "invalid_function_parameters",
        )
    return name


def check_name(where: str, name: object) -> str:
    """Return the name of a function; raise `Wrong` if it is none."""
    if not fits(_NAME, name):
        raise Wrong(
            f"Invalid '{where}': string does not match pattern. Expected a string that matches the pattern "
            f"'^{_NAME}$'.",
            where,
            "invalid_value",
        )
    length = len(str(name))
    if length > _LONGEST:
        raise Wrong(
            f"Invalid '{where}': string too long. Expected a string with maximum length {_LONGEST}, but "
            f"got a string with length {length} instead.",
            where,
            "string_above_max_length",
        )
    return str(name)


class _Messages:
    """The messages, read from the first to the last."""

    def __init__(self, spec: ToolTurns, messages: list[Json]) -> None:
        self._spec, self._messages = spec, messages
        self._wanted: list[str] = []
        self._given: list[str] = []
        self._turn = 0
        roles = [message.get("role") for message in messages]
        self._last_user = max((place for place, role in enumerate(roles) if role == "user"), default=-1)

    def check(self) -> None:
        """Raise `Wrong` for what is."""
        for place, message in enumerate(self._messages):
            role = message.get("role")
            if role == "tool":
                self._take_result(place, message)
                continue
            self._end_turn(place)
            if role == "user" and self._given and "user_after_tool" in self._spec.refuse:
                raise Wrong("Unexpected role 'user' after role 'tool'", None, "3230")
            self._wanted, self._given = [], []
            if role == "assistant":
                self._take_turn(place, message)
        self._end_turn(len(self._messages))

    def _end_turn(self, place: int) -> None:
        unanswered = [each for each in self._wanted if each not in self._given]
        if unanswered:
            if self._spec.ids == "mistral":
                raise Wrong("Not the same number of function calls and responses", None, "3230")
            raise Wrong(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                "'tool_call_id'. The following tool_call_ids did not have response messages: "
                + ", ".join(unanswered),
                f"messages.[{place}].role",
            )
        if self._given != self._wanted:
            raise out_of_order(self._given, self._wanted)

    def _take_result(self, place: int, message: Json) -> None:
        if not self._wanted:
            raise Wrong(
                "Invalid parameter: messages with role 'tool' must be a response to a preceeding message "
                "with 'tool_calls'.",
                f"messages.[{place}].role",
            )
        given = message.get("tool_call_id")
        if not isinstance(given, str):
            raise missing(f"messages[{place}].tool_call_id")
        if given not in self._wanted:
            raise Wrong(
                f"Invalid parameter: 'tool_call_id' of '{given}' not found in 'tool_calls' of previous "
                "message.",
                f"messages.[{place}].tool_call_id",
            )
        if given in self._given:
            raise Wrong(
                f"Invalid parameter: Duplicate value for 'tool_call_id' of '{given}'.",
                f"messages.[{place}].tool_call_id",
            )
        content = message.get("content")
        if not isinstance(content, str | list):
            raise wrong_type(f"messages[{place}].content", "one of a string or array of objects", content)
        self._given.append(given)

    def _take_turn(self, place: int, message: Json) -> None:
        calls = message.get("tool_calls")
        if calls == []:
            raise empty(f"messages[{place}].tool_calls")
        if not calls:
            if message.get("content") is None:
                raise Wrong(
                    "Invalid value for 'content': expected a string, got null.", f"messages.[{place}].content"
                )
            return
        for number, call in enumerate(objects(calls)):
            self._take_call(f"messages[{place}].tool_calls[{number}]", call)
        self._check_thought(place, message)
        self._turn += 1

    def _take_call(self, where: str, call: Json) -> None:
        given, function = call.get("id"), call.get("function")
        if not isinstance(given, str) or not given:
            raise missing(f"{where}.id")
        if call.get("type") != "function":
            raise missing(f"{where}.type")
        if not isinstance(function, dict):
            raise missing(f"{where}.function")
        name, arguments = function.get("name"), function.get("arguments")
        if not isinstance(arguments, str):
            raise wrong_type(f"{where}.function.arguments", "a string", arguments)
        check_name(f"{where}.function.name", name)
        if given in self._wanted:
            raise Wrong(f"Invalid parameter: Duplicate value for 'id' of '{given}'.", f"{where}.id")
        mistral = self._spec.ids == "mistral"
        if mistral and not fits(_MISTRAL, given):
            text = f"Tool call id was {given} but must be a-z, A-Z, 0-9, with a length of 9."
            raise Wrong(text, None, "3280")
        sealed = not mistral or not {"no_ids", "repeated_ids"} & set(self._spec.quirks)
        if sealed and is_changed(given, "" if mistral else "call_", str(name), arguments):
            raise changed(where)
        self._wanted.append(given)

    def _check_thought(self, place: int, message: Json) -> None:
        """What the model thought has to come back until the user says something again."""
        if not self._spec.thinking or place < self._last_user:
            return
        details = message.get("reasoning_details")
        thought = message.get("reasoning_content")
        if details is None and thought is None:
            raise Wrong("The `reasoning_content` in the thinking mode must be passed back to the API.")
        for detail in objects(details):
            if not is_signed(detail.get("data"), str(self._turn)):
                raise Wrong(f"faultserver: messages[{place}].reasoning_details are not the model's")
        if thought is not None and not is_signed(str(thought).rpartition(" ")[2], str(self._turn)):
            raise Wrong(f"faultserver: messages[{place}].reasoning_content is not the model's")


def empty(where: str) -> Wrong:
    """Return the verdict on an empty list."""
    return Wrong(
        f"Invalid '{where}': empty array. Expected an array with minimum length 1, but got an empty array "
        "instead.",
        where,
        "empty_array",
    )


def missing(where: str) -> Wrong:
    """Return the verdict on a field that is not there."""
    return Wrong(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")


def wrong_type(where: str, wanted: str, got: object) -> Wrong:
    """Return the verdict on a value of another type."""
    kinds = {dict: "an object", list: "an array", type(None): "null", int: "an integer", str: "a string"}
    kind = kinds.get(type(got), "a value of another type")
    return Wrong(
        f"Invalid type for '{where}': expected {wanted}, but got {kind} instead.", where, "invalid_type"
    )
