"""Events as lines for people: notes, finished calls, retries, limits. Foreign text is made safe here."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from umwelten.events import (
    AttemptDropped,
    AttemptFailed,
    CallFailed,
    CallStarted,
    CallSucceeded,
    Event,
    LaneResumed,
    LaneStopped,
    LaneWaiting,
    LimitChanged,
    ModelStopped,
    Note,
    NoteLevel,
    RunChanged,
    RunStarted,
    StepEnded,
    ToolEnded,
    WorkerChanged,
    WorkersStarting,
    WorkerState,
)
from umwelten.report import stats
from umwelten.report.change_words import author_words, change_words
from umwelten.report.progress.waiting import resumed_line, wait_line
from umwelten.report.progress.worker_words import changed_line, starting_line
from umwelten.tally import Tally
from umwelten.text import formatting
from umwelten.text.sanitize import one_line
from umwelten.tool_calls import ToolCallState
from umwelten.types import Call, Failure, FailureKind, ModelRef, Usage

_MODEL, _FILE, _MESSAGE, _TOOL = 36, 48, 400, 64


class VerboseLine(NamedTuple):
    """A line above the bar, without a newline, safe to print. `style` is one of rich's, or ""."""

    text: str
    style: str = ""


def describe(event: Event, tally: Tally, *, verbose: bool = False, debug: bool = False) -> VerboseLine | None:
    """The line for an event, or `None`. `tally` has already taken the event in."""
    match event:
        case Note(level=NoteLevel.DETAIL) if not verbose:
            return None
        case Note():
            return _note(event, debug)
        case RunChanged():
            return VerboseLine(_changed(event), "cyan")
        case LaneStopped():
            return VerboseLine(f"{one_line(event.lane, _MODEL)} stopped: {_why(event.failure)}", "red")
        case ModelStopped():
            return VerboseLine(f"{one_line(str(event.model), _MODEL)} stopped: {_why(event.failure)}", "red")
        case LaneWaiting():
            return VerboseLine(wait_line(event), "yellow")
        case LaneResumed():
            return VerboseLine(resumed_line(event))
        case WorkersStarting():
            return VerboseLine(f"note: {starting_line(event)}")
        case WorkerChanged():
            return _worker(event, tally)
        case LimitChanged() if debug:
            return _limit(event)
        case RunStarted() if debug:
            return _start_line(event)
        case _:
            return _detail(event, tally) if verbose else None


def _detail(event: Event, tally: Tally) -> VerboseLine | None:
    match event:
        case CallSucceeded():
            return _success_line(event, tally)
        case CallFailed():
            return _failure_line(event, tally)
        case AttemptFailed():
            return _again(event)
        case AttemptDropped():
            return _dropped(event)
        case StepEnded():
            return _step(event)
        case ToolEnded() if event.state != ToolCallState.DONE:
            return _tool(event)
        case CallStarted(hedge=True):
            subject = _subject(event.call, event.model)
            return VerboseLine(f"hedge  {subject}  sent a second time, as it takes long")
        case _:
            return None


def _note(note: Note, debug: bool) -> VerboseLine | None:
    text = one_line(note.text, 2000)
    if note.level == NoteLevel.WARNING:
        return VerboseLine(f"warning: {text}", "yellow")
    if note.level == NoteLevel.DEBUG:
        return VerboseLine(f"debug: {text}", "dim") if debug else None
    return VerboseLine(f"note: {text}")


def _worker(event: WorkerChanged, tally: Tally) -> VerboseLine | None:
    text = changed_line(event, tally.workers)
    if text is None:
        return None
    is_bad = event.state in (WorkerState.SUSPECT, WorkerState.LOST)
    return VerboseLine(f"warning: {text}", "yellow") if is_bad else VerboseLine(f"note: {text}")


def _success_line(event: CallSucceeded, tally: Tally) -> VerboseLine:
    parts = [_subject(event.call, event.model), _s(event.time_s), _usage_text(event.reply.usage)]
    parts.append(_cost(event.cost_nusd))
    if event.attempts > 1:
        parts.append(_attempts(event))
    return VerboseLine(f"{_position(tally)} ok  {'  '.join(parts)}", "green")


def _failure_line(event: CallFailed, tally: Tally) -> VerboseLine:
    parts = [_subject(event.call, event.model), _s(event.time_s), _attempts(event)]
    return VerboseLine(f"{_position(tally)} FAILED  {'  '.join(parts)}  {_why(event.failure)}", "red")


def _attempts(event: CallSucceeded | CallFailed) -> str:
    """Say how many; those of a call that used tools are steps for the most part, and no sign of trouble."""
    return formatting.count(event.attempts, "request" if event.tool_calls else "attempt")


