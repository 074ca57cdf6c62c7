"""`eval costs`: what all evaluations of the output directory have cost."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from umwelten.cli.stored_evaluations import output_settings
from umwelten.cli.table_layout import write_table
from umwelten.errors import UsageError
from umwelten.report.queries.costs import CostRow, Costs, check_by, costs
from umwelten.report.render.csv import harmless
from umwelten.text import formatting
from umwelten.text.sanitize import json_safe, one_line

_DAY = re.compile(r"\d{4}-\d{2}(?:-\d{2})?")
_AMOUNTS = ("cost_usd", "attempts", "unknown", "input_tokens", "output_tokens")


def show_costs(
    *,
    by: Sequence[str],
    since: str | None,
    until: str | None,
    tags: Sequence[str],
    ids: Sequence[str],
    as_json: bool,
    as_csv: bool,
    output_dir: Path | None,
) -> None:
    """Print the sums."""
    if as_json and as_csv:
        raise UsageError("--json and --csv exclude each other", "Give the one that you mean.")
    words = check_by(by or ["month", "model"])
    folder: Path = output_settings(output_dir).get("output_dir")
    # The last day of a month, or a later one that there is not.
    end = _day(until, "--until", "-99")
    found = costs(folder, words, since=_day(since, "--since", "-00"), until=end, tags=tags, ids=ids)
    if as_json:
        sys.stdout.write(json_safe(msgspec.json.format(msgspec.json.encode(found)).decode()) + "\n")
    elif as_csv:
        _write_csv(found, words)
    else:
        _write(found, words)
    sys.stdout.flush()
    for name, problem in found.unread.items():
        click.echo(one_line(f"note: {name} is not in the sums: {problem}", 400), err=True)
    if found.total.unknown and not as_json:
        click.echo(
            f"note: {formatting.count(found.total.unknown, 'attempt')} of unknown cost are in no sum",
            err=True,
        )
    if len(words) and "tag" in words:
        click.echo("note: what has several tags counts for each; the total counts it once", err=True)


def _day(text: str | None, flag: str, rest: str) -> str:
    if text is None:
        return ""
    if not _DAY.fullmatch(text):
        raise UsageError(f"{flag} {text!r} is no day", "Write 2026-11-30, or 2026-11 for a month.")
    return text if len(text) == len("2026-11-30") else text + rest


def _write(found: Costs, words: Sequence[str]) -> None:
    titles = (*(word.upper() for word in words), "COST", "UNKNOWN", "ATTEMPTS", "TOKENS IN", "TOKENS OUT")
    rows = [[*(one_line(row.by[word], 100) for word in words), *_cells(row)] for row in found.rows]
    rows.append(["total", *[""] * (len(words) - 1), *_cells(found.total)])
    write_table(titles, rows, shrink=[word.upper() for word in words], right=titles[len(words) :])


def _cells(row: CostRow) -> list[str]:
    return [
        formatting.short_cost(row.cost_usd, row.unknown),
        f"{row.unknown:,}",
        f"{row.attempts:,}",
        formatting.tokens(row.input_tokens),
        formatting.tokens(row.output_tokens),
    ]


def _write_csv(found: Costs, words: Sequence[str]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*words, *_AMOUNTS])
    for row in found.rows:
        writer.writerow(
            [*(harmless(row.by[word]) for word in words), *(getattr(row, name) for name in _AMOUNTS)]
        )
