"""Ollama's own chat API, `/api/chat`: replies as JSON, streams as one JSON object per line.

Settings given as `--param` go into `options`, except those that live beside it (`keep_alive`, `think`,
`format`, …). `stream` is always sent, because the API streams unless told not to.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

import msgspec

from umwelten.errors import InputError
from umwelten.providers.capabilities import OLLAMA
from umwelten.providers.common import rate_limit_headers
from umwelten.providers.common.bodies import ErrorBody, load, read_value
from umwelten.providers.common.errors import (
    BAD,
    MEMORY,
    NEVER,
    ErrorClass,
    broken,
    from_error,
    from_http,
    judge,
)
from umwelten.providers.common.errors import request_id as name_of
from umwelten.providers.common.parameters import SCHEMA, ours_of, refused
from umwelten.providers.common.schemas import told
from umwelten.providers.common.sse import LineSplitter
from umwelten.providers.common.streams import AnswerStream
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelInfo, ModelPage
from umwelten.types import Failure, FinishReason, Media, Message, Outcome, Part, Reply, Request, Text, Usage

_BESIDE_OPTIONS = frozenset(
    ("format", "keep_alive", "logprobs", "think", "tools", "top_logprobs", "truncate")
)
_FINISH = {"stop": FinishReason.STOP, "length": FinishReason.LENGTH}
# The model was loaded or unloaded instead of asked.
_IDLE = frozenset(("load", "unload"))
_NOT_FOUND = re.compile(r"model ['\"]?([^'\"\s]{1,200})['\"]? (?:is )?not found")
_MEMORY = re.compile(r"resource limitations|cudamalloc failed|requires more (system )?memory")
_CANNOT_THINK = re.compile(r"does not support thinking|think value .* is not supported")
_NO_FORMAT = re.compile(r"(json schema in|required for|unsupported|invalid) format|grammar")
_ABSENT = msgspec.Raw()
_NOTHING = (b"", b"null")
Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]


class _OllamaMessage(msgspec.Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: list[msgspec.Raw] | None = None


class _OllamaUsage(msgspec.Struct):
    prompt_eval_count: Count | None = None
    prompt_eval_cached_count: Count | None = None
    eval_count: Count | None = None


class _OllamaChunk(msgspec.Struct):
    message: _OllamaMessage | None = None
    model: str | None = None
    done: bool | None = None
    done_reason: str | None = None
    error: msgspec.Raw = _ABSENT


class _OllamaModel(msgspec.Struct):
    name: str | None = None
    model: str | None = None


class _OllamaModels(msgspec.Struct):
    models: list[_OllamaModel] | None = None


class Ollama:
    """The wire format of Ollama's chat API.

    A schema goes into `format`, and into words as well: the server enforces it without showing it.
    """

    capabilities = OLLAMA
    uploads = None

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """The HTTP request for a question. Raises `InputError` for media other than images and text."""
        return HttpRequest(
            method="POST",
            url=f"{_root(endpoint)}/api/chat",
            headers=_headers(endpoint),
            body=msgspec.json.encode(_body(told(request), endpoint, dropped)),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint) -> Outcome:
        """The outcome of a unary reply."""
        if head.status != 200:
            return _refused(from_http(head, body, endpoint, classify=classify))
        answer = _OllamaAnswer(head, endpoint)
        answer.add(body)
        return answer.outcome()

    def stream(self, head: Head, endpoint: Endpoint) -> AnswerStream[bytes]:
        """A decoder for a streamed reply; a line with `done` is its end mark."""
        return AnswerStream(LineSplitter(), _OllamaAnswer(head, endpoint), "a line")

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """The request that lists the models on this host."""
        return HttpRequest(method="GET", url=f"{_root(endpoint)}/api/tags", headers=_headers(endpoint))

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """The models on this host. The list says neither how long their context is nor a price."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        listed = load(body, _OllamaModels)
        if listed is None:
            return broken(head, "the list of models cannot be read")
        names = [model.model or model.name for model in listed.models or ()]
        return ModelPage(models=tuple(ModelInfo(id=name) for name in names if name))


