"""What the shell may put where the cursor is, of the runs of this machine. As `completion.completers`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from umwelten.cli.completion.completers import MOST_FILES, Items, items_of, no_flags

if TYPE_CHECKING:
    from umwelten.evaluation.run_state import RunState
    from umwelten.live.client import Run

_TAB_S = 0.5
"""How long a run is waited for."""

GIVEN = "umwelten.ctl.id"
"""Where the context of the commands has the id that was given."""


def given_run(ctx: click.Context) -> str | None:
    """Return the id that was given, whichever way."""
    given: str | None = ctx.meta.get(GIVEN)
    return given


def running(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The ids of the runs of this machine. None of them is asked."""
    from umwelten.live.client import all_runs

    return items_of(no_flags(dict.fromkeys(run.id for run in all_runs())), incomplete)


def live_settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What of a run can be set."""
    from umwelten.cli.ctl.changes import KEYS

    return items_of(KEYS, incomplete)


def running_lanes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The lanes and providers of the run that is named, or of all."""
    found = [lane for state in _states(ctx) for lane in state.lanes]
    names = dict.fromkeys([lane.provider for lane in found] + [lane.name for lane in found])
    return items_of(no_flags(names), incomplete)


def running_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Its models."""
    names = dict.fromkeys(model.model for state in _states(ctx) for model in state.models)
    return items_of(no_flags(names), incomplete)


def running_scopes(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Of what a setting is, where it is of a provider or lane; `auto` where that is a value."""
    from umwelten.cli.ctl.changes import SCOPED

    key = str(ctx.params.get("key")).replace("_", "-")
    if ctx.params.get("values"):
        return []
    if key == "max-concurrency":
        return items_of(["auto"], incomplete)
    if key not in SCOPED:
        return []
    sign = "=" if key == SCOPED[0] else ""
    return [CompletionItem(f"{item.value}{sign}") for item in running_lanes(ctx, param, incomplete)]


def running_calls(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The calls in flight, with what they are about."""
    from umwelten.live.client import RunError

    found = []
    for run in _runs(ctx):
        try:
            found += run.calls(status="running", limit=MOST_FILES)
        except RunError:
            continue
    return [
        CompletionItem(str(call["call"]), help=f"{call['input'] or ''} {call['model']}".strip())
        for call in found
        if str(call["call"]).startswith(incomplete)
    ]


def _runs(ctx: click.Context) -> list[Run]:
    from umwelten.cli.ctl.runs import matching
    from umwelten.live.client import all_runs

    given, runs = given_run(ctx), all_runs(timeout_s=_TAB_S)
    return runs if given is None else matching(runs, given)


def _states(ctx: click.Context) -> list[RunState]:
    from umwelten.live.client import RunError, ask_all

    said = ask_all(_runs(ctx), lambda run: run.state())
    return [state for state in said if not isinstance(state, RunError)]
