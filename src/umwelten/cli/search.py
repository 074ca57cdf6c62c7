"""`eval search`: words in the answers of all evaluations."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import click
import msgspec

from umwelten.cli.stored_evaluations import output_settings
from umwelten.cli.table_layout import cut
from umwelten.errors import StoreError, UsageError
from umwelten.store.database import VALUE_ERRORS, evaluations, store_errors
from umwelten.store.derived import DatabaseErrors
from umwelten.store.reader import Reader
from umwelten.store.search import FoundAnswer, search_answers
from umwelten.text.sanitize import json_safe, one_line

_AROUND = 60
"""Characters of an answer before and behind what was found."""

_INDENT = "    "
_NOTHING = 1


def search(
    *,
    words: Sequence[str],
    regex: bool,
    ids: Sequence[str],
    model: str | None,
    most: int | None,
    as_json: bool,
    output_dir: Path | None,
) -> None:
    """Print a line for each answer that has all the words; exit status 1 without any, as grep has it."""
    if not words:
        raise UsageError("search for what?", "Give words: umwelten eval search WORDS.")
    patterns = [_pattern(word, regex=regex) for word in words]
    like = "" if regex else max((word for word in words if word.isascii()), key=len, default="")
    folder: Path = output_settings(output_dir).get("output_dir")
    count = 0
    for found_in, found in _found(folder, patterns, like, model, ids):
        if most is not None and count >= most:
            click.echo(f"only the first {most:,} are shown (--most)", err=True)
            break
        count += 1
        if as_json:
            sys.stdout.write(_as_json(found_in, found))
        elif sys.stdout.isatty():
            sys.stdout.writelines(
                f"{line}\n" for line in found_lines(found_in, found, shutil.get_terminal_size().columns)
            )
        else:
            sys.stdout.write(_as_line(found_in, found))
    sys.stdout.flush()
    if not count:
        click.echo("no answer has " + ("that" if len(words) == 1 else "all of that"), err=True)
        raise click.exceptions.Exit(_NOTHING)


def _pattern(word: str, *, regex: bool) -> re.Pattern[str]:
    try:
        return re.compile(word if regex else re.escape(word), re.IGNORECASE)
    except re.error as error:
        raise UsageError(f"{word!r} is no regular expression: {error}") from None


def _found(
    output_dir: Path, patterns: Sequence[re.Pattern[str]], like: str, model: str | None, ids: Sequence[str]
) -> Iterator[tuple[str, FoundAnswer]]:
    for folder in evaluations(output_dir):
        if ids and not any(fnmatchcase(folder.name, id_) for id_ in ids):
            continue
        try:
            with store_errors(folder), Reader.open(folder) as reader:
                for found in search_answers(reader, patterns, like=like, model=model):
                    yield folder.name, found
        except (StoreError, *DatabaseErrors, *VALUE_ERRORS) as error:
            click.echo(one_line(f"note: {folder.name} cannot be read: {error}", 400), err=True)


def found_lines(id_: str, found: FoundAnswer, width: int) -> tuple[str, str]:
    """Return what a terminal of `width` columns shows of an answer: whose it is, and an excerpt below."""
    repeat = f"repeat {found.repeat}" if found.repeat > 1 else ""
    names = (id_, found.file or "", found.model, found.prompt or "", repeat)
    head = " · ".join(one_line(name, 400) for name in names if name)
    # So much on both sides that what was found is within the line.
    around = max((width - len(_INDENT) - (found.end - found.start)) // 2 - len("…"), 0)
    return cut(head, width, end=True), cut(_INDENT + _excerpt(found, around), width, end=True)


def _excerpt(found: FoundAnswer, around: int = _AROUND) -> str:
    start, end = max(found.start - around, 0), min(found.end + around, len(found.text))
    before, behind = "…" if start else "", "…" if end < len(found.text) else ""
    return one_line(f"{before}{found.text[start:end]}{behind}", 4 * _AROUND)


def _as_line(id_: str, found: FoundAnswer) -> str:
    names = (found.file or "", found.model, *((found.prompt,) if found.prompt else ()), str(found.repeat))
    return "\t".join((one_line(id_, 200), *(one_line(name, 400) for name in names), _excerpt(found))) + "\n"


def _as_json(id_: str, found: FoundAnswer) -> str:
    data = {
        "id": id_,
        "file": found.file,
        "model": found.model,
        "prompt": found.prompt,
        "repeat": found.repeat,
        "start": found.start,
        "end": found.end,
        "excerpt": _excerpt(found),
    }
    return json_safe(msgspec.json.encode(data).decode()) + "\n"
