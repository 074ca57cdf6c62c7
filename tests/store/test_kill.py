"""Kills at any moment and full disks: nothing acknowledged is lost, nothing is there twice."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

from store.child import FILES, asked, text
from store.making import A, B, files, never, query, repair, spec, texts
from umwelten.store.asked import AskedReader
from umwelten.store.reader import Reader
from umwelten.store.store import Store

CHILD = Path(__file__).with_name("child.py")


def run_until_killed(folder: Path, seconds: float) -> list[int]:
    """The ids that the child acknowledged before SIGKILL."""
    with subprocess.Popen(
        [sys.executable, CHILD, "work", folder], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "working\n"
        time.sleep(seconds)
        child.kill()
        told = child.stdout.read()
    # A kill in the middle of a line leaves half a number.
    return [int(line) for line in told.splitlines(keepends=True) if line.endswith("\n")]


def test_kills_lose_nothing_acknowledged_and_double_nothing(tmp_path: Path) -> None:
    folder, acknowledged = tmp_path / "x", []
    dice = random.Random(7)
    for _ in range(5):
        acknowledged += run_until_killed(folder, dice.uniform(0.1, 0.4))
    assert len(acknowledged) > 20
    assert len(set(acknowledged)) == len(acknowledged), "a call that was done was made again"
    stored = {int(str(row[0])) for row in query(folder, "SELECT id FROM calls WHERE status = 1")}
    assert stored >= set(acknowledged)
    assert query(folder, "SELECT count(*) FROM answers") == [(len(stored),)]
    for output, call in query(folder, "SELECT output, id FROM calls"):
        path = folder / str(output)
        assert call not in acknowledged or path.is_file()
        assert not path.is_file() or path.read_text() == text(int(str(call)))
    with Reader.open(folder) as reader:
        rows = AskedReader(reader)
        assert all(rows.of(call).text == asked(call) for call in stored), "an answer without its question"
    assert query(folder, "SELECT count(*) = count(DISTINCT hash) FROM contents") == [(1,)]
    assert query(folder, "SELECT count(*) FROM runs") == [(5,)]
    # What was paid for and not acknowledged is at most what was handed over at each kill.
    with Store.resume(folder, spec(A, B)) as store:
        store.set_inputs(files(*(f"dir{n % 7}/{n}" for n in range(FILES))), read_hash=never)
        repair(store)
        assert store.counts().succeeded == len(stored)
        left = [call.id for model in store.models for call in store.lease(model, 10**6)]
    assert len(left) == 2 * FILES - len(stored)
    assert not set(left) & stored
    assert len(texts(folder)) == len(stored)


def test_a_full_disk_is_an_error_and_keeps_what_was_committed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, CHILD, "fill", tmp_path / "x"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    *ids, error = done.stdout.splitlines()
    assert error.startswith("error ")
    assert error != "error None"
    assert done.stderr == ""
    stored = [str(row[0]) for row in query(tmp_path / "x", "SELECT id FROM calls ORDER BY id")]
    assert stored == ids
    assert 0 < len(stored) < FILES
    assert query(tmp_path / "x", "PRAGMA integrity_check") == [("ok",)]
    with Store.resume(tmp_path / "x", spec(A)) as store:
        store.set_inputs(files(*map(str, range(FILES))), read_hash=never)
        assert store.counts().succeeded == len(stored)
        assert repair(store) == 0
