"""The flags that `eval run` and `eval batch` share, and the types of their values."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from umwelten.cli.completion import completers
from umwelten.errors import UsageError
from umwelten.text.suggestions import did_you_mean

MAX_CONCURRENCY = 10_000
_REPORTS = (".csv", ".html", ".json", ".md", ".parquet")


class ConcurrencyType(click.ParamType[Any]):
    """A number from 1 to 10 000, or `auto`."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or "auto"."""
        if value == "auto":
            return "auto"
        try:
            number = int(value)
        except ValueError:
            number = 0
        if not 1 <= number <= MAX_CONCURRENCY:
            self.fail(
                f"{value!r} is not allowed: give a number from 1 to {MAX_CONCURRENCY}, or 'auto'", param, ctx
            )
        return number


class ProviderConcurrency(click.ParamType[Any]):
    """`provider=N`."""

    name = "PROVIDER=N"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """(provider, N)."""
        name, _, number = str(value).partition("=")
        if not name or not number.isdigit() or not 1 <= int(number) <= MAX_CONCURRENCY:
            self.fail(
                f"{value!r} is not allowed: write it as google=20, with 1 to {MAX_CONCURRENCY}", param, ctx
            )
        return name.strip(), int(number)


class Param(click.ParamType[Any]):
    """`key=value`; the value is read as JSON where it is JSON, else as text."""

    name = "KEY=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, Any]:
        """(key, value)."""
        key, equals, text = str(value).partition("=")
        if not key.strip() or not equals:
            self.fail(f"{value!r} is not allowed: write it as top_k=40", param, ctx)
        try:
            return key.strip(), json.loads(text)
        except ValueError:
            return key.strip(), text


class Duration(click.ParamType[Any]):
    """`45`, `45s`, `1500ms`, `2m`: seconds, and a note where a bare number is taken as milliseconds."""

    name = "DURATION"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, str | None]:
        """(seconds, note)."""
        from umwelten.config import parse_duration

        if isinstance(value, tuple):
            return value
        try:
            return parse_duration(str(value))
        except UsageError as error:
            self.fail(str(error), param, ctx)


