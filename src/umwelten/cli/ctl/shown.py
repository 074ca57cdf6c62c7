"""What `umwelten ctl` shows: a line for each run, and how one run is."""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from itertools import compress

import click
import msgspec

from umwelten.cli.ctl.changes import value_text
from umwelten.cli.ctl.runs import FAILED, fail, find
from umwelten.cli.json_output import print_json
from umwelten.cli.table_layout import cut, write_table
from umwelten.evaluation.run_state import LaneState, RunPhase, RunState, WorkersState
from umwelten.live.client import Run, RunError, RunGone, all_runs, ask_all, is_listed
from umwelten.report.progress.worker_words import worker_count
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe

_TITLES = ("ID", "PHASE", "DONE", "TOTAL", "FAILED", "IN FLIGHT", "PER S", "LEFT", "COST", "PID", "FOLDER")
_NUMBERS = (
    "DONE",
    "TOTAL",
    "FAILED",
    "IN FLIGHT",
    "LIMIT",
    "CEILING",
    "READY",
    "PER S",
    "RETRIES",
    "LEFT",
    "COST",
)
_WIDTH = 200
_WATCH_S = 1.0
_DEAD = "dead"
_UP = "\x1b[{}F\x1b[J"
"""Go so many lines up, and take away all from there."""


def show_all(*, as_json: bool) -> None:
    """Print a line for each run; ends with a status if one does not answer."""
    runs = all_runs()
    said = ask_all(runs, lambda run: run.state())
    # One that has ended meanwhile is no longer listed; one that was killed is.
    there = [
        not isinstance(answer, RunGone) or is_listed(run) for run, answer in zip(runs, said, strict=True)
    ]
    runs, said = list(compress(runs, there)), list(compress(said, there))
    if as_json:
        print_json([_facts(run, answer) for run, answer in zip(runs, said, strict=True)])
    elif not runs:
        click.echo("no run is under way on this machine", err=True)
    else:
        _write_runs([_row(run, answer) for run, answer in zip(runs, said, strict=True)])
    sys.stdout.flush()
    silent = [
        (run, answer)
        for run, answer in zip(runs, said, strict=True)
        if isinstance(answer, RunError) and not isinstance(answer, RunGone)
    ]
    for run, error in silent:
        click.echo(f"Error: {safe(run.id)} (process {run.file.pid}): {safe(str(error))}", err=True)
    if any(isinstance(answer, RunGone) for answer in said):
        click.echo("dead: the process ended without a word; the next run takes its files away", err=True)
    if silent:
        raise click.exceptions.Exit(FAILED)


def show_one(given: str | None, *, as_json: bool, watch: bool) -> None:
    """Print how a run is, once or until it ends."""
    run = find(given)
    lines = 0
    while True:
        try:
            state = run.state()
        except RunGone as error:
            if not watch:
                fail(run, error)
            click.echo(f"{safe(run.id)} has ended", err=True)
            return
        except RunError as error:
            fail(run, error)
        if as_json:
            print_json(msgspec.to_builtins(state), compact=watch)
        elif watch and not sys.stdout.isatty():
            _write_lines(run, state, titles=lines == 0)
            lines = 1
        else:
            text = _screen(run, state)
            if watch:
                text = _fitting(text)
            sys.stdout.write((_UP.format(lines) if lines else "") + text)
            lines = text.count("\n")
        sys.stdout.flush()
        if not watch:
            return
        time.sleep(_WATCH_S)


def _screen(run: Run, state: RunState) -> str:
    """A run in tables, as they are on this stdout."""
    text = _Text(terminal=sys.stdout.isatty())
    with contextlib.redirect_stdout(text):
        if text.isatty():
            _write_head(run, state)
        else:
            _write_runs([_row(run, state)])
        _write_lanes(state.lanes)
        _write_models(state)
        _write_changes(state)
        _write_facts(state)
    return text.getvalue()


def _fitting(text: str) -> str:
    """What there is room for on the terminal, so that it can be written over."""
    columns, rows = shutil.get_terminal_size()
    lines = text.splitlines()[: max(rows - 1, 1)]
    return "".join(f"{cut(line, columns, end=True)}\n" for line in lines)


