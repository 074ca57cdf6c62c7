"""Decode chat completions, whole or streamed, into text, usage and finish reason."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody, load, read, read_value
from umwelten.providers.common.endings import (
    BLOCKED,
    DROPPED_MEDIA,
    Ending,
    finish_with,
    plausible,
    shortfall,
    unread_stop,
)
from umwelten.providers.common.errors import request_id, unusable_reply
from umwelten.providers.common.sse import DONE, Event
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.common.usage import read_tier
from umwelten.providers.openai import errors
from umwelten.providers.openai.turns import Message, ModelTurnPieces
from umwelten.providers.openai.usage import read_usage
from umwelten.providers.protocol import Endpoint, Head
from umwelten.text.thinking import AnswerText
from umwelten.types import Failure, FailureKind, FinishReason, Outcome, RateLimitHints, Reply, Usage

_STOP = ("stop", "eos", "stop_sequence", "end_turn", "eos_token")
_LENGTH = ("length", "max_tokens", "model_length")
_TOOL = ("tool_calls", "function_call", "tool_use")
_REASONS = {
    **dict.fromkeys(_STOP, FinishReason.STOP),
    **dict.fromkeys(_LENGTH, FinishReason.LENGTH),
    **dict.fromkeys(_TOOL, FinishReason.TOOL),
}
_NO_ANSWER = "the reply contains no readable answer"
_BROKEN = frozenset(("error", "insufficient_system_resource", "abort", "repetition"))


class _OpenAIChoice(msgspec.Struct):
    message: Message | None = None
    delta: Message | None = None
    finish_reason: Any = None
    error: Any = None


class _Body(msgspec.Struct):
    id: Any = None
    model: Any = None
    choices: list[_OpenAIChoice] | None = None
    usage: Any = None
    service_tier: Any = None
    service_tier_used: Any = None
    x_groq: Any = None
    error: Any = None
    base_resp: Any = None


class OpenAIAnswer:
    """The contents of one reply so far. A stream adds to it chunk by chunk, a whole reply once.

    `tools`: the request offered some, and calls of them belong to the reply.
    """

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> None:
        self._head, self._endpoint = head, endpoint
        self._hints: RateLimitHints = rate_limit_headers.parse(endpoint.vendor.quirks.hints, head)
        self._text = AnswerText()
        self._reasoning: list[str] = []
        self._turn = ModelTurnPieces(endpoint.vendor.quirks) if tools else None
        self._calls: str | None = None
        self._media: str | None = None
        self._refusal: list[str] = []
        self._usage: object = None
        self._tier: object = None
        self._id: str | None = None
        self._model: str | None = None
        self._reason: str | None = None
        self._has_choice = self._spoken = self._went_on = False
        self._unread = ""
        self._stray: ErrorBody | None = None

    def take(self, data: bytes) -> str | Failure:
        """Read a body or a chunk; return the text in it, or the failure that it reports."""
        body = load(data, _Body)
        if body is None:
            # After the answer's end it no longer matters, such as half of a chunk with counts.
            return "" if self.is_finished else self.failure(_unreadable_message(data), read(data))
        self._note_metadata(body)
        error = _error_in(body)
        if error is not None:
            return self.report_error(error)
        choice = body.choices[0] if body.choices else None
        if choice is None:
            return "" if body.choices is not None else self._without_choices(data)
        self._has_choice = True
        return self._add(choice)

    def report_error(self, error: ErrorBody) -> Failure:
        """Return the failure for an error inside this reply."""
        failure = errors.failure(
            self._head, error, self._endpoint, partial_text=self._partial(), usage=self.usage()
        )
        failure = judge_refusal(failure) if self._turn is not None else failure
        return msgspec.structs.replace(failure, request_id=self._request_id())

    def failure(self, message: str, error: ErrorBody | None = None) -> Failure:
        """Return the failure for an unusable reply, with the text that has arrived."""
        detailed = f"{message}: {error.message[:300]}" if error is not None and error.message else message
        failure = unusable_reply(self._head, detailed, partial=self._partial(), usage=self.usage())
        return msgspec.structs.replace(failure, request_id=self._request_id(), hints=self._hints)

    def outcome(self) -> Outcome:
        """Return the outcome of the whole reply, by its finish reason."""
        reason = (self._reason or "").lower()
        if self._refusal or reason in BLOCKED:
            return self._content_failure(reason)
        if reason in _BROKEN:
            failure = self.failure(f"the provider aborted the answer ({self._reason})")
            return msgspec.structs.replace(failure, code=self._reason)
        finish = _REASONS.get(reason, FinishReason.UNKNOWN)
        answer = self._text.split(cut=finish is FinishReason.LENGTH)
        thinking = "".join(self._reasoning) or answer.thinking
        found = answer.text or thinking or reason or self._media or self._calls is not None
        if not self._has_choice or not found or self._unread:
            return self.failure(self._unread or _NO_ANSWER, self._stray)
        calls, turn = self._turn.settle(self._id) if self._turn is not None else ((), b"")
        ending = Ending(
            text=answer.text,
            reason=finish,
            stop=self._reason or "",
            thinking=bool(thinking),
            unclosed=answer.unclosed,
            calls=self._calls,
            media=self._media,
            offered=self._turn is not None,
        )
        short = None if calls else shortfall(self._head, ending)
        if short is not None:
            return self._complete(short, answer.text)
        return Reply(
            text=answer.text,
            marks=(DROPPED_MEDIA,) if self._media else (),
            finish_reason=finish_with(calls, finish),
            usage=self.usage(),
            reasoning=thinking or None,
            served_model=self._model,
            request_id=self._request_id(),
            hints=self._hints,
            calls=calls,
            turn=turn,
        )

    def usage(self) -> Usage:
        """Return tokens and cost as far as they were stated."""
        outside = self._endpoint.vendor.quirks.reasoning_outside
        usage = read_usage(self._usage, outside, tier=read_tier(self._tier), head=self._head)
        return plausible(usage, self._text.begun or any(self._reasoning))

    def _complete(self, failure: Failure, text: str) -> Failure:
        return msgspec.structs.replace(
            failure,
            partial=text or None,
            usage=self.usage(),
            request_id=self._request_id(),
            hints=self._hints,
        )

    def _content_failure(self, reason: str) -> Failure:
        refusal = "".join(self._refusal) or "the provider's content filter stopped the answer"
        failure = self.failure(f"blocked: {refusal}")
        return msgspec.structs.replace(
            failure,
            kind=FailureKind.BAD_REQUEST,
            retry=False,
            code=reason if reason in BLOCKED else "refusal",
        )

    def _note_metadata(self, body: _Body) -> None:
        self._id = _string(body.id) or self._id
        self._model = _string(body.model) or self._model
        groq = body.x_groq.get("usage") if isinstance(body.x_groq, dict) else None
        usage = body.usage if isinstance(body.usage, dict) else groq
        if isinstance(usage, dict):
            self._usage = usage
        # Cerebras states the tier that was asked for, and beside it the one that "auto" came to.
        self._tier = body.service_tier_used or body.service_tier or self._tier

    def _without_choices(self, data: bytes) -> str | Failure:
        """Ignore frames of unknown kinds, except those that are an error object themselves."""
        value = load(data, dict[str, Any]) or {}
        if value.get("object") == "error" or any(value.get(name) for name in ("message", "detail", "title")):
            return self.report_error(read_value(value))
        self._stray = read(data)
        return ""

    def _add(self, choice: _OpenAIChoice) -> str | Failure:
        message = choice.delta or choice.message or Message()
        if self._turn is not None:
            self._turn.add(message, whole=choice.delta is None)
        pieces = split_content(message.content)
        if pieces is None:
            self._unread = self._unread or _NO_ANSWER
        text, thought = pieces or ("", "")
        if self._reason is not None and (text or message.tool_calls):
            self._went_on = True
        if choice.finish_reason is not None:
            self._note_stop(choice.finish_reason)
        text = self._text.add(text)
        if type(message.content) is list:
            self._media = self._media or _media_in(message.content)
        self._reasoning.append(
            thought or _string(message.reasoning_content) or _string(message.reasoning) or ""
        )
        if message.refusal:
            self._note_refusal(message.refusal)
        if message.tool_calls or message.function_call or message.images or message.audio:
            text += self._note_others(message)
        if choice.error:
            return self.report_error(read_value(choice.error))
        return text

    def _note_stop(self, reason: object) -> None:
        if isinstance(reason, str):
            self._reason = reason or self._reason
        else:
            self._unread = self._unread or unread_stop(reason)

    def _note_refusal(self, refusal: object) -> None:
        if isinstance(refusal, str):
            self._refusal.append(refusal)
        else:
            self._unread = self._unread or "the reply holds a refusal that cannot be read"

    def _note_others(self, message: Message) -> str:
        """Note what is not text; return the transcript of audio where there is no other text."""
        calls = message.tool_calls
        first = calls[0] if isinstance(calls, list) and calls else calls
        function = _dict(_dict(first).get("function") or message.function_call)
        if first or function:
            self._calls = self._calls or _string(function.get("name")) or ""
        if message.images:
            self._media = "an image"
        transcript = _string(_dict(message.audio).get("transcript"))
        if message.audio:
            self._media = self._media or "audio"
            self._spoken = self._spoken or (transcript is not None and not self._text.begun)
        return self._text.add(transcript) if transcript and self._spoken else ""

    @property
    def has_finish_reason(self) -> bool:
        """Whether a finish reason arrived."""
        return self._reason is not None

    @property
    def is_finished(self) -> bool:
        """Whether a finish reason arrived that can be the last: after text, and followed by none.

        Gateways put "stop" into every chunk, or into an empty one before the first text.
        """
        if self._reason is None or self._went_on:
            return False
        has_calls = self._turn is not None and self._turn.has_calls
        return self._reason not in _STOP or self._text.begun or self._media is not None or has_calls

    def _partial(self) -> str | None:
        return self._text.split(cut=True).text or None

    def _request_id(self) -> str | None:
        if self._endpoint.vendor.quirks.id_in_body and self._id:
            return self._id
        return request_id(self._head, self._id)


class OpenAIEvents:
    """The answer that the events of a stream add up to: a `StreamedAnswer`; `tools` as for `OpenAIAnswer`."""

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> None:
        self._answer = OpenAIAnswer(head, endpoint, tools=tools)
        self.done = self._ended = False
        self._failure: Failure | None = None

    @property
    def complete(self) -> bool:
        """True once the answer was finished; `[DONE]` and counts may follow."""
        return self.done or self._answer.is_finished

    def add(self, piece: Event) -> str:
        """Read an event; return the answer's text in it."""
        name, data = piece
        if self.done:
            return ""
        if data == DONE:
            self.done = self._ended = True
            return ""
        result = self._answer.report_error(read(data)) if name == "error" else self._answer.take(data)
        if isinstance(result, str):
            return result
        self.done, self._failure = True, result
        return ""

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self.done, self._failure = True, self._failure or self._answer.failure(message)

    def outcome(self) -> Outcome:
        """Return the outcome so far: without an end, a failure with the partial text."""
        if self._failure is not None:
            return self._failure
        # Some servers end without [DONE]; a finish reason marks the end of the answer as well.
        if not self._ended and not self._answer.has_finish_reason:
            return self._answer.failure("the reply was cut off before its end")
        return self._answer.outcome()


