"""The verbs of `umwelten ctl` that change a run."""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
import msgspec

from umwelten.cli.ctl.runs import fail, find
from umwelten.cli.json_output import print_json
from umwelten.cli.table_layout import write_table
from umwelten.config.option_types import LONG_DURATION
from umwelten.errors import UsageError
from umwelten.evaluation.run_state import Change
from umwelten.live.client import Run, RunError
from umwelten.records import ChangeKey
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe
from umwelten.text.suggestions import closest, did_you_mean

KEYS: Mapping[str, ChangeKey] = {
    "max-concurrency": ChangeKey.MAX_CONCURRENCY,
    "provider-concurrency": ChangeKey.PROVIDER_CONCURRENCY,
    "lane-rpm": ChangeKey.RATE,
    "max-cost": ChangeKey.MAX_COST,
    "max-errors": ChangeKey.MAX_ERRORS,
    "timeout": ChangeKey.TIMEOUT,
    "retries": ChangeKey.RETRIES,
}
"""What can be set, as it is typed."""

SCOPED = ("provider-concurrency", "lane-rpm")
_WIDTH = 200


def set_setting(
    given: str | None, key: str, values: Sequence[str], *, reason: str, dry_run: bool, as_json: bool
) -> None:
    """Change a setting."""
    name = key.replace("_", "-")
    if name not in KEYS:
        near = closest(name, KEYS)
        raise UsageError(f"{key!r} cannot be set", did_you_mean(near) or f"There are {', '.join(KEYS)}.")
    scope, value = scoped(name, values)
    body = {"key": str(KEYS[name]), "value": value, "scope": scope, "dry_run": dry_run}
    _change(given, "PATCH", "/settings", body, reason, as_json=as_json)


def scoped(name: str, values: Sequence[str]) -> tuple[str, str]:
    """Return of what a value is, and the value: `openai=20` or `openai 20`; "" where it is of the run."""
    if name not in SCOPED:
        if len(values) != 1:
            raise UsageError(f"{name} takes one value, not {len(values)}", f"umwelten ctl set {name} VALUE")
        return "", values[0]
    words = values if len(values) == 2 else (values[0].rpartition("=")[::2] if len(values) == 1 else ())
    if len(words) != 2 or not all(words):
        raise UsageError(
            f"{name} takes a provider or lane, and a number: {' '.join(values) or 'nothing'!r}",
            f"For example: umwelten ctl set {name} openai{'=' if name == SCOPED[0] else ' '}20",
        )
    return words[0], words[1]


def pause(
    given: str | None, *, lane: str | None, model: str | None, for_: str | None, reason: str, as_json: bool
) -> None:
    """Have a run start nothing, or nothing of a lane or model."""
    body: dict[str, Any] = {"scope": _scope(lane, model)}
    if for_ is not None:
        try:
            body["for_s"] = LONG_DURATION.read(for_)
        except ValueError as error:
            raise UsageError(f"--for {for_}: {error}") from None
    _change(given, "POST", "/pause", body, reason, as_json=as_json)


def resume(given: str | None, *, lane: str | None, model: str | None, reason: str, as_json: bool) -> None:
    """End a pause."""
    _change(given, "POST", "/resume", {"scope": _scope(lane, model)}, reason, as_json=as_json)


def stop(given: str | None, *, now: bool, reason: str, as_json: bool) -> None:
    """End a run."""
    _change(given, "POST", "/stop", {"now": now}, reason, as_json=as_json)


def retry_failed(
    given: str | None, *, kind: str | None, model: str | None, input_: str | None, reason: str, as_json: bool
) -> None:
    """Have failed calls made again."""
    body = {"kind": kind or "", "model": model or "", "input": input_ or ""}
    _change(given, "POST", "/retry", body, reason, as_json=as_json)


def cancel(given: str | None, call: str | None, *, reason: str, as_json: bool) -> None:
    """Cancel a call, or list those that could be."""
    if call is None:
        _list_calls(find(given), as_json=as_json)
        return
    if not (call.isascii() and call.isdigit() and len(call) <= 18):
        raise UsageError(
            f"{call!r} is not the number of a call", "`umwelten ctl cancel` lists those in flight."
        )
    _change(given, "POST", "/cancel", {"call": int(call)}, reason, as_json=as_json)


def _scope(lane: str | None, model: str | None) -> str:
    if lane and model:
        raise UsageError("--lane and --model exclude each other", "Pause one after the other.")
    return lane or model or ""


def _change(
    given: str | None, method: str, path: str, body: Mapping[str, Any], reason: str, *, as_json: bool
) -> None:
    run = find(given)
    try:
        change = run.change(method, path, {**body, "reason": reason, "author": user_name(), "via": "ctl"})
    except RunError as error:
        fail(run, error)
    if as_json:
        print_json({"id": run.id, **msgspec.to_builtins(change)}, compact=True)
    else:
        click.echo(_line(run, change))
    if change.note:
        click.echo(f"note: {safe(change.note)}", err=True)
    if change.journalled is False:
        click.echo("warning: it holds, but it could not be stored with the evaluation", err=True)


def _line(run: Run, change: Change) -> str:
    """A change on one line: for people in words, for other programs in cells."""
    old, new = value_text(change.old), value_text(change.new)
    if not sys.stdout.isatty():
        stored = {True: "journalled", False: "not journalled", None: "dry run"}[change.journalled]
        return "\t".join(
            one_line(cell, _WIDTH) for cell in (run.id, change.key, change.scope, old, new, stored)
        )
    would = "would be: " if change.journalled is None else ""
    return one_line(f"{run.id}: {would}{_words(change)}", 2 * _WIDTH)


def _words(change: Change) -> str:
    of = f" of {change.scope}" if change.scope else ""
    match change.key:
        case ChangeKey.PAUSE:
            return f"{change.scope or 'all of it'} is paused"
        case ChangeKey.RESUME:
            return f"{change.scope or 'all of it'} goes on"
        case ChangeKey.STOP:
            return "it ends" if change.new is True else f"it ends {change.new}"
        case ChangeKey.RETRY:
            calls = formatting.count(change.new, "failed call") if isinstance(change.new, int) else "calls"
            return f"{calls}{of} {'is' if change.new == 1 else 'are'} made again"
        case ChangeKey.CANCEL:
            return f"call {change.scope} is cancelled"
        case _:
            return f"{change.key}{of} {value_text(change.old)} → {value_text(change.new)}"


def value_text(value: Any) -> str:
    """Return a value of JSON as people write it."""
    match value:
        case None:
            return formatting.UNKNOWN
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case str() | int():
            return str(value)
        case {"for_s": float() | int() as seconds}:
            return f"for {formatting.minutes(seconds)}"
    return msgspec.json.encode(value).decode()


def user_name() -> str:
    """Return the name of who types this, "" where nobody knows it."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _list_calls(run: Run, *, as_json: bool) -> None:
    try:
        calls = run.calls(status="running", limit=500)
    except RunError as error:
        fail(run, error)
    if as_json:
        print_json(calls)
        return
    if not calls:
        click.echo(f"no call of {safe(run.id)} is in flight", err=True)
        return
    rows = (
        [
            str(call["call"]),
            formatting.seconds(max(0.0, time.time() - call["since"])),
            one_line(call["input"] or "", _WIDTH),
            one_line(call["model"], _WIDTH),
            one_line(call["lane"], _WIDTH),
            str(call["attempt"]),
        ]
        for call in calls
    )
    titles = ("CALL", "TIME", "FILE", "MODEL", "LANE", "ATTEMPTS")
    write_table(titles, rows, shrink=("FILE", "MODEL", "LANE"))
