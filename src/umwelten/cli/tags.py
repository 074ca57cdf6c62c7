"""`eval tag`: words of the user's on evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from umwelten.cli.stored_evaluations import named_folder
from umwelten.errors import UsageError
from umwelten.store.reader import Reader
from umwelten.store.tags import change_tags, check_tags, read_tags
from umwelten.text.sanitize import one_line


def tag(*, id_: str, names: Sequence[str], removed: Sequence[str], output_dir: Path | None) -> None:
    """Add tags and take others away, and print those that there are then."""
    add, gone = check_tags(names), check_tags(removed)
    if both := set(add) & set(gone):
        raise UsageError(f"{sorted(both)[0]!r} is to be added and removed", "Give it once.")
    folder = named_folder(id_, output_dir)
    if add or gone:
        found = change_tags(folder, add, gone)
    else:
        with Reader.open(folder) as reader:
            found = read_tags(reader.connection)
    click.echo(one_line(f"{folder.name}: {', '.join(found) or 'no tags'}", 10_000))
