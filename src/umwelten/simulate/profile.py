"""What is simulated, as data that TOML can hold.

Limits and outages are written alike for both simulators: for the virtual providers of `umwelten simulate`
(`[[providers.limits]]`) and for the fault server (`[[limiters]]`, see `faultserver.profile`).

    kind = "bucket"         # refills by `rate` requests a second, holds at most `burst`
    rate = 20
    burst = 40

Times are seconds, rates are per second where the name does not say otherwise. A request meets the
outages first, then every limit that holds for it; if one refuses, none is charged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from umwelten.types import FrozenStruct


class Strict(FrozenStruct, forbid_unknown_fields=True):
    """Base of what users write: a misspelt name is an error."""


# --- limits --------------------------------------------------------------------------------------


class Change(Strict):
    """From `from_s` to `to_s` a limit's rate or size is multiplied by `factor`."""

    from_s: float
    to_s: float
    factor: float

    def factor_at(self, now: float) -> float:
        """Return what to multiply by now: 1 outside of that time."""
        return self.factor if self.from_s <= now < self.to_s else 1.0


class LimitSpec(Strict, tag_field="kind"):
    """What all limits share.

    A limit holds for the requests whose `wire` and `model` fit, for all together or `per` model or key.
    `hints`: the time that a refusal names is "exact", rounded up to whole seconds ("ceil"), not named
    ("none"), or exact plus so many seconds. `headers`: whether and how replies state the limit, in the
    spelling of "openai" or "anthropic", of the request's own "wire", or not at all ("none"). `status` of a
    refusal. `count_refused`: refused requests use up the limit as well.
    """

    wire: str = "*"
    model: str = "*"
    per: Literal["all", "model", "key"] = "all"
    hints: Literal["exact", "ceil", "none"] | float = "exact"
    headers: Literal["wire", "openai", "anthropic", "none"] = "wire"
    status: int = 429
    count_refused: bool = False


class Bucket(LimitSpec, kw_only=True, tag="bucket"):
    """Refills by `rate` requests a second, holds at most `burst` (left out: one second's worth)."""

    rate: float
    burst: float | None = None
    change: Change | None = None


class Gcra(LimitSpec, kw_only=True, tag="gcra"):
    """One request every 1/`rate` seconds, `tolerance` of them early."""

    rate: float
    tolerance: float = 1.0
    change: Change | None = None


Counted = Literal["total", "input", "output", "reserved"]
"""What of a request's tokens is counted, and when: see `TokenBucket`."""


class WindowSpec(LimitSpec, kw_only=True):
    """What windows share: `n` requests, or tokens of a kind, in `window_s`."""

    n: int
    window_s: float = 60.0
    count: Counted | Literal["requests"] = "requests"
    change: Change | None = None


class Window(WindowSpec, kw_only=True, tag="window"):
    """`n` in each window of `window_s`; the first begins `offset_s` before the first request."""

    offset_s: float = 0.0


class Sliding(WindowSpec, kw_only=True, tag="sliding"):
    """`n` in any `window_s` seconds."""


class Weighted(WindowSpec, kw_only=True, tag="weighted"):
    """`n` in the last `window_s` seconds as a counter by fixed windows estimates them.

    What was counted in the window before this one counts in part: as much of it as the last `window_s`
    seconds cover.
    """

    offset_s: float = 0.0


class Quota(LimitSpec, kw_only=True, tag="quota"):
    """`n` requests in all; then every one is refused for as long as the run lasts."""

    n: int


class Concurrency(LimitSpec, kw_only=True, tag="concurrency"):
    """At most `n` requests in flight, others are refused; nobody can say when the next one fits."""

    n: int
    change: Change | None = None


class TokenBucket(LimitSpec, kw_only=True, tag="tokens"):
    """A bucket of tokens, `per_minute`, that holds `burst` (left out: one minute's worth).

    `count`: "input" is taken at arrival; "output" at the end; "total" takes the input at arrival and the
    output at the end; "reserved" takes the input and `max_tokens` of the request at arrival (the real
    output, if the request names no maximum). What is taken at the end may push the level below 0.
    The fault server refuses a request larger than the bucket for good; a virtual provider lets it in when
    the bucket is full.
    """

    per_minute: float
    burst: float | None = None
    count: Counted = "total"


class Slots(LimitSpec, kw_only=True, tag="slots"):
    """`k` requests are worked on, others wait in a queue without end; nothing is refused."""

    k: int


AnyLimit = Bucket | Gcra | Window | Sliding | Weighted | Quota | Concurrency | TokenBucket | Slots


# --- outages -------------------------------------------------------------------------------------

Fault = (
    int
    | Literal[
        "none",
        "reset_before",
        "reset_headers",
        "reset_body",
        "hang",
        "hang_stream",
        "drip",
        "cut_json",
        "cut_stream",
        "garbage",
        "not_http",
        "invalid_utf8",
        "wrong_type",
        "empty",
        "no_choices",
        "no_text",
        "huge",
        "gzip_bomb",
        "redirect",
        "error_in_200",
    ]
)
"""What goes wrong; a number is an HTTP status from 400 to 599 with the body that the wire gives it.

    reset_before    connection reset in place of an answer
    reset_headers   reset after the head
    reset_body      reset in the middle of the body
    hang            no answer, ever
    hang_stream     half of the body, then silence
    drip            one byte every `drip_s`
    cut_json        sound HTTP around half of the JSON
    cut_stream      ends cleanly half way: a stream without its end mark, a body shorter than announced
    garbage         bytes that are no JSON
    not_http        bytes that are no HTTP
    invalid_utf8    JSON whose text holds bytes that are no UTF-8
    wrong_type      JSON with the right names and the wrong types
    empty           status 200 and no body
    no_choices      a reply without any answer in it
    no_text         a complete answer without a word in it, and its tokens
    huge            a sound answer of `size_mb` megabytes
    gzip_bomb       the same, compressed to a thousandth
    redirect        307 to `redirect_to`
    error_in_200    status 200, and the error `error_status` inside
"""


