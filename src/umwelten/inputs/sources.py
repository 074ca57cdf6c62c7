"""The inputs of a batch: from a directory, files, rows or an earlier evaluation."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import chain, islice, permutations
from pathlib import Path

import msgspec

from umwelten.choices import ROW_RULE, InputSource, RowRule
from umwelten.errors import InputError, UsageError
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.earlier_answers import Beside, answers, check_paths
from umwelten.inputs.files.file_list import expand, folder_names, scan_files
from umwelten.inputs.files.scan import scan
from umwelten.inputs.given.kept_rows import latest
from umwelten.inputs.given.rows import GivenRows
from umwelten.inputs.given.texts import GivenTexts
from umwelten.inputs.given.walk import GivenData
from umwelten.inputs.questions import chained_columns
from umwelten.inputs.tables.rows import columns, notes, rows
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import ROW
from umwelten.store.database import has_database
from umwelten.store.kept_inputs import has_kept_inputs
from umwelten.store.plan import planned_inputs
from umwelten.store.reader import Reader
from umwelten.types import FoundInput, FrozenStruct

_SOURCES = ("directory", "files", "rows", "from_")

AHEAD = 2_000
"""Inputs that are found before the first call starts, where they may be very many."""


class InputChoice(FrozenStruct):
    """The values of the options that select inputs, by the options' names. One of the first four is set."""

    directory: Sequence[Path] = ()
    files: Sequence[str | Path] = ()
    rows: Path | GivenData | None = None
    from_: str | None = None
    where: str | None = None
    row_name: str | None = None
    file_pattern: str | None = None
    recursive: bool = False
    max_files: int | None = None
    id: str | None = None
    output_dir: Path = Path("output")
    resume: bool = False


class Inputs(FrozenStruct):
    """A source of inputs. `files` returns a new iterator at each call.

    `lazy`: there may be very many, so the first calls start before all are found. `columns` are the names
    that `{{row.…}}` may have, `None` if there are no rows. `row_rule` is that of `RequestSettings`, `notes`
    say how the table is read. `keep` stands in place of `files` for what a program gave: it writes them to
    the evaluation's folder, once. `ahead`: so many are found before the first call, where `lazy`. `added` are
    further placeholders. `check_paths` raises `UsageError` for `{{json.…}}` that no answer has.
    """

    files: Callable[[], Iterator[FoundInput]] = lambda: iter(())
    keep: Callable[[Path], Iterator[FoundInput]] | None = None
    ahead: int = AHEAD
    source: InputSource = "files"
    lazy: bool = False
    columns: tuple[str, ...] | None = None
    row_rule: RowRule = 1
    notes: tuple[str, ...] = ()
    added: AddedValues | None = None
    check_paths: Callable[[Collection[str]], None] = lambda _: None


def select_inputs(
    choice: InputChoice,
    on_note: Callable[[Wording], None],
    *,
    row_rule: RowRule = ROW_RULE,
    chained: Collection[str] = (),
    wanted: Collection[str] = (),
    beside: Beside | None = None,
) -> Inputs:
    """Return the inputs that the options select; rows are read by this rule. `wanted`: columns in prompts.

    `chained` are the placeholders of all prompts that reach beyond an earlier answer (`RowUse.chained`),
    `beside` is as in `earlier_answers.answers`.
    Raises `UsageError` for options that can't be combined, `InputError` for a file or folder that is missing.
    """
    given = [name for name in _SOURCES if getattr(choice, name)]
    if len(given) > 1:
        called = [
            choice.rows.option if name == "rows" and isinstance(choice.rows, GivenData) else name
            for name in given
        ]
        raise UsageError(
            Phrase("{option:{one}} and {option:{other}} exclude each other", one=called[0], other=called[1]),
            "Use only one of them.",
            argument=called[1],
        )
    if not given and choice.resume and choice.id and has_kept_inputs(choice.output_dir / choice.id):
        return stored_inputs(choice.output_dir / choice.id, on_note)
    if not given:
        raise UsageError(
            Phrase("a batch needs {option:directory}, {option:files}, {option:rows} or {option:from_}"),
            Phrase(
                "For example {option:directory=texts} {option:file_pattern=*.txt}, "
                "or {option:rows=table.csv}."
            ),
        )
    _check_companions(choice, given[0])
    limit = choice.max_files
    if isinstance(choice.rows, GivenData):
        return _given(choice.rows, choice, wanted)
    if choice.rows is not None:
        return _rows(choice.rows, choice.row_name, limit, row_rule, on_note)
    if choice.from_ is not None:
        folder, where = choice.output_dir / choice.from_, choice.where
        _check_not_itself(choice, folder)
        return answers_as_inputs(folder, where=where, most=limit, chained=chained, beside=beside)
    if not choice.directory:
        paths = [path for item in choice.files for path in _list_paths(item, on_note)][:limit]
        return Inputs(files=lambda: scan_files(paths))
    return _directories(choice, on_note)


def answers_as_inputs(
    folder: Path,
    *,
    where: str | None = None,
    most: int | None = None,
    chained: Collection[str] = (),
    beside: Beside | None = None,
    only: Collection[int] | None = None,
) -> Inputs:
    """Return the answers of an evaluation as inputs; the arguments are those of `answers`.

    Raises `InputError` for a table that can't be read any more, if the prompts name its columns.
    """
    wants_rows = any(name.startswith(ROW) for name in chained) and has_database(folder)
    return Inputs(
        files=lambda: answers(folder, where=where, most=most, chained=chained, beside=beside, only=only),
        source="answers",
        columns=chained_columns(folder) if wants_rows else None,
        check_paths=lambda paths: check_paths(folder, where, paths),
    )


