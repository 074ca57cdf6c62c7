"""How the command line spells an option: `--max-cost`, `--pdf text`."""

from __future__ import annotations

import shlex

from umwelten.config.options import FLAGS, OPTIONS

_KEYS = {option.name: option.key for option in (*OPTIONS, *FLAGS)}


def as_flag(name: str, value: str | None = None) -> str:
    """The flag of an option, by its name in `config.options` or by its key."""
    flag = f"--{_KEYS.get(name, name).replace('_', '-')}"
    return flag if value is None else f"{flag} {shlex.quote(value)}"
