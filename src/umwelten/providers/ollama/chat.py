"""Ollama's own chat API, `/api/chat`: replies as JSON, streams as one JSON object per line.

Settings from `--param` go into `options`, except the top-level ones (`keep_alive`, `think`, `format`, …).
`stream` is always sent, because the API streams by default.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from umwelten.errors import InputError
from umwelten.phrases import Phrase
from umwelten.providers.capabilities import OLLAMA
from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody, load, read_value
from umwelten.providers.common.endings import Ending, plausible, shortfall, unread_stop
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
from umwelten.providers.common.refused_fields import SCHEMA, canonical_name
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.sse import LineSplitter
from umwelten.providers.common.streams import AnswerStream
from umwelten.providers.common.system_message import place_system
from umwelten.providers.context_limits import SMALLEST_CONTEXT, larger_context
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.text.thinking import Answer, AnswerText
from umwelten.types import (
    Failure,
    FailureKind,
    FinishReason,
    Media,
    Message,
    Outcome,
    Part,
    Reply,
    Request,
    Text,
    Usage,
)

_BESIDE_OPTIONS = frozenset(
    ("format", "keep_alive", "logprobs", "think", "tools", "top_logprobs", "truncate")
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
            url=f"{_root(endpoint)}/api/chat",
            headers=_headers(endpoint),
            body=msgspec.json.encode(
                _body(place_system(add_instruction(request), dropped), endpoint, dropped)
            ),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply."""
        if head.status != 200:
            return _add_hint(from_http(head, body, endpoint, classify=classify), endpoint)
        answer = _OllamaAnswer(head, endpoint)
        is_one = load(body, _OllamaChunk) is not None
        for line in (body,) if is_one else body.splitlines():
            answer.add(line)
        return answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> AnswerStream[bytes]:
        """Return a decoder for a streamed reply; a line with `done` is its end mark."""
        return _OllamaLines(
            LineSplitter(),
            _OllamaAnswer(head, endpoint),
            "a line",
            lambda body: self.decode(head, body, endpoint, tools=tools),
        )

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the models on this host."""
        return HttpRequest(method="GET", url=f"{_root(endpoint)}/api/tags", headers=_headers(endpoint))

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
    """The answer that the lines of one reply add up to. A unary reply is a single line."""

    def __init__(self, head: Head, endpoint: Endpoint) -> None:
        self._head = head
        self._endpoint = endpoint
        self._text = AnswerText()
        self._reasoning: list[str] = []
        self._calls: str | None = None
        self._has_message = False
        self._reason: str | None = None
        self._usage = Usage()
        self._model: str | None = None
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
        failure = self.failure or self._shortfall(answer, reason, thinking)
        usage = plausible(self._usage, bool(answer.text or thinking))
        if failure is not None:
            return msgspec.structs.replace(failure, partial=answer.text or None, usage=usage)
        return Reply(
            text=answer.text,
            finish_reason=reason,
            usage=usage,
            reasoning=thinking or None,
            served_model=self._model,
            request_id=request_id(self._head, None),
            hints=rate_limit_headers.parse(self._endpoint.vendor.quirks.hints, self._head),
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
        self.failure = _add_hint(failure, self._endpoint)

    def _shortfall(self, answer: Answer, reason: FinishReason, thinking: str) -> Failure | None:
        """Return the failure if the reply contains no complete answer."""
        if not self.ended:
            return unusable_reply(self._head, "the reply was cut off before its end")
        if self._reason in _IDLE:
            return unusable_reply(self._head, f"the server answered with {self._reason} instead of the model")
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


def _root(endpoint: Endpoint) -> str:
    """Return the host's address, without the path of its OpenAI API or its own."""
    return endpoint.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {**endpoint.vendor.quirks.headers, "content-type": "application/json"}
    if endpoint.api_key is not None:
        headers["authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return headers


def _body(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    parameters = request.parameters
    settings = {
        "temperature": parameters.temperature,
        "top_p": parameters.top_p,
        "num_predict": parameters.max_tokens,
        "seed": parameters.seed,
        "format": None if request.schema is None else request.schema.json,
        **({} if parameters.stop is None else {"stop": parameters.stop}),
        **parameters.extra,
    }
    sent = {k: v for k, v in settings.items() if v is not None and canonical_name(k) not in dropped}
    options = {name: value for name, value in sent.items() if name not in _BESIDE_OPTIONS}
    messages = [_message(message) for message in request.messages if isinstance(message, Message)]
    if "truncate" not in dropped and _may_be_too_long(request, messages, options):
        sent = {"truncate": False, **sent}
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    return {
        **endpoint.vendor.quirks.body,
        "model": request.model.model,
        "messages": [*system, *messages],
        **({"options": options} if options else {}),
        **{name: value for name, value in sent.items() if name in _BESIDE_OPTIONS},
        "stream": request.stream,
    }


def _may_be_too_long(request: Request, messages: list[dict[str, Any]], options: dict[str, Any]) -> bool:
    """Return whether a prompt may exceed the context, which the server cuts then unless told not to.

    Shorter prompts go out as they always did. Servers before 0.12.4 ignore the field.
    """
    length = len(request.system or "") + sum(len(message["content"]) for message in messages)
    context = options.get("num_ctx")
    return length > min(SMALLEST_CONTEXT, context if isinstance(context, int) else SMALLEST_CONTEXT)


def _message(message: Message) -> dict[str, Any]:
    """Return a message: the text of all parts as one string, images beside it as bare base64."""
    texts = [text for part in message.parts if (text := _text_of(part)) is not None]
    images = [_image(part) for part in message.parts if isinstance(part, Media) and _text_of(part) is None]
    fields: dict[str, Any] = {"role": message.role, "content": "\n\n".join(texts)}
    return {**fields, "images": images} if images else fields


def _text_of(part: Part) -> str | None:
    if isinstance(part, Text):
        return part.text
    is_text = part.uri is None and part.mime.startswith("text/")
    return part.data.decode("utf-8", "replace") if is_text else None


def _image(part: Media) -> bytes:
    if not part.mime.startswith("image/"):
        raise InputError(f"{part.name}: Ollama accepts text and images, not {part.mime}")
    if part.uri is not None:
        raise InputError(f"{part.name}: Ollama does not store uploaded files", "Send the file itself.")
    # The encoder turns bytes into base64, without a copy in between.
    return part.data


def _usage(counts: _OllamaUsage) -> Usage:
    """Return the usage. Output includes the thinking; the server does not count it separately."""
    return Usage(
        input_tokens=counts.prompt_eval_count,
        output_tokens=counts.eval_count,
        cached_tokens=counts.prompt_eval_cached_count,
    )