class _Text(io.StringIO):
    """What would be written."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    def isatty(self) -> bool:
        """Return whether it goes to a terminal in the end."""
        return self._terminal


def _write_lines(run: Run, state: RunState, *, titles: bool) -> None:
    row = _row(run, state)
    if titles:
        _write_runs([row])
    else:
        sys.stdout.write("\t".join(row) + "\n")


def _write_runs(rows: Sequence[Sequence[str]]) -> None:
    """A line for each run: all that there is for other programs, what fits 80 columns for people."""
    if not sys.stdout.isatty():
        write_table(_TITLES, rows, shrink=())
        return
    short = [
        [*row[:2], row[2] if row[3] == formatting.UNKNOWN else f"{row[2]} of {row[3]}", *row[4:9]]
        for row in rows
    ]
    write_table((*_TITLES[:3], *_TITLES[4:9]), short, shrink=("ID", "PHASE"), right=_NUMBERS)


def _write_head(run: Run, state: RunState) -> None:
    """The same in words, for people."""
    plus = "" if state.complete else " or more"
    done = f"{state.done:,} of {state.total:,}{plus} done"
    calls = f"{done}, {state.failed:,} failed, {state.in_flight:,} in flight"
    pace = f"{formatting.short(state.calls_per_s)} calls/s, {formatting.short(state.tokens_per_s)} tokens/s"
    left = "" if state.left_s is None else f", about {formatting.minutes(state.left_s)} left"
    paused = f", paused for {formatting.minutes(state.paused_s)} of it" if state.paused_s else ""
    workers = [] if state.workers is None else [f"  workers {workers_text(state.workers)}"]
    lines = [
        f"{run.id}: {phase_words(state)}" + (f" ({state.reason})" if state.reason else ""),
        f"  calls   {calls}",
        f"  pace    {pace}{left}",
        f"  time    {formatting.minutes(state.elapsed_s)}{paused}",
        f"  cost    {formatting.short_cost(state.cost_usd, state.unpriced_calls)}",
        f"  run     process {state.pid}, {state.folder}",
        *workers,
        f"  limits  {_settings(state)}",
    ]
    sys.stdout.writelines(
        f"{one_line(line, 4 * _WIDTH)}\n" if line[0] != " " else _indented(line) for line in lines
    )


def _indented(line: str) -> str:
    """A line whose name keeps its place; `one_line` takes blanks together."""
    return f"{line[:10]}{one_line(line[10:], 4 * _WIDTH)}\n"


def _settings(state: RunState) -> str:
    """What holds now."""
    known = {key: value for key, value in state.settings.items() if value not in (None, {}, [])}
    return ", ".join(f"{key.replace('_', '-')} {value_text(value)}" for key, value in known.items())


def _row(run: Run, answer: RunState | RunError) -> list[str]:
    name, folder = one_line(run.id, _WIDTH), one_line(run.file.folder, 4 * _WIDTH)
    if isinstance(answer, RunError):
        phase = _DEAD if isinstance(answer, RunGone) else "no answer"
        blanks = [formatting.UNKNOWN] * 7
        return [name, phase, *blanks, str(run.file.pid), folder]
    return [
        name,
        phase_words(answer),
        str(answer.done),
        f"{answer.total}{'' if answer.complete else '+'}",
        str(answer.failed),
        str(answer.in_flight),
        formatting.short(answer.calls_per_s),
        formatting.UNKNOWN if answer.left_s is None else formatting.minutes(answer.left_s),
        formatting.short_cost(answer.cost_usd, answer.unpriced_calls),
        str(answer.pid),
        folder,
    ]


def workers_text(workers: WorkersState) -> str:
    """How many there are, such as `3 of 4 workers, 1 lost`."""
    return worker_count(workers.ready, workers.wanted, workers.lost)


def phase_words(state: RunState) -> str:
    """What a run does, in a few words."""
    if state.quiet and state.phase is RunPhase.PAUSED:
        return "paused, quiet: safe to kill"
    return str(state.phase)


def _facts(run: Run, answer: RunState | RunError) -> dict[str, object]:
    if isinstance(answer, RunState):
        return {"answers": True, **msgspec.to_builtins(answer)}
    facts = msgspec.to_builtins(run.file)
    known = {name: facts[name] for name in ("id", "folder", "pid", "started_at", "version")}
    dead = isinstance(answer, RunGone)
    return {"answers": False, "phase": _DEAD if dead else None, "error": str(answer), **known}


def _write_lanes(lanes: Sequence[LaneState]) -> None:
    titles = ("LANE", "IN FLIGHT", "LIMIT", "CEILING", "READY", "PER S", "DONE", "FAILED", "RETRIES", "WAITS")
    rows = [
        [
            one_line(lane.name, _WIDTH),
            *map(str, (lane.in_flight, lane.limit, lane.ceiling, lane.ready + lane.waiting)),
            formatting.short(lane.calls_per_s),
            *map(str, (lane.succeeded, lane.failed, lane.retries)),
            one_line(waits(lane), _WIDTH),
        ]
        for lane in lanes
    ]
    if not rows:
        return
    sys.stdout.write("\n")
    if not sys.stdout.isatty():
        write_table(titles, rows, shrink=())
        return
    # For people, what fits 80 columns: limit and ceiling in one, and no sums that the models have as well.
    short = [
        [
            row[0],
            row[1],
            row[2] if row[2] == row[3] else f"{row[2]} of {row[3]}",
            row[4],
            row[5],
            _brief(lane),
        ]
        for row, lane in zip(rows, lanes, strict=True)
    ]
    write_table(
        ("LANE", "IN FLIGHT", "LIMIT", "READY", "PER S", "WAITS"),
        short,
        shrink=("LANE", "WAITS"),
        right=_NUMBERS,
    )


def _brief(lane: LaneState) -> str:
    """As `waits`, with the time first, as a provider's message may be long."""
    wait = lane.wait
    if lane.stopped or lane.paused or wait is None or wait.until is None or wait.until <= time.time():
        return one_line(waits(lane), _WIDTH)
    return one_line(f"until {_clock(wait.until)}: {wait.text or wait.reason}", _WIDTH)


