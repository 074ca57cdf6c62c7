"""The commands of `umwelten eval` about all that is stored: search, costs, tag, ratings, export, import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from umwelten.cli.completion import completers
from umwelten.cli.options import output_dir
from umwelten.cli.single_option import option

_IDS = option(
    "-i",
    "--id",
    "ids",
    multiple=True,
    metavar="ID",
    help="Only this evaluation, or all that fit a pattern; repeatable.",
    shell_complete=completers.ids,
)


@click.command("search")
@click.argument("words", nargs=-1, metavar="WORDS...")
@option("--regex", is_flag=True, help="Each of the words is a regular expression of Python.")
@_IDS
@option("--model", metavar="MODEL", help="Only answers of this model.", shell_complete=completers.models)
@option("--most", type=click.IntRange(min=1), metavar="N", help="Stop after so many.")
@option("--json", "as_json", is_flag=True, help="Print JSON, one answer per line.")
@output_dir
def search(**flags: Any) -> None:
    """Find words in the answers of all evaluations.

    For each answer that has all of them, whatever their case: id, file, model and an excerpt; in a pipe one
    line each, separated by tabs, with the repeat. Exit status 1 if there is none.

    \b
    umwelten eval search "low tide"
    umwelten eval search --regex "20[0-9]{2}" --id 'scans-*' --json
    """
    from umwelten.cli.search import search as search_answers

    search_answers(**flags)


@click.command("costs")
@option(
    "--by",
    multiple=True,
    metavar="LIST",
    help="month, day, model, provider, tag, id; several separated by commas.  [default: month,model]",
    shell_complete=completers.costs_by,
)
@option("--since", metavar="DAY", help="From this day on: 2026-11-30, or 2026-11.")
@option("--until", metavar="DAY", help="Up to this day.")
@option("--tag", "tags", multiple=True, metavar="NAME", help="Only what has this tag; repeatable.")
@_IDS
@option("--json", "as_json", is_flag=True, help="Print JSON.")
@option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@output_dir
def costs(**flags: Any) -> None:
    """What the evaluations in the output directory have cost.

    Every attempt that was paid counts once, failed ones, judges' and those of evaluations that were moved
    aside by --overwrite included. What is deleted is not known any more.

    \b
    umwelten eval costs
    umwelten eval costs --by tag,month --since 2026-01
    umwelten eval costs --by id --csv
    """
    from umwelten.cli.spending import show_costs

    show_costs(**flags)


@click.command("tag")
@click.argument("id_", metavar="ID", shell_complete=completers.ids)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@option("--remove", "removed", multiple=True, metavar="NAME", help="Take this tag away; repeatable.")
@output_dir
def tag(**flags: Any) -> None:
    """Tag an evaluation, or show its tags.

    \b
    umwelten eval tag scans project-a draft
    umwelten eval tag scans --remove draft
    """
    from umwelten.cli.tags import tag as change_tags

    change_tags(**flags)


@click.command("export")
@click.argument("ids", nargs=-1, metavar="[ID]...", shell_complete=completers.ids)
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.zip",
    help="The file to write.",
    shell_complete=completers.files,
)
@option(
    "--texts",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the answers of one evaluation into this folder, each as a text file.",
    shell_complete=completers.folders,
)
@option("--overwrite", is_flag=True, help="Replace the file, or files in the folder.")
@output_dir
def export(**flags: Any) -> None:
    """Write evaluations into a .zip file, to open them on another machine.

    With answers, text files, scores and what judges said, as of one moment, also while a run is at work.
    Without ID, the one that was started last. With --texts, the answers of one evaluation are written as
    text files, also where the run wrote none.

    \b
    umwelten eval export scans -o scans.zip
    umwelten eval export scans --texts answers
    umwelten eval import scans.zip
    """
    from umwelten.cli.archives import export_evaluations

    export_evaluations(**flags)


@click.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE.zip")
@option("--as", "name", metavar="ID", help="Another id for the evaluation, where the file has one.")
@output_dir
def import_(**flags: Any) -> None:
    """Take evaluations from a .zip file that `eval export` wrote.

    Ids that are there already are refused. Nothing in the file is run, and nothing outside of the new
    folders is written.

    \b
    umwelten eval import scans.zip
    umwelten eval import scans.zip --as scans-of-ann
    """
    from umwelten.cli.archives import import_evaluations

    import_evaluations(**flags)


@click.command("ratings")
@click.argument("id_", metavar="ID", shell_complete=completers.ids)
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file.  [default: stdout]",
)
@option(
    "--scale",
    type=click.Choice(["1-5", "pass/fail"]),
    help="Ratings on this scale.  [default: that of the latest rating]",
)
@output_dir
def ratings(**flags: Any) -> None:
    """People's ratings of an evaluation's answers, as the CSV table that `check` of a judge reads.

    Answers are rated in `umwelten view`.

    \b
    umwelten eval ratings scans -o labels.csv
    """
    from umwelten.cli.ratings import export

    export(**flags)


COMMANDS = (search, costs, tag, ratings, export, import_)
