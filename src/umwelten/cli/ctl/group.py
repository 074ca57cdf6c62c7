"""The commands of `umwelten ctl` with their flags; what they do is imported when they are used."""

from __future__ import annotations

from typing import Any

import click

from umwelten.cli.app import LazyGroup
from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion.completers import Items
from umwelten.cli.ctl import run_completers
from umwelten.cli.ctl.run_completers import GIVEN, given_run
from umwelten.cli.single_option import option


class RunGroup(CommandGroup, LazyGroup):
    """A group whose verbs may have the id of a run before them: `ctl ID pause`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the id out, so that what is left is as other groups have it."""
        at = _first_word(args)
        if at is not None and args[at] not in self.commands:
            ctx.meta[GIVEN] = args[at]
            args = args[:at] + args[at + 1 :]
        return super().parse_args(ctx, args)

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Say where the id goes."""
        formatter.write_usage(ctx.command_path, "[ID] [OPTIONS] [COMMAND [ARGS]...]")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> Items:
        """Complete the verbs and, unless there is one, the id."""
        items = super().shell_complete(ctx, incomplete)
        if GIVEN not in ctx.meta and not incomplete.startswith("-"):
            items = run_completers.running(ctx, click.Argument(["id"]), incomplete) + items
        return items


def _first_word(args: list[str]) -> int | None:
    """Return the place of the first argument that is no flag, nor the value of `--id`."""
    at = 0
    while at < len(args):
        if args[at] in ("-i", "--id"):
            at += 1
        elif args[at] == "--":
            return None
        elif not args[at].startswith("-"):
            return at
        at += 1
    return None


@click.group("ctl", cls=RunGroup, invoke_without_command=True, no_args_is_help=False)
@option(
    "-i",
    "--id",
    "id_",
    metavar="ID",
    help="The run, where its id is the name of a command.",
    shell_complete=run_completers.running,
)
@option("--json", "as_json", is_flag=True, help="Print JSON; with --watch, one line a second.")
@option("--watch", is_flag=True, help="Show it again every second, until the run ends.")
@click.pass_context
def group(ctx: click.Context, /, id_: str | None, as_json: bool, watch: bool) -> None:
    """Watch and change the runs of this machine while they go on.

    Without ID and command: a line for each run, also for those that were killed. With ID: how that run is.
    ID is an evaluation's id, the beginning of it or the number of its process, and may be left out if there
    is one run. Every change is kept with the evaluation, with its reason.

    Exit status: 0 applied; 1 the run refused, or did not answer within 5 seconds; 2 no such run.

    \b
    umwelten ctl
    umwelten ctl scans --watch
    umwelten ctl scans set max-concurrency 40 --reason "others need the account"
    umwelten ctl scans pause --lane openai --for 10m
    umwelten ctl scans stop
    """
    if id_ is not None:
        ctx.meta[GIVEN] = id_
    if ctx.invoked_subcommand is not None:
        if as_json or watch:
            flag = "--json" if as_json else "--watch"
            raise click.UsageError(f"{flag} goes after the command, or has none.", ctx)
        return
    from umwelten.cli.ctl.shown import show_all, show_one

    if given_run(ctx) is None and not watch:
        show_all(as_json=as_json)
    else:
        show_one(given_run(ctx), as_json=as_json, watch=watch)


reason = option("--reason", metavar="TEXT", default="", help="Why, for whoever reads the report.")
as_json_ = option("--json", "as_json", is_flag=True, help="Print what was changed as JSON.")
lane_ = option(
    "--lane", metavar="LANE", help="Only this lane or provider.", shell_complete=run_completers.running_lanes
)
model_ = option(
    "--model", metavar="MODEL", help="Only this model.", shell_complete=run_completers.running_models
)


@group.command("set")
@click.argument("key", metavar="KEY", shell_complete=run_completers.live_settings)
@click.argument("values", nargs=-1, metavar="VALUE...", shell_complete=run_completers.running_scopes)
@reason
@option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@as_json_
@click.pass_context
def set_(ctx: click.Context, /, key: str, values: tuple[str, ...], **flags: Any) -> None:
    """Change a setting of a run. Lowering cancels no call; raising acts at once.

    \b
    max-concurrency N|auto              calls in flight over all providers
    provider-concurrency PROVIDER=N     calls in flight for one provider or lane
    lane-rpm LANE N                     calls a minute of a lane or provider
    max-cost USD                        stop before spending more; below what is spent: stop now
    max-errors N                        stop after so many failed calls
    timeout DURATION                    of attempts that start from now on
    retries N                           attempts after the first of a call that fails

    `off` takes away a rate, a cost cap, a cap on failures and a provider's own maximum.

    \b
    umwelten ctl scans set max-concurrency 40
    umwelten ctl scans set provider-concurrency openai=20 --dry-run
    umwelten ctl scans set lane-rpm openai 300
    """
    from umwelten.cli.ctl.changes import set_setting

    set_setting(given_run(ctx), key, values, **flags)


@group.command("pause")
@lane_
@model_
@option("--for", "for_", metavar="DURATION", help="Resume by itself after 90s, 10m, 2h.")
@reason
@as_json_
@click.pass_context
def pause(ctx: click.Context, /, **flags: Any) -> None:
    """Start no call until `resume`, nor any retry. What is in flight ends and is stored.

    A run that is paused and quiet, as `umwelten ctl` shows it, can be killed without a loss. A pause ends
    with the run: one that is resumed later begins without.

    \b
    umwelten ctl scans pause
    umwelten ctl scans pause --lane openai --for 10m
    """
    from umwelten.cli.ctl.changes import pause as pause_run

    pause_run(given_run(ctx), **flags)


@group.command("resume")
@lane_
@model_
@reason
@as_json_
@click.pass_context
def resume(ctx: click.Context, /, **flags: Any) -> None:
    """End a pause. Without --lane and --model: all pauses of the run.

    A lane that stopped because its key was refused stays stopped: keys are read when a run starts. End the
    run and resume the evaluation once the key is right.

    \b
    umwelten ctl scans resume
    """
    from umwelten.cli.ctl.changes import resume as resume_run

    resume_run(given_run(ctx), **flags)


@group.command("stop")
@option("--now", is_flag=True, help="Do not wait for the calls in flight; they stay pending.")
@reason
@as_json_
@click.pass_context
def stop(ctx: click.Context, /, **flags: Any) -> None:
    """End a run as Ctrl-C does: start nothing more, and give calls in flight ten seconds.

    \b
    umwelten ctl scans stop
    umwelten ctl scans stop --now
    """
    from umwelten.cli.ctl.changes import stop as stop_run

    stop_run(given_run(ctx), **flags)


@group.command("retry-failed")
@option("--kind", metavar="KIND", help="Only failures of this kind: server, timeout, schema, …")
@model_
@option("--input", "input_", metavar="NAME", help="Only calls about this file, row or answer.")
@reason
@as_json_
@click.pass_context
def retry_failed(ctx: click.Context, /, **flags: Any) -> None:
    """Make the calls again that this run has given up, all or some of them.

    \b
    umwelten ctl scans retry-failed --kind server
    """
    from umwelten.cli.ctl.changes import retry_failed as retry

    retry(given_run(ctx), **flags)


@group.command("cancel")
@click.argument("call", required=False, metavar="CALL", shell_complete=run_completers.running_calls)
@reason
@as_json_
@click.pass_context
def cancel(ctx: click.Context, /, call: str | None, **flags: Any) -> None:
    """Cancel a call in flight; it stays pending. Without CALL: a line for each call in flight.

    \b
    umwelten ctl scans cancel
    umwelten ctl scans cancel 268500993
    """
    from umwelten.cli.ctl.changes import cancel as cancel_call

    cancel_call(given_run(ctx), call, **flags)
