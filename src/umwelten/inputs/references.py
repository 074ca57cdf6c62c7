"""What an answer should be, as `--expected` says it.

| form | the reference is |
|---|---|
| `=Paris` | the word itself, for every answer |
| `{{row.answer}}` | a text with values of the input: `row.COLUMN`, `file.name`, `file.stem`, `file.path` |
| `@gold/{{file.stem}}.txt` | the text of a file, whose name is made from the input's values |
| `labels.csv` | the row of a table whose column `file` names the input: its `expected`, or all columns |
| `ID:gold` | the answer of evaluation `gold` about the same input; `ID:gold:MODEL` where it asked several |
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

import msgspec

from umwelten.errors import InputError, StoreError, UsageError
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.encodings import decode
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.tables.rows import columns, read_row, rows
from umwelten.phrases import Phrase
from umwelten.prompts.template import Template
from umwelten.scoring.references import EXPECTED, TABLES, as_text, is_missing
from umwelten.store.database import has_database
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import answer_about
from umwelten.text.names import alike, folded
from umwelten.text.suggestions import closest, did_you_mean, sentences

FILE = "file"
FILE_VALUES = ("file.name", "file.path", "file.stem")
"""The placeholders about an input's file."""
_EVALUATION = re.compile(r"ID:([^:]*)(?::(.+))?", re.IGNORECASE | re.DOTALL)
_PLACED = re.compile(r"\{\{.*?\}\}")
_MOST_BYTES = 64 << 20
_SHOWN = 3
_FORMS = Phrase(
    "Write a text with placeholders ({row}), a table (labels.csv), a file's name (@gold/{stem}.txt), the "
    "answer itself (=Paris), or another evaluation (ID:gold).",
    row="{{row.answer}}",
    stem="{{file.stem}}",
)

Reference = Mapping[str, Any]
"""The reference under `expected`, or a value for each field."""


class References(Protocol):
    """Where references come from.

    `names` are the placeholders whose values it takes from an input, `fields` those that each reference is
    made of where it is a record; none where it is one value, or where that differs.
    """

    names: tuple[str, ...]
    fields: tuple[str, ...]

    def check(self, inputs: Iterable[str]) -> str | None:
        """Compare with the names of all inputs; returns a note for the user. Errors: `InputError`."""

    def of(self, name: str, values: Mapping[str, str]) -> Reference:
        """Return the reference of the input with that name; empty if nothing is known of it."""


def read_references(where: str, output_dir: Path, base: Path = Path()) -> References:
    """Return what that form stands for. Relative paths are meant from `base`.

    Errors: `UsageError` for a form that is none, `InputError` for a file or evaluation that is not there.
    """
    text = where.strip()
    if not text:
        raise UsageError(Phrase("{option:expected} is empty"), _FORMS, argument="expected")
    if text.startswith("="):
        return _Text(Template(where.strip()[1:].replace("{{", "\\{{")))
    if text.startswith("@"):
        return _Files(text[1:], base)
    if (match := _EVALUATION.fullmatch(text)) is not None:
        if not match[1] or match[1] in (".", "..") or Path(match[1]).name != match[1]:
            raise UsageError(
                Phrase("{option:expected}: {id!r} is no id of an evaluation", id=match[1]),
                "Write ID:gold, with the name that umwelten eval list shows.",
                argument="expected",
            )
        return _Answers(output_dir / match[1], match[2])
    template = Template(where)
    if template.names:
        return _Text(template)
    if Path(text).suffix.lower() in TABLES:
        return _Labels(base / Path(text).expanduser())
    raise UsageError(
        Phrase("{option:expected}: {text!r} names no placeholder, table, file or evaluation", text=text),
        _FORMS,
        argument="expected",
    )


def names_references(where: str) -> bool:
    """Return whether a text has one of the forms; another is a word that `=` would have to stand before."""
    text = where.strip()
    return (
        text.startswith(("=", "@"))
        or _EVALUATION.fullmatch(text) is not None
        or bool(Template(where).names)
        or Path(text).suffix.lower() in TABLES
    )


