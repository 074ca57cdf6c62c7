"""`umwelten eval`: evaluations are run, scored, ranked, reported, listed and kept in order."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any, Literal

import click

from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion import completers
from umwelten.cli.eval_scored import COMMANDS as SCORED
from umwelten.cli.eval_stored import COMMANDS as STORED
from umwelten.cli.options import SectionedCommand, output_dir, table_options
from umwelten.cli.single_option import option

pager = option(
    "--pager/--no-pager",
    default=True,
    help="On a terminal, long output goes through $PAGER, else less.  [default: on]",
)


@click.group("eval", cls=CommandGroup)
def group() -> None:
    """Run prompts over models and files; list and report the results."""


@group.command("run", cls=SectionedCommand, params=table_options("run"))
def run(**flags: Any) -> None:
    """Send one prompt to every model, and print each one's answer.

    \b
    umwelten eval run -p "Explain tides in two sentences" -m local:smollm2
    umwelten eval run -p @question.txt -m ollama:gemma3:12b,openai/gpt-5.4 -i tides --concurrent
    """
    _start("run", flags)


@group.command("batch", cls=SectionedCommand, params=table_options("batch"))
def batch(**flags: Any) -> None:
    """Send one prompt over every file of a directory, or every row of a table, to every model.

    Each answer is kept in the evaluation's database and as a text file beside it.

    \b
    umwelten eval batch -p "Summarise this" -m local:smollm2 --directory texts --file-pattern "*.txt"
    umwelten eval batch -p "What is shown?" -m google:gemini-3.5-flash -i scans --directory scans \\
        --file-pattern "*.{jpg,png}" --max-concurrency 20 --resume
    umwelten eval batch -p "Read this paper" -m google:gemini-3.5-flash --directory papers \\
        --schema "title, authors array, year int" --report papers.csv
    umwelten eval batch -p "Translate {{row.title}}" -m ollama:gemma3:12b --rows books.csv
    """
    _start("batch", flags)


def _start(kind: Literal["run", "batch"], flags: dict[str, Any]) -> None:
    # What is imported and found before the first call stays until the end: collecting would only cost time.
    gc.disable()
    from umwelten.cli.evaluate import start

    start(kind, flags)


_TRUST = option(
    "--trust",
    is_flag=True,
    help="Go on with an evaluation that somebody else started: read, run and write what it says.",
)


@group.command("resume", cls=SectionedCommand, params=table_options("resume"))
@click.argument("id_", required=False, metavar="[ID]", shell_complete=completers.ids)
@_TRUST
def resume(id_: str | None, **flags: Any) -> None:
    """Go on with an evaluation as it was started: failed and missing calls are made.

    Without ID, with the one that was started last. Prompt, models, inputs and all else stay what they were,
    also from another directory; options of speed, cost and output may be given.

    \b
    umwelten eval resume
    umwelten eval resume scans --max-concurrency 50
    umwelten eval resume scans --max-cost 20
    """
    gc.disable()
    from umwelten.cli.resume import resume as go_on

    go_on(id_, flags)


@group.command("retry", cls=SectionedCommand, params=table_options("resume"))
@click.argument("id_", required=False, metavar="[ID]", shell_complete=completers.ids)
@option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="Only failures of this kind: server, timeout, schema, …; repeatable.  [default: all]",
    shell_complete=completers.failure_kinds,
)
@option(
    "--model",
    "models",
    multiple=True,
    metavar="MODEL",
    help="Only calls to this model; repeatable.  [default: all]",
    shell_complete=completers.models,
)
@_TRUST
def retry(id_: str | None, kinds: tuple[str, ...], models: tuple[str, ...], **flags: Any) -> None:
    """Make the failed calls of an evaluation again, and no other.

    As `eval resume`, but calls that are pending stay pending.

    \b
    umwelten eval retry
    umwelten eval retry scans --kind server,timeout
    umwelten eval retry scans --model openai:gpt-5.4-mini --timeout 5m
    """
    gc.disable()
    from umwelten.cli.resume import retry as make_again

    make_again(id_, flags, kinds, models)


for _command in SCORED:
    group.add_command(_command)


@group.command("report")
@click.argument("more", nargs=-1, metavar="[ID]...", shell_complete=completers.ids)
@option(
    "-i",
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="Evaluation id; repeatable. A pattern such as 'scans-*' selects all that match.",
    shell_complete=completers.ids,
)
@option(
    "-f",
    "--format",
    "format_",
    type=click.Choice(["markdown", "html", "json", "csv", "parquet", "junit"]),
    help="[default: by the extension of --output, else markdown]",
)
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write to this file; .csv, .html, .json, .junit.xml, .md or .parquet tells the format.",
)
@option("--short", is_flag=True, help="Without individual calls; in csv and parquet, one row per model.")
@option(
    "--full",
    is_flag=True,
    help="Whole answers of a batch; csv, json, parquet: prompts as sent, reasoning, failed attempts.",
)
@option("--bom", is_flag=True, help="csv: start with a byte order mark, so that Excel reads it as UTF-8.")
@pager
@output_dir
def report(more: tuple[str, ...], ids: tuple[str, ...], **flags: Any) -> None:
    """Report of an evaluation: tables on a terminal, Markdown in a pipe, or a file.

    It comes from what is stored, and needs no network and no keys.

    Without an id, of the one that was started last. The ids may be given as they are or with --id.

    \b
    umwelten eval report scans
    umwelten eval report scans -o scans.html
    umwelten eval report -i 'scans-*' --format csv --short
    """
    from umwelten.cli.report import report as print_report

    print_report(ids=(*more, *ids), **flags)


@group.command("list")
@click.argument("patterns", nargs=-1, metavar="[ID]...", shell_complete=completers.ids)
@option("-q", "--ids", "only_ids", is_flag=True, help="Print the ids alone, one a line, for loops.")
@option("--type", "type_", type=click.Choice(["run", "batch"]), help="Only runs, or only batches.")
@option(
    "--status",
    multiple=True,
    metavar="STATUS",
    help="Only complete, failed, interrupted, incomplete, running or damaged; repeatable.",
    shell_complete=completers.statuses,
)
@option("--tag", "tags", multiple=True, metavar="NAME", help="Only what has this tag; repeatable.")
@option(
    "--model",
    metavar="MODEL",
    help="Only what asked this model; may be a pattern.",
    shell_complete=completers.models,
)
@option("--since", metavar="DAY", help="Only what was begun on this day or later: 2026-11-30, or 2026-11.")
@option("--until", metavar="DAY", help="Only what was begun up to this day.")
@option(
    "--sort",
    type=click.Choice(["date", "id", "cost", "calls", "failed"]),
    help="[default: date, with what judges said below what they judged]",
)
@option("--reverse", is_flag=True, help="In the opposite order: the newest first.")
@option("--json", "as_json", is_flag=True, help="Print a JSON list.")
@option("--details", is_flag=True, help="Also show times, tokens and the prompt.")
@output_dir
def list_(**flags: Any) -> None:
    """The evaluations in the output directory, the newest last.

    So the newest is what remains on the screen of a long list. The first column is the id. An ID may be a
    pattern.

    \b
    umwelten eval list --since 2026-11 --tag project-a
    umwelten eval list --ids 'scans-*' | while read -r id; do umwelten eval report "$id" -o "$id.html"; done
    """
    from umwelten.cli.report import list_evaluations

    list_evaluations(**flags)


def _id_or_call(ctx: click.Context, param: click.Parameter, incomplete: str) -> completers.Items:
    """The first word is an id, unless --id gave it; then come files and models."""
    if ctx.params.get("id_") is None:
        words = ctx.params.get("words")
        if not words:
            return completers.ids(ctx, param, incomplete)
        ctx.params["id_"] = words[0]
    return completers.calls(ctx, param, incomplete)


@group.command("show")
@click.argument("words", nargs=-1, metavar="[ID] [CALL]", shell_complete=_id_or_call)
@option(
    "-i",
    "--id",
    "id_",
    metavar="ID",
    help="Evaluation id, instead of the first argument.",
    shell_complete=completers.ids,
)
@option("--failed", is_flag=True, help="Only failed calls, each with its message.")
@option(
    "--failing",
    is_flag=False,
    flag_value="",
    metavar="[SCORER]",
    help="Only answers that do not pass, by this scorer or by any, with reasons.",
)
@option(
    "--unscored",
    is_flag=False,
    flag_value="",
    metavar="[SCORER]",
    help="Only calls without a score, by this scorer or by any, and why.",
)
@option("--full", is_flag=True, help="Show all of what was sent, however long; a pipe gets it anyway.")
@option("--json", "as_json", is_flag=True, help="Print JSON, one call per line.")
@pager
@output_dir
def show(**flags: Any) -> None:
    """One call with every attempt, prompt, answer, time, tokens and cost; without CALL, a line a call.

    Without ID, of the evaluation that was started last.

    CALL is a file, a model and a repeat, as far as they are needed to tell it from others, or parts of
    their names; or the number in the first column of the list.

    \b
    umwelten eval show scans
    umwelten eval show scans --failed
    umwelten eval show scans --failing right
    umwelten eval show scans page-1.jpg google:gemini-3.5-flash
    umwelten eval show tides ollama:gemma3:12b 2
    """
    from umwelten.cli.show import show as show_calls

    show_calls(**flags)


@group.command("delete")
@click.argument("ids", nargs=-1, metavar="ID...", shell_complete=completers.ids)
@option("-y", "--yes", is_flag=True, help="Do not ask.")
@output_dir
def delete(**flags: Any) -> None:
    """Delete evaluations for good, with what judges said of them: database, scores and text files.

    Files in the folder that umwelten did not make stay there. An evaluation that a process works on is not
    deleted.

    \b
    umwelten eval delete scans
    umwelten eval delete scans tides --yes
    """
    from umwelten.cli.housekeeping import delete as delete_evaluations

    delete_evaluations(**flags)


@group.command("rename")
@click.argument("old", metavar="OLD", shell_complete=completers.ids)
@click.argument("new", metavar="NEW")
@output_dir
def rename(**flags: Any) -> None:
    """Give an evaluation another id; what judges said of it, OLD.NAME, becomes NEW.NAME.

    Repeated after an interruption, it does the rest. What other evaluations have taken from it with --from
    stays theirs; they continue with --from NEW.

    \b
    umwelten eval rename scans scans-2024
    """
    from umwelten.cli.housekeeping import rename as rename_evaluation

    rename_evaluation(**flags)


@group.command("copy")
@click.argument("old", metavar="OLD", shell_complete=completers.ids)
@click.argument("new", metavar="NEW")
@output_dir
def copy(**flags: Any) -> None:
    """Copy an evaluation under another id, with its scores and with what judges said of it.

    A run may be at work on it: the copy is as of one moment. Nothing is asked again: the copy continues with
    --resume, and is scored as its original.

    \b
    umwelten eval copy scans scans-before
    """
    from umwelten.cli.housekeeping import copy as copy_evaluation

    copy_evaluation(**flags)


for _command in STORED:
    group.add_command(_command)
