"""How the command line spells an option: `--max-cost`, `--pdf text`, `--no-stream`."""

from __future__ import annotations

import shlex

from umwelten.config.options import find_option


def as_flag(name: str, value: str | None = None) -> str:
    """The flag of an option, by its name in `config.options` or by its key."""
    option = find_option(name)
    key = (name if option is None else option.key).replace("_", "-")
    if option is not None and option.type.switch and value is not None:
        return f"--no-{key}" if value == "no" else f"--{key}"
    flag = f"--{key}"
    return flag if value is None else f"{flag} {shlex.quote(value)}"
