"""Decode a whole response into text, calls, usage and finish reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import read_value
from umwelten.providers.common.endings import (
    BLOCKED,
    DROPPED_MEDIA,
    Ending,
    finish_with,
    plausible,
    shortfall,
)
from umwelten.providers.common.errors import request_id, unusable_reply
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.common.tool_turns import NO_ARGUMENTS, sendable, sendable_name, with_id
from umwelten.providers.common.usage import read_count, read_fields, read_tier
from umwelten.providers.openai.responses import errors
from umwelten.providers.openai.usage import read_usage
from umwelten.providers.protocol import Endpoint, Head
from umwelten.text.thinking import AnswerText
from umwelten.tool_calls import ToolCall
from umwelten.types import (
    Failure,
    FailureKind,
    FinishReason,
    Outcome,
    RateLimitHints,
    Reply,
    Usage,
    UsageDetail,
)

API = "responses"
"""What `Reply.api` says of these answers."""

_UNFINISHED = frozenset(("queued", "in_progress"))
_LENGTH = frozenset(("max_output_tokens", "max_tokens", "max_messages", "length"))
_REASONS = {"completed": FinishReason.STOP, "incomplete": FinishReason.UNKNOWN}
_COMMENTARY = "commentary"
_USAGE = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
"""The counts by their names in chat completions."""


class Content:
    """What the items of an output hold. `unread`: a piece of the answer could not be read."""

    def __init__(self, items: Iterable[Any]) -> None:
        self.items = [item for item in items if isinstance(item, dict)]
        self.text = self.commentary = self.refusal = ""
        self.unread = self.thinks = False
        self.media: str | None = None
        self.calls: list[ToolCall] = []
        self._called: list[dict[str, Any]] = []
        self.other_call: str | None = None
        thoughts: list[str] = []
        for item in self.items:
            kind = item.get("type")
            if kind == "reasoning":
                self.thinks = True
                thoughts += _thoughts(item)
            elif kind == "function_call":
                self._add_call(item)
            elif kind == "message" or (kind is None and "content" in item):
                self._add_message(item)
            elif kind == "image_generation_call":
                self.media = "an image"
            elif kind == "custom_tool_call":
                self.other_call = self.other_call or _text(item.get("name"))
        self.reasoning = "\n\n".join(thoughts)

    def _add_call(self, item: dict[str, Any]) -> None:
        arguments = item.get("arguments")
        if isinstance(arguments, dict):
            arguments = encoded(arguments).decode()
        words = _text(arguments).strip() or NO_ARGUMENTS
        call = ToolCall(
            id=_text(item.get("call_id")) or _text(item.get("id")),
            name=_text(item.get("name")),
            arguments=words,
        )
        self.calls.append(call)
        self._called.append(item)

    @property
    def says_anything(self) -> bool:
        """Whether there are words, media or the arguments of a call in it, readable or not."""
        words = self.text or self.commentary or self.refusal or self.media
        return bool(words or self.unread or any(call.arguments != NO_ARGUMENTS for call in self.calls))

    def settle(self, reply_id: str | None) -> tuple[tuple[ToolCall, ...], bytes]:
        """Return the calls and the turn, in which every call has an id of its own.

        The turn is the output as it came, but for calls that no provider would take back. Nothing (`()`,
        `b""`) where it holds no calls, or one without a name.
        """
        if not self.calls or not all(call.name for call in self.calls):
            return (), b""
        taken: set[str] = set()
        calls = tuple(with_id(call, reply_id, place, taken) for place, call in enumerate(self.calls))
        for call, item in zip(calls, self._called, strict=True):
            item.update(name=sendable_name(call.name), call_id=call.id, arguments=sendable(call.arguments))
        return calls, encoded(self.items)

    def _add_message(self, item: dict[str, Any]) -> None:
        content = item.get("content")
        parts = [content] if isinstance(content, str) else content
        if parts is None:
            return
        if not isinstance(parts, list):
            self.unread = True
            return
        for part in parts:
            text = part if isinstance(part, str) else self._text_of(read_fields(part))
            if item.get("phase") == _COMMENTARY:
                self.commentary += text
            else:
                self.text += text

    def _text_of(self, part: dict[str, Any]) -> str:
        kind = part.get("type")
        if kind == "refusal":
            self.refusal += _text(part.get("refusal")) or "the model refused to answer"
            return ""
        if kind in ("output_text", "text", None):
            text = part.get("text")
            if isinstance(text, str):
                return text
            self.unread = True
        elif kind in ("output_audio", "output_image"):
            self.media = self.media or ("audio" if kind == "output_audio" else "an image")
        return ""


class ResponsesAnswer:
    """Puts together the outcome of one reply. `tools`: calls of functions belong to it."""

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool) -> None:
        self._head, self._endpoint, self._tools = head, endpoint, tools
        self._hints: RateLimitHints = rate_limit_headers.parse(endpoint.vendor.quirks.hints, head)
        self._response: dict[str, Any] = {}
        self._partial = ""
        self._searches = 0

    def note(self, response: dict[str, Any]) -> None:
        """Take over what a response says of itself, such as id, model and usage."""
        self._response.update((name, value) for name, value in response.items() if value is not None)

    def note_partial(self, text: str) -> None:
        """Note the text that has arrived: it is kept if the answer fails."""
        self._partial = text

    def outcome(self, response: dict[str, Any], streamed: Content | None = None) -> Outcome:
        """Return the outcome of a whole response; `streamed` is what came before it, piece by piece."""
        self.note(response)
        content = _fuller(response.get("output"), streamed)
        self._partial = content.text or self._partial
        self._searches = _searches(response, content.items)
        error, status = response.get("error"), _text(response.get("status"))
        if error or status == "failed":
            return self.report_error(error or "the provider failed to answer")
        if status in _UNFINISHED or status == "cancelled":
            return self.failure(f"the provider did not finish the answer ({status})")
        if "output" not in response and not content.items:
            return self.failure("the reply is not a response")
        return self._ended(content, status)

    def report_error(self, error: object) -> Failure:
        """Return the failure for an error inside this reply."""
        body = read_value(error if isinstance(error, dict) and "error" in error else {"error": error})
        failure = errors.failure(
            self._head,
            body,
            self._endpoint,
            partial_text=self._partial or None,
            usage=self._usage(answered=bool(self._partial)),
        )
        failure = judge_refusal(failure) if self._tools else failure
        return msgspec.structs.replace(failure, request_id=self._request_id())

    def failure(self, message: str) -> Failure:
        """Return the failure for an unusable reply, with the text that has arrived."""
        failure = unusable_reply(
            self._head, message, partial=self._partial, usage=self._usage(answered=bool(self._partial))
        )
        return self._complete(failure)

    def _ended(self, content: Content, status: str) -> Outcome:
        details = read_fields(self._response.get("incomplete_details")) if status != "completed" else {}
        stop = _text(details.get("reason"))
        if content.refusal or stop in BLOCKED:
            return self._blocked(content.refusal, stop)
        if content.unread:
            return self.failure("the reply contains no readable answer")
        reason = FinishReason.LENGTH if stop in _LENGTH else _REASONS.get(status, FinishReason.UNKNOWN)
        calls, turn = content.settle(self._own_id()) if self._tools else ((), b"")
        words = content.text
        if not words.strip() and not content.calls and reason is FinishReason.STOP:
            # The model said nothing but this: then it is the answer.
            words = content.commentary
        whole = AnswerText()
        whole.add(words)
        answer = whole.split(cut=reason is FinishReason.LENGTH)
        thinking = content.reasoning or answer.thinking
        usage = self._usage(answered=bool(words or content.thinks or content.calls))
        if not calls:
            short = shortfall(
                self._head,
                Ending(
                    text=answer.text,
                    reason=reason,
                    stop=stop,
                    thinking=content.thinks or bool(thinking),
                    unclosed=answer.unclosed,
                    calls=content.calls[0].name if content.calls else content.other_call,
                    media=content.media,
                    offered=self._tools,
                ),
            )
            if short is not None:
                return self._complete(
                    msgspec.structs.replace(short, partial=answer.text or None, usage=usage)
                )
        return Reply(
            text=answer.text,
            marks=(DROPPED_MEDIA,) if content.media else (),
            finish_reason=finish_with(calls, reason),
            usage=usage,
            reasoning=thinking or None,
            served_model=_text(self._response.get("model")) or None,
            request_id=self._request_id(),
            hints=self._hints,
            calls=calls,
            turn=turn,
            api=API,
        )

    def _blocked(self, refusal: str, stop: str) -> Failure:
        words = refusal or "the provider's content filter stopped the answer"
        return msgspec.structs.replace(
            self.failure(f"blocked: {words}"),
            kind=FailureKind.BAD_REQUEST,
            retry=False,
            code=stop if stop in BLOCKED else "refusal",
        )

    def _complete(self, failure: Failure) -> Failure:
        return msgspec.structs.replace(failure, request_id=self._request_id(), hints=self._hints)

    def _usage(self, *, answered: bool) -> Usage:
        stated = self._response.get("usage")
        if isinstance(stated, dict):
            stated = {_USAGE.get(name, name): value for name, value in stated.items()}
        outside = self._endpoint.vendor.quirks.reasoning_outside
        tier = read_tier(self._response.get("service_tier"))
        usage = read_usage(stated, outside, tier=tier, head=self._head)
        if self._searches:
            details = {**usage.details, str(UsageDetail.WEB_SEARCHES): self._searches}
            usage = msgspec.structs.replace(usage, details=details)
        return plausible(usage, answered)

    def _own_id(self) -> str | None:
        return _text(self._response.get("id")) or None

    def _request_id(self) -> str | None:
        own = self._own_id()
        if self._endpoint.vendor.quirks.id_in_body and own:
            return own
        return request_id(self._head, own)


def _fuller(output: object, streamed: Content | None) -> Content:
    """Return what the end of a stream holds, or what came before it: gateways leave one of them empty."""
    whole = Content(output if isinstance(output, list) else [])
    if streamed is None:
        return whole
    is_less = len(whole.items) < len(streamed.items)
    return streamed if is_less or (streamed.says_anything and not whole.says_anything) else whole


def _searches(response: dict[str, Any], items: list[dict[str, Any]]) -> int:
    """Return the web searches that are billed: as stated, else those among the items.

    Opening a page and looking for words in it are calls of the same kind, and cost nothing.
    """
    usage = read_fields(read_fields(response.get("tool_usage")).get("web_search"))
    stated = read_count(usage.get("num_requests"))
    if stated is not None:
        return stated
    calls = (item for item in items if item.get("type") == "web_search_call")
    return sum(read_fields(call.get("action")).get("type", "search") == "search" for call in calls)


def _thoughts(item: dict[str, Any]) -> Iterator[str]:
    """Yield the paragraphs of a thought: its text where it is told, else its summary."""
    for name in ("content", "summary"):
        parts = item.get(name)
        texts = [_text(read_fields(part).get("text")) for part in parts] if isinstance(parts, list) else []
        if any(texts):
            yield from filter(None, texts)
            return


def encoded(value: object) -> bytes:
    """Return JSON, "" where a reply holds what cannot be written again."""
    try:
        return msgspec.json.encode(value)
    except (RecursionError, OverflowError, ValueError):
        return b""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
