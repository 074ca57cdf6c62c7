"""Where the files of runs that go on are."""

from __future__ import annotations

from pathlib import Path

from umwelten.user_folders import state_folder

_RUN = "run"


def run_folder() -> Path | None:
    """Return the folder of the files; `None` without a home."""
    state = state_folder()
    return None if state is None else state / _RUN
