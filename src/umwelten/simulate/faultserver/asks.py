"""What was asked: one value for the requests of all wires."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from umwelten.simulate.faultserver.tools.values import Transcript
from umwelten.types import FrozenStruct

_MARK = re.compile(r"mark:[\w./-]+")
_TAIL = 48
_TOKENS_OF_A_FILE = 258


def fingerprint(key: str) -> str:
    """16 hex digits by which a key is recognised but not known."""
    return blake2b(key.encode(), digest_size=8, person=b"key").hexdigest()


def content_mark(data: bytes) -> str:
    """16 hex digits that stand for a file's bytes."""
    return blake2b(data, digest_size=8, person=b"file").hexdigest()


def digest(prompt: str, files: Iterable[bytes] = ()) -> str:
    """8 hex digits that stand for a prompt and the bytes of its files: {digest} of an answer's text."""
    return _digest(prompt, [content_mark(data) for data in files])


def _digest(prompt: str, marks: Sequence[str]) -> str:
    return blake2b("\0".join((prompt, *marks)).encode(errors="replace"), digest_size=4).hexdigest()


class FileMark(FrozenStruct):
    """A file that came with a request: `mark` is its `content_mark`, "" for a file named by URL alone."""

    mime: str
    size: int
    mark: str
    name: str | None = None


class IncomingRequest(FrozenStruct):
    """A request for an answer. `prompt` joins the texts of the user's messages with line ends, `answers`
    those of the model's that are sent back.

    `schema` is the shape that a field of the wire asks for; `tool` the tool that must be called for it.
    `transcript`: what it says about tools, if anything.
    """

    wire: str
    model: str
    prompt: str
    system: str = ""
    answers: str = ""
    stream: bool = False
    files: tuple[FileMark, ...] = ()
    max_tokens: int | None = None
    key: str | None = None
    include_usage: bool = False
    sse: bool = True
    schema: dict[str, Any] | None = None
    tool: str | None = None
    transcript: Transcript | None = None

    @property
    def shape(self) -> dict[str, Any] | None:
        """The shape that is asked for, by a field or in the words of the system text."""
        start = self.system.find("{") if "JSON Schema" in self.system else -1
        return self.schema if self.schema is not None or start < 0 else _object(self.system[start:])

    @property
    def digest(self) -> str:
        """See `digest`."""
        return _digest(self.prompt, [file.mark for file in self.files])

    @property
    def marks(self) -> list[str]:
        """Words such as `mark:page-7`, which tests put into files to find them again."""
        return _MARK.findall(self.prompt) if "mark:" in self.prompt else []

    @property
    def tail(self) -> str:
        """The last words of the prompt, on one line."""
        return " ".join(self.prompt[-4 * _TAIL :].split())[-_TAIL:]

    @property
    def input_tokens(self) -> int:
        """An estimate: four characters a token, and a fixed number for each file."""
        words = len(self.prompt) + len(self.system) + len(self.answers)
        if self.transcript is not None:
            words = len(self.prompt) + len(self.system) + self.transcript.size
        return (words + 3) // 4 + _TOKENS_OF_A_FILE * len(self.files)


def _object(text: str) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.DecodeError:
        return None


