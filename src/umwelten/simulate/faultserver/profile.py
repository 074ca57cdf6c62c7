"""What the fault server is told to do, as data that TOML and JSON can hold.

The first rule that fits a request says how it will be answered, else the default does; rules count requests
as they come in. Before that answer is given, outages and limiters may refuse it; both are written as for
`umwelten simulate` (`simulate.profile`).
Times are seconds. Names of wires are `openai`, `openrouter` (the OpenAI format below `/api/v1`),
`gemini`, `anthropic` and `ollama`; wherever one is asked for, a glob such as `open*` will do.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from umwelten.simulate.faultserver.records import Shaped
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.profile import AnyLimit, Fault, Outage, Strict

DEFAULT_TEXT = "{model} says {digest}: {tail}"


class Lognormal(Strict, kw_only=True):
    """Random latency: half of the draws are below `median_s`; `sigma` is the spread of the logarithm."""

    median_s: float
    sigma: float = 0.5
    seed: int = 0


LatencyForm = float | tuple[float, ...] | Lognormal


class Behaviour(Strict, kw_only=True):
    """How one request is answered.

    `latency_s` passes before the first byte: one number, several in turn, or a `Lognormal`. `text` may hold
    {model}, {n} (the request's number), {prompt}, {tail} (its last words), {digest} (`asks.digest` of
    prompt and files), {files} and {marks}. Token counts left out are estimated. A stream has `chunks`
    pieces, `chunk_gap_s` apart. `retry_after_s`, `code`, `message`, `body` and `headers` shape an error:
    `code` is the provider's word for it, `body` replaces the whole body. A request that asks for a shape
    gets a record made for it (`shaped`): a "valid" one, one "fenced" by words around it, "slipped" in its
    punctuation or "invalid" in a value; "ignore": `text`, as if unasked. A request that offers tools has
    them called as `tool_turns` says; without it the answer comes at once, of which {results} are the
    results.
    """

    latency_s: LatencyForm = 0.0
    text: str = DEFAULT_TEXT
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None
    finish: Literal["stop", "length", "blocked"] = "stop"
    chunks: int = 4
    chunk_gap_s: float = 0.0
    fault: Fault = "none"
    retry_after_s: float | None = None
    code: str | None = None
    message: str | None = None
    body: str | None = None
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    error_status: int = 503
    size_mb: float = 8.0
    drip_s: float = 1.0
    redirect_to: str = "http://elsewhere.invalid/"
    shaped: Shaped = "valid"
    tool_turns: ToolTurns | None = None

    def __post_init__(self) -> None:
        if isinstance(self.fault, int) and not 400 <= self.fault <= 599:
            raise ValueError(f"a fault that is a status lies between 400 and 599, not at {self.fault}")
        if self.chunks < 1:
            raise ValueError("a stream has at least one chunk")
        if self.latency_s == ():
            raise ValueError("a list of latencies holds at least one")


class Rule(Strict, kw_only=True):
    """Requests that are answered in another way than the default.

    All that is given must fit: `wire` and `model` are globs, `prompt` is a part of the prompt. Of the
    requests that fit so far, counted from 1: only the `n`-th, each `every`-th, or the `first` so many.
    `counting = "prompt"` counts each prompt by itself, so that `first = 1` strikes every first attempt;
    "mark" each combination of files and of words `mark:…`, whatever else the prompt says. `schema`: only
    requests with (true) or without (false) a field that asks for a shape; `forced_tool`: that make the
    model call a tool. `step`: only this request of a conversation with tools, from 1; `counting = "step"`
    counts each step of each conversation by itself.
    """

    behaviour: Behaviour
    wire: str = "*"
    model: str = "*"
    prompt: str = ""
    n: int | None = None
    every: int | None = None
    first: int | None = None
    counting: Literal["rule", "prompt", "mark", "step"] = "rule"
    schema: bool | None = None
    forced_tool: bool | None = None
    step: int | None = None

    def __post_init__(self) -> None:
        if any(number is not None and number < 1 for number in (self.n, self.every, self.first)):
            raise ValueError("n, every and first are at least 1")


class Profile(Strict, kw_only=True):
    """Everything that the server does.

    `models` are listed on every wire, `page_size` at a time; with `only_models` others are 404.
    `require_key` refuses requests without a key (401). `listing` answers the lists of models.
    `records` is how many requests the ledger remembers one by one (0: sums alone); `keep_bodies`
    keeps the bodies of the requests too. A file uploaded to the Gemini wire is ready after it was looked
    at `upload_looks` times, and then in `upload_state`.

    Models that fit a glob of `no_tools` refuse tools, and are listed as such where the wire tells;
    llama.cpp's `/props` tells of the first of `models`. Those that fit one of `responses_only` refuse them
    on chat completions as gpt-5.4 does, unless `reasoning_effort` is "none".
    """

    default: Behaviour = Behaviour()
    rules: tuple[Rule, ...] = ()
    limiters: tuple[AnyLimit, ...] = ()
    outages: tuple[Outage, ...] = ()
    models: tuple[str, ...] = ("small", "large")
    page_size: int = 50
    only_models: bool = False
    require_key: bool = False
    listing: Behaviour = Behaviour()
    records: int = 200_000
    keep_bodies: bool = False
    upload_looks: int = 1
    upload_state: Literal["ACTIVE", "FAILED"] = "ACTIVE"
    no_tools: tuple[str, ...] = ()
    responses_only: tuple[str, ...] = ()


def parse_profile(data: bytes | str, form: Literal["json", "toml"] = "json") -> Profile:
    """A profile from JSON or TOML text; `msgspec.DecodeError` names what is wrong and where."""
    decode = msgspec.toml.decode if form == "toml" else msgspec.json.decode
    return decode(data, type=Profile)


def load_profile(path: Path) -> Profile:
    """A profile from a file; `.json` is read as JSON, anything else as TOML."""
    return parse_profile(path.read_bytes(), "json" if path.suffix.lower() == ".json" else "toml")
