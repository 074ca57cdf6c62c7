"""What was asked: one value for the requests of all wires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from umwelten.simulate.faultserver.message_parts import (
    MARK,
    BadAsk,
    FileMark,
    Part,
    content_mark,
    file_of,
    from_base64,
)
from umwelten.simulate.faultserver.tools.values import Transcript
from umwelten.types import FrozenStruct

_TAIL = 48
_TOKENS_OF_A_FILE = 258


def fingerprint(key: str) -> str:
    """16 hex digits by which a key is recognised but not known."""
    return blake2b(key.encode(), digest_size=8, person=b"key").hexdigest()


def digest(prompt: str, files: Iterable[bytes] = ()) -> str:
    """8 hex digits that stand for a prompt and the bytes of its files: {digest} of an answer's text."""
    return _digest(prompt, [content_mark(data) for data in files])


def _digest(prompt: str, marks: Sequence[str]) -> str:
    return blake2b("\0".join((prompt, *marks)).encode(errors="replace"), digest_size=4).hexdigest()


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
        return MARK.findall(self.prompt) if "mark:" in self.prompt else []

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


class _Message(msgspec.Struct):
    role: str = "user"
    content: str | list[Part] | None = None
    parts: list[Part] = []
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
    system: str | list[Part] | None = None
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


def _texts(parts: list[Part]) -> str:
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
            files += [mark for part in content or message.parts if (mark := file_of(part))]
        if message.images:
            files += [from_base64("", image) for image in message.images]
    return "\n".join(prompts), "\n".join(systems), "\n".join(answers), tuple(files)
