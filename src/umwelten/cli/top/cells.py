"""What the screens show of a run, as lines and cells of text on which nothing can act."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from umwelten.cli.ctl.shown import phase_words, workers_text
from umwelten.cli.table_layout import fitted_table
from umwelten.cli.top.watched import Seen
from umwelten.evaluation.run_state import LaneState, ModelState, RunPhase, RunState
from umwelten.report.progress.waiting import SHORT
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

WIDTH = 200
"""Characters of a name or message at most; a screen is hardly wider."""

RUN_TITLES = ("ID", "PHASE", "DONE", "TOTAL", "FAILED", "IN FLIGHT", "PER S", "LEFT", "COST", "PID")
MODEL_TITLES = ("MODEL", "DONE", "TOTAL", "PROGRESS", "FAILED", "IN FLIGHT", "COST", "NOTE")
LANE_TITLES = ("LANE", "IN FLIGHT", "LIMIT", "CEILING", "READY", "PER S", "FAILED", "RETRIES", "WAITS")
_COUNTS = ("DONE", "TOTAL", "FAILED", "IN FLIGHT", "PER S", "COST", "PID")
RIGHT = (*_COUNTS, "LIMIT", "CEILING", "READY", "RETRIES")
"""Columns of numbers."""

_SILENT_S = 2.0
"""A run that was seen so lately is not said to be silent."""

Facts = Mapping[str, Any]
_WORDS: Mapping[str, str] = {str(reason): words for reason, words in SHORT.items()}


_SHRINK = ("ID", "PHASE", "MODEL", "LANE", "FILE", "KIND")
_LAST = ("NOTE", "WAITS", "MESSAGE")
_LEFT_OUT = {"READY": 100, "RETRIES": 100, "PID": 90, "PROGRESS": 76, "CEILING": 76}
"""Columns that only terminals of so many columns show: others tell it as well, or it matters least."""


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], width: int) -> Iterator[str]:
    """Yield the lines of a table, each as wide as the terminal, the titles first."""
    from rich.cells import set_cell_size

    kept = [at for at, title in enumerate(titles) if width >= _LEFT_OUT.get(title, 0)]
    titles, rows = [titles[at] for at in kept], [[row[at] for at in kept] for row in rows]
    last = titles[-1] if titles[-1] in _LAST else ""
    shrink = (*_SHRINK, *_LAST)
    for line in fitted_table(titles, rows, width=max(width, 20), shrink=shrink, right=RIGHT, last=last):
        yield set_cell_size(line, width)


def clock(at: float) -> str:
    """Return a Unix time as a local one: `14:05:00`."""
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")


def bar(done: int, total: int, width: int) -> str:
    """Return a bar, of which so much is filled."""
    full = 0 if total <= 0 else min(width, done * width // total)
    return "█" * full + "░" * (width - full)


def phase(seen: Seen) -> str:
    """Return what a run is doing, or why that is not known."""
    if seen.end:
        return one_line(seen.end, WIDTH)
    if seen.trouble:
        ago = f", last seen {formatting.minutes(seen.age_s)} ago" if seen.state is not None else ""
        return one_line(f"no answer: {seen.trouble}{ago}", WIDTH)
    if seen.state is None:
        return "asked"
    if seen.age_s > _SILENT_S:
        return f"silent for {formatting.minutes(seen.age_s)}"
    return phase_words(seen.state)


def run_row(seen: Seen) -> list[str]:
    """Return the cells of a run, as `RUN_TITLES` names them."""
    name, state = one_line(seen.run.id, WIDTH), seen.state
    if state is None:
        return [name, phase(seen), *[formatting.UNKNOWN] * 7, str(seen.run.file.pid)]
    return [
        name,
        phase(seen),
        f"{state.done:,}",
        _total(state),
        f"{state.failed:,}",
        f"{state.in_flight:,}" if seen.goes_on else "0",
        formatting.short(state.calls_per_s) if seen.goes_on else formatting.UNKNOWN,
        _left(state) if seen.goes_on else formatting.UNKNOWN,
        formatting.short_cost(state.cost_usd, state.unpriced_calls),
        str(seen.run.file.pid),
    ]


def head(seen: Seen) -> list[str]:
    """Return a run in two lines."""
    state = seen.state
    first = f"{one_line(seen.run.id, 60)}  {phase(seen)}"
    if state is None:
        return [first, f"process {seen.run.file.pid}, {one_line(seen.run.file.folder, WIDTH)}"]
    share = f" ({state.done * 100 // state.total}%)" if state.total and state.complete else ""
    parts = [f"{state.done:,} of {_total(state)}{share}"]
    parts += [f"{state.failed:,} failed"] if state.failed else []
    if seen.goes_on:
        parts.append(f"{state.in_flight:,} in flight")
        parts += [] if state.workers is None else [workers_text(state.workers)]
        parts += [] if _left(state) == formatting.UNKNOWN else [f"about {_left(state)} left"]
    parts += [
        formatting.short_cost(state.cost_usd, state.unpriced_calls),
        formatting.minutes(state.elapsed_s),
    ]
    parts += [f"paused {formatting.minutes(state.paused_s)}"] if state.paused_s else []
    if seen.goes_on:
        parts.append(f"{formatting.short(state.calls_per_s)} calls/s")
        parts += [f"{formatting.short(state.tokens_per_s)} tokens/s"] if state.tokens_per_s else []
    return [first, "  ".join(parts)]


def model_row(model: ModelState) -> list[str]:
    """Return the cells of a model, as `MODEL_TITLES` names them."""
    note = f"stopped: {model.stopped}" if model.stopped else "paused" * model.paused
    return [
        one_line(model.model, WIDTH),
        f"{model.done:,}",
        f"{model.total:,}",
        bar(model.done, model.total, 10),
        f"{model.failed:,}",
        f"{model.in_flight:,}",
        formatting.short_cost(model.cost_usd, model.unpriced_calls),
        one_line(note, WIDTH),
    ]


def lane_row(lane: LaneState) -> list[str]:
    """Return the cells of a lane, as `LANE_TITLES` names them."""
    return [
        one_line(lane.name, WIDTH),
        f"{lane.in_flight:,}",
        f"{lane.limit:,}",
        f"{lane.ceiling:,}",
        f"{lane.ready + lane.waiting:,}",
        formatting.short(lane.calls_per_s),
        f"{lane.failed:,}",
        f"{lane.retries:,}",
        one_line(waits(lane), WIDTH),
    ]


def waits(lane: LaneState) -> str:
    """Return why a lane starts nothing: `throttled 42 s: 429 slow down, next in 18 s`; "" if it does."""
    now, wait = time.time(), lane.wait
    if lane.stopped is not None:
        return f"stopped: {lane.stopped}"
    if wait is None:
        return "paused" * lane.paused
    text = f"{_WORDS.get(wait.reason, wait.reason)} {formatting.minutes(max(0.0, now - wait.since))}"
    text += f": {wait.text}" if wait.text else ""
    if wait.until is not None and wait.until > now:
        text += f", next in {formatting.minutes(max(1.0, wait.until - now))}"
    if wait.gives_up_at is not None:
        text += f", gives up at {clock(wait.gives_up_at)}"
    return text


def style(row: LaneState | ModelState) -> str:
    """Return the colour of a row: of what is stopped, and of what waits."""
    if row.stopped is not None:
        return "red"
    return "yellow" if row.paused or (isinstance(row, LaneState) and row.wait is not None) else ""


def event_line(name: str, facts: Mapping[str, Any]) -> str | None:
    """Return an event of a run in a line; `None` for those that the figures tell better."""
    lane = facts.get("lane")
    match name:
        case "note":
            text = str(facts.get("text"))
        case "call_failed":
            text = f"failed: {facts.get('model')} {facts.get('input') or ''}: {_failure(facts)}"
        case "attempt_failed":
            times = formatting.count(int(_number(facts.get("times"))), "attempt")
            text = f"{times} failed: {facts.get('model')} {_failure(facts)}"
        case "limit_changed":
            text = f"{lane}: limit {facts.get('limit')}: {facts.get('reason')}"
        case "lane_waiting":
            reason = str(facts.get("reason"))
            text = f"{lane}: {_WORDS.get(reason, reason)} {_failure(facts)}"
        case "lane_resumed":
            text = f"{lane}: continues after {formatting.minutes(_number(facts.get('waited_s')))}"
        case "lane_stopped" | "model_stopped":
            text = f"stopped: {facts.get('model') or lane}: {_failure(facts)}"
        case "worker_changed":
            why = f": {facts.get('why')}" if facts.get("why") else ""
            text = f"worker {facts.get('worker')} on {facts.get('node')}: {facts.get('state')}{why}"
        case "calls_requeued":
            text = f"{facts.get('calls')} failed calls are made again"
        case "run_finished":
            text = f"ended: {facts.get('status')} {facts.get('reason') or ''}"
        case "gap":
            text = f"{facts.get('missed')} events are gone"
        case _:
            return None
    return one_line(text, 2 * WIDTH)


def summed_up(events: Iterable[tuple[str, Facts]]) -> Iterator[tuple[str, Facts]]:
    """Yield the events; attempts that failed alike as one with `times`, before the others."""
    times: dict[tuple[object, ...], dict[str, Any]] = {}
    others: list[tuple[str, Facts]] = []
    for name, facts in events:
        if name != "attempt_failed":
            others.append((name, facts))
            continue
        alike = facts.get("model"), facts.get("kind"), facts.get("http_status")
        found = times.setdefault(alike, {**facts, "times": 0})
        found["times"] += 1
    yield from (("attempt_failed", facts) for facts in times.values())
    yield from others


def _failure(facts: Mapping[str, Any]) -> str:
    status = facts.get("http_status")
    words = [facts.get("kind"), status, facts.get("message")]
    return " ".join(str(word) for word in words if word)


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def fitting(rows: Sequence[Any], room: int) -> tuple[Sequence[Any], int]:
    """Return the rows that there is room for, and how many are left out, which takes a line as well."""
    if len(rows) <= room:
        return rows, 0
    shown = max(0, room - 1)
    return rows[:shown], len(rows) - shown


def _total(state: RunState) -> str:
    return f"{state.total:,}{'' if state.complete else '+'}"


def _left(state: RunState) -> str:
    """Return the time left; while a run is paused, nobody knows it."""
    known = state.left_s is not None and state.phase is not RunPhase.PAUSED
    return formatting.minutes(state.left_s) if known and state.left_s is not None else formatting.UNKNOWN
