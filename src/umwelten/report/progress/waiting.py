"""What a lane waits for, in words: on a line of its own, and short, for a column."""

from __future__ import annotations

import time

from umwelten.events import LaneResumed, LaneWaiting, WaitReason
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_LANE, _MESSAGE, _CAUSE = 36, 80, 48
_LIMITS = (WaitReason.BUDGET, WaitReason.KNOWN_LIMIT)

_STANDS = {
    WaitReason.RATE_LIMIT: "throttled for {time}{why}",
    WaitReason.OUTAGE: "nothing but errors for {time}{why}",
    WaitReason.CONNECTION: "not reached for {time}{why}",
    WaitReason.BUDGET: "waits for {time}: its limit{of} is used up",
    WaitReason.KNOWN_LIMIT: "waits for {time}: the known limit{of} lets none start",
    WaitReason.RETRY: "waits for {time} after failures{why}",
    WaitReason.MEMORY: "waits for {time} for want of memory{why}",
    WaitReason.MODEL: "waits for {time}: a model refuses calls, and those in flight will tell whether all",
    WaitReason.PAUSED: "paused for {time}",
    WaitReason.WORKERS: "waits for {time}: no worker is there to make calls",
    WaitReason.COST: "waits for {time}: under the cap of costs, the calls in flight have to end first",
    WaitReason.TOOLS: "waits for {time}: the tools that its calls called are being run",
    WaitReason.SLOTS: "waits for {time}: calls of others take all that may be in flight",
    WaitReason.LOADING: "loading its model for {time}",
    WaitReason.STORE: "waits for {time}: answers have to be stored first",
}
SHORT = {
    WaitReason.RATE_LIMIT: "throttled",
    WaitReason.OUTAGE: "only errors",
    WaitReason.CONNECTION: "not reached",
    WaitReason.BUDGET: "limit used up",
    WaitReason.KNOWN_LIMIT: "known limit",
    WaitReason.RETRY: "retries",
    WaitReason.MEMORY: "no memory",
    WaitReason.MODEL: "model refuses",
    WaitReason.PAUSED: "paused",
    WaitReason.WORKERS: "no worker",
    WaitReason.COST: "cap of costs",
    WaitReason.TOOLS: "tools",
    WaitReason.SLOTS: "no free slot",
    WaitReason.LOADING: "loading the model",
    WaitReason.STORE: "storing",
}


def wait_line(event: LaneWaiting) -> str:
    """Return `openai: throttled for 42 s (429, requests), next attempt in 18 s, gives up at 14:05:00 …`."""
    parts = [
        _STANDS[event.reason].format(time=_time(event.waited_s), why=_why(event), of=_of(event)),
        *_tries(event),
        *_next(event, "next attempt in"),
    ]
    if event.gives_up_unix is not None:
        after = _time(event.gives_up_unix - event.since_unix)
        parts.append(f"{_gives_up(event, event.gives_up_unix)} after {after} without an answer")
    return f"{one_line(event.lane, _LANE)}: {', '.join(parts)}"


def resumed_line(event: LaneResumed) -> str:
    """Return `openai: continues after 1 min 05 s`."""
    return f"{one_line(event.lane, _LANE)}: continues after {_time(event.waited_s)}"


def wait_state(event: LaneWaiting) -> str:
    """Return `throttled 42 s: 503 overloaded, refused 15 times, next in 18 s, gives up at 14:05:00`."""
    why = _cause(event)
    parts = [brief_wait(event) + (f": {why}" if why else ""), *_tries(event), *_next(event, "next in")]
    if event.gives_up_unix is not None:
        parts.append(_gives_up(event, event.gives_up_unix))
    return ", ".join(parts)


def brief_wait(event: LaneWaiting) -> str:
    """Return `throttled 42 s`."""
    return f"{SHORT[event.reason]} {_time(event.waited_s)}"


def _cause(event: LaneWaiting) -> str:
    """Return `503 The model is overloaded`, `429 requests`: short, for a column."""
    words = _words(event) if event.reason in (*_LIMITS, WaitReason.RATE_LIMIT) else ""
    said = "" if event.message is None else one_line(event.message.split(". ")[0].rstrip(". "), _CAUSE)
    status = "" if event.status is None else str(event.status)
    return " ".join(part for part in (status, words or said) if part)


def _tries(event: LaneWaiting) -> list[str]:
    if not event.failures:
        return []
    word = "refused" if event.reason == WaitReason.RATE_LIMIT else "failed"
    return [f"{word} once" if event.failures == 1 else f"{word} {event.failures:,} times"]


def _gives_up(event: LaneWaiting, at_unix: float) -> str:
    if at_unix <= event.at_unix:
        return "gives up with the attempt under way"
    return f"gives up at {time.strftime('%H:%M:%S', time.localtime(at_unix))}"


def _next(event: LaneWaiting, words: str) -> list[str]:
    if event.until_unix is None:
        return []
    return [f"{words} {_time(max(event.until_unix - event.at_unix, 1.0))}"]


def _why(event: LaneWaiting) -> str:
    """Return ` (429, requests)`, ` (503: no capacity)`."""
    parts = [] if event.status is None else [str(event.status)]
    if event.reason == WaitReason.RATE_LIMIT and event.resource is not None:
        return f" ({', '.join([*parts, _words(event)])})"
    parts += [] if event.message is None else [one_line(event.message, _MESSAGE)]
    return f" ({': '.join(parts)})" if parts else ""


def _of(event: LaneWaiting) -> str:
    return f" of {_words(event)}" if event.resource is not None else ""


def _words(event: LaneWaiting) -> str:
    return "" if event.resource is None else str(event.resource).replace("_", " ")


def _time(value: float) -> str:
    """`42 s`, `15 min`: without seconds that are none."""
    return formatting.minutes(value).removesuffix(" 00 s").removesuffix(" 00 min")
