"""The interface of a wire format: pure functions between our values and a provider's bytes.

A wire never opens a socket, reads a clock or sees the environment. `transport` sends the result of
`encode` and passes the reply's head and bytes to `decode`, or chunk by chunk to a `StreamDecoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from typing import Protocol

import msgspec

from umwelten.choices import OpenAIApi
from umwelten.providers.capabilities import CapabilityOverrides, ModelCapabilities
from umwelten.providers.header_dialects import NO_DIALECT, HeaderDialect
from umwelten.types import Failure, FrozenStruct, Media, Outcome, Request, Secret


class Scope(StrEnum):
    """The unit that has one rate limit: an account, each model of an account, or the user's own server."""

    KEY = "key"
    KEY_AND_MODEL = "key+model"
    HOST = "host"


class Quirks(FrozenStruct):
    """A vendor's deviations from the wire format it speaks. The defaults are the format's own."""

    max_tokens_field: str = "max_tokens"
    seed_field: str | None = "seed"
    stream_usage: bool = True
    """Whether `stream_options.include_usage` may be sent."""
    hints: HeaderDialect = NO_DIALECT
    """Its rate-limit headers."""
    reasoning_outside: bool = False
    """Whether reasoning tokens are counted outside `completion_tokens`."""
    body: dict[str, object] = msgspec.field(default_factory=dict)
    """Fields that are always sent."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Headers that are always sent."""
    models_path: str = "models"
    """Where models are listed, relative to the base address."""
    lists_parameters: bool = False
    """Whether its list of models says which parameters each of them takes."""
    path: str = ""
    """The end of its base address that users may omit: "/v1"."""
    id_in_body: bool = False
    """Whether the vendor's support needs the id in a reply's body, not the one in its headers."""
    schema: str = "json_schema"
    """How a schema is sent: "json_schema", "json_object" (JSON mode, the schema in the prompt) or "none"."""
    strict: str = ""
    """"full": schemas go out in the strict subset; "plain": without ranges and formats; "": unchanged."""
    tell_schema: bool = True
    """Whether the schema goes into the prompt as well: servers that only enforce it don't show it."""
    schema_body: dict[str, object] = msgspec.field(default_factory=dict)
    """Fields that are sent along with a schema."""
    call_ids: str = ""
    """The pattern of ids of calls that are taken back; "": any."""
    user_after_tools: bool = True
    """Whether words of the user may follow the results of tools; else they go into the last result."""
    small_models: frozenset[str] = frozenset()
    """Models that don't stop by themselves: their schemas limit strings and lists (`small_schemas`)."""


class Vendor(FrozenStruct):
    """All that is known about a provider: a row of the table, or a section of `umwelten.toml`."""

    name: str
    wire: str
    base_url: str
    base_url_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    key_required: bool = True
    scope: Scope = Scope.KEY
    """The unit that has one rate limit."""
    recommended: tuple[int, int] = (5, 10)
    """The range of calls in flight that suits most accounts."""
    quirks: Quirks = Quirks()
    allow_insecure: bool = False
    """Whether keys and prompts may leave the private network unencrypted."""
    price_list: str | None = None
    """Its name in the price list; `None`: the prices of its models are unknown."""
    free: bool | None = None
    """Whether its models cost nothing; `None`: only if it is the user's own server."""
    capabilities: ModelCapabilities | None = None
    """The files that its models accept; `None`: those that the wire format carries."""
    overrides: CapabilityOverrides = CapabilityOverrides()
    """The user's corrections to `capabilities`."""
    imitated: bool = False
    """Whether others serve other models in its format: then `capabilities` apply at its own address only."""
    orders_by_model: bool = False
    """Whether the server swaps models: all calls for one are made before those for the next."""
    nicknames: tuple[str, ...] = ()
    """Its other names, and the beginnings of the names of its models."""
    rpm: float | None = None
    """Requests a minute that the unit with one rate limit never exceeds; `None`: the user knows none."""
    tpm: float | None = None
    """The same in tokens."""
    share: float = 1.0
    """The part of a known or stated limit that this user may take."""
    base_urls: tuple[str, ...] = ()
    """The addresses of several servers that have its models; empty: `base_url` is the only one."""
    keys: tuple[str, ...] = ()
    """The variables with the keys of several accounts; empty: one of `key_env`."""
    api: OpenAIApi = "auto"
    """Which of OpenAI's APIs is asked, where the wire is `openai`."""

    @property
    def is_free(self) -> bool:
        """Whether its models cost nothing where the user gave no price."""
        return self.scope is Scope.HOST if self.free is None else self.free


