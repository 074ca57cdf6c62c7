"""The values that all layers share: requests, replies, failures and token usage.

All are frozen. Durations are seconds, money is integer nano-USD (1e-9 USD), sizes are bytes.
`None` always means "unknown", never zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NoReturn

import msgspec

from umwelten.choices import InputSource, PdfMode, RowRule
from umwelten.frozen import FrozenStruct as FrozenStruct
from umwelten.phrases import Phrase
from umwelten.tool_calls import (
    ModelTurn,
    ToolCall,
    ToolChoice,
    ToolDefinition,
    ToolResults,
    ToolSettings,
)

NANO = 1_000_000_000


LONGEST_MODEL = 500
"""Characters. No provider's names of models are half as long."""


LONGEST_NAME = 10_000
"""Characters of what a provider calls something. A code may list the wrong fields of a record; a reply may be
64 MB of a model name."""


class ModelRef(msgspec.Struct, frozen=True, order=True, omit_defaults=True):
    """A model at a provider, written `provider:model` (split at the first colon).

    `variant` names settings that it is asked with, written `provider:model@variant`. Price, limits and
    capabilities are those of `plain`, the model whatever its settings.
    """

    provider: str
    model: str
    variant: str = ""

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}{f'@{self.variant}' if self.variant else ''}"

    @property
    def plain(self) -> ModelRef:
        """The model without the name of its settings."""
        return ModelRef(self.provider, self.model) if self.variant else self


class Secret:
    """An API key, readable only through `reveal()`: repr, str and format mask it, pickling fails."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the key itself, for a request header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


# --- requests --------------------------------------------------------------------------------


class Text(FrozenStruct):
    """A text part of a message."""

    text: str


class Media(FrozenStruct):
    """A binary part of a message: `mime` such as `image/png`, `data` the raw bytes.

    `uri`: the address of a copy that was uploaded to the provider; `data` is then empty.
    """

    mime: str
    data: bytes
    name: str
    uri: str | None = None


Part = Text | Media


class Parameters(FrozenStruct):
    """Sampling settings; `None` leaves the provider's default. `stop` are sequences that end an answer.

    `extra` are further fields, sent unchanged.
    """

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] | None = None
    extra: dict[str, Any] = msgspec.field(default_factory=dict)


class Schema(FrozenStruct):
    """The schema that answers must match. `json` is a JSON Schema (2020-12) whose root is an object.

    `name` has letters, digits, `_` and `-`; `source` is what the user wrote: the fields, or a file's name.
    """

    json: dict[str, Any]
    name: str = "answer"
    source: str = ""


class Prompt(FrozenStruct):
    """One of several prompts. `name` identifies it in file names and reports."""

    name: str
    text: str


class VariantSettings(FrozenStruct):
    """The settings that the models named `model@name` have of their own; `None` is what all have.

    A `system` of "" is no system prompt. Each of the further fields of the parameters counts for itself.
    """

    name: str
    system: str | None = None
    parameters: Parameters = Parameters()


class Role(StrEnum):
    """The author of a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Message(FrozenStruct):
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


Turn = Message | ModelTurn | ToolResults
"""What may follow the question of a conversation."""


class RequestSettings(FrozenStruct):
    """The settings that all calls of an evaluation share. All of them are part of a call's identity.

    `prompts` holds one prompt whose name is "", or several named ones, each sent to every model.
    `attachments` are (name, content hash). `pdf` is how PDF files are sent: "auto" as they are where the
    model accepts them, else as text. `source` is what an input is: a file, a row of a table or an answer of
    an evaluation. `row_rule` is that of its rows; without rows it stays 1. `variants` are the settings that
    only some of the models have. `tools`: `None` where none are offered.

    A field that is added here or to `Parameters` enters the identity only where it is not at its default,
    and is stored on its own.
    """

    prompts: tuple[Prompt, ...]
    system: str | None = None
    parameters: Parameters = Parameters()
    schema: Schema | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()
    pdf: PdfMode = "auto"
    source: InputSource = "files"
    row_rule: RowRule = 1
    variants: tuple[VariantSettings, ...] = ()
    tools: ToolSettings | None = None

    def of(self, model: ModelRef) -> RequestSettings:
        """Return what the calls to a model share: its variant's settings in the place of all models'."""
        own = next((one for one in self.variants if one.name == model.variant), None)
        if own is None:
            return msgspec.structs.replace(self, variants=())
        fields = msgspec.structs.asdict(own.parameters)
        given = {name: value for name, value in fields.items() if value is not None}
        given["extra"] = {**self.parameters.extra, **own.parameters.extra}
        return msgspec.structs.replace(
            self,
            system=self.system if own.system is None else own.system or None,
            parameters=msgspec.structs.replace(self.parameters, **given),
            variants=(),
        )

    @property
    def prompt(self) -> str:
        """The text of the only prompt, "" where there are several."""
        return "".join(prompt.text for prompt in self.prompts if not prompt.name)

    @property
    def named_prompts(self) -> tuple[Prompt, ...]:
        """The prompts where there are several, else an empty tuple."""
        return tuple(prompt for prompt in self.prompts if prompt.name)