def waits(lane: LaneState) -> str:
    """Why a lane starts nothing, "" if it does."""
    if lane.stopped is not None:
        return f"stopped: {lane.stopped}"
    if lane.paused:
        return "paused"
    if lane.wait is None:
        return ""
    text = f"{lane.wait.text or lane.wait.reason} for {formatting.minutes(time.time() - lane.wait.since)}"
    if lane.wait.until is not None and lane.wait.until > time.time():
        text += f", until {_clock(lane.wait.until)}"
    return text


def _write_models(state: RunState) -> None:
    titles = ("MODEL", "DONE", "TOTAL", "FAILED", "IN FLIGHT", "COST", "NOTE")
    rows = [
        [
            one_line(model.model, _WIDTH),
            *map(str, (model.done, model.total, model.failed, model.in_flight)),
            formatting.short_cost(model.cost_usd, model.unpriced_calls),
            one_line(f"stopped: {model.stopped}" if model.stopped else "paused" * model.paused, _WIDTH),
        ]
        for model in state.models
    ]
    if rows:
        sys.stdout.write("\n")
        write_table(titles, rows, shrink=("MODEL", "NOTE"), right=_NUMBERS)


def _write_changes(state: RunState) -> None:
    titles = ("CHANGED", "KEY", "SCOPE", "OLD", "NEW", "BY", "REASON")
    rows = [
        [
            _clock(change.at),
            change.key,
            one_line(change.scope, _WIDTH),
            one_line(value_text(change.old), _WIDTH),
            one_line(value_text(change.new), _WIDTH),
            one_line(f"{change.author} ({change.via})" if change.author else change.via, _WIDTH),
            one_line(change.reason, _WIDTH),
        ]
        for change in state.changes
    ]
    if rows:
        sys.stdout.write("\n")
        write_table(titles, rows, shrink=("SCOPE", "OLD", "NEW", "BY", "REASON"))


def _write_facts(state: RunState) -> None:
    """What holds now, and how long it has taken, for other programs; people have it at the top."""
    if sys.stdout.isatty():
        return
    rows = [[key, value_text(value)] for key, value in state.settings.items() if value not in (None, {}, [])]
    if state.workers is not None:
        rows.append(["workers", workers_text(state.workers)])
    rows.append(["elapsed", formatting.minutes(state.elapsed_s)])
    if state.paused_s:
        rows.append(["paused", formatting.minutes(state.paused_s)])
    if state.reason:
        rows.append(["reason", state.reason])
    sys.stdout.write("\n")
    write_table(("SETTING", "VALUE"), [[one_line(cell, _WIDTH) for cell in row] for row in rows], shrink=())


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S")
