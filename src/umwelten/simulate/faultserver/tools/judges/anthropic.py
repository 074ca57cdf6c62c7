"""Anthropic's messages."""

from __future__ import annotations

from typing import Any

from umwelten.simulate.faultserver.tools.judges.verdict import (
    Wrong,
    changed,
    dumped,
    fits,
    out_of_order,
)
from umwelten.simulate.faultserver.tools.seals import is_changed, is_signed
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import Json, Transcript, objects

_NAME = r"[a-zA-Z0-9_-]{1,128}"
_ID = r"[a-zA-Z0-9_-]+"
_THINKING = ("thinking", "redacted_thinking")


def judge_anthropic(spec: ToolTurns, transcript: Transcript) -> None:
    """Raise `Wrong` for what is."""
    body = transcript.body
    _check_fields(spec, body)
    if not body.get("tools") and (transcript.calls or transcript.results):
        raise Wrong("Requests which include `tool_use` or `tool_result` blocks must define tools.")
    _Messages(spec, objects(body.get("messages"))).check()


def _check_fields(spec: ToolTurns, body: Json) -> None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if tools == []:
        raise Wrong("tools: List should have at least 1 item after validation, not 0")
    names = [_check_tool(f"tools.{place}.custom", tool) for place, tool in enumerate(objects(tools))]
    if len(set(names)) < len(names):
        raise Wrong("tools: Tool names must be unique.")
    if choice is None:
        return
    if not tools:
        raise Wrong("tool_choice: tool_choice may only be specified while providing tools.")
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in ("auto", "any", "none", "tool"):
        raise Wrong(
            f"tool_choice: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        )
    if kind == "tool" and choice.get("name") not in names:
        raise Wrong(f"Tool '{choice.get('name')}' not found in provided tools")
    if kind not in ("any", "tool"):
        return
    if "forced_choice" in spec.refuse:
        raise Wrong("tool_choice forces tool use is not compatible with this model.")
    if isinstance(body.get("thinking"), dict) and body["thinking"].get("type") == "enabled":
        raise Wrong("Thinking may not be enabled when tool_choice forces tool use.")


def _check_tool(where: str, tool: Json) -> str:
    name, schema = tool.get("name"), tool.get("input_schema")
    if not fits(_NAME, name):
        raise Wrong(f"{where}.name: String should match pattern '^{_NAME}$'")
    if schema is None and tool.get("type") not in (None, "custom"):
        return str(name)  # it runs at the provider, such as web_search_20250305
    if not isinstance(schema, dict):
        raise Wrong(f"{where}.input_schema: Field required")
    if schema.get("type") != "object":
        raise Wrong(f"{where}.input_schema.type: Input should be 'object'")
    return str(name)


class _Messages:
    """The messages, read from the first to the last."""

    def __init__(self, spec: ToolTurns, messages: list[Json]) -> None:
        self._spec, self._messages = spec, messages
        self._contents = [_blocks(message.get("content")) for message in messages]
        self._ids: set[str] = set()
        self._turn = 0
        asked = [place for place, message in enumerate(messages) if self._asks(place, message)]
        self._last_asked = max(asked, default=-1)

    def check(self) -> None:
        """Raise `Wrong` for what is."""
        for place, message in enumerate(self._messages):
            content = self._contents[place]
            if not content:
                raise Wrong(
                    f"messages.{place}: all messages must have non-empty content except for the optional "
                    "final assistant message"
                )
            if any(block.get("type") == "text" and not block.get("text") for block in content):
                raise Wrong("messages: text content blocks must be non-empty")
            if message.get("role") == "assistant":
                self._take_turn(place, content)
            else:
                self._take_results(place, content)
        if self._messages[-1].get("role") == "assistant" and not _paused(self._contents[-1]):
            raise Wrong(
                "This model does not support assistant message prefill. The conversation must end with a "
                "user message."
            )

    def _asks(self, place: int, message: Json) -> bool:
        """Whether it is a user's message of its own, not just results of tools."""
        kinds = {block.get("type") for block in self._contents[place]}
        return message.get("role") == "user" and "tool_result" not in kinds

    def _take_turn(self, place: int, content: list[Json]) -> None:
        calls = [block for block in content if block.get("type") == "tool_use"]
        for number, block in enumerate(content):
            where = f"messages.{place}.content.{number}"
            if block.get("type") == "tool_use":
                self._take_call(where, block)
            elif block.get("type") in _THINKING:
                self._check_thought(where, block)
        if _paused(content) and not calls:
            self._check_pause(place, content)
        if not calls and not _paused(content):
            return
        first = content[0].get("type")
        # Of two messages of the model's in a row only the first one has to begin with thoughts.
        continues = place > 0 and self._messages[place - 1].get("role") == "assistant"
        if self._spec.thinking and first not in _THINKING and place > self._last_asked and not continues:
            raise Wrong(_NO_THOUGHT.format(place=place, first=first))
        self._turn += bool(calls)
        if calls:
            self._check_answered(place, [str(call.get("id")) for call in calls])

    def _take_call(self, where: str, call: Json) -> None:
        given, name, made = call.get("id"), call.get("name"), call.get("input")
        if not fits(_ID, given):
            raise Wrong(f"{where}.tool_use.id: String should match pattern '^{_ID}$'")
        if not fits(_NAME, name):
            raise Wrong(f"{where}.tool_use.name: String should match pattern '^{_NAME}$'")
        if not isinstance(made, dict):
            raise Wrong(f"{where}.tool_use.input: Input should be a valid dictionary")
        if given in self._ids and "repeated_ids" not in self._spec.quirks:
            raise Wrong(f"{where}: `tool_use` ids must be unique")
        self._ids.add(str(given))
        if is_changed(str(given), "toolu_", str(name), dumped(made)):
            raise changed(where)

    def _check_thought(self, where: str, block: Json) -> None:
        if block["type"] == "thinking":
            thought = block.get("thinking")
            if not is_signed(block.get("signature"), str(thought)):
                raise Wrong(f"{where}: Invalid `signature` in `thinking` block")
            mark: Any = str(thought).rpartition(" ")[2]
        else:
            mark = block.get("data")
        if not is_signed(mark, str(self._turn)):
            raise Wrong(
                f"{where}: `thinking` or `redacted_thinking` blocks in the latest assistant message cannot "
                "be modified. These blocks must remain as they were in the original response."
            )

    def _check_pause(self, place: int, content: list[Json]) -> None:
        """A turn that paused goes on, or is the last."""
        after = self._messages[place + 1 : place + 2]
        if after and after[0].get("role") != "assistant":
            search = next(block for block in content if block.get("type") == "server_tool_use")
            raise Wrong(
                f"messages.{place}: `{search.get('name')}` tool use with id `{search.get('id')}` was found "
                f"without a corresponding `{search.get('name')}_tool_result` block"
            )

    def _check_answered(self, place: int, wanted: list[str]) -> None:
        following = self._contents[place + 1] if place + 1 < len(self._contents) else []
        given: list[str] = []
        for block in following:
            if block.get("type") != "tool_result":
                break
            given.append(str(block.get("tool_use_id")))
        missing = [each for each in wanted if each not in given]
        if missing:
            raise Wrong(
                f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately "
                f"after: {', '.join(missing)}. Each `tool_use` block must have a corresponding "
                "`tool_result` block in the next message."
            )

    def _take_results(self, place: int, content: list[Json]) -> None:
        before = self._contents[place - 1] if place else []
        wanted = [str(block.get("id")) for block in before if block.get("type") == "tool_use"]
        given: list[str] = []
        for number, block in enumerate(content):
            if block.get("type") != "tool_result":
                continue
            where, answered = f"messages.{place}.content.{number}", str(block.get("tool_use_id"))
            if answered not in wanted:
                raise Wrong(
                    f"{where}: unexpected `tool_use_id` found in `tool_result` blocks: {answered}. Each "
                    "`tool_result` block must have a corresponding `tool_use` block in the previous message."
                )
            if answered in given:
                raise Wrong(
                    f"{where}: each tool_use must have a single result. Found multiple `tool_result` "
                    f"blocks with id: {answered}"
                )
            if not isinstance(block.get("content", ""), str | list):
                raise Wrong(f"{where}.tool_result.content: Input should be a valid string")
            given.append(answered)
        if given and given != wanted:
            raise out_of_order(given, wanted)


_NO_THOUGHT = (
    "messages.{place}.content.0.type: Expected `thinking` or `redacted_thinking`, but found `{first}`. "
    "When `thinking` is enabled, a final `assistant` message must start with a thinking block (preceeding "
    "the lastmost set of `tool_use` and `tool_result` blocks). We recommend you include thinking blocks "
    "from previous turns. To avoid this requirement, disable `thinking`."
)


def _blocks(content: object) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return objects(content)


def _paused(content: list[Json]) -> bool:
    return any(block.get("type") == "server_tool_use" for block in content)
