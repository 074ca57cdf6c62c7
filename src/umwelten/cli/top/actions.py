"""The changes that keys make, each with the command that does the same."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from umwelten.cli.ctl.changes import KEYS, scoped, user_name, value_text
from umwelten.cli.ctl.group import group
from umwelten.errors import UsageError
from umwelten.evaluation.run_state import Change, LaneState, ModelState, RunPhase, RunState
from umwelten.live.client import Refused, Run, RunError
from umwelten.records import ChangeKey
from umwelten.text.sanitize import one_line

_STEP = 0.25
_WIDTH = 200
_TYPED: Mapping[ChangeKey, str] = {key: typed for typed, key in KEYS.items()}


class Asked(NamedTuple):
    """A change as it is sent: `words` are those of `umwelten ctl ID`."""

    method: str
    path: str
    body: Mapping[str, Any]
    words: tuple[str, ...]


class Told(NamedTuple):
    """What came of a change, in a line, and the command that does the same."""

    text: str
    command: str
    is_done: bool


def pause(state: RunState, of: LaneState | ModelState | None = None) -> Asked:
    """Pause a lane, a model or the run; where it is paused, resume it."""
    if of is None:
        verb = "resume" if state.phase is RunPhase.PAUSED else "pause"
        return Asked("POST", f"/{verb}", {"scope": ""}, (verb,))
    verb = "resume" if of.paused else "pause"
    flag, scope = ("--lane", of.name) if isinstance(of, LaneState) else ("--model", of.model)
    return Asked("POST", f"/{verb}", {"scope": scope}, (verb, flag, scope))


def step(state: RunState, lane: LaneState | None = None, *, up: bool) -> Asked:
    """Raise or lower a ceiling by a quarter: that of a lane, or of the run."""
    if lane is not None:
        return change(ChangeKey.PROVIDER_CONCURRENCY, str(_stepped(lane.ceiling, up=up)), lane.name)
    now = state.settings.get("max_concurrency")
    if not isinstance(now, int):  # "auto": what the lanes have learnt so far
        now = sum(each.limit for each in state.lanes if each.stopped is None) or state.in_flight or 1
    return change(ChangeKey.MAX_CONCURRENCY, str(_stepped(now, up=up)))


def _stepped(now: int, *, up: bool) -> int:
    by = max(1, round(now * _STEP))
    return now + by if up else max(1, now - by)


def change(key: ChangeKey, value: str, scope: str = "") -> Asked:
    """Change a setting."""
    words = (
        (f"{scope}={value}",)
        if key is ChangeKey.PROVIDER_CONCURRENCY
        else tuple(filter(None, (scope, value)))
    )
    return Asked(
        "PATCH", "/settings", {"key": str(key), "value": value, "scope": scope}, ("set", _TYPED[key], *words)
    )


def typed_setting(text: str) -> Asked:
    """Change a setting, typed as after `umwelten ctl ID set`. Raises `UsageError`, `ValueError`."""
    name, *values = shlex.split(text) or [""]
    key = KEYS.get(name.replace("_", "-"))
    if key is None:
        raise UsageError(f"{name!r} cannot be set", f"There are {', '.join(KEYS)}.")
    scope, value = scoped(name, values)
    return change(key, value, scope)


def stop(*, now: bool) -> Asked:
    """End the run."""
    return Asked("POST", "/stop", {"now": now}, ("stop", *(("--now",) if now else ())))


def retry(kind: str = "") -> Asked:
    """Make failed calls again."""
    return Asked("POST", "/retry", {"kind": kind}, ("retry-failed", *(("--kind", kind) if kind else ())))


def command(id: str, words: Sequence[str]) -> str:
    """Return the command that does so to the run of that id."""
    given = ("-i", id) if id in group.commands else (id,)
    return one_line(shlex.join(["umwelten", "ctl", *given, *words]), _WIDTH)


def tell(run: Run, asked: Asked) -> Told:
    """Have a run do it. Waits for the run, 5 s at most."""
    typed = command(run.id, asked.words)
    body = {**asked.body, "reason": "", "author": user_name(), "via": "ui"}
    try:
        done = run.change(asked.method, asked.path, body)
    except RunError as error:
        hint = f". {error.hint}" if isinstance(error, Refused) and error.hint else ""
        return Told(one_line(f"{run.id}: {error}{hint}", _WIDTH), typed, is_done=False)
    return Told(_outcome(done), typed, is_done=True)


def _outcome(done: Change) -> str:
    what = f"{done.key} of {done.scope}" if done.scope else done.key
    text = f"{what} {value_text(done.old)} → {value_text(done.new)}"
    text += f"; {done.note}" if done.note else ""
    text += "; it could not be stored with the evaluation" if done.journalled is False else ""
    return one_line(text, _WIDTH)
