"""Which runs the screen begins with."""

from __future__ import annotations

from umwelten.cli.ctl.runs import find
from umwelten.errors import UsageError
from umwelten.live.client import Run, all_runs, ask_all

_START = "Start one in another terminal: umwelten eval batch …; or with --ui, which shows it here."


def chosen_run(given: str | None) -> Run | None:
    """Return the run that is meant; `None` for all. Raises `UsageError` if there is none."""
    if given is not None:
        return find(given)
    runs = all_runs()
    dead = ask_all(runs, lambda run: run.is_dead)
    if all(each is True for each in dead):
        names = ", ".join(run.id for run in runs)
        raise UsageError(f"no run is under way on this machine{f' (dead: {names})' if names else ''}", _START)
    return None
