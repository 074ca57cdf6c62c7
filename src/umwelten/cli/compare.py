"""`umwelten eval compare`: whether a new evaluation is worse than an earlier one."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from umwelten.cli.flag_names import as_flag
from umwelten.cli.report_files import write_reports
from umwelten.cli.runner import leave
from umwelten.cli.standard_streams import output_width
from umwelten.cli.stored_evaluations import check_there
from umwelten.config.settings import load
from umwelten.errors import InputError, UsageError
from umwelten.evaluation.spec import check_id
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.report.comparison.comparison import Comparison, compare, is_report, read_side
from umwelten.report.output_files import check_comparison_path, write_comparison
from umwelten.report.render.comparison_files import comparison_json
from umwelten.report.render.comparison_text import comparison_lines
from umwelten.scoring.comparison import failing
from umwelten.scoring.gate_outcomes import exit_status
from umwelten.text.sanitize import safe
from umwelten.text.suggestions import did_you_mean

_SHARE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(%?)")


def compare_evaluations(
    *,
    words: Sequence[str],
    baseline: Path | None,
    score: Sequence[str],
    models: Sequence[str],
    max_drop: str | None,
    require: str | None,
    report: Sequence[Path],
    as_json: bool,
    exit_zero: bool,
    output_dir: Path | None,
    profile: str | None,
) -> None:
    """Compare, print what came out, and end with the exit status."""
    base, new = _names(words, baseline)
    allowed, renamed = share(max_drop), _renamed(models)
    for path in report:
        check_comparison_path(path)
    settings = load(Path.cwd(), os.environ, profile=profile).with_flags({"output_dir": output_dir}, as_flag)
    folder = settings.get("output_dir")
    for name in (base, new):
        if is_report(name):
            _check_file(Path(name))
        else:
            check_there(folder / check_id(name))
    found = compare(
        read_side(base, folder),
        read_side(new, folder),
        scores=score,
        models=renamed,
        max_drop=allowed,
        spelling=as_flag,
    )
    held = require == "held"
    status = _status(found, require_held=held, exit_zero=exit_zero)
    _print(found, as_json=as_json, output_dir=output_dir)
    unwritten = write_reports(report, lambda path: write_comparison(found, path, require_held=held))
    leave(status or unwritten)


def _names(words: Sequence[str], baseline: Path | None) -> tuple[str, str]:
    """The base and the new evaluation. Raises `UsageError`."""
    if baseline is not None and not is_report(str(baseline)):
        raise UsageError(f"--baseline {baseline}: a JSON report is expected, whose name ends in .json")
    names = [*([] if baseline is None else [str(baseline)]), *words]
    if len(names) != 2:
        raise UsageError(
            f"two evaluations are compared, {len(names)} named",
            "umwelten eval compare BASE NEW, or umwelten eval compare NEW --baseline report.json",
        )
    base, new = names
    if base == new:
        raise UsageError(
            f"{base!r} is compared with itself",
            f"The models of one evaluation are compared by umwelten eval score {base}."
            if not is_report(base)
            else None,
        )
    if is_report(new):
        raise UsageError(
            f"{new}: the new evaluation must be in the output directory, only BASE may be a report",
            "Name its id: `umwelten eval list` has them.",
        )
    return base, new


def _check_file(path: Path) -> None:
    if not path.exists():
        near = nearest_name(path)
        raise InputError(f"there is no file {path}", did_you_mean(near) or None)


def share(text: str | None) -> float:
    """`0.02` or `2%` as a number. Raises `UsageError`."""
    if text is None:
        return 0.0
    match = _SHARE.fullmatch(text.strip())
    value = float(match[1]) / (100 if match[2] else 1) if match else 1.0
    if not 0 <= value < 1:
        raise UsageError(
            f"--max-drop {text}: a share from 0 to below 1 is expected",
            "Write the drop that is allowed as 0.02 or 2%.",
        )
    return value


def _renamed(texts: Sequence[str]) -> dict[str, list[str]]:
    """`OLD=NEW` by OLD; a name alone stands for itself. Raises `UsageError`."""
    found: dict[str, list[str]] = {}
    for text in texts:
        old, sign, new = text.partition("=")
        if not old.strip() or (sign and not new.strip()):
            raise UsageError(
                f"--models {text}: OLD=NEW is expected",
                "Name the model in BASE and the one in NEW: openai:gpt-5.4=openai:gpt-5.5.",
            )
        found.setdefault(old.strip(), []).append((new or old).strip())
    return found


def _status(found: Comparison, *, require_held: bool, exit_zero: bool) -> int:
    failed = failing(found.rows, require_held=require_held)
    return exit_status(["regressed"] if failed else [], failed=found.doubtful, exit_zero=exit_zero)


def _print(found: Comparison, *, as_json: bool, output_dir: Path | None) -> None:
    if as_json:
        sys.stdout.write(comparison_json(found))
        sys.stdout.flush()
        return
    for note in found.notes:
        click.echo(f"note: {safe(note)}", err=True)
    width = output_width()
    where = [] if output_dir is None else ["--output-dir", str(output_dir)]

    def show(id_: str, file: str, model: str, prompt: str | None) -> str:
        call = [word for word in (file, model, prompt) if word]
        return shlex.join(["umwelten", "eval", "show", id_, *call, *where])

    for line in comparison_lines(found, show, width):
        click.echo(safe(line))
    sys.stdout.flush()
