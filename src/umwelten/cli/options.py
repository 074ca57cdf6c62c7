"""The options of `config.options` as click knows them: flags, sections of the help, completion."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import click
from click.shell_completion import CompletionItem

from umwelten.cli.completion import completers
from umwelten.cli.flag_names import as_flag
from umwelten.cli.single_option import SingleOption, option
from umwelten.config.declaration import Option, Section
from umwelten.config.options import OF_LEARN, OF_RANK, OF_RESUME, OF_SCORE, OF_SUITE, OPTIONS
from umwelten.phrases import spell

Command = Callable[..., Any]

_OF_SUITE: Mapping[str, str] = {
    "models": "Models that all tasks ask, in place of those of the file: provider:model, separated by "
    "commas; @NAME is a group in umwelten.toml. Repeatable.",
    "id": "Name of the suite, in place of that of the file: each task is the evaluation ID.TASK.",
    "fail_under": "Exit with status 4 if this is missed: 'capitals.right >= 0.9', 'total >= 80%'; "
    "repeatable.",
    "max_cost": "Stop before all tasks and judges together cost more.",
    "estimate": "Make N calls of each task first, show what all will cost, and ask before going on.",
    "report": "Write the leaderboard to this file: .html, .md, .csv, .json, .parquet or .junit.xml; "
    "repeatable.",
    "on_end": "Run this in a shell when a task ends, with UMWELTEN_ID, UMWELTEN_FOLDER, UMWELTEN_STATUS and "
    "UMWELTEN_EXIT_STATUS in its environment, and without keys.",
}
_OF_RANK: Mapping[str, str] = {
    "judge": "Models that judge: provider:model, separated by commas; @NAME is a group in umwelten.toml. "
    "Repeatable.",
    "samples": "Ask each judge N times about a pair, in each order.",
    "expected": "Show judges what an answer should be: {{row.NAME}}, a table with a column file, "
    "@gold/{{file.stem}}.txt, =Paris, or ID:gold, the answers of another evaluation.",
    "id": "Name of the ranking, which is an evaluation of its own.  [default: ID.rank]",
    "report": "Write the ranking to this file at the end: .csv, .html, .json, .md or .parquet; repeatable.",
    "json": "Print the ranking as JSON on stdout at the end.",
}
_WORDS: Mapping[str, Mapping[str, str]] = {"suite": _OF_SUITE, "rank": _OF_RANK}
"""What options of a command are about, where that is not what they are elsewhere."""


class TableOption(SingleOption):
    """A flag that is declared in `config.options`. Its value is read there, so here it is what was typed."""

    def __init__(self, option: Option) -> None:
        self.section = option.section
        long = [as_flag(name) for name in (option.key, *option.aliases)]
        if option.negatable:
            long[0] += f"/--no-{long[0][2:]}"
        names = [*([option.short] if option.short else []), *long, option.name]
        complete = option.type.complete and getattr(completers, option.type.complete)
        super().__init__(
            names,
            help=_help(option),
            is_flag=option.type.switch,
            default=None if option.negatable or not option.type.switch else False,
            multiple=option.type.repeatable,
            type=None if option.type.switch else _Typed(option),
            metavar=option.type.metavar,
            shell_complete=complete or None,
        )


class _Typed(click.ParamType[Any]):
    """Return the text as typed; the error for a missing file suggests the nearest name."""

    def __init__(self, option: Option) -> None:
        self.name, self._type = option.key, option.type

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text itself."""
        return ExistingFile().convert(value, param, ctx) if self._type.exists else value

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem[str]]:
        """The words that are allowed, where there are only some."""
        return [CompletionItem(word) for word in self._type.choices if word.startswith(incomplete)]


class ExistingFile(click.Path):
    """An existing file; the error for a missing one suggests the nearest name."""

    def __init__(self, *, stdin: bool = False) -> None:
        """`stdin`: it may be `-`."""
        super().__init__(exists=True, dir_okay=False, allow_dash=stdin, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from umwelten.inputs.files.suggestions import nearest_name

            near = None if Path(value).exists() else nearest_name(Path(value))
            if near is None:
                raise
            self.fail(f"{error.message} Did you mean {near}?", param, ctx)


class SectionedCommand(click.Command):
    """A command whose help shows its options in the sections of `Section`."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """A list of options a section."""
        for title, params in sections(self, ctx).items():
            rows = [record for param in params if (record := param.get_help_record(ctx)) is not None]
            with formatter.section(title):
                formatter.write_dl(rows)


def sections(command: click.Command, ctx: click.Context) -> dict[str, list[click.Parameter]]:
    """A command's parameters by the title of their section, in order; all under one where there are none."""
    # An argument is in the line of the usage, and says nothing of its own.
    params: list[click.Parameter] = [
        param for param in command.get_params(ctx) if isinstance(param, click.Option)
    ]
    if not any(isinstance(param, TableOption) for param in params):
        return {"Options": params}
    of_section = {
        str(section): [param for param in params if getattr(param, "section", Section.OTHER) is section]
        for section in Section
    }
    return {title: some for title, some in of_section.items() if some}


def table_options(
    command: Literal["run", "batch", "score", "rank", "suite", "learn", "resume"],
) -> list[click.Parameter]:
    """The flags of a command: those that it shares with `eval run` and `eval batch`."""
    known = {"score": OF_SCORE, "rank": OF_RANK, "suite": OF_SUITE, "learn": OF_LEARN, "resume": OF_RESUME}
    some = known.get(command)
    if some is None:
        return [_table_option(name) for name, option in OPTIONS.items() if option.only in (None, command)]
    words = _WORDS.get(command, {})
    return [
        TableOption(replace(OPTIONS[name], help=words[name])) if name in words else _table_option(name)
        for name in OPTIONS
        if name in some
    ]


@cache
def _table_option(name: str) -> TableOption:
    """The flag of an option: the same for all commands, as making hundreds takes a while at every start."""
    return TableOption(OPTIONS[name])


def output_dir(command: Command) -> Command:
    """Put `--output-dir` on a command, as `eval run` has it."""
    path = click.Path(file_okay=False, path_type=Path)
    return option("--output-dir", type=path, help=_help(OPTIONS["output_dir"]))(command)


def shared_option(name: str) -> Callable[[Command], Command]:
    """Put an option of `eval run` on another command, whose value is what was typed, for `with_flags`."""
    found = OPTIONS[name]
    return option(
        as_flag(found.key),
        found.name,
        metavar=found.type.metavar,
        multiple=found.type.repeatable,
        help=_help(found),
    )


def _help(option: Option) -> str:
    """The text of the help with the default and the range behind it."""
    default = option.default_text
    if default is None and option.default not in (None, False, (), {}):
        default = str(option.default)
    notes = [f"[default: {default}]"] if default else []
    notes += [f"[{option.type.range}]"] if option.type.range else []
    return "  ".join([spell(option.help, as_flag), *notes]).strip()
