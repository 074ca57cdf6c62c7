"""Anthropic's messages API, version 2023-06-01.

`max_tokens` is required there, so a default is sent where none is given. A seed is not supported and not
sent.
Settings from `--param` go to the top level. Thinking becomes `reasoning`, separate from the answer's text.
"""

from __future__ import annotations

from urllib.parse import urlencode

import msgspec

from umwelten.providers.anthropic.errors import classify
from umwelten.providers.anthropic.events import Block, MessageEvent, StopDetails, WholeMessage
from umwelten.providers.anthropic.requests import ANSWER_TOOL, body_of, headers, root_of
from umwelten.providers.anthropic.turns import MessageTurn
from umwelten.providers.anthropic.usage import MessageUsage
from umwelten.providers.capabilities import ANTHROPIC
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
from umwelten.providers.common.errors import final_failure, from_error, from_http, request_id, unusable_reply
from umwelten.providers.common.loose_fields import Loose, LooseCount, LooseText
from umwelten.providers.common.sse import DONE, Event
from umwelten.providers.common.streams import EventStream, is_event_stream
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.providers.shutdowns import read_date
from umwelten.text.thinking import Answer, AnswerText
from umwelten.types import Failure, FailureKind, FinishReason, Outcome, RateLimitHints, Reply, Request

_PAGE_SIZE = 1000
_FINISH = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "tool_use": FinishReason.TOOL,
    "pause_turn": FinishReason.TOOL,
}
_NOTHING = (b"", b"null")
# Blocks that hold something for people, and no text.
_MEDIA = {"image": "an image", "audio": "audio", "document": "a file", "container_upload": "a file"}


class _Model(msgspec.Struct):
    id: str
    display_name: LooseText = None
    max_input_tokens: LooseCount = None
    retires_at: LooseText = None


class _Models(msgspec.Struct):
    data: list[Loose[_Model]] = []
    has_more: Loose[bool] = False
    last_id: LooseText = None


class AnthropicMessages:
    """The wire format of Anthropic's messages API."""

    capabilities = ANTHROPIC
    uploads = None

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. Errors: `InputError` for media that the format cannot carry."""
        return HttpRequest(
            method="POST",
            url=f"{root_of(endpoint)}/messages",
            headers=headers(endpoint),
            body=msgspec.json.encode(body_of(request, endpoint, dropped)),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply."""
        if head.status != 200:
            failure = from_http(head, body, endpoint, classify=classify)
            return judge_refusal(failure) if tools else failure
        if is_event_stream(body):
            stream = self.stream(head, endpoint, tools=tools)
            stream.feed(body)
            return stream.finish()
        answer = _AnthropicAnswer(head, endpoint, tools=tools)
        message = load(body, WholeMessage)
        if message is None:
            answer.fail("the reply could not be parsed")
        elif bytes(message.error) not in _NOTHING:
            answer.refuse(message.error)
        else:
            answer.begin(message, whole=True)
            answer.keep(body)
            answer.ended = True
        return answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> EventStream:
        """Return a decoder for a streamed reply; `message_stop` is its end mark."""
        answer = _AnthropicAnswer(head, endpoint, tools=tools)
        return EventStream(answer, lambda body: self.decode(head, body, endpoint, tools=tools))

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the provider's models."""
        query = {"limit": str(_PAGE_SIZE)} | ({"after_id": page} if page else {})
        url = f"{root_of(endpoint)}/models?{urlencode(query)}"
        return HttpRequest(method="GET", url=url, headers=headers(endpoint))

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the provider's models, newest first as it lists them."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        page_body = load(body, _Models)
        if page_body is None:
            return unusable_reply(head, "the list of models could not be parsed")
        models = tuple(
            ModelInfo(
                id=model.id,
                name=model.display_name,
                context_tokens=model.max_input_tokens,
                shutdown_date=read_date(model.retires_at),
            )
            for model in page_body.data
        )
        return ModelPage(models=models, next=(page_body.last_id or None) if page_body.has_more else None)


