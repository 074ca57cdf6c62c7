"""Ollama's own chat API, `/api/chat`: replies as JSON, streams as one JSON object per line.

Settings from `--param` go into `options`, except the top-level ones (`keep_alive`, `think`, `format`, …).
`stream` is always sent, because the API streams by default.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from umwelten.phrases import Phrase
from umwelten.providers.capabilities import OLLAMA
from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody, load, read_value
from umwelten.providers.common.endings import Ending, finish_with, plausible, shortfall, unread_stop
from umwelten.providers.common.errors import (
    BAD,
    MEMORY,
    NO_MODEL,
    ErrorClass,
    from_error,
    from_http,
    request_id,
    unusable_reply,
)
from umwelten.providers.common.loose_fields import Loose, LooseCount, LooseText
from umwelten.providers.common.refused_fields import SCHEMA
from umwelten.providers.common.sse import LineSplitter
from umwelten.providers.common.streams import AnswerStream
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.context_limits import SMALLEST_CONTEXT, larger_context
from umwelten.providers.ollama.requests import body_of, headers, root_of
from umwelten.providers.ollama.tools import OllamaTurn
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.text.thinking import Answer, AnswerText
from umwelten.types import (
    Failure,
    FailureKind,
    FinishReason,
    Outcome,
    Reply,
    Request,
    Usage,
)

_FINISH = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
# The request only loaded or unloaded the model.
_IDLE = frozenset(("load", "unload"))
_NOT_FOUND = re.compile(r"model ['\"]?([^'\"\s]{1,200})['\"]? (?:is )?not found")
_TOO_LONG = re.compile(r"context (length|size|window)", re.IGNORECASE)
_PROMPT_TOKENS = re.compile(r"\((\d{1,9}) tokens\)")
_MEMORY = re.compile(r"resource limitations|cudamalloc failed|requires more (system )?memory")
_CANNOT_THINK = re.compile(r"does not support thinking|think value .{0,200} is not supported")
_NO_FORMAT = re.compile(r"(json schema in|required for|unsupported|invalid) format|grammar")
# The context bounds prompt and answer together.
_LIMIT = Phrase("raise {option:max_tokens}, or the context with {option:params} num_ctx=16384")
_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")
_LONG_LINE = 64 * 1024


class _OllamaMessage(msgspec.Struct):
    content: str | None = None
    thinking: LooseText = None
    tool_calls: Any = None


class _OllamaUsage(msgspec.Struct):
    prompt_eval_count: LooseCount = None
    prompt_eval_cached_count: LooseCount = None
    eval_count: LooseCount = None


class _OllamaChunk(msgspec.Struct):
    message: _OllamaMessage | None = None
    model: LooseText = None
    created_at: LooseText = None
    done: bool | None = None
    done_reason: Any = None
    error: msgspec.Raw = _ABSENT


class _OllamaModel(msgspec.Struct):
    name: LooseText = None
    model: LooseText = None


class _OllamaModels(msgspec.Struct):
    models: list[Loose[_OllamaModel]] | None = None


class Ollama:
    """The wire format of Ollama's chat API.

    A schema goes into `format`, and into the prompt as well: the server enforces it without showing it.
    """

    capabilities = OLLAMA
    uploads = None

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. Errors: `InputError` for media other than images and text."""
        return HttpRequest(
            method="POST",
            url=f"{root_of(endpoint)}/api/chat",
            headers=headers(endpoint),
            body=msgspec.json.encode(body_of(request, endpoint, dropped)),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply."""
        if head.status != 200:
            failure = _add_hint(from_http(head, body, endpoint, classify=classify), endpoint)
            return judge_refusal(failure) if tools else failure
        answer = _OllamaAnswer(head, endpoint, tools=tools)
        is_one = load(body, _OllamaChunk) is not None
        for line in (body,) if is_one else body.splitlines():
            answer.add(line)
        return answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> AnswerStream[bytes]:
        """Return a decoder for a streamed reply; a line with `done` is its end mark."""
        return _OllamaLines(
            LineSplitter(),
            _OllamaAnswer(head, endpoint, tools=tools),
            "a line",
            lambda body: self.decode(head, body, endpoint, tools=tools),
        )

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the models on this host."""
        return HttpRequest(method="GET", url=f"{root_of(endpoint)}/api/tags", headers=headers(endpoint))

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the models on this host. The list has neither context lengths nor prices."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        page_body = load(body, _OllamaModels)
        if page_body is None:
            return unusable_reply(head, "the list of models could not be parsed")
        names = [model.model or model.name for model in page_body.models or ()]
        return ModelPage(models=tuple(ModelInfo(id=name) for name in names if name))


class _OllamaLines(AnswerStream[bytes]):
    """A stream of JSON lines, or one JSON body over several lines."""

    def _is_whole(self, first: bytes) -> bool | None:
        line, end, _ = first.partition(b"\n")
        if load(line, object) is not None:
            return False
        # A long line is not read again with every chunk.
        return True if end or len(line) > _LONG_LINE else None


class _OllamaAnswer:
    """The answer that the lines of one reply add up to. A unary reply is a single line.

    `tools`: the request offered some, and calls of them belong to the reply.
    """

    def __init__(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> None:
        self._head = head
        self._endpoint = endpoint
        self._text = AnswerText()
        self._reasoning: list[str] = []
        self._turn = OllamaTurn() if tools else None
        self._calls: str | None = None
        self._has_message = False
        self._reason: str | None = None
        self._usage = Usage()
        self._model: str | None = None
        self._created: str | None = None
        self.ended = False
        self.failure: Failure | None = None

    @property
    def done(self) -> bool:
        """True after the last line or an error."""
        return self.ended or self.failure is not None

    complete = done

    def add(self, piece: bytes) -> str:
        """Read one JSON object; return the answer's text in it."""
        if self.done or not piece.strip():
            return ""
        chunk = load(piece, _OllamaChunk)
        if chunk is None:
            self.fail("the reply could not be parsed")
            return ""
        if bytes(chunk.error) not in _NOTHING:
            self._refuse(chunk.error)
            return ""
        if chunk.done:
            self.ended = True
            self._usage = _usage(load(piece, _OllamaUsage) or _OllamaUsage())
        if self._turn is not None:
            self._turn.take(piece)
        self._created = chunk.created_at or self._created
        self._model = chunk.model or self._model
        if chunk.done_reason is not None:
            self._note_stop(chunk.done_reason)
        self._has_message = self._has_message or chunk.message is not None
        return self._take(chunk.message or _OllamaMessage())

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self.failure = self.failure or unusable_reply(self._head, message)

    def outcome(self) -> Outcome:
        """Return the reply or the failure."""
        reason = _FINISH.get(self._reason or "", FinishReason.UNKNOWN)
        answer = self._text.split(cut=reason is FinishReason.LENGTH or not self.ended)
        thinking = "".join(self._reasoning) or answer.thinking
        calls, turn = self._turn.settle(self._created) if self._turn is not None else ((), b"")
        failure = self.failure or self._shortfall(answer, reason, thinking, has_calls=bool(calls))
        usage = plausible(self._usage, bool(answer.text or thinking))
        if failure is not None:
            return msgspec.structs.replace(failure, partial=answer.text or None, usage=usage)
        return Reply(
            text=answer.text,
            finish_reason=finish_with(calls, reason),
            usage=usage,
            reasoning=thinking or None,
            served_model=self._model,
            request_id=request_id(self._head, None),
            hints=rate_limit_headers.parse(self._endpoint.vendor.quirks.hints, self._head),
            calls=calls,
            turn=turn,
        )

    def _note_stop(self, reason: object) -> None:
        if isinstance(reason, str):
            self._reason = reason or self._reason
        else:
            self.fail(unread_stop(reason))

    def _take(self, message: _OllamaMessage) -> str:
        if message.tool_calls:
            self._calls = self._calls or _name_of(message.tool_calls)
        if message.thinking:
            self._reasoning.append(message.thinking)
        return self._text.add(message.content) if message.content else ""

    def _refuse(self, error: msgspec.Raw) -> None:
        body = read_value({"error": load(bytes(error), object)})
        failure = from_error(self._head, body, self._endpoint, classify=classify)
        failure = _add_hint(failure, self._endpoint)
        self.failure = failure if self._turn is None else judge_refusal(failure)

    def _shortfall(
        self, answer: Answer, reason: FinishReason, thinking: str, *, has_calls: bool
    ) -> Failure | None:
        """Return the failure if the reply contains no complete answer."""
        if not self.ended:
            return unusable_reply(self._head, "the reply was cut off before its end")
        if self._reason in _IDLE:
            return unusable_reply(self._head, f"the server answered with {self._reason} instead of the model")
        if has_calls:
            return None
        if not self._has_message:
            return unusable_reply(self._head, "the reply contains no answer")
        ending = Ending(
            text=answer.text,
            reason=reason,
            stop=self._reason or "",
            thinking=bool(thinking),
            unclosed=answer.unclosed,
            calls=self._calls,
            limit=_LIMIT,
            offered=self._turn is not None,
        )
        return shortfall(self._head, ending)


def _name_of(calls: Any) -> str:
    """Return the name of the first function in a list of calls, "" where none can be read."""
    call = calls[0] if isinstance(calls, list) else calls
    function = call.get("function") if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""


def classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    """Return the class of an error that only Ollama sends; `None` leaves it to the common rules."""
    if _MEMORY.search(error.words):
        return MEMORY
    if _NOT_FOUND.search(error.words):
        return NO_MODEL
    if _NO_FORMAT.search(error.words):
        return msgspec.structs.replace(BAD, parameter=SCHEMA)
    if head.status == 400 and _CANNOT_THINK.search(error.words):
        return msgspec.structs.replace(BAD, parameter="think")
    return None


def _add_hint(failure: Failure, endpoint: Endpoint) -> Failure:
    """Return the failure with the command that fetches a missing model, or the way to a larger context."""
    if missing := _NOT_FOUND.search(failure.message):
        message = f"{failure.message} (fetch it with `ollama pull {missing[1]}`)"
        return msgspec.structs.replace(failure, message=message)
    if failure.kind is not FailureKind.BAD_REQUEST or not _TOO_LONG.search(failure.message):
        return failure
    stated = _PROMPT_TOKENS.search(failure.message)
    remedy = larger_context(endpoint.vendor, int(stated[1]) if stated else SMALLEST_CONTEXT)
    wording = Phrase("{message} ({remedy})", message=failure.message, remedy=remedy)
    return msgspec.structs.replace(failure, message=str(wording), wording=wording)


def _usage(counts: _OllamaUsage) -> Usage:
    """Return the usage. Output includes the thinking; the server does not count it separately."""
    return Usage(
        input_tokens=counts.prompt_eval_count,
        output_tokens=counts.eval_count,
        cached_tokens=counts.prompt_eval_cached_count,
    )