class ExistingFile(click.Path):
    """A file that is there; of one that is not, the nearest name is said."""

    def __init__(self) -> None:
        super().__init__(exists=True, dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as error:
            from umwelten.inputs.files.suggestions import nearest_name

            near = None if Path(value).exists() else nearest_name(Path(value))
            if near is None:
                raise
            self.fail(f"{error.message} {did_you_mean(near)}", param, ctx)


class ReportPath(click.Path):
    """A file for a report. A comma between two of them is no part of a name."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path."""
        parts = [part.strip() for part in str(value).split(",")]
        if len(parts) > 1 and all(part.lower().endswith(_REPORTS) for part in parts):
            flags = " ".join(f"--report {part}" for part in parts)
            self.fail(f"{str(value)!r}: one file a flag; repeat it: {flags}", param, ctx)
        return super().convert(value, param, ctx)


_SHARED = (
    click.option(
        "-p",
        "--prompt",
        metavar="TEXT",
        help="The prompt. @FILE reads a file, - reads stdin. In batch, {{content}}, {{file.name}}, "
        "{{row.NAME}} and {{answer}} stand for the input's. Required, or --prompts.",
        shell_complete=completers.texts,
    ),
    click.option(
        "--prompts",
        type=ExistingFile(),
        metavar="FILE",
        help="Several prompts, each sent to every model: .toml, .json, .jsonl, .csv, or texts between "
        "lines of ---.",
        shell_complete=completers.files,
    ),
    click.option(
        "-m",
        "--models",
        metavar="LIST",
        help="Models, separated by commas: provider:model, or vendor/model for OpenRouter; "
        "@NAME is a group of umwelten.toml. Required.",
        shell_complete=completers.models,
    ),
    click.option(
        "--profile",
        metavar="NAME",
        help="Flags from [profiles.NAME] in umwelten.toml; those given here win.",
        shell_complete=completers.profiles,
    ),
    click.option(
        "-i",
        "--id",
        "id_",
        metavar="ID",
        help="Name of the evaluation; left out, one is made and printed.",
        shell_complete=completers.ids,
    ),
    click.option(
        "-s",
        "--system",
        metavar="TEXT",
        help="System prompt. @FILE reads a file.",
        shell_complete=completers.texts,
    ),
    click.option(
        "-t", "--temperature", type=click.FloatRange(0, 2), help="0 is a value; left out: the provider's own."
    ),
    click.option("--max-tokens", type=click.IntRange(1), help="At most this many tokens an answer."),
    click.option(
        "--top-p", type=click.FloatRange(0, 1), help="Only the likeliest words that make up this much."
    ),
    click.option("--seed", type=int, help="The same seed, the same answer, where the provider keeps to it."),
    click.option(
        "--param", "params", type=Param(), multiple=True, help="Any other field, sent as it is; repeatable."
    ),
    click.option("--concurrent", is_flag=True, help="5 calls in flight."),
    click.option(
        "--max-concurrency",
        type=ConcurrencyType(),
        help="Calls in flight over all providers; auto: each provider finds its own level.  [default: 1]",
    ),
    click.option(
        "--provider-concurrency",
        type=ProviderConcurrency(),
        multiple=True,
        help="Ceiling of one provider; repeatable.",
        shell_complete=completers.ceilings,
    ),
    click.option(
        "--timeout",
        type=Duration(),
        help="Per attempt; of a stream: without a byte. 45, 45s, 1500ms, 2m.  [default: 120s]",
    ),
    click.option(
        "--retries",
        type=click.IntRange(0, 100),
        help="Attempts after the first; waiting for a rate limit uses none up.  [default: 6]",
    ),
    click.option(
        "--resume", is_flag=True, help="Go on: what is done is skipped, failed and missing calls run."
    ),
    click.option("--overwrite", is_flag=True, help="Start the id afresh; the old one is moved aside."),
    click.option("--repeat", type=click.IntRange(1, 65_535), help="Every call N times.  [default: 1]"),
    click.option(
        "--max-cost",
        type=click.FloatRange(0, min_open=True),
        metavar="USD",
        help="Stop before this is spent.",
    ),
    click.option("--max-errors", type=click.IntRange(1), metavar="N", help="Stop when N calls have failed."),
    click.option(
        "--max-bytes-in-flight", metavar="SIZE", help="Bytes of files under way at a time.  [default: 512MB]"
    ),
    click.option("--dry-run", is_flag=True, help="Show what would run and what it may cost; make no call."),
    click.option(
        "--estimate",
        type=click.IntRange(1),
        metavar="N",
        help="Make N of the calls first, show what all will cost, ask before going on.",
    ),
    click.option("--yes", is_flag=True, help="With --estimate: go on without asking."),
    click.option(
        "--attach",
        "--file",
        "attach",
        metavar="LIST",
        multiple=True,
        help="Files sent with the prompt; paths and globs.",
        shell_complete=completers.files,
    ),
    click.option(
        "--schema",
        metavar="FIELDS|FILE",
        help="The record that an answer must be: 'title, year int?, tags array', a JSON Schema file, or "
        "file.py:Class of Pydantic.",
        shell_complete=completers.files,
    ),
    click.option("--coerce", is_flag=True, help="With --schema: let what is meant pass, such as '7' for 7."),
    click.option(
        "--pdf",
        type=click.Choice(["auto", "native", "text", "images"]),
        help="How PDF files are sent; auto: as they are where the model takes them, else as text.  "
        "[default: auto]",
    ),
    click.option(
        "--report",
        "report",
        type=ReportPath(),
        multiple=True,
        metavar="FILE",
        help="Write a report at the end: .csv, .html, .json, .md or .parquet; repeatable.",
    ),
    click.option(
        "--progress", type=click.Choice(["auto", "rich", "plain", "json", "none"]), help="[default: auto]"
    ),
    click.option("-v", "--verbose", is_flag=True, help="A line per finished call and per retry."),
    click.option("--debug", is_flag=True, help="Also limit changes, headers that mattered, timings."),
    click.option("--ui", is_flag=True, help="Full-screen live view (not yet built)."),
    click.option(
        "--output-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Where evaluations are kept.  [default: output, or UMWELTEN_OUTPUT_DIR]",
    ),
    click.option("--json", "as_json", is_flag=True, help="The report as JSON on stdout at the end."),
    click.option(
        "--stream/--no-stream", default=None, help="Stream answers.  [default: in run, not in batch]"
    ),
)


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """Put the shared flags on a command, in the order of the table."""
    for option in reversed(_SHARED):
        command = option(command)
    return command


def text_or_file(value: str, flag: str) -> str:
    """The text itself, a file's with `@FILE`, standard input's with `-`. Raises `UsageError`."""
    if value == "-":
        return sys.stdin.read()
    if not value.startswith("@"):
        return value
    path = Path(value[1:]).expanduser()
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{flag}: {path} is not UTF-8 text") from None
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot read {path}: {error.strerror}",
            "A text that starts with @ goes in a file of its own.",
        ) from None
