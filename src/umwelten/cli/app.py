"""The command `umwelten`: the tree of commands, and how errors become messages and exit statuses."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import click

from umwelten.cli import standard_streams
from umwelten.cli.interrupts import INTERRUPTED, interrupts
from umwelten.errors import UmweltenError
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.version import __version__

_COMPLETE = "_UMWELTEN_COMPLETE"  # set by the shells' scripts
_OF_EVAL = (
    "run batch resume retry score compare report list show delete rename copy search tag ratings export"
)
_MEANT = {
    **{word: f"eval {word}" for word in [*_OF_EVAL.split(), "import"]},
    "pull": "models pull",
    "costs": "models costs",
    **{word: f"config {word}" for word in ("init", "path")},
}


class LazyGroup(click.Group):
    """A group that imports a command's module only when that command is used: `--help` stays fast.

    `lazy` maps a command's name to ("module:attribute", one line of help).
    """

    def __init__(
        self, *args: object, lazy: dict[str, tuple[str, str]] | None = None, **kwargs: object
    ) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.lazy = lazy or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the table."""
        return [*self.lazy, *super().list_commands(ctx)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command itself, imported now."""
        if cmd_name not in self.lazy:
            return super().get_command(ctx, cmd_name)
        module, _, attribute = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; a misspelt one gets the nearest name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            name = closest(args[0], self.list_commands(ctx)) or _MEANT.get(args[0])
            if name is None:
                raise
            suggestion = did_you_mean(name, "'{}'")
            raise click.UsageError(f"{error.message} {suggestion}", ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`, from the table alone."""
        rows = [(name, text) for name, (_, text) in self.lazy.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


@click.group(
    cls=LazyGroup,
    lazy={
        "eval": (
            "umwelten.cli.eval:group",
            "Run prompts over models and files; list and report the results.",
        ),
        "ctl": (
            "umwelten.cli.ctl.group:group",
            "Watch and change runs while they go on.",
        ),
        "top": (
            "umwelten.cli.top.command:command",
            "Watch and change runs on the whole screen; leaving it ends none.",
        ),
        "memory": (
            "umwelten.cli.memory.group:group",
            "Learn facts from files, rows and answers; list, search and change what is known.",
        ),
        "view": (
            "umwelten.cli.view:command",
            "See all evaluations in the browser: live, calls, answers, comparisons, ratings.",
        ),
        "simulate": (
            "umwelten.cli.simulate:simulate",
            "Simulate, in virtual time, how fast a provider with given limits would be used.",
        ),
        "models": (
            "umwelten.cli.models:group",
            "List the models that providers offer; download the embedded model.",
        ),
        "tools": (
            "umwelten.cli.tools:group",
            "List, show and try the tools that models may call.",
        ),
        "config": ("umwelten.cli.config:group", "Show the configuration and where each value comes from."),
        "trust": (
            "umwelten.cli.trust:command",
            "Show what the project's files would send, read, write or run, and trust them with it.",
        ),
        "completion": (
            "umwelten.cli.completion.command:command",
            "Set up completion for bash, zsh and fish.",
        ),
    },
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, "-V", "--version", prog_name="umwelten")
def cli() -> None:
    """Run prompts against many language models and many files at the same time.

    \b
    One prompt to several models:
      umwelten eval run -p "Explain tides" -m ollama:gemma3:12b,google:gemini-3.5-flash --concurrent
    One prompt over the files of a directory:
      umwelten eval batch -p "Summarise this" -m local:smollm2 --directory texts --file-pattern "*.txt"
    """


def _see_help(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is None:
        return ""
    # However the program was started, such as by `python -m umwelten`.
    below = context.command_path.removeprefix(context.find_root().info_name or "")
    return f"`umwelten{below} --help` has the options."


def _has_working_directory() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return False
    return True


def main() -> None:
    """Entry point: run the command line and exit with its status."""
    standard_streams.prepare()
    status = _status_of(_run)
    # What was printed last may still have to be written, and fail only now.
    unwritten = _status_of(sys.stdout.flush)
    if status == INTERRUPTED:
        # Python would wait for threads first, and end by the next Ctrl-C with another status.
        interrupts().leave()
    sys.exit(status or unwritten)


def _run() -> object:
    interrupts()
    if _COMPLETE in os.environ:
        from umwelten.cli.completion.scripts import register

        register()
    return cli.main(standalone_mode=False, complete_var=_COMPLETE)


def _status_of(act: Callable[[], object]) -> int:
    """Do it; returns the exit status that its result or its error comes to. Errors are shown."""
    try:
        status = act()
    except click.exceptions.Exit as stop:
        status = stop.exit_code
    except click.ClickException as error:
        from umwelten.cli.usage_hints import usage_hint
        from umwelten.text.sanitize import safe

        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            error.show()
        else:
            # As errors of ours: what is wrong, then what to do.
            click.echo(f"Error: {safe(error.format_message())}", err=True)
            hint = usage_hint(error) or _see_help(error)
            if hint:
                click.echo(safe(hint), err=True)
        status = error.exit_code
    except UmweltenError as error:
        from umwelten.cli.flag_names import as_flag
        from umwelten.text.sanitize import safe

        error.spell(as_flag)
        click.echo(f"Error: {safe(error.message)}", err=True)
        if error.hint:
            click.echo(safe(error.hint), err=True)
        status = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        status = INTERRUPTED
    except FileNotFoundError:
        if _has_working_directory():
            raise
        click.echo("Error: the working directory is not there any more\nChange to another one.", err=True)
        status = click.UsageError.exit_code
    return status if isinstance(status, int) else 0
