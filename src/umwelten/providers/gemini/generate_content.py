"""Google's Gemini API: `generateContent` and `streamGenerateContent`, version v1beta.

Settings from `--param` go into `generationConfig`, except the top-level ones (`tools`, `safetySettings`, …).
Thought parts become `reasoning`, separate from the answer's text.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import msgspec

from umwelten.providers.capabilities import GEMINI
from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody, load, read, read_value
from umwelten.providers.common.endings import (
    DROPPED_MEDIA,
    Ending,
    finish_with,
    media_word,
    plausible,
    shortfall,
    unread_stop,
)
from umwelten.providers.common.errors import from_error, from_http, request_id, unusable_reply
from umwelten.providers.common.loose_fields import Loose, LooseCount, LooseText
from umwelten.providers.common.sse import BOM, DONE, Event
from umwelten.providers.common.streams import EventStream, is_event_stream
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.gemini.errors import classify
from umwelten.providers.gemini.files import GeminiUploads
from umwelten.providers.gemini.requests import body_of, headers, resource, root_of
from umwelten.providers.gemini.turns import GeminiTurn
from umwelten.providers.gemini.usage import read_usage
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.text.thinking import Answer, AnswerText
from umwelten.types import Failure, FailureKind, FinishReason, Outcome, RateLimitHints, Reply, Request

_PAGE_SIZE = 1000
_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")
_FINISH = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    "CONTINUATION": FinishReason.LENGTH,
}
_NUMBERED = ("", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Finish reasons by their numbers, which proxies send. From 6 on, Vertex AI numbers them otherwise."""
_UNFINISHED = ("", "FINISH_REASON_UNSPECIFIED")
_BLOCKED = frozenset(
    (
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "ESCALATION",
        "PUP_LIMITED_DISABLED",
        "MODEL_ARMOR",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        # Not a block, but the same request would get it again.
        "MISSING_THOUGHT_SIGNATURE",
    )
)
_BROKEN = frozenset(
    (
        "OTHER",
        "MALFORMED_RESPONSE",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "NO_IMAGE",
        "IMAGE_OTHER",
    )
)