class _OllamaAnswer:
    """What the lines of one reply add up to. A unary reply is a single line."""

    def __init__(self, head: Head, endpoint: Endpoint) -> None:
        self._head = head
        self._endpoint = endpoint
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._tool = self._has_message = False
        self._reason: str | None = None
        self._usage = Usage()
        self._model: str | None = None
        self.ended = False
        self.failure: Failure | None = None

    @property
    def done(self) -> bool:
        """True after the last line or an error."""
        return self.ended or self.failure is not None

    def add(self, piece: bytes) -> str:
        """Take one JSON object; return the answer's text in it."""
        if self.done or not piece.strip():
            return ""
        chunk = load(piece, _OllamaChunk)
        if chunk is None:
            self.fail("the reply cannot be read")
            return ""
        if bytes(chunk.error) not in _NOTHING:
            self._refuse(chunk.error)
            return ""
        if chunk.done:
            self.ended = True
            self._usage = _usage(load(piece, _OllamaUsage) or _OllamaUsage())
        self._model = chunk.model or self._model
        self._reason = chunk.done_reason or self._reason
        self._has_message = self._has_message or chunk.message is not None
        return self._take(chunk.message or _OllamaMessage())

    def fail(self, message: str) -> None:
        """Note why there is no answer; the first reason counts."""
        self.failure = self.failure or broken(self._head, message)

    def outcome(self) -> Outcome:
        """The reply or what went wrong."""
        text = "".join(self._text)
        failure = self.failure or self._shortfall()
        if failure is not None:
            return msgspec.structs.replace(failure, partial=text or None, usage=self._usage)
        reason = _FINISH.get(self._reason or "", FinishReason.UNKNOWN)
        return Reply(
            text=text,
            finish_reason=FinishReason.TOOL if self._tool and reason is FinishReason.STOP else reason,
            usage=self._usage,
            reasoning="".join(self._reasoning) or None,
            served_model=self._model,
            request_id=name_of(self._head, None),
            hints=rate_limit_headers.parse(self._endpoint.vendor.quirks.hints, self._head),
        )

    def _take(self, message: _OllamaMessage) -> str:
        self._tool = self._tool or bool(message.tool_calls)
        if message.thinking:
            self._reasoning.append(message.thinking)
        if message.content:
            self._text.append(message.content)
        return message.content or ""

    def _refuse(self, error: msgspec.Raw) -> None:
        body = read_value({"error": load(bytes(error), object)})
        self.failure = _refused(from_error(self._head, body, self._endpoint, classify=classify))

    def _shortfall(self) -> Failure | None:
        """The failure if nothing that counts as an answer came."""
        if not self.ended:
            return broken(self._head, "the reply was cut off before its end")
        if self._reason in _IDLE:
            return broken(self._head, f"the server answered with {self._reason} instead of the model")
        if not self._has_message:
            return broken(self._head, "the reply holds no answer")
        return None


def classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    """What only Ollama writes; `None` leaves the judgement to what all providers have in common."""
    if _MEMORY.search(error.words):
        return MEMORY
    if _NOT_FOUND.search(error.words):
        return NEVER
    if _NO_FORMAT.search(error.words):
        return msgspec.structs.replace(BAD, parameter=SCHEMA)
    if head.status == 400 and judge(400, error) is BAD:
        name = "think" if _CANNOT_THINK.search(error.words) else refused(error)
        return msgspec.structs.replace(BAD, parameter=name)
    return None


def _refused(failure: Failure) -> Failure:
    """The failure with the command that fetches a missing model."""
    missing = _NOT_FOUND.search(failure.message)
    if missing is None:
        return failure
    said = f"{failure.message} (fetch it with `ollama pull {missing[1]}`)"
    return msgspec.structs.replace(failure, message=said)


def _root(endpoint: Endpoint) -> str:
    """The host's address; the OpenAI path that some put there is not part of it."""
    return endpoint.base_url.rstrip("/").removesuffix("/v1").removesuffix("/api").rstrip("/")


def _headers(endpoint: Endpoint) -> dict[str, str]:
    headers = {**endpoint.vendor.quirks.headers, "content-type": "application/json"}
    if endpoint.api_key is not None:
        headers["authorization"] = f"Bearer {endpoint.api_key.reveal()}"
    return headers


def _body(request: Request, endpoint: Endpoint, dropped: frozenset[str]) -> dict[str, Any]:
    given = request.parameters
    settings = {
        "temperature": given.temperature,
        "top_p": given.top_p,
        "num_predict": given.max_tokens,
        "seed": given.seed,
        "format": None if request.schema is None else request.schema.json,
        **given.extra,
    }
    kept = {k: v for k, v in settings.items() if v is not None and ours_of(k) not in dropped}
    options = {name: value for name, value in kept.items() if name not in _BESIDE_OPTIONS}
    system = [] if request.system is None else [{"role": "system", "content": request.system}]
    return {
        **endpoint.vendor.quirks.body,
        "model": request.model.model,
        "messages": [*system, *map(_message, request.messages)],
        **({"options": options} if options else {}),
        **{name: value for name, value in kept.items() if name in _BESIDE_OPTIONS},
        "stream": request.stream,
    }


def _message(message: Message) -> dict[str, Any]:
    """A message: the words of all parts as one text, images beside it as bare base64."""
    words = [words for part in message.parts if (words := _words(part)) is not None]
    images = [_image(part) for part in message.parts if isinstance(part, Media) and _words(part) is None]
    fields: dict[str, Any] = {"role": message.role, "content": "\n\n".join(words)}
    return {**fields, "images": images} if images else fields


def _words(part: Part) -> str | None:
    if isinstance(part, Text):
        return part.text
    is_text = part.uri is None and part.mime.startswith("text/")
    return part.data.decode("utf-8", "replace") if is_text else None


def _image(part: Media) -> bytes:
    if not part.mime.startswith("image/"):
        raise InputError(f"{part.name}: Ollama takes text and images, not {part.mime}")
    if part.uri is not None:
        raise InputError(f"{part.name}: Ollama keeps no copies of files", "Send the file itself.")
    # Bytes become base64 as they are encoded, without a copy in between.
    return part.data


def _usage(counted: _OllamaUsage) -> Usage:
    """Output includes the thinking; the server does not count it apart."""
    return Usage(
        input_tokens=counted.prompt_eval_count,
        output_tokens=counted.eval_count,
        cached_tokens=counted.prompt_eval_cached_count,
    )