class BadAsk(Exception):
    """A request that no provider would accept; the text says why, `status` how it is refused."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class _Url(msgspec.Struct):
    url: str


class _File(msgspec.Struct):
    filename: str | None = None
    file_data: str | None = None


class _Audio(msgspec.Struct):
    data: str
    format: str = ""


class _Source(msgspec.Struct):
    type: str
    media_type: str = ""
    data: str = ""
    url: str = ""


class _Blob(msgspec.Struct):
    mime: str = msgspec.field(name="mimeType", default="")
    data: str = ""
    uri: str = msgspec.field(name="fileUri", default="")


class _Part(msgspec.Struct):
    text: str | None = None
    image_url: _Url | str | None = None
    video_url: _Url | None = None
    file: _File | None = None
    file_data: str | None = None
    filename: str | None = None
    input_audio: _Audio | None = None
    source: _Source | None = None
    title: str | None = None
    inline: _Blob | None = msgspec.field(name="inlineData", default=None)
    linked: _Blob | None = msgspec.field(name="fileData", default=None)


class _Message(msgspec.Struct):
    role: str = "user"
    content: str | list[_Part] | None = None
    parts: list[_Part] = []
    images: list[str] | None = None
    type: str = "message"


class _Named(msgspec.Struct):
    schema: dict[str, Any] | None = None


class _Format(msgspec.Struct):
    type: str = ""
    json_schema: _Named | None = None
    schema: dict[str, Any] | None = None


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None


class _TextOutput(msgspec.Struct):
    format: _Format | None = None


class _Tool(msgspec.Struct):
    name: str = ""
    input_schema: dict[str, Any] | None = None


class _Choice(msgspec.Struct):
    type: str = ""
    name: str = ""


class _Options(msgspec.Struct):
    max_tokens: int | None = msgspec.field(name="num_predict", default=None)


class _Generation(msgspec.Struct):
    max_tokens: int | None = msgspec.field(name="maxOutputTokens", default=None)
    schema: dict[str, Any] | None = msgspec.field(name="responseSchema", default=None)
    json_schema: dict[str, Any] | None = msgspec.field(name="responseJsonSchema", default=None)


class _StreamOptions(msgspec.Struct):
    include_usage: bool = False


class Body(msgspec.Struct):
    """The fields of a request that matter here, of all wires together."""

    model: str | None = None
    messages: list[_Message] | None = None
    contents: list[_Message] | None = None
    input: str | list[_Message] | None = None
    instructions: str | None = None
    text: _TextOutput | None = None
    max_output_tokens: int | None = None
    system: str | list[_Part] | None = None
    instruction: _Message | None = msgspec.field(name="systemInstruction", default=None)
    stream: bool | None = None
    stream_options: _StreamOptions | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    generation: _Generation | None = msgspec.field(name="generationConfig", default=None)
    options: _Options | None = None
    response_format: _Format | None = None
    format: str | dict[str, Any] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _Choice | None = None
    output_config: _OutputConfig | None = None


_decoder = msgspec.json.Decoder(Body)


_NO_MESSAGES = {"gemini": "contents is not specified", "responses": "Missing required parameter: 'input'."}


def decode_body(data: bytes) -> Body:
    """The body of a request; `BadAsk` for anything but the JSON that it should be."""
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise BadAsk(f"could not read the request body: {error}") from error


def read_ask(
    body: Body,
    *,
    wire: str,
    model: str | None = None,
    stream: bool | None = None,
    key: str | None,
    sse: bool,
    transcript: Transcript | None = None,
) -> IncomingRequest:
    """The question in a body. `model` and `stream` are given where the wire has them in its address."""
    messages = _messages_of(body, wire)
    named = model or body.model
    if not messages:
        raise BadAsk(_NO_MESSAGES.get(wire, "messages: Field required"))
    if not named:
        raise BadAsk("you must provide a model parameter")
    prompt, system, answers, files = _read_messages(messages)
    return IncomingRequest(
        wire=wire,
        model=named,
        prompt=prompt,
        system=system or _system_text(body),
        answers=answers,
        stream=_wants_stream(body, wire) if stream is None else stream,
        files=files,
        max_tokens=_max_tokens(body),
        key=key,
        include_usage=body.stream_options is not None and body.stream_options.include_usage,
        sse=sse,
        schema=_schema(body),
        tool=None if (tool := forced_tool(body)) is None else tool.name,
        transcript=transcript,
    )


def _messages_of(body: Body, wire: str) -> list[_Message] | None:
    if wire == "responses":
        items = [_Message(content=body.input)] if isinstance(body.input, str) else body.input or ()
        return [item for item in items if item.type == "message"]
    return body.contents if wire == "gemini" else body.messages


def _schema(body: Body) -> dict[str, Any] | None:
    """The shape in whatever field the wire has for it."""
    if body.response_format is not None and body.response_format.json_schema is not None:
        return body.response_format.json_schema.schema
    if isinstance(body.format, dict):
        return body.format
    if body.text is not None and body.text.format is not None:
        return body.text.format.schema
    if body.generation is not None:
        return body.generation.schema or body.generation.json_schema
    if body.output_config is not None and body.output_config.format is not None:
        return body.output_config.format.schema
    tool = forced_tool(body)
    return None if tool is None else tool.input_schema


def forced_tool(body: Body) -> _Tool | None:
    """Anthropic's: the tool that has to be called."""
    choice = body.tool_choice
    if not isinstance(choice, _Choice) or choice.type != "tool":
        return None
    return next((tool for tool in body.tools or () if tool.name == choice.name), None)