class _Text:
    """A text with placeholders."""

    fields: tuple[str, ...] = ()

    def __init__(self, template: Template) -> None:
        self._template, self.names = template, template.names

    def check(self, inputs: Iterable[str]) -> str | None:
        """Nothing to compare."""
        return None

    def of(self, name: str, values: Mapping[str, str]) -> Reference:
        """The text with the values in it."""
        return {EXPECTED: self._template.render(values)}


class _Files:
    """A file an input. What fills a placeholder leads nowhere but below the folder that is written out."""

    fields: tuple[str, ...] = ()

    def __init__(self, pattern: str, base: Path) -> None:
        self._pattern, self._template = pattern, Template(pattern)
        self.names = self._template.names
        if not self.names and not (base / pattern).expanduser().is_file():
            raise InputError(
                Phrase("{option:expected}: no file {path}", path=base / pattern),
                "Write {{file.stem}} where the input's name belongs.",
                argument="expected",
            )
        written = pattern.split("{{", 1)[0]
        self._shows_hidden = not self.names or _is_hidden(PurePosixPath(_PLACED.sub("_", pattern)))
        self._base = base
        self._folder = (base / written.rpartition("/")[0] if "/" in written else base).expanduser().resolve()

    def check(self, inputs: Iterable[str]) -> str | None:
        """Nothing to compare: which files are needed depends on the inputs' values."""
        return None

    def of(self, name: str, values: Mapping[str, str]) -> Reference:
        """The file's text, none if there is no such file."""
        path = (self._base / self._template.render(values)).expanduser()
        try:
            if not path.resolve().is_relative_to(self._folder) or not path.is_file():
                return {}
            # A value may lead to `.env` and its like no more than elsewhere.
            if not self._shows_hidden and _is_hidden(path.resolve().relative_to(self._folder)):
                return {}
            if path.stat().st_size > _MOST_BYTES:
                raise InputError(f"the reference {path} is larger than {_MOST_BYTES >> 20} MB")
            return {EXPECTED: decode(path.read_bytes()) or ""}
        except (OSError, ValueError):
            return {}


class _Labels:
    """The rows of a table, by the inputs' names."""

    names: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            near = nearest_name(path)
            raise InputError(
                Phrase("{option:expected}: there is no file {path}", path=path),
                did_you_mean(near and str(near)) or _FORMS,
                argument="expected",
            )
        known = columns(path)
        self._file = _column(FILE, known)
        if self._file is None:
            column = closest(FILE, known, ignore_case=True)
            raise InputError(
                Phrase("{option:expected}: {path} has no column 'file'", path=path),
                sentences(
                    did_you_mean(column, "{!r}"), f"It must name the inputs. Columns: {', '.join(known)}."
                ),
                argument="expected",
            )
        one = _column(EXPECTED, known)
        self._columns = (one,) if one is not None else tuple(name for name in known if name != self._file)
        self._names = (EXPECTED,) if one is not None else self._columns
        self.fields = () if one is not None else self._columns
        self._rows = self._read()
        self._alike: dict[str, str] = {}
        for key in self._rows:
            self._alike.setdefault(folded(key), key)

    def _read(self) -> dict[str, tuple[str | None, ...]]:
        found: dict[str, tuple[str | None, ...]] = {}
        lines: dict[str, str] = {}
        for row in rows(self._path):
            values = read_row(row.path, name=row.name, part=row.part).values
            key = values.get(f"row.{self._file}", "")
            if key in found:
                raise InputError(
                    f"{self._path} has {key!r} twice: in {lines[key]} and {_line(row.part)}",
                    "Remove one of them.",
                    argument="expected",
                )
            lines[key] = _line(row.part)
            found[key] = tuple(values.get(f"row.{column}") for column in self._columns)
        return found

    def check(self, inputs: Iterable[str]) -> str | None:
        """Say which rows are about no input; none at all is an error."""
        known = set(inputs)
        used = {self._key(name) for name in known}
        unused = [key for key in self._rows if key not in used]
        if len(unused) < len(self._rows):
            are = "row is" if len(unused) == 1 else "rows are"
            return f"{self._path}: {len(unused):,} {are} about no input: {_some(unused)}" if unused else None
        raise InputError(
            f"no row of {self._path} is about an input of the evaluation",
            f"It has {_some(self._rows)}; the inputs are {_some(sorted(known))}.",
            argument="expected",
        )

    def of(self, name: str, values: Mapping[str, str]) -> Reference:
        """The row's column `expected`, or its fields."""
        row = self._rows.get(self._key(name))
        if row is None:
            return {}
        return {column: value for column, value in zip(self._names, row, strict=True) if value is not None}

    def _key(self, name: str) -> str:
        """The name as the table has it: disks compose letters in one way or the other, people add blanks."""
        return name if name in self._rows else self._alike.get(folded(name), name)