def _again(event: AttemptFailed) -> VerboseLine:
    subject = _subject(event.call, event.model)
    when = f"attempt {event.attempt} failed, retrying in {_s(event.retry_in_s)}"
    if event.answered:
        when = f"attempt {event.attempt} does not fit the schema, retrying"
    elif event.failure.kind is FailureKind.LOST:
        when = f"attempt {event.attempt} was lost, retrying at once"
    return VerboseLine(f"retry  {subject}  {when}  {_why(event.failure)}", "yellow")


def _dropped(event: AttemptDropped) -> VerboseLine:
    subject, which = _subject(event.call, event.model), "second" if event.hedge else "first"
    if event.late:
        text = f"attempt {event.attempt} is broken off: one that had been lost was answered"
        return VerboseLine(f"late   {subject}  {text}")
    if event.failure.kind is FailureKind.SUPERSEDED:
        first = "first" if event.hedge else "second"
        return VerboseLine(f"hedge  {subject}  the {first} attempt was answered before the {which}")
    why = _why(event.failure)
    return VerboseLine(f"hedge  {subject}  the {which} attempt failed, the other continues  {why}", "yellow")


def _step(event: StepEnded) -> VerboseLine:
    calls = ", ".join(
        one_line(name, _TOOL) + (f" ×{count}" if count > 1 else "")
        for name, count in Counter(event.tools).items()
    )
    what = f"calls {calls}" if calls else "the model paused"
    parts = [_subject(event.call, event.model), f"step {event.step}: {what}"]
    parts += [] if event.timing is None else [_s(event.timing.latency_s)]
    parts += [] if event.usage is None else [_usage_text(event.usage)]
    return VerboseLine(f"step  {'  '.join([*parts, _cost(event.cost_nusd)])}")


def _tool(event: ToolEnded) -> VerboseLine:
    took = "" if event.took_s is None else f" after {_s(event.took_s)}"
    what = f"step {event.step}: {one_line(event.tool, _TOOL)} {_ENDED[ToolCallState(event.state)]}{took}"
    said = f"  {one_line(event.message, _MESSAGE)}" if event.message else ""
    return VerboseLine(f"tool  {_subject(event.call, event.model)}  {what}{said}", "yellow")


_ENDED = {
    ToolCallState.PENDING: "was not run",
    ToolCallState.STARTED: "was not run",
    ToolCallState.ERROR: "failed",
    ToolCallState.TIMEOUT: "timed out",
    ToolCallState.DENIED: "was not run",
    ToolCallState.UNKNOWN: "does not exist",
    ToolCallState.STOPPED: "ended the call",
}


def _limit(event: LimitChanged) -> VerboseLine:
    lane, reason = one_line(event.lane, _MODEL), one_line(event.reason, _MESSAGE)
    return VerboseLine(
        f"debug: {lane}: limit {event.limit:.3g}, {event.in_flight} in flight: {reason}", "dim"
    )


def _start_line(event: RunStarted) -> VerboseLine:
    limit = "auto" if event.max_concurrency is None else str(event.max_concurrency)
    calls = formatting.count(event.total, "call") + ("" if event.complete else " so far")
    return VerboseLine(
        f"debug: {one_line(event.id, 80)}: {calls}, {event.done:,} done before, in flight: {limit}", "dim"
    )


def _position(tally: Tally) -> str:
    return f"{tally.done_before + tally.done:,}/{tally.total:,}" + ("" if tally.complete else "+")


def _subject(call: Call, model: ModelRef) -> str:
    name = one_line(str(model), _MODEL)
    file = f" {one_line(call.input.name, _FILE)}" if call.input is not None else ""
    return name + file + (f" #{call.repeat}" if call.repeat > 1 else "")


def _why(failure: Failure) -> str:
    status = f" {failure.status}" if failure.status else ""
    return f"{failure.kind}{status}: {one_line(failure.message, _MESSAGE)}"


def _usage_text(usage: Usage) -> str:
    return f"{_n(usage.input_tokens)}→{_n(usage.output_tokens)} tokens"


def _n(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)


def _cost(nusd: int | None) -> str:
    return "cost unknown" if nusd is None else formatting.money(stats.usd(nusd))


def _s(value: float) -> str:
    return f"{value:.1f}s" if value >= 0.95 else f"{value:.2f}s"


def _changed(event: RunChanged) -> str:
    what = change_words(event.key, event.old, event.new, event.scope)
    return one_line(f"{what} ({author_words(event.via, event.author, event.reason)})", _MESSAGE)
