"""What the shell may put where the cursor is. Asks no network, and a broken file just offers less.

Every public function has click's shape for `shell_complete=`: (context, parameter, what stands there) →
items.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from umwelten.errors import UmweltenError
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    from umwelten.config.settings import Settings

Items = list[CompletionItem[str]]
MOST_FILES = 500  # of a folder or an evaluation


# --- evaluations -----------------------------------------------------------------------------


def ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The evaluations in the output directory that is in force."""
    from umwelten.cli.completion.model_names import folders

    names = (folder.name for folder in folders(_output_dir(ctx)))
    return items_of(no_flags(names) if isinstance(param, click.Argument) else names, incomplete)


def calls(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Files and models of the evaluation that is named before; files only as the first word of a call."""
    from umwelten.report.queries.names import file_names, model_names

    id_ = str(ctx.params.get("id_"))
    folder, models = _output_dir(ctx) / id_, model_names(_output_dir(ctx) / id_)
    words = [word for word in ctx.params.get("words") or () if word != id_]
    if words:
        return items_of(no_flags(name for name in models if name not in words), incomplete)
    return items_of(no_flags([*file_names(folder, incomplete, MOST_FILES), *models]), incomplete)


def failure_kinds(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The kinds of failed calls."""
    from umwelten.types import FailureKind

    return items_of((str(kind) for kind in FailureKind if kind is not FailureKind.SUPERSEDED), incomplete)


def statuses(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """How evaluations stand."""
    from umwelten.cli.listing_filter import STATUSES

    return items_of(STATUSES, incomplete)


def costs_by(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What costs are summed up by."""
    from umwelten.report.queries.costs import BY

    return items_of(BY, incomplete)


def scores(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The scorers of the evaluations that are named before."""
    from umwelten.report.queries.names import scorer_names

    folders = [_output_dir(ctx) / str(name) for name in _arguments(ctx, "words")]
    found = dict.fromkeys(name for folder in folders for name in scorer_names(folder))
    return items_of(found, incomplete)


def renamed_models(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """`OLD=` of the first evaluation that is named before, then the models of the second."""
    from umwelten.report.queries.names import model_names

    folders = [_output_dir(ctx) / str(name) for name in _arguments(ctx, "words")]
    old, sign, _ = incomplete.partition("=")
    if not sign:
        return items_of((f"{name}=" for name in model_names(folders[0])) if folders else (), incomplete)
    return items_of((f"{old}={name}" for name in model_names(folders[-1])) if folders else (), incomplete)


def no_flags(names: Iterable[str]) -> Iterator[str]:
    """Leave out what the command would take for an option: `--output=…` can be the name of a file."""
    return (name for name in names if not name.startswith("-"))


# --- models and what is configured -----------------------------------------------------------


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The last name of a comma list: a provider or vendor first, then its models; groups; models used before.

    The items hold what stands in front too, as the shell puts them in place of the whole word.
    """
    head, comma, last = incomplete.rpartition(",")
    blank = last[: len(last) - len(last.lstrip())]
    front, start = head + comma + blank, last.lstrip()
    taken = {name.strip() for name in head.split(",")}
    found = {word: text for word, text in _model_words(ctx, start) if word not in taken}
    return [
        CompletionItem(front + word, help=text or None)
        for word, text in found.items()
        if word.startswith(start)
    ]


def _model_words(ctx: click.Context, start: str) -> Iterator[tuple[str, str]]:
    """Words and what they are. Without a colon or slash yet, a provider stands for all its models."""
    from umwelten.cli.completion.model_names import listed, used

    settings = _settings()
    if settings is not None:
        for name, group in settings.groups.items():
            yield f"@{name}", "group: " + ", ".join(group.models)
        model = start.rpartition("@")[0]
        for name, values in settings.variants.items() if model else ():
            said = ", ".join(f"{option} {row.shown}" for option, row in values.items())
            yield f"{model}@{name}", f"variant: {said}"
    if start.startswith("@"):
        return
    yield from ((name, "used before") for name in used(_output_dir(ctx, settings)))
    names = listed(os.environ)
    if ":" in start or "/" in start:
        yield from ((name, "") for name in names)
        return
    yield from ((name, "embedded") for name in names if name.startswith("local:"))
    yield from ((f"{name}:", "provider") for name in _providers(settings))
    vendors = dict.fromkeys(name.partition("/")[0] for name in names if ":" not in name.partition("/")[0])
    yield from ((f"{name}/", "at OpenRouter") for name in vendors)


def providers(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The names of the providers, with those of `umwelten.toml`."""
    return items_of(_providers(_settings()), incomplete)


def ceilings(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """`google=`, for every provider."""
    return items_of((f"{name}=" for name in _providers(_settings())), incomplete)


def scorers(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The types of scorers, behind a name and `=` too."""
    from umwelten.scoring.catalog import CATALOG

    name, sign, _ = incomplete.rpartition("=")
    return items_of((name + sign + type_ for type_ in CATALOG), incomplete)


def memories(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The memory stores of the output directory that is in force."""
    from umwelten.store.memory.tables import store_names

    return items_of(store_names(_output_dir(ctx)), incomplete)


def tasks(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The tasks of the suite's file that is named before."""
    return items_of(_task_names(ctx), incomplete)


def suites(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """What may be suites in the output directory, with tasks of the file that is named before."""
    from umwelten.evaluation.suite.baseline import suite_names

    return items_of(suite_names(_output_dir(ctx), _task_names(ctx)), incomplete)


def _task_names(ctx: click.Context) -> list[str]:
    from umwelten.config.suite_file import task_names

    return [name for path in _arguments(ctx, "file") for name in task_names(Path(str(path)))]


def _arguments(ctx: click.Context, name: str) -> Iterable[object]:
    """The arguments that were typed before; while the value of an option is, click has not named them yet."""
    found = ctx.params.get(name) or ctx.args
    return found if isinstance(found, list | tuple) else (found,)


def profiles(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The names of `[profiles.…]`."""
    settings = _settings()
    return items_of(settings.profiles if settings is not None else (), incomplete)


def _providers(settings: Settings | None) -> Iterable[str]:
    from umwelten.config.endpoints import vendors
    from umwelten.providers.vendors import VENDORS

    try:
        return VENDORS if settings is None else vendors(settings)
    except UmweltenError:
        return VENDORS


# --- tools -----------------------------------------------------------------------------------


def tools(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The last entry of a comma list of tools. No server is started and no file is run for their names."""
    head, comma, last = incomplete.rpartition(",")
    taken = {entry.strip() for entry in head.split(",")}
    return [
        CompletionItem(head + comma + word, help=text)
        for word, text in _tool_words(last)
        if word.startswith(last) and word not in taken
    ]


def one_tool(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """A built-in tool, a server, a list or a Python file."""
    found = [(word, text) for word, text in _tool_words(incomplete) if word.startswith(incomplete)]
    return [CompletionItem(word, help=text) for word, text in found]


def tool_choices(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The words for a choice, then the built-in tools: what others are called is not known yet."""
    from umwelten.tools.entries import BUILT_IN

    return items_of(("auto", "any", "none", *BUILT_IN), incomplete)


def _tool_words(start: str) -> Iterator[tuple[str, str]]:
    """Words and what they are."""
    from umwelten.tools.entries import BUILT_IN, LIST, MCP

    yield from ((name, "built-in") for name in BUILT_IN)
    settings = _settings()
    if settings is not None:
        yield from ((f"{MCP}{name}", "MCP server") for name in settings.mcp)
        yield from ((f"{LIST}{name}", "list") for name in settings.tool_lists)
    yield from ((path, "file") for path in _paths(start) if path.endswith(("/", ".py")))


def engines(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Who may make the calls; an address of a cluster is not known here."""
    return items_of(("local", "ray", "ray:auto"), incomplete)


# --- files -----------------------------------------------------------------------------------


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Whatever the shell itself offers for a path; it does not see one behind a comma."""
    head, comma, last = incomplete.rpartition(",")
    if comma:
        return items_of((head + comma + path for path in _paths(last)), incomplete)
    return [CompletionItem(incomplete, type="file")]


def folders(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """Whatever the shell itself offers for a directory."""
    return [CompletionItem(incomplete, type="dir")]


def as_words(item: CompletionItem[str]) -> Items:
    """The paths that a shell would offer for `files` and `folders`; any other item alone."""
    if item.type not in ("file", "dir"):
        return [item]
    return [CompletionItem(path) for path in _paths(item.value) if item.type == "file" or path.endswith("/")]


def texts(ctx: click.Context, param: click.Parameter, incomplete: str) -> Items:
    """The files after an `@`; nothing for a text that is written out."""
    if not incomplete.startswith("@"):
        return []
    return items_of((f"@{path}" for path in _paths(incomplete[1:])), incomplete)


def _paths(start: str) -> list[str]:
    """The paths that begin so, folders with a slash behind them, hidden ones only if asked for."""
    head, slash, name = start.rpartition("/")
    found = []
    try:
        folder = expand_home(Path(head + slash or "."))
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(name) and (name.startswith(".") or not entry.name.startswith(".")):
                    found.append(head + slash + entry.name + ("/" if entry.is_dir() else ""))
    except (OSError, UmweltenError):
        return []
    return sorted(found)[:MOST_FILES]


# --- what they share -------------------------------------------------------------------------


def items_of(words: Iterable[str], incomplete: str) -> Items:
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def _output_dir(ctx: click.Context, settings: Settings | None = None) -> Path:
    given: Mapping[str, object] = ctx.params
    if given.get("output_dir") is not None:
        return Path(str(given["output_dir"]))
    settings = settings or _settings()
    folder: Path = Path("output") if settings is None else settings.get("output_dir")
    return folder


def _settings() -> Settings | None:
    """What is configured here, `None` where a file is broken: a run would say so, a Tab key should not."""
    from umwelten.config.settings import load

    try:
        return load(Path.cwd(), os.environ)
    except (OSError, UmweltenError):
        return None
