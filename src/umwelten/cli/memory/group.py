"""The commands of `umwelten memory` with their flags; what they do is imported when they are used."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import click

from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion import completers
from umwelten.cli.options import ExistingFile, SectionedCommand, output_dir, table_options
from umwelten.cli.single_option import option


@click.group("memory", cls=CommandGroup)
def group() -> None:
    """Learn facts from files, rows and answers; list, search and change what is known.

    A memory store holds facts by scope: of a user, a customer, a file. Runs recall them with --recall.
    """


name = click.argument("name", metavar="NAME", shell_complete=completers.memories)
scope = option("--scope", metavar="SCOPE", help="Only facts of this scope.")
type_ = option("--type", "type_", metavar="TYPE", help="Only facts of this type: preference, plan, person, …")
as_json = option("--json", "as_json", is_flag=True, help="Print JSON, one fact per line.")
yes = option("-y", "--yes", is_flag=True, help="Do not ask.")


@group.command("learn", cls=SectionedCommand, params=table_options("learn"))
@option(
    "-p",
    "--prompt",
    metavar="TEXT",
    help="What is worth remembering; @FILE reads a file, - reads stdin. {{scope}}, {{row.NAME}} and the "
    "other placeholders of eval batch are filled in.  [default: whatever will still matter later]",
)
@option(
    "--merge",
    type=click.Choice(["add", "update"]),
    default="add",
    help="add: facts that are not known word for word. update: ask the model which known facts they bring up "
    "to date.  [default: add]",
)
@name
def learn(name: str, prompt: str | None, merge: str, **flags: Any) -> None:
    """Ask a model which facts in files, rows or answers are worth remembering, and keep them by scope.

    A fact is kept if the words that the model quotes for it are in the text. Repeated, the command asks about
    what is new or has changed; facts that a changed text no longer says end. --prompt says what is worth
    remembering, if not whatever will still matter later.

    \b
    umwelten memory learn people --rows chats.csv --scope "{{row.user}}" -m openai:gpt-5.4-mini
    umwelten memory learn plants --directory notes --scope garden -m ollama:gemma3:12b --merge update
    umwelten memory learn people --from letters --scope "{{file.stem}}" -m openai:gpt-5.4-mini
    """
    # What is imported and found before the first call stays until the end: collecting would only cost time.
    gc.disable()
    from umwelten.cli.memory.learn import learn as learn_facts

    learn_facts(name, flags, prompt, merge)


@group.command("list")
@click.argument("name", metavar="[NAME]", required=False, shell_complete=completers.memories)
@scope
@type_
@as_json
@output_dir
def list_(**flags: Any) -> None:
    """What a store knows, by scope, the newest first; without NAME the stores.

    \b
    umwelten memory list
    umwelten memory list people --scope alice
    umwelten memory list people --type preference --json
    """
    from umwelten.cli.memory.facts import list_facts

    list_facts(**flags)


@group.command("search")
@name
@click.argument("words", nargs=-1, required=True, metavar="WORDS...")
@scope
@option("-n", "--most", type=click.IntRange(1, 10_000), default=20, help="At most N facts.  [default: 20]")
@as_json
@output_dir
def search(**flags: Any) -> None:
    """The facts that have most to do with these words, the best first.

    \b
    umwelten memory search people coffee
    umwelten memory search people "where does she work" --scope alice
    """
    from umwelten.cli.memory.facts import search_facts

    search_facts(**flags)


@group.command("history")
@name
@click.argument("id_", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@as_json
@output_dir
def history(**flags: Any) -> None:
    """A fact with all that came before and after it: where each came from, and why it ended.

    \b
    umwelten memory history people 17
    """
    from umwelten.cli.memory.facts import show_history

    show_history(**flags)


@group.command("export")
@name
@option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file instead of stdout.",
)
@option("--all", "all_", is_flag=True, help="Also facts that are not known any more.")
@output_dir
def export(**flags: Any) -> None:
    """What a store knows, as JSON lines: scope, type, text, and where each fact came from.

    \b
    umwelten memory export people -o people.jsonl
    """
    from umwelten.cli.memory.facts import export_facts

    export_facts(**flags)


@group.command("import")
@name
@click.argument("file", type=ExistingFile(stdin=True), metavar="FILE", shell_complete=completers.files)
@output_dir
def import_(**flags: Any) -> None:
    """Add the facts of a .jsonl file, each a line with scope and text, and perhaps type and quote.

    What memory export writes is such a file; - reads stdin. What is known already is added once. All facts
    are added, or none.

    \b
    umwelten memory import people people.jsonl
    """
    from umwelten.cli.memory.facts import import_facts

    import_facts(**flags)


@group.command("delete")
@name
@click.argument("ids", nargs=-1, required=True, metavar="ID...", type=click.IntRange(1, 2**63 - 1))
@output_dir
def delete(**flags: Any) -> None:
    """End facts: they are recalled no more. Their history stays; `memory clear` removes it as well.

    \b
    umwelten memory delete people 17
    """
    from umwelten.cli.memory.facts import delete_facts

    delete_facts(**flags)


@group.command("clear")
@name
@scope
@yes
@output_dir
def clear(**flags: Any) -> None:
    """Remove all facts of a scope, or of the whole store, for good and with their history.

    The evaluations in which they were learnt keep what the model said; `eval delete` removes those.

    \b
    umwelten memory clear people --scope alice
    """
    from umwelten.cli.memory.facts import clear_facts

    clear_facts(**flags)