def _wants_stream(body: Body, wire: str) -> bool:
    return wire == "ollama" if body.stream is None else body.stream


def _max_tokens(body: Body) -> int | None:
    if body.options is not None:
        return body.options.max_tokens
    if body.generation is not None:
        return body.generation.max_tokens
    return body.max_output_tokens or body.max_completion_tokens or body.max_tokens


def _system_text(body: Body) -> str:
    if body.instruction is not None:
        return _texts(body.instruction.parts)
    if isinstance(body.system, str):
        return body.system
    if body.instructions:
        return body.instructions
    return _texts(body.system or [])


def _texts(parts: list[_Part]) -> str:
    return "\n".join(part.text for part in parts if part.text)


def _read_messages(messages: list[_Message]) -> tuple[str, str, str, tuple[FileMark, ...]]:
    prompts: list[str] = []
    systems: list[str] = []
    answers: list[str] = []
    files: list[FileMark] = []
    for message in messages:
        content = message.content
        text = content if isinstance(content, str) else _texts(content or message.parts)
        if message.role == "user":
            # Results of tools are a message of the user's without text on some wires.
            prompts += [text] if text or not prompts else []
        elif message.role in ("system", "developer"):
            systems.append(text)
        else:
            answers.append(text)
        if not isinstance(content, str) and (content or message.parts):
            files += [mark for part in content or message.parts if (mark := _file_of(part))]
        if message.images:
            files += [_from_base64("", image) for image in message.images]
    return "\n".join(prompts), "\n".join(systems), "\n".join(answers), tuple(files)


def _file_of(part: _Part) -> FileMark | None:
    if part.image_url is not None:
        return _from_url(part.image_url if isinstance(part.image_url, str) else part.image_url.url)
    if part.file is not None:
        return _from_url(part.file.file_data or "", part.file.filename)
    if part.file_data is not None:
        return _from_url(part.file_data, part.filename)
    if part.inline is not None:
        return _from_base64(part.inline.mime, part.inline.data)
    if part.linked is not None:
        # An uploaded file goes by its mark (`uploads`).
        uri = part.linked.uri
        return FileMark(mime=part.linked.mime, size=0, mark=uri.rpartition("/files/")[2], name=uri)
    if part.source is not None:
        return _from_source(part.source, part.title)
    if part.input_audio is not None:
        return _from_base64(f"audio/{part.input_audio.format}", part.input_audio.data)
    return _from_url(part.video_url.url) if part.video_url is not None else None


def _from_source(source: _Source, name: str | None) -> FileMark:
    if source.type == "base64":
        return _from_base64(source.media_type, source.data, name)
    if source.type == "text":
        data = source.data.encode()
        return FileMark(mime=source.media_type, size=len(data), mark=content_mark(data), name=name)
    return FileMark(mime=source.media_type, size=0, mark="", name=source.url or name)


def _from_url(url: str, name: str | None = None) -> FileMark:
    if not url.startswith("data:"):
        return FileMark(mime="", size=0, mark="", name=name or url)
    head, _, data = url[5:].partition(",")
    if not head.endswith(";base64"):
        raise BadAsk("a data URL is base64 or it is nothing")
    return _from_base64(head.removesuffix(";base64"), data, name)


def _from_base64(mime: str, text: str, name: str | None = None) -> FileMark:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadAsk(f"invalid base64 data: {error}") from error
    return FileMark(mime=mime or sniff(data), size=len(data), mark=content_mark(data), name=name)


def sniff(data: bytes) -> str:
    """The type of an image that came without one (Ollama), by its first bytes."""
    for start, mime in ((b"\x89PNG", "image/png"), (b"\xff\xd8", "image/jpeg"), (b"GIF8", "image/gif")):
        if data.startswith(start):
            return mime
    return "image/webp" if data[8:12] == b"WEBP" else "application/octet-stream"