class Request(FrozenStruct):
    """A conversation for one model to continue, in no particular wire format.

    The first message is the user's, the last one the user's or the results of tools. `system` is not one of
    the messages: there is at most one, and half of the wire formats have a field for it. `schema` None: the
    answer is free text. `tools` are offered in this request, to be called as `tool_choice` says.
    """

    model: ModelRef
    messages: tuple[Turn, ...]
    system: str | None = None
    parameters: Parameters = Parameters()
    stream: bool = False
    schema: Schema | None = None
    tools: tuple[ToolDefinition, ...] = ()
    tool_choice: ToolChoice = "auto"


class RowUse(FrozenStruct):
    """What a prompt uses of a row. `columns` are the names in its placeholders, `None` the whole row.

    `chained` are the placeholders that reach beyond an earlier answer's text: `prompt`, `input`, `row.…` and
    `json.…`. `again`: it was sent before and is compared with that, so that a row which is no longer where it
    was may be looked for by its number.
    """

    rule: RowRule = 1
    columns: tuple[str, ...] | None = None
    chained: tuple[str, ...] = ()
    again: bool = False


class FoundInput(FrozenStruct):
    """An input as a scan finds it. `stamp` changes whenever its bytes may have changed.

    `part` is the part of the file at `path` that it is: "" the whole file, "row …" a row of a table,
    "answer …" an answer of another evaluation, "pair …" two of them; its reader parses the rest.
    """

    name: str
    path: str
    size: int
    stamp: str
    part: str = ""


class Input(FrozenStruct):
    """A file, a row or an earlier answer that a call is about.

    `id` numbers the inputs of one evaluation from 1; 0 is "no file". `name` is the path relative to
    the scanned directory, with `/`; `path` opens it; `size`, `stamp` and `part` are those of `FoundInput`.
    """

    id: int
    name: str
    path: str
    size: int = 0
    stamp: str = ""
    part: str = ""


class Call(FrozenStruct):
    """One cell of the grid inputs × models × repeats.

    `id` is the same in every process that works on the evaluation. `model` numbers the evaluation's models
    or, with several prompts, its pairs of a model and a prompt; `repeat` counts from 1.
    """

    id: int
    model: int
    input: Input | None
    repeat: int = 1


# --- replies ---------------------------------------------------------------------------------


class UsageDetail(StrEnum):
    """A part of an attempt's usage that may have a price of its own.

    All but web searches are tokens, and part of the input, the cached, the written or the output tokens.
    """

    CACHE_WRITE_1H = "cache_write_1h"
    INPUT_AUDIO = "input_audio"
    INPUT_IMAGE = "input_image"
    INPUT_VIDEO = "input_video"
    CACHED_AUDIO = "cached_audio"
    CACHED_IMAGE = "cached_image"
    CACHED_VIDEO = "cached_video"
    OUTPUT_AUDIO = "output_audio"
    OUTPUT_IMAGE = "output_image"
    OUTPUT_VIDEO = "output_video"
    WEB_SEARCHES = "web_searches"


class Usage(FrozenStruct):
    """Tokens of one attempt. `input_tokens` includes the cached, `output_tokens` the reasoning ones.

    `details` counts the parts by `UsageDetail`; one that is missing is 0 or was not stated. `service_tier`
    is the tier that served the request, as the reply states it, in small letters. `cost_nusd` is the cost
    that the provider reports, if it reports one.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nusd: int | None = None
    service_tier: str | None = None
    details: dict[str, int] = msgspec.field(default_factory=dict)


def add_usage(one: Usage, other: Usage) -> Usage:
    """Return the tokens of two attempts together. What of either is unknown is unknown of both."""
    names = (
        "input_tokens",
        "output_tokens",
        "cached_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_nusd",
    )
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in names}
    parts = one.details.keys() | other.details.keys()
    return Usage(
        **{name: None if None in pair else sum(pair) for name, pair in pairs.items()},
        service_tier=one.service_tier if one.service_tier == other.service_tier else None,
        details={name: one.details.get(name, 0) + other.details.get(name, 0) for name in sorted(parts)},
    )


def context_tokens(usage: Usage) -> int | None:
    """Return the tokens of a request and its answer together, if both are known."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


def steps_in(turns: Iterable[Turn]) -> int:
    """Return how many requests of a conversation were answered with calls of tools, or paused."""
    return sum(isinstance(turn, ModelTurn) for turn in turns)


class FinishReason(StrEnum):
    """The reason why the model stopped, in one vocabulary for all wire formats."""

    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool_calls"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """The kinds of failure that users see; the engine derives its reaction from the kind and `Scope`."""

    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER = "server"
    UNAVAILABLE = "unavailable"
    BAD_REQUEST = "bad_request"
    MEMORY = "memory"
    LOCAL = "local"
    """Trouble of this machine, before anything was sent: open files, memory, a disk that fails."""
    SCHEMA = "schema"
    """Answered and paid for, but the answer does not match the schema."""
    EMPTY = "empty"
    """Answered and paid for, but there is nothing in the answer."""
    TOOLS = "tools"
    """Answered and paid for, but the calls of tools came to no answer."""
    SUPERSEDED = "superseded"
    """Of an attempt alone: the call was sent twice, and the other attempt was answered first."""
    LOST = "lost"
    """The worker that made the attempt is gone: nobody knows whether it was answered and charged."""


EXHAUSTED_CODE = "exhausted"
"""The code of a `LOCAL` failure that fewer calls in flight may avoid: no room for another open file."""

STOPPED_CODE = "stopped"
"""The code of a `TOOLS` failure of a call that a tool ended, or whose tools may not be run again."""


class Resource(StrEnum):
    """A resource that a rate limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    IN_FLIGHT = "in_flight"


