"""OpenAI's Responses API."""

from __future__ import annotations

from umwelten.simulate.faultserver.tools.judges.openai import check_name, empty, missing, wrong_type
from umwelten.simulate.faultserver.tools.judges.verdict import (
    Wrong,
    changed,
    out_of_order,
)
from umwelten.simulate.faultserver.tools.seals import is_changed, is_signed
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import Json, Transcript, fields, objects, wants_thoughts


def judge_responses(spec: ToolTurns, transcript: Transcript) -> None:
    """Raise `Wrong` for what is."""
    body = transcript.body
    _check_fields(spec, body)
    _Items(spec, body, objects(body.get("input"))).check()


def _check_fields(spec: ToolTurns, body: Json) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools == []:
        raise empty("tools")
    names = []
    for place, tool in enumerate(objects(tools)):
        if "type" not in tool:
            raise missing(f"tools[{place}].type")
        if tool["type"] != "function":
            continue
        if "name" not in tool:
            raise missing(f"tools[{place}].name")
        names.append(check_name(f"tools[{place}].name", tool["name"]))
        if fields(tool.get("parameters")).get("type") != "object":
            raise Wrong(
                f"Invalid schema for function '{tool['name']}': schema must be a JSON Schema of 'type: "
                '"object"\'.',
                f"tools[{place}].parameters",
                "invalid_function_parameters",
            )
    if choice not in (None, "auto", "none") and not tools:
        raise Wrong("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")
    if isinstance(choice, dict) and choice.get("type") == "function" and choice.get("name") not in names:
        raise Wrong("Tool choice 'function' not found in 'tools' parameter.", "tool_choice")
    if choice not in (None, "auto", "none") and "forced_choice" in spec.refuse:
        raise Wrong(
            "'tool_choice' of this kind is not supported with this model.", "tool_choice", "unsupported_value"
        )
    if "parallel_tool_calls" in body and "parallel_tool_calls" in spec.refuse:
        raise Wrong("Unknown parameter: 'parallel_tool_calls'.", "parallel_tool_calls", "unknown_parameter")


class _Items:
    """The items, read from the first to the last."""

    def __init__(self, spec: ToolTurns, body: Json, items: list[Json]) -> None:
        self._items = items
        self._stored = body.get("store") is not False
        # A client that stores nothing and asks for no content has no thoughts to send back.
        asked = wants_thoughts(body)
        self._needs_thoughts = spec.thinking and (self._stored or asked)
        self._wanted: list[str] = []
        self._given: list[str] = []
        self._turn = 0
        self._thought: Json | None = None
        self._ids: set[str] = set()
        users = [place for place, item in enumerate(items) if item.get("role") == "user"]
        self._last_user = max(users, default=-1)

    def check(self) -> None:
        """Raise `Wrong` for what is."""
        for place, item in enumerate(self._items):
            match item.get("type", "message"):
                case "function_call_output":
                    self._take_output(place, item)
                case "function_call":
                    self._begin_turn()
                    self._take_call(place, item)
                case "reasoning":
                    self._begin_turn()
                    self._take_thought(place, item)
                case _ if item.get("role") == "assistant":
                    self._begin_turn()
                case _:
                    self._end_turn()
                    self._drop_thought()
        self._end_turn()
        self._drop_thought()

    def _begin_turn(self) -> None:
        """What the model says after outputs is its next turn."""
        if self._given:
            self._end_turn()

    def _end_turn(self) -> None:
        unanswered = [each for each in self._wanted if each not in self._given]
        if unanswered:
            raise Wrong(f"No tool output found for function call {unanswered[0]}.", "input")
        if self._given != self._wanted:
            raise out_of_order(self._given, self._wanted)
        self._turn += bool(self._wanted)
        if self._wanted:
            self._thought = None
        self._wanted, self._given = [], []

    def _drop_thought(self) -> None:
        if self._thought is not None and not self._wanted:
            given = self._thought.get("id")
            raise Wrong(
                f"Item '{given}' of type 'reasoning' was provided without its required following item.",
                "input",
            )

    def _take_output(self, place: int, item: Json) -> None:
        given = item.get("call_id")
        if not isinstance(given, str):
            raise missing(f"input[{place}].call_id")
        if given not in self._wanted:
            raise Wrong(f"No tool call found for function call output with call_id {given}.", "input")
        if given in self._given:
            raise Wrong(f"Duplicate function call output for call_id {given}.", "input")
        if not isinstance(item.get("output"), str | list):
            kinds = "one of a string or array of objects"
            raise wrong_type(f"input[{place}].output", kinds, item.get("output"))
        self._given.append(given)

    def _take_call(self, place: int, item: Json) -> None:
        where, given, name = f"input[{place}]", item.get("call_id"), item.get("name")
        if not isinstance(given, str) or not given:
            raise missing(f"{where}.call_id")
        if not isinstance(item.get("arguments"), str):
            raise wrong_type(f"{where}.arguments", "a string", item.get("arguments"))
        check_name(f"{where}.name", name)
        self._check_id(where, item, "fc")
        if given in self._wanted:
            raise Wrong(f"Duplicate function call with call_id {given}.", "input")
        if is_changed(given, "call_", str(name), item["arguments"]):
            raise changed(where)
        if self._needs_thoughts and self._thought is None and place > self._last_user:
            raise Wrong(
                f"Item '{item.get('id')}' of type 'function_call' was provided without its required "
                "'reasoning' item.",
                "input",
            )
        self._wanted.append(given)

    def _take_thought(self, place: int, item: Json) -> None:
        where, content = f"input[{place}]", item.get("encrypted_content")
        self._check_id(where, item, "rs")
        if content is None and not self._stored:
            raise Wrong(
                f"Item with id '{item.get('id')}' not found. Items are not persisted when `store` is set "
                "to false. Try again with `store` set to true, or remove this item from your input.",
                "input",
            )
        if content is not None and not is_signed(content, str(self._turn)):
            raise Wrong(
                f"The encrypted content for item {item.get('id')} could not be verified. Reason: Encrypted "
                "content could not be decrypted or parsed.",
                None,
                "invalid_encrypted_content",
            )
        self._thought = item

    def _check_id(self, where: str, item: Json, start: str) -> None:
        given = item.get("id")
        if given is None:
            return
        if not str(given).startswith(start):
            raise Wrong(
                f"Invalid '{where}.id': '{given}'. Expected an ID that begins with '{start}'.",
                f"{where}.id",
                "invalid_value",
            )
        if given in self._ids:
            raise Wrong(
                f"Duplicate item found with id {given}. Remove duplicate items from your input and try "
                f"again.",
                "input",
            )
        self._ids.add(str(given))
