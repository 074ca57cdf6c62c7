"""The values that travel down the line: what is asked, what came back, what it used.

All are frozen. Durations are seconds, money is integer nano-USD (1e-9 USD), sizes are bytes.
`None` always means "not known", never zero.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NoReturn, dataclass_transform

import msgspec

from umwelten.choices import InputSource, PdfMode

NANO = 1_000_000_000


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class FrozenStruct(msgspec.Struct, frozen=True, kw_only=True):
    """Base of the value types: immutable, built by keyword."""


class ModelRef(msgspec.Struct, frozen=True, order=True):
    """A model at a provider, written `provider:model` (split at the first colon)."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}:{self.model}"


class Secret:
    """A key. It shows itself only through `reveal()`; repr, str, format and pickle do not."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The key itself, for a request header and nothing else."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not pickled")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


# --- what is asked ---------------------------------------------------------------------------


class Text(FrozenStruct):
    """A piece of a message in words."""

    text: str


class Media(FrozenStruct):
    """A piece of a message in bytes: `mime` such as `image/png`, `data` the raw bytes.

    `uri`: where the provider keeps a copy that was uploaded before; `data` is then empty.
    """

    mime: str
    data: bytes
    name: str
    uri: str | None = None


Part = Text | Media


class Parameters(FrozenStruct):
    """Sampling settings; `None` leaves the provider's default. `extra` is sent as it is, on top level."""

    temperature: float | None = None
    max_tokens: int | None = None
    top_p: float | None = None
    seed: int | None = None
    extra: dict[str, Any] = {}


class Schema(FrozenStruct):
    """The shape that answers must have. `json` is a JSON Schema (2020-12) whose root is an object.

    `name` has letters, digits, `_` and `-`; `source` is what the user wrote: the fields, or a file's name.
    """

    json: dict[str, Any]
    name: str = "answer"
    source: str = ""


class Prompt(FrozenStruct):
    """One of several prompts. `name` tells them apart in file names and reports."""

    name: str
    text: str


class Role(StrEnum):
    """Who speaks in a message."""

    USER = "user"
    ASSISTANT = "assistant"


class Message(FrozenStruct):
    """One turn of a conversation."""

    role: Role
    parts: tuple[Part, ...]


class RequestSettings(FrozenStruct):
    """What all calls of an evaluation send alike. All of it enters the identity of a call.

    `prompts` are one whose name is "", or several by their names, each sent to every model. `attachments`
    are (name, content hash). `pdf` is how PDF files are sent: "auto" as they are where the model takes them,
    else as text. `source` is what an input is: a file, a row of a table or an answer of an evaluation.

    A field that is added to these, or to `Parameters`, is part of the identity where it is not at its
    default, and is stored by itself.
    """

    prompts: tuple[Prompt, ...]
    system: str | None = None
    parameters: Parameters = Parameters()
    schema: Schema | None = None
    attachments: tuple[tuple[str, bytes], ...] = ()
    pdf: PdfMode = "auto"
    source: InputSource = "files"

    @property
    def prompt(self) -> str:
        """The text of the one prompt, "" where there are several."""
        return "".join(prompt.text for prompt in self.prompts if not prompt.name)

    @property
    def named_prompts(self) -> tuple[Prompt, ...]:
        """The prompts where there are several, else none."""
        return tuple(prompt for prompt in self.prompts if prompt.name)


class Request(FrozenStruct):
    """A conversation that one model is to continue, whatever the wire format; the user speaks last.

    `system` stands beside the messages: there is at most one, and half of the wires have no message for it.
    `schema` None: an answer in words.
    """

    model: ModelRef
    messages: tuple[Message, ...]
    system: str | None = None
    parameters: Parameters = Parameters()
    stream: bool = False
    schema: Schema | None = None


class FoundInput(FrozenStruct):
    """An input that was found. `stamp` changes whenever its bytes may have changed.

    `part` says where in the file at `path` it is: "" is the whole file, "row …" a row of a table,
    "answer …" an answer of another evaluation; its reader knows the rest.
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

    `id` is the same in every process that works on the evaluation. `model` is the number there of a
    model, or with several prompts of a model with one of them; `repeat` counts from 1.
    """

    id: int
    model: int
    input: Input | None
    repeat: int = 1


