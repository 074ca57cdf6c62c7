"""Starting the real command line in ways that a test needs: with a limit, without a right."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from forked import FORKS, Forked
from provider import clean_environment

TIMEOUT_S = 60.0
Process = Forked | subprocess.Popen[str]
_BECOME = "\nimport os, sys\nos.execv(sys.executable, [sys.executable, '-m', 'umwelten', *sys.argv[1:]])\n"


def write_texts(root: Path, count: int) -> None:
    """`count` small files in `root/in`, each with words of its own."""
    (root / "in").mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (root / "in" / f"{n:04}.txt").write_text(f"This is file number {n:04}.")


def start(
    root: Path,
    env: Mapping[str, str],
    *more: str,
    models: str = "openai:a",
    stdout: int = subprocess.PIPE,
    before: str | None = None,
    changed: str | None = None,
    fresh: bool = False,
) -> Process:
    """A batch with id `s` over `root/in`; the process runs the Python text `before` and then becomes it.

    `changed` runs in the process of the batch, before it. It is a fork that has its modules, unless it is to
    be `fresh`: a signal may come while Python starts.
    """
    command = ("eval", "batch", "-p", "go", "-m", models, "-i", "s", "--directory", "in")
    shown = () if "--progress" in more else ("--progress", "plain")
    words = (*command, *shown, *more)
    if changed is not None:
        arguments = ["-c", f"{changed}\nfrom umwelten.cli.app import main\nmain()", *words]
        return FORKS.start(arguments, cwd=root, env=clean_environment(env), stdout=stdout)
    if before is None and not fresh:
        return FORKS.start(["-m", "umwelten", *words], cwd=root, env=clean_environment(env), stdout=stdout)
    launch = ("-m", "umwelten") if before is None else ("-c", before + _BECOME)
    return subprocess.Popen(
        [sys.executable, *launch, *words],
        cwd=root,
        env=clean_environment(env),
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: Process, timeout_s: float = TIMEOUT_S) -> tuple[int, str]:
    """Exit status and stderr."""
    try:
        err = process.communicate(timeout=timeout_s)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        err = process.communicate()[1]
        raise AssertionError(f"did not end within {timeout_s:g} s: {err}") from None
    return process.returncode, err


def run(root: Path, env: Mapping[str, str], *more: str, **options: Any) -> tuple[int, str]:
    """`start` and `finish`."""
    with start(root, env, *more, **options) as process:
        return finish(process)


def rows(root: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query finds in the evaluation's database."""
    with closing(sqlite3.connect(root / "output" / "s" / "evaluation.db", timeout=10)) as connection:
        return connection.execute(query).fetchall()


def succeeded(root: Path) -> int:
    """Answers that are stored."""
    return int(rows(root, "SELECT count(*) FROM calls WHERE status = 1")[0][0])


def wait_for(condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Until the condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.005)


def summary(root: Path) -> dict[str, Any]:
    """The figures of the report."""
    done = FORKS.run(["-m", "umwelten", "eval", "report", "-i", "s", "--format", "json"], cwd=root)
    assert done.code == 0, done.err
    return dict(json.loads(done.out)["summary"])


def is_root() -> bool:
    """Whether file modes mean nothing to us as we are."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