class Budget(FrozenStruct):
    """One rate limit as a provider states it.

    `limit` and `remaining` count `resource` per `window_s` seconds (`None`: window not stated).
    `reset_s` is the time from now until it is full again (bucket) or the next window begins (window).
    """

    resource: Resource
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None
    window_s: float | None = None


class RateLimitHints(FrozenStruct):
    """The rate-limit information in a reply. `retry_after_s` is the wait that the provider asks for."""

    retry_after_s: float | None = None
    budgets: tuple[Budget, ...] = ()
    should_retry: bool | None = None


NO_HINTS = RateLimitHints()


class Reply(FrozenStruct):
    """A complete answer. `data` is its record as compact JSON, where there is a schema.

    `marks` list the steps that were needed to get it: "fenced", "mended", "coerced", "last of several",
    "asked again"; and what is wrong with it: "cut input" (the server read only a part of the input), "media
    dropped" (an image or audio came with it, and only the text is kept).

    `api` is the API that answered, where it is not the provider's usual one: "responses".

    With `calls` it is no answer yet: the model wants their results; with `paused` it wants to go on. Then
    `turn` is what goes back to the provider (`ModelTurn.raw`). Wires fill them in where the request offered
    tools.
    """

    text: str
    data: str | None = None
    marks: tuple[str, ...] = ()
    finish_reason: FinishReason = FinishReason.UNKNOWN
    usage: Usage = Usage()
    reasoning: str | None = None
    served_model: str | None = None
    request_id: str | None = None
    hints: RateLimitHints = NO_HINTS
    calls: tuple[ToolCall, ...] = ()
    turn: bytes = b""
    paused: bool = False
    api: str | None = None


class Problem(FrozenStruct):
    """A problem in a record: `message` is about the value at `path` (empty: about the whole record).

    The first step of the path is a field of the schema; the message names the further ones.
    """

    message: str
    path: tuple[str | int, ...] = ()

    @property
    def field(self) -> str:
        """The invalid field, "" for the whole record."""
        return str(self.path[0]) if self.path else ""


class Failure(FrozenStruct):
    """An attempt that gave no answer.

    `message` is the provider's, or ours where no reply arrived. `status` is the HTTP status, `code` the
    provider's machine-readable code. `retry` False: sending the same request again cannot help.
    `lane_down` True: no other call at this account or host will work either (key refused, credit used
    up, nothing listening), `model_down` True: no other call of this model will (not there, not permitted,
    retired). `parameter` names an optional request field that was refused. `partial` is the
    text that arrived before the failure. With kind "schema" it is the whole answer, `problems` lists its
    faults, and `code` the invalid fields, separated by commas. `wording`: the message where it names
    options, until it is known how they are spelled.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    code: str | None = None
    retry: bool = True
    lane_down: bool = False
    model_down: bool = False
    parameter: str | None = None
    partial: str | None = None
    usage: Usage = Usage()
    request_id: str | None = None
    hints: RateLimitHints = NO_HINTS
    problems: tuple[Problem, ...] = ()
    wording: Phrase | None = None


class ToolStep(FrozenStruct):
    """An answered attempt whose call goes on with what its model called for.

    `turns` are the conversation after the question. Where the last one is the model's, the tools that it
    called are run before the next request; where it is their results, that follows at once.
    """

    turns: tuple[Turn, ...]
    reply: Reply

    @property
    def usage(self) -> Usage:
        """The tokens of this attempt."""
        return self.reply.usage

    @property
    def hints(self) -> RateLimitHints:
        """The reply's rate-limit information."""
        return self.reply.hints


class Continue(FrozenStruct):
    """An answered attempt whose call needs another request.

    `turns` are the messages after the question, the answer included. The question itself is not among them:
    it may hold large files, and is built again. `failure` is recorded for the attempt, with its usage; it is
    the call's outcome too if no further request is made.
    """

    turns: tuple[Turn, ...]
    failure: Failure

    @property
    def usage(self) -> Usage:
        """The tokens of this attempt."""
        return self.failure.usage

    @property
    def hints(self) -> RateLimitHints:
        """The reply's rate-limit information."""
        return self.failure.hints


Outcome = Reply | Failure
"""The result of a provider's reply, as it is recorded for an attempt or a call."""

AttemptOutcome = Reply | Failure | Continue | ToolStep
"""The result of an attempt."""


class Timing(FrozenStruct):
    """The timing of an attempt: `started_at` in Unix seconds, the rest durations in seconds."""

    started_at: float
    latency_s: float
    ttft_s: float | None = None