class _GeminiPart(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    function_call: msgspec.Raw = _ABSENT
    inline_data: msgspec.Raw = _ABSENT
    file_data: msgspec.Raw = _ABSENT


class _Function(msgspec.Struct):
    name: LooseText = None


class _MediaPart(msgspec.Struct, rename="camel"):
    mime_type: Loose[str] = ""


class _Content(msgspec.Struct):
    parts: list[_GeminiPart] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: Any = None
    finish_message: LooseText = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: LooseText = None
    block_reason_message: LooseText = None


class _GeminiChunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: Loose[_Feedback | None] = None
    # Parsed separately: an invalid count must not lose the answer.
    usage_metadata: msgspec.Raw = _ABSENT
    model_version: LooseText = None
    response_id: LooseText = None
    error: msgspec.Raw = _ABSENT


class _GeminiModel(msgspec.Struct, rename="camel"):
    name: str
    display_name: LooseText = None
    input_token_limit: LooseCount = None
    supported_generation_methods: Loose[list[str] | None] = None


class _GeminiModels(msgspec.Struct, rename="camel"):
    models: list[Loose[_GeminiModel]] = []
    next_page_token: LooseText = None


class Gemini:
    """The wire format of Google's Gemini API."""

    capabilities = GEMINI
    uploads = GeminiUploads()

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. `dropped` names settings as `Parameters` does."""
        verb = "streamGenerateContent?alt=sse" if request.stream else "generateContent"
        return HttpRequest(
            method="POST",
            url=f"{root_of(endpoint)}/{resource(request.model.model, endpoint.vendor)}:{verb}",
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
        # A stream that was not requested as events is a list of chunks: it may have been cut off.
        body = body.removeprefix(BOM).lstrip()
        answer = _GeminiAnswer(head, endpoint, whole=body[:1] != b"[", tools=tools)
        answer.add(("", body))
        return answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> EventStream:
        """Return a decoder for a streamed reply. It has no end mark: a finish reason completes it."""
        answer = _GeminiAnswer(head, endpoint, whole=False, tools=tools)
        return EventStream(answer, lambda body: self.decode(head, body, endpoint, tools=tools))

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the provider's models."""
        query = {"pageSize": str(_PAGE_SIZE)} | ({"pageToken": page} if page else {})
        url = f"{root_of(endpoint)}/models?{urlencode(query)}"
        return HttpRequest(method="GET", url=url, headers=headers(endpoint))

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the models that generate content, without the prefix `models/`."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        page_body = load(body, _GeminiModels)
        if page_body is None:
            return unusable_reply(head, "the list of models could not be parsed")
        models = tuple(_info(model) for model in page_body.models if _generates(model))
        return ModelPage(models=models, next=page_body.next_page_token or None)


class _GeminiAnswer:
    """The answer that the chunks of one reply add up to. `whole`: a single chunk, which is complete.

    `tools`: the request offered some, and calls of them belong to the reply.
    """

    def __init__(self, head: Head, endpoint: Endpoint, *, whole: bool, tools: bool) -> None:
        self._head = head
        self._endpoint = endpoint
        self._whole = whole
        self._text = AnswerText()
        self._reasoning: list[str] = []
        self._turn = GeminiTurn() if tools else None
        self._calls: str | None = None
        self._media: str | None = None
        self._went_on = self._ended = False
        self._finish = ""
        self._finish_message: str | None = None
        self._feedback = _Feedback()
        self._usage = _ABSENT
        self._model: str | None = None
        self._id: str | None = None
        self.failure: Failure | None = None

    @property
    def done(self) -> bool:
        """True after an error. After a finish reason, more token counts may follow."""
        return self._ended or self.failure is not None

    @property
    def complete(self) -> bool:
        """True after a finish reason that can be the last: after text, and followed by none.

        Older models and gateways state "STOP" in every chunk, or in an empty one before the first text.
        """
        if self.failure is not None or self._ended:
            return True
        if self._finish in _UNFINISHED or self._went_on:
            return False
        return self._finish != "STOP" or self._text.begun or self._calls is not None

    def add(self, piece: Event) -> str:
        """Read an event, which is a JSON value without a name; return the answer's text in it."""
        if self.done:
            return ""
        # Errors sometimes come in a list of one, and so does a stream that was not requested as events.
        value = piece[1].strip()
        is_list = value[:1] == b"["
        if is_list and value == DONE:
            # A gateway's end mark: it alone completes nothing.
            self._ended = self._finish not in _UNFINISHED
            return ""
        source = value if is_list else b"[" + value + b"]"
        chunks = load(source, list[_GeminiChunk])
        if chunks is None and is_list:
            # The list was cut off, maybe after its last chunk.
            source = value.rstrip(b",") + b"]"
            chunks = load(source, list[_GeminiChunk])
        if self._turn is not None:
            self._turn.take(source)
        if not chunks and piece[0] == "error":
            self._refuse(read(value))
        elif not chunks and not self.complete:
            self.fail("the reply could not be parsed")
        return "".join(self._take(chunk) for chunk in chunks or ())

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self.failure = self.failure or unusable_reply(self._head, message)

    def _refuse(self, error: ErrorBody) -> None:
        failure = from_error(self._head, error, self._endpoint, classify=classify)
        self.failure = failure if self._turn is None else judge_refusal(failure)

    def _take(self, chunk: _GeminiChunk) -> str:
        if bytes(chunk.error) not in _NOTHING:
            self._refuse(read_value({"error": load(bytes(chunk.error), object)}))
        if self.failure is not None:
            return ""
        self._model = chunk.model_version or self._model
        self._id = chunk.response_id or self._id
        self._feedback = chunk.prompt_feedback or self._feedback
        if bytes(chunk.usage_metadata) not in _NOTHING:
            self._usage = chunk.usage_metadata
        return self._candidate(chunk.candidates[0]) if chunk.candidates else ""

    def _candidate(self, candidate: _Candidate) -> str:
        finished = self._finish not in _UNFINISHED
        if candidate.finish_reason is not None:
            self._note_finish(candidate.finish_reason)
        self._finish_message = candidate.finish_message or self._finish_message
        parts = (candidate.content and candidate.content.parts) or []
        for part in parts:
            if not part.text:
                self._note_other(part)
        self._reasoning += [part.text for part in parts if part.thought and part.text]
        text = "".join(part.text for part in parts if part.text and not part.thought)
        if finished and (text or any(bytes(part.function_call) not in _NOTHING for part in parts)):
            self._went_on = True
        return self._text.add(text)

    def _note_finish(self, reason: object) -> None:
        if type(reason) is int and 0 <= reason < len(_NUMBERED):
            reason = _NUMBERED[reason]
        if isinstance(reason, str):
            self._finish = reason or self._finish
        else:
            self.fail(unread_stop(reason))

    def _note_other(self, part: _GeminiPart) -> None:
        """Note a part that is not text."""
        if bytes(part.function_call) not in _NOTHING:
            function = load(bytes(part.function_call), _Function) or _Function()
            self._calls = self._calls or function.name or ""
        media = bytes(part.inline_data) or bytes(part.file_data)
        if media not in _NOTHING and not part.thought:
            self._media = self._media or media_word((load(media, _MediaPart) or _MediaPart()).mime_type)

    def outcome(self) -> Outcome:
        """Return the reply or the failure."""
        reason = _FINISH.get(self._finish, FinishReason.UNKNOWN)
        answer = self._text.split(cut=reason is FinishReason.LENGTH or not self._finish)
        text = answer.text
        thinking = "".join(self._reasoning) or answer.thinking
        calls, turn = self._turn.settle(self._id) if self._turn is not None else ((), b"")
        failure = self.failure or self._refusal()
        failure = failure or self._shortfall(answer, reason, thinking, has_calls=bool(calls))
        usage = read_usage(self._usage, self._head)
        usage = plausible(usage, bool(text or thinking))
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
            finish_reason=finish_with(calls, reason),
            usage=usage,
            reasoning=thinking or None,
            served_model=self._model,
            request_id=request_id(self._head, self._id),
            hints=self._hints(),
            calls=calls,
            turn=turn,
        )

    def _hints(self) -> RateLimitHints:
        return rate_limit_headers.parse(self._endpoint.vendor.quirks.hints, self._head)

    def _refusal(self) -> Failure | None:
        """Return the failure if the prompt or the answer was blocked."""
        reason = self._finish if self._finish in _BLOCKED else ""
        message = self._finish_message
        if not reason and not self._finish:
            reason, message = self._feedback.block_reason or "", self._feedback.block_reason_message
        if not reason:
            return None
        details = f" ({message})" if message else ""
        text = f"the provider blocked this content: {reason}{details}"
        return Failure(
            kind=FailureKind.BAD_REQUEST, message=text, status=self._head.status, code=reason, retry=False
        )

    def _shortfall(
        self, answer: Answer, reason: FinishReason, thinking: str, *, has_calls: bool
    ) -> Failure | None:
        """Return the failure if the model stopped early, or the reply contains no complete answer."""
        if self._finish in _BROKEN:
            details = f" ({self._finish_message})" if self._finish_message else ""
            message = f"the model stopped early: {self._finish}{details}"
            # Without text it was still paid for: retried, but not as often as what costs nothing.
            kind = FailureKind.SERVER if answer.text else FailureKind.EMPTY
            return msgspec.structs.replace(unusable_reply(self._head, message), code=self._finish, kind=kind)
        if self._finish in _UNFINISHED and not self._whole:
            return unusable_reply(self._head, "the reply was cut off before its end")
        if has_calls:
            return None
        if not (answer.text or self._finish or thinking or self._media or self._calls is not None):
            return unusable_reply(self._head, "the reply contains no answer")
        ending = Ending(
            text=answer.text,
            reason=reason,
            stop=self._finish,
            thinking=bool(thinking),
            unclosed=answer.unclosed,
            calls=self._calls,
            media=self._media,
            offered=self._turn is not None,
        )
        return shortfall(self._head, ending)


def _generates(model: _GeminiModel) -> bool:
    methods = model.supported_generation_methods
    return methods is None or "generateContent" in methods


def _info(model: _GeminiModel) -> ModelInfo:
    return ModelInfo(
        id=model.name.removeprefix("models/"), name=model.display_name, context_tokens=model.input_token_limit
    )