class Outage(Strict):
    """From `from_s` to `to_s` after the first request, every request that fits meets `fault`."""

    from_s: float
    to_s: float
    fault: Fault = 503
    wire: str = "*"
    model: str = "*"

    def lasts(self, now: float) -> bool:
        """Return whether it is on."""
        return self.from_s <= now < self.to_s


# --- virtual providers ---------------------------------------------------------------------------


class Latency(Strict):
    """How long an answer takes: lognormal about its median, a share of stragglers `factor` times that.

    With `per_token_s` above 0 every output token adds that much.
    """

    median_s: float = 0.5
    sigma: float = 0.25
    stragglers: float = 0.0
    factor: float = 8.0
    per_token_s: float = 0.0


class TokenSizes(Strict):
    """Sizes of prompts, spread evenly between two figures, and of answers, lognormal about a median."""

    input_min: int = 500
    input_max: int = 500
    output_median: int = 100
    output_sigma: float = 0.0


HeaderStyle = Literal[
    "none",
    "until-full",
    "next-token",
    "window-end",
    "epoch-s",
    "epoch-ms",
    "ietf",
    "lie-high",
    "lie-zero",
    "stale",
    "other-unit",
]
"""What the headers of replies state of a limit, beside its size.

    none        nothing
    until-full  what remains, and the time until all of it is there again
    next-token  the time until one more fits, and the size by the minute
    window-end  the time until the window ends; a bucket's window is the time that it takes to fill
    epoch-s     the moment at which it is full, in whole seconds of the clock
    epoch-ms    the same in milliseconds
    ietf        the time until it is full in whole seconds, and the window
    lie-high    three times what remains, and at least one
    lie-zero    that nothing remains
    stale       what was true up to `STALE_S` seconds ago
    other-unit  the size by the minute, and what remains of the limit's own
"""

STALE_S = 3.0
"""How old a stale statement is at most."""


class Overload(Strict):
    """A `share` of all requests is refused with `status`, whatever the limits say."""

    status: int = 529
    share: float = 0.05


class Others(Strict):
    """Others use the same limits: `share` of them on average, from none to twice that once in `period_s`."""

    share: float = 0.3
    period_s: float = 60.0


class Provider(Strict):
    """One virtual provider account or host, and how many of the calls are for it.

    `share` is its part of all calls, split evenly over its `models`. `retry_after` of a refusal: "exact" (as
    its limit's `hints` say), "none", ten times the truth ("padded"), a minute ("constant"), the next whole
    second of the clock, as a date has it ("date"), or that many seconds whatever the truth. `headers`: how
    replies state the limits; true states them in the manner of each kind of limit, exactly. A refusal takes
    `round_trip_s`, give or take the share `round_trip_jitter`; an answer as long as its latency. `noise` is
    the part of all requests that is refused with status 429 whatever the limits say, as with `overload`.
    `host`: one machine that holds one model at a time (`swap_s` to load another). `cap` of the lane: None
    takes the run's.

    It speaks no wire and its limits hold for all its calls; it plays outages whose fault is a status.
    """

    name: str = "provider"
    share: float = 1.0
    models: int = 1
    latency: Latency = Latency()
    tokens: TokenSizes = TokenSizes()
    limits: tuple[AnyLimit, ...] = ()
    outages: tuple[Outage, ...] = ()
    retry_after: Literal["exact", "none", "padded", "constant", "date"] | float = "exact"
    headers: bool | HeaderStyle = True
    round_trip_s: float | None = None
    round_trip_jitter: float = 0.2
    network_s: float = 0.025
    noise: float = 0.0
    overload: Overload | None = None
    others: Others | None = None
    host: bool = False
    swap_s: float = 0.0
    recommended: int = 5

    @property
    def one_way_s(self) -> float:
        """Seconds that a request is on its way; `network_s` is the older name of half a round trip."""
        return self.network_s if self.round_trip_s is None else self.round_trip_s / 2

    def __post_init__(self) -> None:
        for rule in (*self.limits, *self.outages):
            if (rule.wire, rule.model) != ("*", "*"):
                raise ValueError(f"the limits and outages of {self.name!r} hold for all wires and models")
        if any(limit.per != "all" for limit in self.limits):
            raise ValueError(f"the limits of {self.name!r} hold for all calls: leave out `per`")
        if any(not isinstance(outage.fault, int) for outage in self.outages):
            raise ValueError(f"an outage of {self.name!r} is an HTTP status such as 503")


class SimulationProfile(Strict):
    """A run: `cap` in flight over all providers, or "auto": every lane finds its own level.

    `hedge`: the slowest calls are sent once more, at most this part of all.
    """

    providers: tuple[Provider, ...]
    cap: int | Literal["auto"] = 200
    title: str = ""
    retries: int = 6
    hedge: float = 0.0


def parse_profile(text: bytes | str) -> SimulationProfile:
    """Return a profile from TOML; `msgspec.DecodeError` names what is wrong and where.

    >>> parse_profile('[[providers]]\\nlimits = [{ kind = "concurrency", n = 8 }]').providers[0].limits[0].n
    8
    """
    return msgspec.toml.decode(text, type=SimulationProfile)


def load_profile(path: Path) -> SimulationProfile:
    """Return a profile from a TOML file."""
    return parse_profile(path.read_bytes())