class _AnthropicAnswer:
    """The answer that a reply adds up to, whole or event by event.

    `tools`: the request offered some, and calls of them belong to the reply.
    """

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> None:
        self._head = head
        self._endpoint = endpoint
        self._text = AnswerText()
        self._turn = MessageTurn() if tools else None
        self._calls: str | None = None
        self._media: str | None = None
        self._record: list[str] | None = None
        self._recording = False
        self._reasoning: list[str] = []
        self._stop: str | None = None
        self._details: StopDetails | None = None
        self._usage = MessageUsage(head)
        self._model: str | None = None
        self._id: str | None = None
        self._finished = self.ended = False
        self.failure: Failure | None = None

    @property
    def done(self) -> bool:
        """True after `message_stop` or an error."""
        return self.ended or self.failure is not None

    @property
    def complete(self) -> bool:
        """True once the model stopped: the event that says why comes after all content."""
        return self._finished or self.done

    def add(self, piece: Event) -> str:
        """Read one event; return the answer's text in it."""
        if self.done:
            return ""
        name, data = piece
        event = load(data, MessageEvent)
        if event is None:
            self._take_other(name, data)
            return ""
        kind = event.type or name
        if kind == "error" or bytes(event.error) not in _NOTHING:
            self.refuse(event.error)
            return ""
        self.ended = kind == "message_stop"
        self.keep(data)
        return self._take(kind, event)

    def begin(self, message: WholeMessage, *, whole: bool = False) -> str:
        """Read a message, whole or its beginning; return the answer's text in it."""
        self._model, self._id = message.model, message.id
        self._note_stop(message.stop_reason, message.stop_details)
        self._usage.add(message.usage, begun=not whole)
        text = "".join(self._add_block(block) for block in message.content or ())
        self._recording = False
        return text

    def keep(self, data: bytes) -> None:
        """Keep what goes back to the model of a whole message or of an event, if anything may."""
        if self._turn is not None:
            self._turn.take(data)

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self.failure = self.failure or unusable_reply(self._head, message)

    def refuse(self, error: msgspec.Raw) -> None:
        """Note the provider's error object."""
        self._refuse(read_value({"error": load(bytes(error), object)}))

    def _refuse(self, error: ErrorBody) -> None:
        failure = from_error(self._head, error, self._endpoint, classify=classify)
        self.failure = failure if self._turn is None else judge_refusal(failure)

    def outcome(self) -> Outcome:
        """Return the reply or the failure."""
        answer = self._answer()
        text = answer.text
        thinking = "".join(self._reasoning) or answer.thinking
        calls, turn = self._turn.settle(self._id) if self._turn is not None else ((), b"")
        paused = self._stop == "pause_turn" and bool(turn) and not calls
        failure = self.failure or self._shortfall(answer, thinking, goes_on=bool(calls) or paused)
        usage = plausible(self._usage.read(), bool(text or thinking))
        if failure is not None:
            return msgspec.structs.replace(
                failure,
                partial=text or None,
                usage=usage,
                request_id=request_id(self._head, self._id),
                hints=failure.hints if failure is self.failure else self._hints(),
            )
        return Reply(
            text=text,
            marks=(DROPPED_MEDIA,) if self._media else (),
            finish_reason=finish_with(calls, self._reason()),
            usage=usage,
            reasoning=thinking or None,
            served_model=self._model,
            request_id=request_id(self._head, self._id),
            hints=self._hints(),
            calls=calls,
            turn=turn if calls or paused else b"",
            paused=paused,
        )

    def _hints(self) -> RateLimitHints:
        return rate_limit_headers.parse(self._endpoint.vendor.quirks.hints, self._head)

    def _answer(self) -> Answer:
        """Return the record, where the model gave one, else the text."""
        if self._record is None:
            cut = not self.ended or self._reason() is FinishReason.LENGTH
            return self._text.split(cut=cut)
        return Answer("".join(self._record) or ("{}" if self._stop == "tool_use" else ""))

    def _reason(self) -> FinishReason:
        """Return the finish reason. A call of the answer tool is a normal stop."""
        reason = _FINISH.get(self._stop or "", FinishReason.UNKNOWN)
        return FinishReason.STOP if reason is FinishReason.TOOL and self._record is not None else reason

    def _take(self, kind: str, event: MessageEvent) -> str:
        if kind == "message_start" and event.message is not None:
            return self.begin(event.message)
        if kind == "content_block_start" and event.content_block is not None:
            return self._add_block(event.content_block)
        if kind == "content_block_stop":
            self._recording = False
        if event.delta is None:
            return ""
        if kind == "content_block_delta" or (not kind and not event.delta.stop_reason):
            return self._add_json(event.delta.partial_json) or self._add_text(
                event.delta.text, event.delta.thinking
            )
        if kind in ("message_delta", ""):
            self._note_stop(event.delta.stop_reason, event.delta.stop_details)
            self._finished = self._finished or bool(event.delta.stop_reason)
            self._usage.add(event.usage)
        return ""

    def _take_other(self, name: str, data: bytes) -> None:
        """Read what is no event of this format: a gateway's end mark or error, or a broken piece."""
        if data == DONE:
            self.ended = self._finished
        elif name == "error":
            self._refuse(read(data))
        elif not self._finished:
            self.fail("a part of the reply could not be parsed")

    def _add_block(self, block: Block) -> str:
        if block.type == "tool_use":
            # Of several records, only the first counts. Beside tools, none is asked for.
            is_record = block.name == ANSWER_TOOL and self._turn is None
            self._recording = is_record and self._record is None
            self._record = [] if self._recording else self._record
            if not is_record:
                self._calls = self._calls or block.name or ""
            return self._add_json(_compact(block.input))
        self._media = self._media or _MEDIA.get(block.type)
        text = block.text if block.type in ("text", "") else None
        return self._add_text(text, block.thinking if block.type == "thinking" else None)

    def _add_json(self, json: str | None) -> str:
        """Add the next piece of the record; return it, or "" if it is not part of one."""
        if not json or not self._recording or self._record is None:
            return ""
        self._record.append(json)
        return json

    def _add_text(self, text: str | None, thinking: str | None) -> str:
        if thinking:
            self._reasoning.append(thinking)
        return self._text.add(text) if text else ""

    def _note_stop(self, reason: object, details: StopDetails | None) -> None:
        if isinstance(reason, str):
            self._stop = reason or self._stop
        elif reason is not None:
            self.fail(unread_stop(reason))
        self._details = details or self._details

    def _shortfall(self, answer: Answer, thinking: str, *, goes_on: bool) -> Failure | None:
        """Return the failure if the model refused, or the reply contains no complete answer.

        `goes_on`: it is none yet, and says what it needs.
        """
        if self._stop in BLOCKED:
            return self._refusal()
        if not self.ended and not self._finished:
            return unusable_reply(self._head, "the reply was cut off before its end")
        if goes_on:
            return None
        if self._stop is None and not answer.text and not thinking and self._calls is None:
            return unusable_reply(self._head, "the reply contains no answer")
        if self._stop == "pause_turn":
            message = "the model paused in the middle of its answer; only answers in one turn are kept"
            return final_failure(self._head, message, "pause_turn")
        ending = Ending(
            text=answer.text,
            reason=self._reason(),
            stop=self._stop or "",
            thinking=bool(thinking),
            unclosed=answer.unclosed,
            calls=self._calls if self._record is None else None,
            media=self._media,
            offered=self._turn is not None,
        )
        return shortfall(self._head, ending)

    def _refusal(self) -> Failure:
        details = self._details or StopDetails()
        why = ": ".join(word for word in (details.category, details.explanation) if word)
        return Failure(
            kind=FailureKind.BAD_REQUEST,
            message=f"the provider refused this content ({why})"
            if why
            else "the provider refused this content",
            status=self._head.status,
            code=self._stop,
            retry=False,
        )


def _compact(raw: msgspec.Raw) -> str:
    """Return a tool's input as JSON text; "" for the empty one that a stream begins with."""
    json = bytes(raw)
    if not json.isascii():
        # No one has looked yet whether it is valid UTF-8.
        json = json.decode("utf-8", "replace").encode()
    return "" if json in (*_NOTHING, b"{}") else msgspec.json.format(json, indent=-1).decode()
