"""Kill -9 again and again while stored answers are scored; what is kept is that of an undisturbed run."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from provider import clean_environment
from scoredkit import evaluate, write_table

SCORERS = ("--scorer", "contains", "--scorer", "number", "--scorer", "f1", "--expected", "{{row.want}}")
Rows = frozenset[tuple[object, ...]]


@dataclass
class Figures:
    """What it came to. `partial`: kills after which some scores were kept and some missing; `wrong`: kept
    scores that an undisturbed run has not; `unequal`: tables that differ from its, once all was done."""

    kills: int = 0
    jobs: int = 0
    partial: int = 0
    wrong: int = 0
    unequal: int = 0


def kill_scoring(root: Path, *, kills: int, answers: int, seed: int = 1) -> Figures:
    """So many kills of `eval score`, which goes on after each where it was; from the start once all is done.

    `root` is the working directory: rows are read from where the evaluation found them.
    """
    dice, figures = random.Random(seed), Figures()
    rows = [{"n": n, "want": f"about {n % 90}", "a": f"It is about {n % 100}."} for n in range(answers)]
    evaluate(write_table(Path("table.csv"), rows), {"openai:a": "a"}, output=Path("output"))
    folder = root / "output" / "x"
    began = time.monotonic()
    assert _start(root).wait(120) == 0
    whole_s, wanted = time.monotonic() - began, _kept(folder)
    assert len(wanted) == 3 * answers
    _forget(folder)
    while figures.kills < kills:
        process = _start(root)
        try:
            process.wait(dice.uniform(0.0, whole_s))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            figures.kills += 1
            kept = _kept(folder)
            figures.partial += 0 < len(kept) < len(wanted)
            figures.wrong += len(kept - wanted)
        else:
            assert process.returncode == 0
            _end(folder, wanted, figures)
    assert _start(root).wait(120) == 0
    _end(folder, wanted, figures)
    return figures


def _start(root: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "umwelten", "eval", "score", "x", *SCORERS, "--progress", "none"]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, cwd=root, env=clean_environment(), stdout=quiet, stderr=quiet)


def _kept(folder: Path) -> Rows:
    """The scores by call and scorer's name: numbers of scorers follow from the order of writing."""
    if not (folder / "scores.db").exists():
        return frozenset()
    with closing(sqlite3.connect(folder / "scores.db", timeout=30)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'scores'").fetchone():
            return frozenset()
        query = """SELECT r.name, s.call_id, s.key, s.value, s.label, s.passed, s.reason, s.unscored,
            s.reference FROM scores s JOIN scorers r ON r.id = s.scorer_id"""
        return frozenset(connection.execute(query))


def _end(folder: Path, wanted: Rows, figures: Figures) -> None:
    figures.jobs += 1
    figures.unequal += _kept(folder) != wanted
    _forget(folder)


def _forget(folder: Path) -> None:
    for path in folder.glob("scores*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
