"""What is simulated, as data that TOML can hold: providers with hidden limits, and the cap of the run.

Times are seconds, rates are per second where the name does not say otherwise. A request meets the
outages first, then every limit of its provider; a limit that refuses takes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from umwelten.types import FrozenStruct


class Strict(FrozenStruct, forbid_unknown_fields=True):
    """Base of what users write: a misspelt name is an error."""


class Latency(Strict):
    """How long an answer takes: lognormal about its median, a share of stragglers `factor` times that.

    With `per_token_s` above 0 every output token adds that much.
    """

    median_s: float = 0.5
    sigma: float = 0.25
    stragglers: float = 0.0
    factor: float = 8.0
    per_token_s: float = 0.0


class Tokens(Strict):
    """Sizes of prompts, spread evenly between two figures, and of answers, lognormal about a median."""

    input_min: int = 500
    input_max: int = 500
    output_median: int = 100
    output_sigma: float = 0.0


class Change(Strict):
    """From `from_s` to `to_s` a limit's rate or size is multiplied by `factor`."""

    from_s: float
    to_s: float
    factor: float


class Bucket(Strict, tag_field="kind", tag="bucket"):
    """Refills by `rate` requests a second, holds at most `burst` (left out: one second's worth)."""

    rate: float
    burst: float | None = None
    change: Change | None = None


class Gcra(Strict, tag_field="kind", tag="gcra"):
    """One request every 1/`rate` seconds, `tolerance` of them early."""

    rate: float
    tolerance: float = 1.0


class Window(Strict, tag_field="kind", tag="window"):
    """`n` requests in each window of `window_s`; the first begins `offset_s` before the run."""

    n: int
    window_s: float = 60.0
    offset_s: float = 0.0


class Sliding(Strict, tag_field="kind", tag="sliding"):
    """`n` requests in any `window_s` seconds."""

    n: int
    window_s: float = 60.0


class Concurrency(Strict, tag_field="kind", tag="concurrency"):
    """At most `n` requests in flight, others are refused."""

    n: int
    change: Change | None = None


class TokenBucket(Strict, tag_field="kind", tag="tokens"):
    """A bucket of tokens that holds `burst` (left out: one minute's worth).

    `count`: "input" is taken at arrival; "total" takes the input at arrival and the output at the end.
    """

    per_minute: float
    burst: float | None = None
    count: Literal["input", "total"] = "total"


class Slots(Strict, tag_field="kind", tag="slots"):
    """`k` requests are worked on, others wait in a queue without end; nothing is refused."""

    k: int


AnyLimit = Bucket | Gcra | Window | Sliding | Concurrency | TokenBucket | Slots


class Outage(Strict):
    """Every request that arrives in that time fails with status 503."""

    from_s: float
    to_s: float


class Provider(Strict):
    """One provider account or host, and how many of the calls are for it.

    `share` is its part of all calls, split evenly over its `models`. `retry_after` of a refusal:
    "exact", "none", or that many seconds whatever the truth. `headers`: whether replies state limit,
    remaining and reset. A refusal takes two `network_s`, give or take a fifth. `noise` is the part of all
    requests that is refused whatever the limits say. `host`: one machine that
    holds one model at a time (`swap_s` to load another). `cap` of the lane: None takes the run's.
    """

    name: str = "provider"
    share: float = 1.0
    models: int = 1
    latency: Latency = Latency()
    tokens: Tokens = Tokens()
    limits: tuple[AnyLimit, ...] = ()
    outages: tuple[Outage, ...] = ()
    retry_after: Literal["exact", "none"] | float = "exact"
    headers: bool = True
    network_s: float = 0.025
    noise: float = 0.0
    host: bool = False
    swap_s: float = 0.0
    recommended: int = 5


class Profile(Strict):
    """A run: `cap` in flight over all providers, or "auto": every lane finds its own level."""

    providers: tuple[Provider, ...]
    cap: int | Literal["auto"] = 200
    title: str = ""
    retries: int = 6


def parse_profile(text: bytes | str) -> Profile:
    """A profile from TOML; `msgspec.DecodeError` names what is wrong and where."""
    return msgspec.toml.decode(text, type=Profile)


def load_profile(path: Path) -> Profile:
    """A profile from a TOML file."""
    return parse_profile(path.read_bytes())
