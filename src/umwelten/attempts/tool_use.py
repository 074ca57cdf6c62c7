"""What a reply with calls of tools comes to: their step, or the end of the call."""

from __future__ import annotations

import json

import msgspec

from umwelten.inputs.content import InputChanged
from umwelten.phrases import Phrase, Spelling, by_name, spell
from umwelten.prompts.tool_turns import CLOSING_WORDS, is_closing
from umwelten.tool_calls import LAST_TURN, ModelTurn, ToolCall, ToolResult, ToolResults, ToolSettings
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FailureKind,
    FinishReason,
    Input,
    Outcome,
    Reply,
    ToolStep,
    Turn,
    context_tokens,
    steps_in,
)

_NO_MORE = "no more tool calls are possible"
_CUT = Phrase("the arguments were cut off at {option:max_tokens}")
_NOT_RUN = "not run: the limit of tokens cut off this turn"


def changed_meanwhile(source: Input) -> InputChanged:
    """Return the error for a conversation that goes on and was about another content."""
    text = Phrase(
        "{name} changed while its call used tools: {option:resume} asks about it as it is now",
        name=source.name,
    )
    return InputChanged(text)


class ToolUse:
    """Decides what follows replies to requests that offered tools. `spelling` of the options."""

    def __init__(self, settings: ToolSettings, *, spelling: Spelling = by_name) -> None:
        self._settings, self._spelling = settings, spelling
        self._cut = spell(_CUT, spelling)
        self._asked_about: dict[int, bytes] = {}  # calls under way, by the hash of what they are about

    def begin(self, call: Call, content: bytes) -> None:
        """Note what the conversation of a call is about that an earlier run began."""
        self._asked_about[call.id] = content

    def note(self, call: Call, content: bytes, outcome: AttemptOutcome) -> None:
        """Note what a call's conversation is about, while it goes on."""
        if isinstance(outcome, ToolStep):
            self._asked_about[call.id] = content
        elif isinstance(outcome, Reply):
            self._asked_about.pop(call.id, None)

    def about(self, call: Call) -> bytes | None:
        """Return what a call's conversation is about so far, `None` where that is not known."""
        return self._asked_about.get(call.id)

    def outcome(self, answer: Outcome, turns: tuple[Turn, ...]) -> AttemptOutcome:
        """Return what an answer or a failure comes to."""
        if isinstance(answer, Reply):
            return self.follow(answer, turns)
        return self.follow_empty(answer, turns)

    def follow(self, reply: Reply, turns: tuple[Turn, ...]) -> Reply | ToolStep | Failure:
        """Return the step of a reply that calls tools, or the answer, with its mark.

        A failure of kind "tools" where the model goes on calling after it was told to answer.
        """
        closing = is_closing(turns, self._settings)
        if not reply.calls and not reply.paused:
            asked = closing and self._settings.max_steps > 1
            marked = asked and any(isinstance(turn, ModelTurn) for turn in turns)
            return msgspec.structs.replace(reply, marks=(*reply.marks, LAST_TURN)) if marked else reply
        turn = ModelTurn(
            raw=reply.turn,
            calls=reply.calls,
            cut=reply.finish_reason is FinishReason.LENGTH,
            context_tokens=context_tokens(reply.usage),
        )
        steps = steps_in(turns) + 1
        if closing and (steps > self._settings.max_steps or _was_told(turns)):
            return self._failed(reply, _still_calling(reply))
        if closing and reply.calls:
            return _given(turns, turn, reply, dict.fromkeys(range(len(turn.calls)), _NO_MORE))
        broken = [call for call in turn.calls if turn.cut and not _is_json(call)]
        if not broken:
            return ToolStep(turns=(*turns, turn), reply=reply)
        if any(isinstance(earlier, ModelTurn) and earlier.cut for earlier in turns):
            again = Phrase(
                "the arguments of {tool} were cut off at {option:max_tokens} for the second time: raise it; "
                "thinking counts too",
                tool=broken[0].name[:100],
            )
            return self._failed(reply, spell(again, self._spelling))
        texts = {i: self._cut if call in broken else _NOT_RUN for i, call in enumerate(turn.calls)}
        return _given(turns, turn, reply, texts)

    def follow_empty(self, failure: Failure, turns: tuple[Turn, ...]) -> Failure | Continue:
        """Return what follows an empty answer: after results of tools, it is asked for once in words."""
        last = turns[-1] if turns else None
        if failure.kind is not FailureKind.EMPTY or not isinstance(last, ToolResults) or not failure.retry:
            return failure
        if last.note:
            message = f"no answer came after the results of the tools: {failure.message}"
            return msgspec.structs.replace(
                failure, kind=FailureKind.TOOLS, message=message, code="empty", retry=False
            )
        asked = msgspec.structs.replace(last, note=CLOSING_WORDS)
        return Continue(turns=(*turns[:-1], asked), failure=failure)

    def _failed(self, reply: Reply, message: str) -> Failure:
        return Failure(
            kind=FailureKind.TOOLS,
            message=message,
            code="steps",
            retry=False,
            partial=reply.text or None,
            usage=reply.usage,
            request_id=reply.request_id,
            hints=reply.hints,
        )


def _given(turns: tuple[Turn, ...], turn: ModelTurn, reply: Reply, texts: dict[int, str]) -> ToolStep:
    results = (
        ToolResult(call=call, text=texts[place], is_error=True) for place, call in enumerate(turn.calls)
    )
    return ToolStep(turns=(*turns, turn, ToolResults(results=tuple(results))), reply=reply)


def _was_told(turns: tuple[Turn, ...]) -> bool:
    """Return whether a model that may call no more tools was told so, and called one all the same."""
    last = turns[-1] if turns else None
    return isinstance(last, ToolResults) and bool(last.results) and last.results[-1].text == _NO_MORE


def _still_calling(reply: Reply) -> str:
    if not reply.calls:
        return "the model paused its turn again and again, and gave no answer"
    call = reply.calls[-1]
    shown = f"{call.name}({call.arguments})"[:200]
    return f"the model went on calling tools after it was told to answer; the last call: {shown}"


def _is_json(call: ToolCall) -> bool:
    try:
        json.loads(call.arguments)
    except (ValueError, RecursionError):
        return False
    return True
