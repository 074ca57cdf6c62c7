"""What a wire format is: pure functions between our values and a provider's bytes.

A wire never opens a socket, reads a clock or sees the environment. `transport` sends what `encode`
made and hands the reply's head and bytes back to `decode`, or chunk by chunk to a `StreamDecoder`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol

import msgspec

from umwelten.providers.capabilities import CapabilityOverrides, ModelCapabilities
from umwelten.providers.header_dialects import NO_DIALECT, HeaderDialect
from umwelten.types import Failure, FrozenStruct, Media, Outcome, Request, Secret


class Scope(StrEnum):
    """What shares one rate limit: an account, each model of an account, or a server of one's own."""

    KEY = "key"
    KEY_AND_MODEL = "key+model"
    HOST = "host"


class Quirks(FrozenStruct):
    """Where a vendor departs from the wire format it speaks. The defaults are the format's own."""

    max_tokens_field: str = "max_tokens"
    seed_field: str | None = "seed"
    stream_usage: bool = True
    """Whether `stream_options.include_usage` may be sent."""
    hints: HeaderDialect = NO_DIALECT
    """How it spells its rate limits in headers."""
    reasoning_outside: bool = False
    """Whether reasoning tokens are counted outside `completion_tokens`."""
    body: dict[str, object] = msgspec.field(default_factory=dict)
    """Fields that are always sent."""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    """Headers that are always sent."""
    models_path: str = "models"
    """Where models are listed, relative to the base address."""
    path: str = ""
    """The end of its base address that users may leave out: "/v1"."""
    id_in_body: bool = False
    """Whether support asks for the id in the body of a reply, not for the one in its headers."""
    schema: str = "json_schema"
    """How a shape is asked for: "json_schema", "json_object" (any JSON, and the shape in words) or "none"."""
    strict: str = ""
    """"full": schemas go out in the strict subset; "plain": without ranges and formats; "": unchanged."""
    tell_schema: bool = True
    """Whether the model is told the shape in words too: servers that only enforce it don't show it."""
    schema_body: dict[str, object] = msgspec.field(default_factory=dict)
    """Fields that are sent along with a schema."""
    small_models: frozenset[str] = frozenset()
    """Models that don't end by themselves: texts and lists in their schemas get a limit (`small_schemas`)."""


class Vendor(FrozenStruct):
    """All that is known of a provider: a row of the table, or a section of `umwelten.toml`."""

    name: str
    wire: str
    base_url: str
    base_url_env: tuple[str, ...] = ()
    key_env: tuple[str, ...] = ()
    key_required: bool = True
    scope: Scope = Scope.KEY
    """What shares one rate limit."""
    recommended: tuple[int, int] = (5, 10)
    """The range of calls in flight that suits most accounts."""
    quirks: Quirks = Quirks()
    allow_insecure: bool = False
    """Whether keys and prompts may leave the private network unencrypted."""
    price_list: str | None = None
    """What genai-prices calls it; `None`: the prices of its models are not known."""
    free: bool | None = None
    """Whether its models cost nothing; `None`: those of a server of one's own do."""
    capabilities: ModelCapabilities | None = None
    """Which files its models take; `None`: those that the wire format carries."""
    overrides: CapabilityOverrides = CapabilityOverrides()
    """What the user knows better about them."""
    imitated: bool = False
    """Whether others serve other models in its format: then `capabilities` hold at its own address alone."""
    orders_by_model: bool = False
    """Whether the server swaps models: calls for one are all made before those for the next."""
    nicknames: tuple[str, ...] = ()
    """What people call it, and how names of models begin that are at home there."""

    @property
    def is_free(self) -> bool:
        """Whether its models cost nothing where the user gave no price."""
        return self.scope is Scope.HOST if self.free is None else self.free


class Endpoint(FrozenStruct):
    """A vendor with its address and key settled: all that `encode` needs to know about the place."""

    vendor: Vendor
    base_url: str
    api_key: Secret | None = None


class HttpRequest(FrozenStruct):
    """One HTTP exchange to be made. `headers` hold the key, so this value is never logged or shown."""

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
    """A model as its provider lists it. Prices in USD per token, `None` where not stated."""

    id: str
    name: str | None = None
    context_tokens: int | None = None
    input_price: float | None = None
    output_price: float | None = None


class ModelPage(FrozenStruct):
    """A page of a provider's list; `next` is the token that asks for the following one."""

    models: tuple[ModelInfo, ...]
    next: str | None = None


class StreamDecoder(Protocol):
    """Turns the chunks of one streamed reply (HTTP 200) into text and, at the end, an outcome."""

    def feed(self, chunk: bytes) -> str:
        """Take the next bytes, wherever they were cut; return the answer's text in them ("" if none)."""

    @property
    def done(self) -> bool:
        """True once the end mark or an error was seen: the rest of the body need not be read."""

    def finish(self) -> Outcome:
        """The outcome so far. Without the format's end mark it is a `Failure` with the partial text."""


class Uploaded(FrozenStruct):
    """A file that a provider keeps: `uri` for `Media.uri`, once it is `ready`.

    `name` is what the provider calls it; `expires_unix` when it will be gone (`None`: not said).
    """

    name: str
    uri: str
    mime: str
    ready: bool
    expires_unix: float | None = None


class Uploads(Protocol):
    """How files get to a provider before the question. Every method is pure, the decoders are total.

    `start` → `started` gives the address for the bytes, `send` → `sent` the file; while it is not ready,
    `look` → `sent` again. `forget` takes it away once it is no longer needed.
    """

    def start(self, media: Media, endpoint: Endpoint) -> HttpRequest:
        """The request that announces a file."""

    def started(self, head: Head, body: bytes, endpoint: Endpoint) -> str | Failure:
        """Where the bytes go, never to another host than the endpoint's."""

    def send(self, url: str, media: Media) -> HttpRequest:
        """The request with the bytes. It carries no key."""

    def sent(self, head: Head, body: bytes, endpoint: Endpoint) -> Uploaded | Failure:
        """The file as the provider now has it, or why it can't use it."""

    def look(self, uploaded: Uploaded, endpoint: Endpoint) -> HttpRequest:
        """The request that asks how the file is getting on."""

    def forget(self, uploaded: Uploaded, endpoint: Endpoint) -> HttpRequest:
        """The request that deletes the file; whatever it answers does not matter."""


class Wire(Protocol):
    """A wire format. Every method is pure; the decoders are total: no bytes make them raise."""

    @property
    def capabilities(self) -> ModelCapabilities:
        """Which files models take that are reached through it, where their vendor's row doesn't say."""

    @property
    def uploads(self) -> Uploads | None:
        """How files that are too large for a request are sent before it; `None`: not at all."""

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """The HTTP request for a question. `dropped`: names in `Failure.parameter` this model refused."""

    def decode(self, head: Head, body: bytes, endpoint: Endpoint) -> Outcome:
        """The outcome of a unary reply, whatever its status, with the hints about rate limits in it."""

    def stream(self, head: Head, endpoint: Endpoint) -> StreamDecoder:
        """A decoder for a streamed reply with status 200."""

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """The request that lists the provider's models."""

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """The provider's models, or why they could not be listed."""