class Endpoint(FrozenStruct):
    """A vendor with the address and key to use: all that `encode` needs to know about the server.

    `member` tells it from others of the same vendor: `@host:8000`, `#VARIABLE` of its key, or nothing.
    """

    vendor: Vendor
    base_url: str
    api_key: Secret | None = None
    member: str = ""


class HttpRequest(FrozenStruct):
    """An HTTP request to send. `headers` hold the key, so this value is never logged or shown."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None

    def __repr__(self) -> str:
        return f"HttpRequest({self.method} {self.url}, {len(self.body or b'')} bytes)"


class Head(FrozenStruct):
    """Status line and headers of a reply. Header names are lower case. `now_unix`: when it arrived."""

    status: int
    headers: Mapping[str, str]
    now_unix: float


class ModelInfo(FrozenStruct):
    """A model as its provider lists it. Prices in USD per token, `None` where not stated.

    `shutdown_date`: the day from which it is no longer served, where one is announced.
    """

    id: str
    name: str | None = None
    context_tokens: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    shutdown_date: date | None = None


class ModelPage(FrozenStruct):
    """A page of a provider's list of models; `next` is the token for the following page."""

    models: tuple[ModelInfo, ...]
    next: str | None = None


class StreamDecoder(Protocol):
    """Turns the chunks of one streamed reply (HTTP 200) into text and, at the end, an outcome."""

    def feed(self, chunk: bytes) -> str:
        """Read the next bytes, wherever they were split; return the answer's text in them ("" if none)."""

    @property
    def done(self) -> bool:
        """True once the end mark or an error was seen: the rest of the body need not be read."""

    @property
    def complete(self) -> bool:
        """True once it is `done`, or the answer seems whole: only token counts and the end mark may follow.

        It is kept even if the connection then breaks. False again if more text follows: there are servers
        that state a finish reason in every chunk.
        """

    @property
    def is_body(self) -> bool:
        """True where the reply is one body: whether it is whole, only `finish` tells for certain."""

    def finish(self) -> Outcome:
        """Return the outcome so far: without a finish reason, a `Failure` with the partial text."""


class UploadedFile(FrozenStruct):
    """A file stored at a provider: `uri` is for `Media.uri`, once it is `ready`.

    `name` is the provider's name for it, `expires_unix` when the provider deletes it (`None`: unknown).
    """

    name: str
    uri: str
    mime: str
    ready: bool
    expires_unix: float | None = None


class Uploads(Protocol):
    """Uploads of files before the request that uses them. Every method is pure, the decoders are total.

    `start` and `decode_start` give the address for the bytes, `send` and `decode_file` the file; until it
    is ready, `poll` and `decode_file` are repeated. `delete` deletes it once it is no longer needed.
    """

    def start(self, media: Media, endpoint: Endpoint) -> HttpRequest:
        """Return the request that announces a file."""

    def decode_start(self, head: Head, body: bytes, endpoint: Endpoint) -> str | Failure:
        """Return the address for the bytes, never on another host than the endpoint's."""

    def send(self, url: str, media: Media) -> HttpRequest:
        """Return the request with the bytes. It carries no key."""

    def decode_file(self, head: Head, body: bytes, endpoint: Endpoint) -> UploadedFile | Failure:
        """Return the file in its current state, or why the provider cannot use it."""

    def poll(self, uploaded: UploadedFile, endpoint: Endpoint) -> HttpRequest:
        """Return the request for the file's state."""

    def delete(self, uploaded: UploadedFile, endpoint: Endpoint) -> HttpRequest:
        """Return the request that deletes the file; its reply is ignored."""


class Wire(Protocol):
    """A wire format. Every method is pure; the decoders are total: no bytes make them raise."""

    @property
    def capabilities(self) -> ModelCapabilities:
        """The files that its models accept, where the vendor's row doesn't say."""

    @property
    def uploads(self) -> Uploads | None:
        """Uploads for files that are too large for a request; `None`: not supported."""

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. `dropped`: fields to omit, as in `Failure.parameter`."""

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply, whatever its status, with its rate-limit hints.

        `tools`: the request offered some, and calls of them belong to the reply; else they are a failure.
        """

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> StreamDecoder:
        """Return a decoder for a streamed reply with status 200; `tools` as for `decode`."""

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the provider's models."""

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the provider's models, or why they could not be listed."""