def split_content(content: object) -> tuple[str, str] | None:
    """Return text and thinking in a message's content: a string, or a list of typed pieces.

    `None` where a piece of the answer cannot be read. Thinking that cannot be read is left out.
    """
    if isinstance(content, str):
        return content, ""
    if content is None:
        return "", ""
    if not isinstance(content, list):
        return None
    text: list[str] = []
    thought: list[str] = []
    for piece in content:
        fields = piece if isinstance(piece, dict) else {"type": "text", "text": piece}
        inner = fields.get("text")
        if isinstance(inner, str):
            text.append(inner)
        elif inner is not None or (fields.get("type") == "text" and "text" not in fields):
            return None
        thought.append(_thought(fields.get("thinking")))
    return "".join(text), "".join(thought)


def _thought(thinking: object) -> str:
    if isinstance(thinking, str):
        return thinking
    pieces = thinking if isinstance(thinking, list) else ()
    return "".join(_string(_dict(piece).get("text")) or "" for piece in pieces)


def _media_in(pieces: list[Any]) -> str | None:
    """Return what a list of typed pieces holds besides text."""
    kinds = [piece.get("type") for piece in pieces if isinstance(piece, dict)]
    words = {"image": "an image", "audio": "audio", "video": "a video"}
    return next((word for part, word in words.items() for kind in kinds if part in str(kind)), None)


def _error_in(body: _Body) -> ErrorBody | None:
    if body.error:
        return read_value({"error": body.error})
    return errors.from_base_resp(body.base_resp)


def _unreadable_message(data: bytes) -> str:
    return "the reply is not a chat completion" if data.strip() else "the reply is empty"


def _string(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
