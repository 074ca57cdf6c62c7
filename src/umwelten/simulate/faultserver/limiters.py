"""The arithmetic of rate limits. Pure: the time is an argument, in seconds of any steady clock."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Protocol

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.profile import AnyLimiter, Bucket, Concurrency, Slots, Tokens, Window
from umwelten.types import FrozenStruct

# Refilling by floats must not refuse the request for which a token has just become whole.
_EPSILON = 1e-9


class RequestCost(FrozenStruct):
    """What a request takes: tokens of its input and output, and `max_tokens` as it asked for."""

    input_tokens: int = 0
    output_tokens: int = 0
    max_tokens: int | None = None


class Standing(FrozenStruct):
    """How full a limit is; `reset_s` until it is full again (bucket) or starts anew (window)."""

    resource: str
    limit: float
    remaining: float
    reset_s: float
    per_s: float


class Blocked(FrozenStruct):
    """A request does not fit now. `wait_s`: until it will; `None` if nobody knows, infinite if never."""

    wait_s: float | None


class Refusal(FrozenStruct):
    """What a refused request is told. `hint_s` is the time to wait, as far as the limiter tells it."""

    limiter: AnyLimiter
    resource: str
    limit: float
    per_s: float | None
    hint_s: float | None
    needed: float
    never: bool
    standing: Standing | None


class State(Protocol):
    """A limit at work."""

    limiter: AnyLimiter
    resource: str
    limit: float
    per_s: float | None

    def amount(self, cost: RequestCost) -> float:
        """How much of the limit a request takes."""

    def blocked(self, amount: float, now: float) -> Blocked | None:
        """Why it does not fit now; `None` if it does."""

    def take(self, amount: float, now: float) -> None:
        """Count it."""

    def release(self) -> None:
        """The request has ended."""

    def standing(self, now: float) -> Standing | None:
        """What headers tell."""


class _Level:
    """A bucket that refills without pause."""

    def __init__(self, limiter: Bucket | Tokens, rate: float, burst: float) -> None:
        self.limiter: AnyLimiter = limiter
        self._rate, self.limit, self._level, self._at = rate, burst, burst, -math.inf
        self.per_s: float | None = burst / rate
        self.resource = _resource(limiter)

    def amount(self, cost: RequestCost) -> float:
        return _tokens(self.limiter, cost) if isinstance(self.limiter, Tokens) else 1.0

    def blocked(self, amount: float, now: float) -> Blocked | None:
        if amount > self.limit:
            return Blocked(wait_s=math.inf)
        missing = amount - self._refill(now)
        return Blocked(wait_s=missing / self._rate) if missing > _EPSILON else None

    def take(self, amount: float, now: float) -> None:
        self._level = self._refill(now) - amount

    def release(self) -> None:
        return

    def standing(self, now: float) -> Standing:
        level = self._refill(now)
        full_s = (self.limit - level) / self._rate
        return _standing(self, max(0.0, level), full_s)

    def _refill(self, now: float) -> float:
        if now > self._at:
            self._level = min(self.limit, self._level + (now - self._at) * self._rate)
            self._at = now
        return self._level


class _Counted:
    """A fixed window."""

    def __init__(self, limiter: Window, origin: float) -> None:
        self.limiter: AnyLimiter = limiter
        self.limit, self._window, self._origin = float(limiter.n), limiter.window_s, origin
        self.per_s: float | None = limiter.window_s
        self.resource = "requests"
        self._index, self._used = 0, 0.0

    def amount(self, cost: RequestCost) -> float:
        return 1.0

    def blocked(self, amount: float, now: float) -> Blocked | None:
        self._roll(now)
        fits = self._used + amount <= self.limit
        return None if fits else Blocked(wait_s=self._left(now))

    def take(self, amount: float, now: float) -> None:
        self._roll(now)
        self._used += amount

    def release(self) -> None:
        return

    def standing(self, now: float) -> Standing:
        self._roll(now)
        return _standing(self, max(0.0, self.limit - self._used), self._left(now))

    def _roll(self, now: float) -> None:
        index = math.floor((now - self._origin) / self._window + _EPSILON)
        if index != self._index:
            self._index, self._used = index, 0.0

    def _left(self, now: float) -> float:
        return max(0.0, self._origin + (self._index + 1) * self._window - now)


class _Cap:
    """Requests in flight."""

    def __init__(self, limiter: Concurrency) -> None:
        self.limiter: AnyLimiter = limiter
        self.limit, self._used = float(limiter.n), 0
        self.per_s: float | None = None
        self.resource = "concurrent requests"

    def amount(self, cost: RequestCost) -> float:
        return 1.0

    def blocked(self, amount: float, now: float) -> Blocked | None:
        return None if self._used < self.limit else Blocked(wait_s=None)

    def take(self, amount: float, now: float) -> None:
        self._used += 1

    def release(self) -> None:
        self._used -= 1

    def standing(self, now: float) -> None:
        return None


class Gates:
    """All limiters that can refuse. Times count from `origin`, at which the first window begins."""

    def __init__(self, limiters: Sequence[AnyLimiter], origin: float = 0.0) -> None:
        self._limiters = [limiter for limiter in limiters if not isinstance(limiter, Slots)]
        self._states: dict[tuple[int, str], State] = {}
        self._origin = origin

    def admit(self, ask: IncomingRequest, cost: RequestCost, now: float) -> list[State] | Refusal:
        """The limits that the request has taken from, or why it does not fit. All fit, or none is touched."""
        states = [
            self._state(place, limiter, ask)
            for place, limiter in enumerate(self._limiters)
            if fits(limiter, ask)
        ]
        amounts = [state.amount(cost) for state in states]
        blocks = [state.blocked(amount, now) for state, amount in zip(states, amounts, strict=True)]
        refusals = [
            _refusal(state, block, amount, now)
            for state, block, amount in zip(states, blocks, amounts, strict=True)
            if block is not None
        ]
        for state, amount in zip(states, amounts, strict=True):
            if not refusals or (state.limiter.count_refused and not isinstance(state.limiter, Concurrency)):
                state.take(amount, now)
        # Several limits at once: the one that takes longest is the one to name.
        return (
            max(refusals, key=lambda refusal: (refusal.never, refusal.hint_s or 0.0)) if refusals else states
        )

    def _state(self, place: int, limiter: AnyLimiter, ask: IncomingRequest) -> State:
        key = (place, scope(limiter, ask))
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = _new_state(limiter, self._origin)
        return state


def scope(limiter: AnyLimiter, ask: IncomingRequest) -> str:
    """What shares one state of a limiter with this request."""
    if limiter.per == "model":
        return ask.model
    return (ask.key or "") if limiter.per == "key" else ""


def fits(limiter: AnyLimiter, ask: IncomingRequest) -> bool:
    """Whether a limiter holds for a request."""
    return matches(limiter.wire, ask.wire) and matches(limiter.model, ask.model)


def matches(pattern: str, name: str) -> bool:
    """Glob, with the frequent case made cheap."""
    return pattern == "*" or fnmatchcase(name, pattern)


def _new_state(limiter: AnyLimiter, origin: float) -> State:
    match limiter:
        case Bucket():
            return _Level(limiter, limiter.rate, limiter.burst)
        case Tokens():
            return _Level(limiter, limiter.per_minute / 60, limiter.burst or limiter.per_minute)
        case Window():
            return _Counted(limiter, origin)
        case Concurrency():
            return _Cap(limiter)
        case Slots():
            raise ValueError("slots refuse nothing")


def _resource(limiter: Bucket | Tokens) -> str:
    if isinstance(limiter, Bucket):
        return "requests"
    return f"{limiter.count}-tokens" if limiter.count in ("input", "output") else "tokens"


def _tokens(limiter: Tokens, cost: RequestCost) -> float:
    if limiter.count == "input":
        return cost.input_tokens
    if limiter.count == "output":
        return cost.output_tokens
    reserved = cost.max_tokens if limiter.count == "reserved" else None
    return cost.input_tokens + (cost.output_tokens if reserved is None else reserved)


def _standing(state: _Level | _Counted, remaining: float, reset_s: float) -> Standing:
    per_s = state.per_s or 0.0
    return Standing(
        resource=state.resource, limit=state.limit, remaining=remaining, reset_s=reset_s, per_s=per_s
    )


def _refusal(state: State, block: Blocked, amount: float, now: float) -> Refusal:
    return Refusal(
        limiter=state.limiter,
        resource=state.resource,
        limit=state.limit,
        per_s=state.per_s,
        hint_s=hint(state.limiter.hints, block.wait_s),
        needed=amount,
        never=block.wait_s == math.inf,
        standing=state.standing(now),
    )


def hint(hints: str | float, wait_s: float | None) -> float | None:
    """The time that a refusal names: exact, rounded up, padded, or none."""
    if wait_s == math.inf or hints == "none":
        return None
    if isinstance(hints, str):
        # Up by a millisecond at most: who waits as long as he was told is let in.
        unit = 1.0 if hints == "ceil" else 0.001
        return None if wait_s is None else math.ceil(wait_s / unit) * unit
    return (wait_s or 0.0) + hints
