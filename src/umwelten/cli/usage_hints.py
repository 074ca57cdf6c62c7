"""What to add to click's own messages: the flag or the spelling that was probably meant."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

_PATTERNS = ("--files", "--attach", "--file", "--file-pattern")
_PROMPT = ("-p", "--prompt")
_MODELS = 'For example -m local:smollm2, or models = ["local:smollm2"] under [defaults] in umwelten.toml.'


def usage_hint(error: click.ClickException) -> str | None:
    """A line to show below the message, if there is one."""
    if not isinstance(error, click.UsageError):
        return None
    command = error.ctx.info_name if error.ctx is not None else None
    if error.message.startswith("Missing option '-m'"):
        return _MODELS
    if isinstance(error, click.NoSuchOption):
        return _of_batch(error) if command == "run" else None
    if error.message.startswith("Got unexpected extra argument"):
        return _of_extra(error.message, sys.argv[1:], prompts=command in ("run", "batch"))
    return None


def _of_batch(error: click.NoSuchOption) -> str | None:
    """A flag that only `batch` has, on `run`."""
    above = error.ctx.parent if error.ctx is not None else None
    if above is None or not isinstance(above.command, click.Group):
        return None
    batch = above.command.get_command(above, "batch")
    flags = [flag for param in batch.params for flag in param.opts] if batch is not None else []
    return f"umwelten eval batch takes {error.option_name}." if error.option_name in flags else None


def _of_extra(message: str, arguments: list[str], *, prompts: bool) -> str | None:
    # click tells the arguments in its message alone, with blanks between them.
    extra = message[message.find("(") + 1 : message.rfind(")")]
    at = next((at for at, one in enumerate(arguments) if f"{extra} ".startswith(f"{one} ")), None)
    if not at:
        return None
    flags = [one.partition("=")[0] for one in arguments if one.startswith("-")]
    last = next((one for one in reversed(arguments[:at]) if one.startswith("-")), "").partition("=")[0]
    if last in _PATTERNS and Path(arguments[at]).exists():
        pattern = Path(arguments[at]).with_name(f"*{Path(arguments[at]).suffix}")
        return f"Put a pattern in quotes: {last} {shlex.quote(str(pattern))}"
    if last in _PROMPT and arguments[at - 1] != last:
        return f"Put the prompt in quotes: {last} {shlex.quote(f'{arguments[at - 1]} {extra}')}"
    given = any(flag in (*_PROMPT, "--prompts") for flag in flags)
    return f"The prompt goes with -p: -p {shlex.quote(arguments[at])}" if prompts and not given else None
