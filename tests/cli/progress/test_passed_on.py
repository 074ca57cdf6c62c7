"""Answers into a pipe whose reader prints them on the terminal of the bar, as `| tee` does."""

from __future__ import annotations

import io
import os
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.progress.happenings import begun, good, play, views
from umwelten.cli.print_answers import AnswerPrinter
from umwelten.cli.progress.rich import RichProgress
from umwelten.tally import Tally


@contextmanager
def writer(kind: str, folder: Path):
    if kind == "file":
        with (folder / "out.txt").open("w") as out:
            yield out
        return
    read, write = os.pipe()
    with os.fdopen(write, "w") as out:
        yield out
    os.close(read)


@pytest.mark.parametrize(("kind", "held"), [("pipe", True), ("file", False)])
def test_the_bar_is_away_until_a_pipe_has_been_read(kind: str, held: bool, tmp_path: Path) -> None:
    times: list[float] = []

    @contextmanager
    def hold(after_s: float = 0.0):
        times.append(after_s)
        yield

    with writer(kind, tmp_path) as out:
        answers, tally = AnswerPrinter(out, hold=hold), Tally()
        play(answers, [begun(2), good(), good(2)], tally)
        answers.close()
    assert bool(times) is held
    assert all(after_s > 0 for after_s in times)


def test_the_bar_comes_back_once_nothing_was_printed_for_a_while() -> None:
    tally = Tally()
    progress = RichProgress(io.StringIO(), tally)
    tally(begun())
    progress.start(views)
    with progress.hold(0.2):
        pass
    with progress.hold(0.2):
        assert progress._live is None
    assert progress._live is None
    for _ in range(100):
        if progress._live is not None:
            break
        time.sleep(0.05)
    assert progress._live is not None
    progress.close()
    assert progress._live is None
