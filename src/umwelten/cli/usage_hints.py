"""What to add to click's own messages: the flag or the spelling that was probably meant."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click

_PATTERNS = ("--files", "--attach", "--file", "--file-pattern")
_INPUTS = {"--directory", "--files", "--rows", "--from"}
_PROMPT = ("-p", "--prompt")
_JUDGED = "Models judge answers with eval score ID --scorer 'good=judge:Is the answer right?' --judge MODEL."
_MODELS = 'For example -m local:smollm2, or models = ["local:smollm2"] under [defaults] in umwelten.toml.'

_PROMPTS_OF_BATCH = "For example -p 'Summarise this', or -p @FILE for the text of a file."
_PROMPTS = f"{_PROMPTS_OF_BATCH[:-1]}; -p - takes stdin as the prompt."


def usage_hint(error: click.ClickException) -> str | None:
    """A line to show below the message, if there is one."""
    if not isinstance(error, click.UsageError):
        return None
    command = error.ctx.info_name if error.ctx is not None else None
    if error.message.startswith("Missing option") and "'-m'" in error.message:
        return "\n".join(_of_missing(command))
    if error.message.startswith("Missing option") and "'-p'" in error.message:
        return _PROMPTS if command == "run" else _PROMPTS_OF_BATCH
    if isinstance(error, click.NoSuchOption):
        return _of_option(error, command)
    if isinstance(error, click.NoSuchCommand):
        return _COMMANDS.get(error.command_name)
    if error.message.startswith("Got unexpected extra argument"):
        return _of_extra(error.message, sys.argv[1:], prompts=command in ("run", "batch"))
    return None


def _of_missing(command: str | None) -> Iterator[str]:
    """What the missing options are for, and what else will be missing."""
    yield _MODELS
    flags = {one.partition("=")[0] for one in sys.argv[1:]}
    if command == "batch" and not flags & _INPUTS:
        yield "Inputs are missing as well: --directory, --files, --rows or --from."
    if "DEFAULT_MODELS" in os.environ:
        yield "DEFAULT_MODELS is not read; UMWELTEN_MODELS is."


_OF_UPSTREAM = {
    "--schema-file": "--schema takes a file: --schema schema.json, or --schema file.py:Class (Pydantic).",
    "--zod-schema": "--schema takes a JSON Schema file, as zod-to-json-schema writes: --schema schema.json.",
    "--schema-template": "--schema takes the fields: --schema 'title, year int, tags array'.",
    "--validate-output": "With --schema, every answer is checked, and the call retried if it does not fit.",
    "--strict-validation": "With --schema, validation is strict; --coerce accepts near misses.",
    "--coerce-types": "It is called --coerce.",
    "--config": "Settings are read from umwelten.toml; --profile NAME takes those of [profiles.NAME].",
    "--user": "Other fields of a request go with --param user=ID. --tag NAME is for eval costs --by tag.",
}
"""Flags of umwelten's original: what does the same here."""

_WITH_WORKERS = ("run", "batch", "score", "resume", "retry", "learn")
_CLUSTER = "--engine ray has the calls made by workers of a Ray cluster; --workers N says how many."
_OF_CLUSTERS = {
    "--ray": _CLUSTER,
    "--cluster": f"{_CLUSTER} --engine ray:HOST:PORT uses one that runs.",
    "--ray-address": "--engine ray:HOST:PORT uses that cluster; ray:auto the one that runs on this machine.",
    "--address": "--engine ray:HOST:PORT uses that Ray cluster; base_url in umwelten.toml is a provider's.",
    "--num-workers": "It is called --workers, and goes with --engine ray.",
    "--n-workers": "It is called --workers, and goes with --engine ray.",
    "--parallel": "--max-concurrency N has N calls in flight; --engine ray has several processes make them.",
    "--distributed": _CLUSTER,
}
"""What may be typed for workers, on every command that has them."""

_COMMANDS = {
    "combine": "umwelten eval report ID ID -o FILE.html has both on one page; eval compare compares scores.",
    "rank": _JUDGED,
    "ranking": _JUDGED,
    "pairwise": _JUDGED,
    "judge": _JUDGED,
    "verify": "umwelten eval score ID --scorer TYPE checks answers; eval score --help has the types.",
    "chat": "There is no chat; umwelten eval run -p TEXT -m MODEL asks once, also with --tools and --memory.",
    "facts": "umwelten memory list NAME shows facts; memory learn NAME finds them in files and answers.",
    "info": "umwelten models list --search NAME and umwelten models costs show what is known of a model.",
    "ui": "umwelten view opens a page in the browser; umwelten top shows runs in the terminal.",
    "logs": "umwelten eval list, eval show and eval search read what is stored.",
}
"""Commands of umwelten's original and of tools like it: what does the same here."""


def _of_option(error: click.NoSuchOption, command: str | None) -> str | None:
    if command in _WITH_WORKERS and error.option_name in _OF_CLUSTERS:
        return _OF_CLUSTERS[error.option_name]
    if command in ("run", "batch") and error.option_name in _OF_UPSTREAM:
        return _OF_UPSTREAM[error.option_name]
    if command == "run":
        return _of_batch(error)
    if command == "report" and error.option_name in ("--verbose", "-v"):
        return "--full has whole answers, prompts as sent and failed attempts; --short leaves calls out."
    if command == "list" and error.option_name in ("--id", "-i"):
        return "The ids come without a flag: umwelten eval list 'scans-*'."
    if command in ("models", "list") and error.option_name == "--view":
        return "umwelten models list prints them; --json for programs."
    if command in ("resume", "retry"):
        return _of_question(error)
    return None


def _of_question(error: click.NoSuchOption) -> str | None:
    """An option that decides on what is asked, on a command that asks the same again."""
    from umwelten.cli.flag_names import as_flag
    from umwelten.config.options import OPTIONS

    flags = {flag for option in OPTIONS.values() for flag in (option.short, as_flag(option.key))}
    if error.option_name not in flags:
        return None
    return (
        f"It goes on with what was asked. To ask something else: umwelten eval batch --id NEW --reuse ID … "
        f"{error.option_name} …, which takes over the answers to the same calls."
    )


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