def _check_companions(choice: InputChoice, source: str) -> None:
    """Raise `UsageError` for an option that has no effect with this source."""
    if choice.row_name and isinstance(choice.rows, GivenData) and choice.rows.option != "rows":
        raise UsageError(
            Phrase("{option:row_name} goes with {option:rows}, not with {option:inputs}"),
            Phrase("Give a dict from name to input, or pairs of both, as {option:inputs}."),
            argument="row_name",
        )
    only = {
        "file_pattern": (choice.file_pattern, "directory"),
        "recursive": (choice.recursive, "directory"),
        "where": (choice.where, "from_"),
        "row_name": (choice.row_name, "rows"),
    }
    for name, (value, owner) in only.items():
        if value and owner != source:
            raise UsageError(
                Phrase(
                    "{option:{name}} goes with {option:{owner}}, not with {option:{source}}",
                    name=name,
                    owner=owner,
                    source=source,
                ),
                Phrase("Use globs in {option:files}.")
                if source == "files"
                else Phrase("Add {option:{owner}}, or leave it out.", owner=owner),
                argument=name,
            )


def _check_not_itself(choice: InputChoice, source: Path) -> None:
    """Raise `UsageError` for an evaluation that reads itself: it would mix its answers with its inputs."""
    if choice.id and is_same_folder(source, choice.output_dir / choice.id):
        raise UsageError(
            Phrase(
                "{option:from_={source}} and {option:id={id}} are the same evaluation",
                source=choice.from_,
                id=choice.id,
            ),
            Phrase("Give the new step its own {option:id}."),
            argument="id",
        )


def is_same_folder(first: Path, second: Path) -> bool:
    """Return whether two paths lead to one folder."""
    if first.absolute() == second.absolute():
        return True
    try:
        return first.samefile(second)  # links, and file systems that ignore case
    except (OSError, ValueError):
        return False  # one of them does not exist


def _rows(
    path: Path, name_column: str | None, limit: int | None, rule: RowRule, on_note: Callable[[str], None]
) -> Inputs:
    names = columns(path, rule)
    said = tuple(notes(path, rule))
    for note in said:
        on_note(note)
    return Inputs(
        files=lambda: rows(path, name_column=name_column, max_rows=limit, rule=rule),
        source="rows",
        lazy=True,
        columns=names,
        row_rule=rule,
        notes=said,
    )


def _given(given: GivenData, choice: InputChoice, wanted: Collection[str]) -> Inputs:
    # Of an iterator the first call starts with its first item: nobody knows how long the next one takes.
    ahead = AHEAD if given.is_at_hand else 1
    if given.option == "inputs":
        texts = GivenTexts(given, most=choice.max_files)
        return Inputs(keep=texts.keep, lazy=True, ahead=ahead)
    rows = GivenRows(given, wanted=wanted, name_column=choice.row_name, most=choice.max_files)
    return Inputs(
        keep=rows.keep, lazy=True, ahead=ahead, source="rows", columns=rows.columns, row_rule=ROW_RULE
    )


def stored_inputs(folder: Path, on_note: Callable[[Wording], None]) -> Inputs:
    """Return the inputs of an evaluation that a program gave, as far as they were written."""
    with Reader.open(folder) as reader:
        request = reader.spec().request
    table = latest(folder) if request.source == "rows" else None
    on_note(
        "its inputs are those that the program that began it had given until it ended; for further ones, run "
        "that again"
    )
    return Inputs(
        files=lambda: planned_inputs(folder),
        source=request.source,
        lazy=True,
        columns=None if table is None else columns(table),
        row_rule=request.row_rule,
    )


def _list_paths(item: str | Path, on_note: Callable[[Wording], None]) -> list[Path]:
    return [item] if isinstance(item, Path) else expand(item, Path(), on_note)


def _directories(choice: InputChoice, on_note: Callable[[Wording], None]) -> Inputs:
    """Return the files of all directories; with several, names begin with that of the directory."""
    directories = list({os.path.realpath(directory): directory for directory in choice.directory}.values())
    if len(directories) == 1:
        return Inputs(files=lambda: _scan(choice, directories[0], on_note))

    _check_apart(choice, directories)

    def files() -> Iterator[FoundInput]:
        # The scans begin at once, so that a directory that is not there is an error before anything starts.
        scans = [_scan(choice, directory, on_note) for directory in directories]
        inputs = chain.from_iterable(
            (msgspec.structs.replace(file, name=f"{label}/{file.name}") for file in scan)
            for label, scan in zip(folder_names(directories), scans, strict=True)
        )
        return islice(inputs, choice.max_files)

    return Inputs(files=files)


def _check_apart(choice: InputChoice, directories: Sequence[Path]) -> None:
    """Raise `UsageError` for a directory that another one includes: its files would be sent twice."""
    if not choice.recursive and "/" not in (choice.file_pattern or "*"):
        return
    for inner, outer in permutations(directories, 2):
        if Path(os.path.realpath(inner)).is_relative_to(os.path.realpath(outer)):
            raise UsageError(
                Phrase("{option:directory={inner}} is inside {outer}", inner=inner, outer=outer),
                "Leave it out: its files are among those of the other.",
                argument="directory",
            )


def _scan(choice: InputChoice, directory: Path, on_note: Callable[[Wording], None]) -> Iterator[FoundInput]:
    output_dir = choice.output_dir
    # A directory that contains the outputs must not feed answers back; one inside them is a step's output.
    inside = directory.absolute().is_relative_to(output_dir.absolute())
    own = output_dir / choice.id if inside and choice.id else output_dir
    try:
        return scan(
            directory,
            choice.file_pattern or "*",
            recursive=choice.recursive,
            max_files=choice.max_files,
            exclude=[own] if own.absolute() != directory.absolute() else [],
            on_note=on_note,
        )
    except InputError as error:
        error.argument = "directory"
        raise