class _Answers:
    """The answers of another evaluation, by the inputs' names."""

    names: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()

    def __init__(self, folder: Path, model: str | None) -> None:
        if not has_database(folder):
            near = nearest_name(folder)
            raise InputError(
                Phrase(
                    "{option:expected}: there is no evaluation {name!r} in {parent}",
                    name=folder.name,
                    parent=folder.parent,
                ),
                did_you_mean(near and near.name, "{!r}") or "umwelten eval list shows the evaluations.",
                argument="expected",
            )
        try:
            self._reader = Reader.open(folder)
        except StoreError as error:
            raise InputError(error.wording, error.hint_wording, argument="expected") from error
        models = [str(name) for name in self._reader.spec().models]
        if model is None and len(models) > 1:
            raise InputError(
                f"evaluation {folder.name!r} asked {len(models)} models; which one's answers are meant?",
                f"Write ID:{folder.name}:{models[0]}. Models: {', '.join(models)}.",
                argument="expected",
            )
        if model is not None and model not in models:
            raise InputError(
                f"evaluation {folder.name!r} has no model {model!r}",
                did_you_mean(closest(model, models)) or f"Models: {', '.join(models)}.",
                argument="expected",
            )
        self._model = model or models[0]

    def check(self, inputs: Iterable[str]) -> str | None:
        """At least one input must have an answer there."""
        for count, name in enumerate(inputs):
            if self._row(name) is not None:
                return None
            if count > 1_000:
                break
        raise InputError(
            f"evaluation {self._reader.folder.name!r} has no answer about an input of this one",
            "Inputs are compared by their names, the column FILE of umwelten eval show.",
            argument="expected",
        )

    def of(self, name: str, values: Mapping[str, str]) -> Reference:
        """The answer's record if it has one, else its text."""
        row = self._row(name)
        if row is None:
            return {}
        return {EXPECTED: row[0] if row[1] is None else msgspec.json.decode(row[1])}

    def _row(self, name: str) -> tuple[str, str | None] | None:
        return answer_about(self._reader, name, self._model)


def expected_value(references: References, chained: tuple[str, ...]) -> AddedValues:
    """Return the placeholder `expected` of prompts about earlier answers: a reference as text.

    Of several fields it is a JSON object. `chained` are those of `references.names` that a row fills in.
    """

    def of(content: Content) -> dict[str, str]:
        name, path = (content.values.get(key, "") for key in ("file.name", "file.path"))
        found = references.of(name, {**content.values, **file_values(name, path)})
        value = found.get(EXPECTED) if found.keys() == {EXPECTED} else dict(found)
        if is_missing(value) or value == {}:
            raise InputError(f"nothing says what is expected of {name or 'the answer'}")
        return {EXPECTED: as_text(value)}

    return AddedValues(names=(EXPECTED,), of=of, chained=chained)


def file_values(name: str, path: str) -> dict[str, str]:
    """Return the values of the placeholders about an input's file."""
    return {"file.name": name, "file.path": path, "file.stem": PurePosixPath(name).stem}


def _column(name: str, known: tuple[str, ...]) -> str | None:
    return next(iter(alike(name, known)), None)


def _is_hidden(path: PurePosixPath | Path) -> bool:
    return any(part.startswith(".") and part.strip(".") for part in path.parts)


def _line(part: str) -> str:
    numbers = part.split()
    return f"line {numbers[4]}" if len(numbers) > 4 else f"row {numbers[1]}"


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else ""
    return ", ".join(map(repr, listed[:_SHOWN])) + more
