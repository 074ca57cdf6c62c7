"""A run's events for the progress tests."""

from __future__ import annotations

from umwelten.events import (
    AttemptDropped,
    AttemptFailed,
    CallFailed,
    CallSucceeded,
    Event,
    LaneResumed,
    LaneStopped,
    LaneView,
    LaneWaiting,
    LimitChanged,
    Note,
    RunFinished,
    RunStarted,
    TextArrived,
)
from umwelten.tally import Tally
from umwelten.types import Call, Failure, FailureKind, Input, ModelRef, Reply, Timing, Usage

FLASH, GEMMA = ModelRef("google", "gemini-2.5-flash"), ModelRef("ollama", "gemma3:12b")
NASTY = "\x1b[31mred\x9b [red]x[/red] \u202eabc"
THROTTLED = Failure(kind=FailureKind.RATE_LIMIT, message="slow down", status=429)
REFUSED = Failure(kind=FailureKind.UNAVAILABLE, message="API key not valid", status=401, lane_down=True)
SUPERSEDED = Failure(kind=FailureKind.SUPERSEDED, message="the other attempt was first", retry=False)
BAD = Failure(kind=FailureKind.BAD_REQUEST, message=f"no such model {NASTY}", status=404)


def call(n: int = 1, name: str | None = "scan.jpg", repeat: int = 1) -> Call:
    source = None if name is None else Input(id=n, name=name, path=f"/data/{name}")
    return Call(id=n, model=1, input=source, repeat=repeat)


def begun(total: int = 4, *, done: int = 0, limit: int | None = 5, models=(FLASH, GEMMA)) -> RunStarted:
    return RunStarted(id="demo", total=total, done=done, models=models, max_concurrency=limit, at_unix=0)


def good(
    n: int = 1, text: str = "A cat.", *, cost: int | None = 120_000, lane: str = "google", **of
) -> CallSucceeded:
    return CallSucceeded(
        call=call(n, **of),
        model=FLASH,
        lane=lane,
        reply=Reply(text=text, usage=Usage(input_tokens=312, output_tokens=48)),
        timing=Timing(started_at=0, latency_s=1.2),
        attempts=1,
        time_s=1.2,
        cost_nusd=cost,
    )


def bad(n: int = 2, failure: Failure = BAD, **of) -> CallFailed:
    return CallFailed(
        call=call(n, **of),
        model=FLASH,
        lane="google",
        failure=failure,
        timing=Timing(started_at=0, latency_s=0.3),
        attempts=2,
        time_s=0.5,
        cost_nusd=None,
    )


def again(n: int = 3, failure: Failure = THROTTLED, **of) -> AttemptFailed:
    return AttemptFailed(
        call=call(n, **of),
        model=FLASH,
        lane="google",
        attempt=1,
        failure=failure,
        retry_in_s=3.4,
        counted=False,
    )


def waiting(lane: str = "google", **of) -> LaneWaiting:
    """Forty-two seconds of fifteen minutes have passed."""
    known = {
        "reason": "rate_limit", "since_unix": 1000.0, "at_unix": 1042.0, "until_unix": 1060.0,
        "gives_up_unix": 1900.0, "status": 429, "message": f"slow down {NASTY}",
    }  # fmt: skip
    return LaneWaiting(lane=lane, **{**known, **of})


def resumed() -> LaneResumed:
    return LaneResumed(lane="google", reason="rate_limit", waited_s=65.0, at_unix=1065.0)


def dropped(failure: Failure = SUPERSEDED, *, hedge: bool = False) -> AttemptDropped:
    return AttemptDropped(
        call=call(),
        model=FLASH,
        lane="google",
        attempt=1 + hedge,
        failure=failure,
        hedge=hedge,
        cost_nusd=None,
    )


def piece(text: str, n: int = 1) -> TextArrived:
    return TextArrived(call=call(n, None), model=FLASH, text=text)


def finished(pending: int = 0, status: str = "failed") -> RunFinished:
    return RunFinished(status=status, reason=None, wall_s=2.0, pending=pending, peak_in_flight=3)


def everything() -> list[Event]:
    """One event of each kind that may print."""
    return [
        begun(),
        Note(text=f"hello {NASTY}"),
        Note(text="beware", level="warning"),
        Note(text="a header", level="debug"),
        good(),
        bad(),
        again(),
        dropped(),
        LimitChanged(lane="google", limit=4, in_flight=8, reason="429", at_unix=0),
        waiting(),
        resumed(),
        LaneStopped(lane="google", failure=REFUSED),
        finished(pending=2, status="stopped"),
    ]


def views() -> list[LaneView]:
    return [
        LaneView(
            name="google", in_flight=3, limit=8, ready=5, waiting=2, waiting_s=12, waiting_why="rate limit"
        ),
        LaneView(name=f"ollama {NASTY}", in_flight=2, limit=2, ready=0, waiting=0, stopped="key refused"),
    ]


def play(progress, events: list[Event], tally: Tally) -> None:
    """The tally first, as in a run."""
    for event in events:
        tally(event)
        progress(event)