# --- what came back --------------------------------------------------------------------------


class Usage(FrozenStruct):
    """Tokens of one attempt. `input_tokens` includes the cached, `output_tokens` the reasoning ones.

    `cost_nusd` is the provider's own figure where it gives one.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cost_nusd: int | None = None


class FinishReason(StrEnum):
    """Why the model stopped, in one vocabulary for all wires."""

    STOP = "stop"
    LENGTH = "length"
    TOOL = "tool_calls"
    UNKNOWN = "unknown"


class FailureKind(StrEnum):
    """The kinds of failure that users see; the engine derives its reaction from kind and `Scope`."""

    RATE_LIMIT = "rate_limit"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    SERVER = "server"
    UNAVAILABLE = "unavailable"
    BAD_REQUEST = "bad_request"
    MEMORY = "memory"
    SCHEMA = "schema"
    """Answered and paid for, but not in the shape that was asked for."""


class Resource(StrEnum):
    """What a provider counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"
    IN_FLIGHT = "in_flight"


class Budget(FrozenStruct):
    """One rate limit as a provider states it.

    `limit` and `remaining` count `resource` per `window_s` seconds (`None`: window not stated).
    `reset_s` is the time from now until it is full again (bucket) or starts anew (window).
    """

    resource: Resource
    limit: float | None = None
    remaining: float | None = None
    reset_s: float | None = None
    window_s: float | None = None


class RateLimitHints(FrozenStruct):
    """What a reply says about the provider's limits. `retry_after_s` is how long it asks to wait."""

    retry_after_s: float | None = None
    budgets: tuple[Budget, ...] = ()
    should_retry: bool | None = None


NO_HINTS = RateLimitHints()


class Reply(FrozenStruct):
    """A complete answer. `data` is the record in it as compact JSON, where a schema asked for one.

    `marks` say what had to be done to get it: "fenced", "mended", "coerced", "asked again".
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


class Problem(FrozenStruct):
    """What is wrong with a record: `message`, of what is at `path` from its top (empty: of all of it).

    The message names the steps of the path below the first, which is a field of the schema.
    """

    message: str
    path: tuple[str | int, ...] = ()

    @property
    def field(self) -> str:
        """The field that is wrong, "" for the whole record."""
        return str(self.path[0]) if self.path else ""


class Failure(FrozenStruct):
    """An attempt that gave no answer.

    `message` is the provider's own, or ours for what happened before one came. `status` is the HTTP
    status, `code` the provider's machine-readable word. `retry` False: sending the same again can't
    help. `lane_down` True: nothing else at this account or host will work either (key refused,
    credit used up, nobody listening). `parameter` names an optional request field that was refused.
    `partial` is text that had arrived before the failure. With kind "schema" it is the whole answer,
    `problems` is what is wrong with it, and `code` names the fields that are, separated by commas.
    """

    kind: FailureKind
    message: str
    status: int | None = None
    code: str | None = None
    retry: bool = True
    lane_down: bool = False
    parameter: str | None = None
    partial: str | None = None
    usage: Usage = Usage()
    request_id: str | None = None
    hints: RateLimitHints = NO_HINTS
    problems: tuple[Problem, ...] = ()


class Continue(FrozenStruct):
    """An answered attempt whose call needs a further request.

    `turns` follow the question in it: all that was said since, the answer included. The question itself is
    not among them: it may hold large files, and is made anew. `failure` is what the attempt is recorded as,
    with what it used; it is the call's too if no further request is made.
    """

    turns: tuple[Message, ...]
    failure: Failure

    @property
    def usage(self) -> Usage:
        """The tokens of this attempt."""
        return self.failure.usage

    @property
    def hints(self) -> RateLimitHints:
        """What the reply said about limits."""
        return self.failure.hints


Outcome = Reply | Failure
"""What a provider's reply comes to, and what is recorded of an attempt or a call."""

AttemptOutcome = Reply | Failure | Continue
"""How an attempt ends."""


class Timing(FrozenStruct):
    """When an attempt ran: `started_at` in Unix seconds, the rest durations in seconds."""

    started_at: float
    latency_s: float
    ttft_s: float | None = None
