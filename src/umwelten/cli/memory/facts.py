"""`umwelten memory` without `learn`: what is known is shown, changed, exported and imported."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, TextIO

import click
import msgspec

from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.stored_evaluations import output_settings
from umwelten.cli.table_layout import write_table
from umwelten.errors import InputError, StoreError, UsageError
from umwelten.report.output_files import whole_file
from umwelten.store.memory.facts import MAX_FACT, Fact, NewFact, check_fact, scope_form
from umwelten.store.memory.reader import MemoryReader, has_store
from umwelten.store.memory.store import MemoryStore
from umwelten.store.memory.tables import check_name, memory_folder, store_names
from umwelten.text import formatting
from umwelten.text.sanitize import encodable, json_safe, one_line, safe
from umwelten.text.suggestions import closest, did_you_mean

_UNCHANGED = _FAILED = 1
_WIDE = 10_000
_ENDS = {"updated": "brought up to date", "changed": "its text changed", "deleted": "deleted"}


def list_facts(
    *, name: str | None, scope: str | None, type_: str | None, as_json: bool, output_dir: Path | None
) -> None:
    """Print what a store knows, or which stores there are."""
    folder = _output_dir(output_dir)
    if name is None:
        _list_stores(folder, as_json=as_json)
        return
    with MemoryReader.open(folder, name) as reader:
        _check_scope(reader, scope)
        _print(reader.facts(scope, type_), as_json=as_json)


def search_facts(
    *,
    name: str,
    words: tuple[str, ...],
    scope: str | None,
    most: int,
    as_json: bool,
    output_dir: Path | None,
) -> None:
    """Print the facts that have most to do with some words."""
    with MemoryReader.open(_output_dir(output_dir), name) as reader:
        _check_scope(reader, scope)
        _print(reader.search(" ".join(words), scope, most), as_json=as_json)


def show_history(*, name: str, id_: int, as_json: bool, output_dir: Path | None) -> None:
    """Print a fact with those before and after it."""
    with MemoryReader.open(_output_dir(output_dir), name) as reader:
        facts = reader.history(id_)
    if not facts:
        raise UsageError(f"there is no fact {id_} in {name!r}", f"umwelten memory list {name} shows them.")
    if as_json:
        _print(facts, as_json=True)
        return
    for fact in facts:
        for line in _details(fact):
            click.echo(safe(line))


def export_facts(*, name: str, output: Path | None, all_: bool, output_dir: Path | None) -> None:
    """Write facts as JSON lines."""
    with MemoryReader.open(_output_dir(output_dir), name) as reader:
        # In the order in which they came: imported, the newest is the newest again.
        facts = (fact for fact in reader.all_facts() if all_ or fact.ended is None)
        if output is None:
            _write_lines(facts, sys.stdout)
            return
        with whole_file(output, what="export") as file:
            count = _write_lines(facts, file)
    click.echo(f"{formatting.count(count, 'fact')} in {output}", err=True)


def import_facts(*, name: str, file: Path, output_dir: Path | None) -> None:
    """Add the facts of a file, all or none."""
    check_name(name)
    cut = 0

    def facts() -> Iterator[tuple[str, NewFact]]:
        nonlocal cut
        for scope, fact in _read_lines(file):
            cut += len(fact.text) > MAX_FACT
            yield scope, fact

    with MemoryStore.open(_output_dir(output_dir), name) as store:
        try:
            taken = store.add(facts())
        except BaseException:
            store.withdraw()
            raise
    known = f", {taken.known:,} known already" if taken.known else ""
    click.echo(f"{name}: {formatting.count(taken.added, 'new fact')}{known}")
    if cut:
        click.echo(
            f"{formatting.count(cut, 'fact')} had more than {MAX_FACT:,} characters and lost the rest",
            err=True,
        )


def delete_facts(*, name: str, ids: tuple[int, ...], output_dir: Path | None) -> None:
    """End facts."""
    folder = _existing(output_dir, name)
    with MemoryStore.open(folder, name) as store:
        ended = store.delete(ids)
    missing = [number for number in dict.fromkeys(ids) if number not in ended]
    click.echo(f"{name}: {formatting.count(len(ended), 'fact')} deleted")
    if missing:
        numbers = ", ".join(map(str, missing))
        if ended:
            click.echo(f"not known in {name!r}: {numbers}", err=True)
            raise click.exceptions.Exit(_UNCHANGED)
        raise UsageError(f"not known in {name!r}: {numbers}", f"umwelten memory list {name} shows what is.")


def clear_facts(*, name: str, scope: str | None, yes: bool, output_dir: Path | None) -> None:
    """Remove facts for good, once the user has agreed."""
    folder = _output_dir(output_dir)
    with MemoryReader.open(folder, name) as reader:
        _check_scope(reader, scope, ended=True)
    what = f"all facts of {name!r}" if scope is None else f"all facts of {scope!r} in {name!r}"
    if not yes and not _confirm(what):
        click.echo("nothing was removed", err=True)
        raise click.exceptions.Exit(_UNCHANGED)
    with MemoryStore.open(folder, name) as store:
        gone = store.clear(scope)
    click.echo(f"{name}: {formatting.count(gone, 'fact')} removed, with those that were known before")
    learnt = _learning_evaluations(folder, name)
    if learnt:
        ids = " ".join(learnt)
        click.echo(f"note: what the model said is kept; to remove it: umwelten eval delete {ids}", err=True)


def _output_dir(given: Path | None) -> Path:
    folder: Path = output_settings(given).get("output_dir")
    return folder


def _existing(output_dir: Path | None, name: str) -> Path:
    """Return the output directory in which the store is; a misspelt name makes no store."""
    folder = _output_dir(output_dir)
    if not has_store(folder, name):
        MemoryReader.open(folder, name).close()
    return folder


def _check_scope(reader: MemoryReader, scope: str | None, *, ended: bool = False) -> None:
    if scope is None:
        return
    scope, scopes = scope_form(scope), [name for name, _ in reader.scopes()]
    if scope in scopes or (ended and any(fact.scope == scope for fact in reader.all_facts())):
        return
    raise UsageError(
        f"nothing is known of {scope!r} in {reader.name!r}",
        did_you_mean(closest(scope, scopes, ignore_case=True), "{!r}")
        or f"umwelten memory list {reader.name} shows all scopes.",
    )


def _confirm(what: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            f"removing {what}: there is no terminal to ask at", "Nothing was removed; add --yes."
        )
    return click.confirm(f"Remove {what} for good?", default=False, err=True)


def _learning_evaluations(output_dir: Path, name: str) -> list[str]:
    from umwelten.store.database import evaluations

    return [folder.name for folder in evaluations(output_dir) if folder.name.startswith(f"{name}.learn-")]


# --- what is printed -------------------------------------------------------------------------


def _list_stores(output_dir: Path, *, as_json: bool) -> None:
    rows, broken = [], []
    for name in store_names(output_dir):
        try:
            with MemoryReader.open(output_dir, name) as reader:
                scopes = reader.scopes()
        except StoreError as error:
            broken.append(error)
            continue
        rows.append((name, sum(count for _, count in scopes), len(scopes)))
    if as_json:
        for name, facts, count in rows:
            print_json({"name": name, "facts": facts, "scopes": count}, compact=True)
    elif rows:
        write_table(("NAME", "FACTS", "SCOPES"), ((n, f"{f:,}", f"{s:,}") for n, f, s in rows), shrink=())
    elif not broken:
        click.echo(f"no memory stores in {memory_folder(output_dir)}", err=True)
    for damage in broken:
        click.echo(f"Error: {safe(str(damage.spell(as_flag)))}", err=True)
    if broken:
        raise click.exceptions.Exit(_FAILED)


def _print(facts: Iterable[Fact], *, as_json: bool) -> None:
    if as_json:
        _write_lines(facts, sys.stdout)
        return
    rows = ((str(f.id), *(one_line(text, _WIDE) for text in (f.scope, f.type, f.text))) for f in facts)
    first = next(rows, None)
    if first is None:
        click.echo("no facts", err=True)
        return

    def all_rows() -> Iterator[tuple[str, ...]]:
        yield first
        yield from rows

    write_table(("FACT", "SCOPE", "TYPE", "TEXT"), all_rows(), shrink=("SCOPE", "TEXT"))


def _details(fact: Fact) -> Iterator[str]:
    yield f"{fact.id}  {one_line(fact.text, _WIDE)}"
    yield f"    {fact.type}, of {one_line(fact.scope, _WIDE)}, since {_time(fact.at)}"
    if fact.source_eval is not None:
        yield f"    learnt from {one_line(fact.source_name or '', _WIDE)} in {fact.source_eval}"
    if fact.quote:
        yield f"    quote: {one_line(fact.quote, _WIDE)}"
    if fact.inputs > 1:
        yield f"    said by {fact.inputs:,} inputs"
    if fact.ended is not None:
        by = f", by {fact.superseded_by}" if fact.superseded_by is not None else ""
        yield f"    ended {_time(fact.ended_at)}: {_ENDS.get(fact.ended, fact.ended)}{by}"


def _time(at: float | None) -> str:
    from datetime import datetime

    if at is None:
        return formatting.UNKNOWN
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")


# --- JSON lines ------------------------------------------------------------------------------


def _write_lines(facts: Iterable[Fact], file: TextIO) -> int:
    count = 0
    for fact in facts:
        data = {key: value for key, value in msgspec.to_builtins(fact).items() if value is not None}
        file.write(json_safe(msgspec.json.encode(encodable(data)).decode()) + "\n")
        count += 1
    return count


_END_OF_TIME = 253_370_764_800
"""The year 9999: what is later is no time."""


class _Line(msgspec.Struct):
    """A line of an import. Further fields, such as those of an export, are ignored."""

    scope: str
    text: str
    type: str = "other"
    quote: str | None = None
    ended: str | None = None
    at: Annotated[float, msgspec.Meta(ge=0, lt=_END_OF_TIME)] | None = None
    source_eval: str | None = None
    source_call: str | None = None
    source_name: str | None = None


def _read_lines(path: Path) -> Iterator[tuple[str, NewFact]]:
    """Yield the facts of a file as (scope, fact), without those that have ended. Raises `InputError`."""
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            said = msgspec.json.decode(line.removeprefix(b"\xef\xbb\xbf"), type=_Line)
            fields = {name: getattr(said, name) for name in NewFact.__struct_fields__}
            fact = check_fact(said.scope, NewFact(**fields))
        except (msgspec.DecodeError, UnicodeDecodeError, UsageError) as error:
            raise InputError(
                f"{path}, line {number}: {_reason(error)}",
                'A line is like {"scope": "alice", "type": "preference", "text": "Alice likes tea."}. '
                "Nothing was added.",
            ) from error
        if said.ended is None:
            yield fact


def _lines(path: Path) -> Iterator[bytes]:
    try:
        with nullcontext(sys.stdin.buffer) if path == Path("-") else path.open("rb") as file:
            yield from file
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _reason(error: Any) -> str:
    return str(error.message) if isinstance(error, UsageError) else str(error)
