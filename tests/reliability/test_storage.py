"""Disks that are full, gone, locked or damaged: the run stops asking, keeps what it has and says why."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from provider import Provider, provider
from reliability.runs import finish, is_root, rows, run, start, succeeded, summary, wait_for, write_texts
from umwelten.simulate.faultserver.profile import Behaviour, Profile

FILES, IN_FLIGHT = 120, 4
SLOW = Profile(default=Behaviour(latency_s=0.02, text="{tail} " + "word " * 800))
QUICK = ("--max-concurrency", str(IN_FLIGHT))
PAGE = 4096


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider(SLOW) as found:
        yield found


def asked_once(server: Provider) -> int:
    """How many calls were asked; none of them twice, for a fault of the disk is not the provider's."""
    prompts = [record.prompt for record in server.idle().records]
    assert len(set(prompts)) == len(prompts)
    return len(prompts)


def assert_mended(root: Path, server: Provider, kept: int, asked: int) -> None:
    """A resume makes what is missing, and nothing that was kept."""
    code, err = run(root, server.env(), *QUICK, "--resume")
    assert code == 0, err
    assert succeeded(root) == FILES
    assert server.idle().requests == asked + FILES - kept
    assert rows(root, "PRAGMA integrity_check") == [("ok",)]
    assert summary(root)["succeeded"] == FILES
    texts = sorted((root / "output" / "s").glob("*.txt"))
    assert [f"number {path.name[:4]}" in path.read_text() for path in texts] == [True] * FILES


SMALL_FILES = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))"
# Root minds no modes unless this capability is taken away: PR_CAPBSET_DROP, CAP_DAC_OVERRIDE.
BOUND_BY_MODES = "import ctypes; assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0" if is_root() else "pass"


def test_a_file_that_may_not_grow_stops_the_run_and_what_came_before_is_kept(tmp_path, server):
    write_texts(tmp_path, FILES)
    code, err = run(tmp_path, server.env(), *QUICK, before=SMALL_FILES)
    assert code == 3, err
    assert "can no longer be stored" in err
    assert "umwelten eval resume" in " ".join(err.split())
    asked, kept = asked_once(server), succeeded(tmp_path)
    assert 0 < kept <= asked < FILES
    assert_mended(tmp_path, server, kept, asked)


def _tmpfs(folder: Path, options: str) -> Callable[[], None] | None:
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True)
    if mounted.returncode:
        return None
    return lambda: subprocess.run(["umount", folder], check=True)


@pytest.mark.skipif(not (sys.platform == "linux" and is_root()), reason="a small file system needs root")
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(tmp_path, server):
    write_texts(tmp_path, FILES)
    unmount = _tmpfs(tmp_path / "output", "size=700k")
    if unmount is None:
        pytest.skip("no file system can be mounted here")
    try:
        code, err = run(tmp_path, server.env(), *QUICK)
        assert code == 3, err
        assert "full" in err
        asked, kept = asked_once(server), succeeded(tmp_path)
        assert 0 < kept <= asked < FILES
        remount = ["mount", "-o", "remount,size=64m", tmp_path / "output"]
        subprocess.run(remount, check=True, capture_output=True)
        assert_mended(tmp_path, server, kept, asked)
    finally:
        unmount()


@pytest.mark.skipif(not (sys.platform == "linux" and is_root()), reason="a small file system needs root")
def test_a_run_without_all_of_its_text_files_has_failed_and_a_resume_writes_them(tmp_path, server):
    write_texts(tmp_path, 30)
    unmount = _tmpfs(tmp_path / "output", "size=8m,nr_inodes=20")
    if unmount is None:
        pytest.skip("no file system can be mounted here")
    try:
        code, err = run(tmp_path, server.env(), *QUICK)
        assert code == 1, err
        missing = 30 - len(list((tmp_path / "output" / "s").glob("*.txt")))
        assert 0 < missing < 30
        assert f"{missing} text files could not be written, such as 00" in err
        assert "No space left on device" in err
        assert "resume" in err
        assert "umwelten eval resume" in " ".join(err.split())
        assert err.count("could not be written") == 1
        # There is still no room, and no call to make.
        code, err = run(tmp_path, server.env(), *QUICK, "--resume")
        assert (code, asked_once(server)) == (1, 30), err
        remount = ["mount", "-o", "remount,nr_inodes=100", tmp_path / "output"]
        subprocess.run(remount, check=True, capture_output=True)
        code, err = run(tmp_path, server.env(), *QUICK, "--resume")
        assert (code, asked_once(server)) == (0, 30), err
        assert len(list((tmp_path / "output" / "s").glob("*.txt"))) == 30
    finally:
        unmount()


@pytest.mark.skipif(is_root() and sys.platform != "linux", reason="root minds no modes")
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_directory_that_may_not_be_written_is_an_error_before_any_call(tmp_path, server, when):
    write_texts(tmp_path, FILES)
    folder = tmp_path / "output" / "s"
    if when == "after":
        assert run(tmp_path, server.env(), "--max-files", "3")[0] == 0
        for path in (*folder.iterdir(), folder):
            path.chmod(0o555 if path.is_dir() else 0o444)
    else:
        folder.parent.mkdir()
        folder.parent.chmod(0o555)
    asked = server.idle().requests
    try:
        code, err = run(tmp_path, server.env(), *QUICK, "--resume", before=BOUND_BY_MODES)
    finally:
        folder.parent.chmod(0o755)
        if when == "after":
            for path in (folder, *folder.iterdir()):
                path.chmod(0o755)
    assert code == 2, err
    assert "output/s" in err
    assert "Traceback" not in err
    assert server.idle().requests == asked
    assert_mended(tmp_path, server, kept=asked, asked=asked)


def test_a_directory_that_is_removed_stops_the_run(tmp_path, server):
    write_texts(tmp_path, FILES)
    with start(tmp_path, server.env(), *QUICK) as process:
        server.await_requests(40)
        shutil.rmtree(tmp_path / "output")
        code, err = finish(process)
    assert code == 3, err
    assert "removed" in err
    asked = asked_once(server)
    assert asked < FILES
    assert_mended(tmp_path, server, kept=0, asked=asked)


@pytest.mark.parametrize("swapped", [False, True])
def test_a_lock_that_is_removed_lets_no_two_processes_write(tmp_path, server, swapped):
    """What cleans up a folder under a run: its process stops, and the next one finds all that it stored."""
    write_texts(tmp_path, FILES)
    with start(tmp_path, server.env(), *QUICK) as first:
        server.await_requests(40)
        lock = tmp_path / "output" / "s" / "evaluation.lock"
        lock.unlink()
        if swapped:
            lock.touch()
        with start(tmp_path, server.env(), *QUICK, "--resume") as second:
            code, err = finish(first)
            assert code == 3, err
            assert "evaluation.lock was removed or replaced while the run went on" in " ".join(err.split()), (
                err
            )
            assert "umwelten eval resume" in " ".join(err.split())
            assert finish(second)[0] == 0
    # What was under way in the first could not be stored any more.
    assert FILES <= server.idle().requests <= FILES + IN_FLIGHT + 20
    assert succeeded(tmp_path) == FILES
    assert rows(tmp_path, "SELECT status FROM runs ORDER BY id") == [("stopped",), ("complete",)]
    assert rows(tmp_path, "SELECT count(*), count(DISTINCT call_id) FROM answers") == [(FILES, FILES)]
    for path in (tmp_path / "output" / "s").glob("*.txt"):
        assert f"number {path.name[:4]}" in path.read_text()
    assert len(list((tmp_path / "output" / "s").glob("*.txt"))) == FILES


# Of the five seconds for which another program's lock is waited for.
IMPATIENT = "from umwelten.store import database; database._BUSY_S = 2.0"


def test_a_database_locked_by_another_program_is_waited_for_and_then_said(tmp_path, server):
    """Four at the same time, for the wait is long: for a moment, for good, from the start, until the end."""
    moment, good, beginning, end = (tmp_path / name for name in ("moment", "good", "start", "end"))
    for root in (moment, good, beginning, end):
        write_texts(root, FILES)
    assert run(beginning, server.env(), "--max-files", "2")[0] == 0
    # One call takes so long that the lock is gone before the run can end.
    lasting = Profile(default=Behaviour(latency_s=(0.4,) * 30 + (7.0,)))
    with (
        provider(lasting) as other,
        _lock(beginning),
        start(beginning, server.env(), "--resume", changed=IMPATIENT) as at_start,
        start(end, other.env(), "--max-concurrency", "31", changed=IMPATIENT) as at_end,
        start(moment, server.env(), *QUICK) as briefly,
        start(good, server.env(), *QUICK, changed=IMPATIENT) as long,
    ):
        for root in (moment, good, end):
            wait_for(lambda root=root: _has_answers(root))
        with _lock(good), _lock(end):
            with _lock(moment):
                time.sleep(1)
            code, err = finish(briefly)
            assert (code, succeeded(moment)) == (0, FILES), err
            kept = succeeded(good)
            code, err = finish(at_start)
            assert code == 2, err
            assert "locked" in err
            code, err = finish(long)
            assert code == 3, err
            assert "locked" in err
        code, err = finish(at_end)
        assert code == 3, err
        assert succeeded(end) == other.idle().answered, "answers that were paid for were dropped"
    assert succeeded(good) >= kept
    code, err = run(good, server.env(), *QUICK, "--resume")
    assert (code, succeeded(good)) == (0, FILES), err


def _has_answers(root: Path) -> bool:
    return (root / "output" / "s" / "evaluation.db").exists() and bool(
        list((root / "output" / "s").glob("*.txt"))
    )


@contextmanager
def _lock(root: Path) -> Iterator[None]:
    path = root / "output" / "s" / "evaluation.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20)) as held:
        held.execute("BEGIN EXCLUSIVE")
        yield


@pytest.mark.parametrize("harm", ["half", "few bytes", "a bit", "index", "all"])
def test_a_torn_journal_loses_its_end_and_nothing_else(tmp_path, server, harm):
    write_texts(tmp_path, FILES)
    with start(tmp_path, server.env(), *QUICK) as process:
        server.await_requests(60)
        process.kill()
        process.communicate()
    journal = tmp_path / "output" / "s" / "evaluation.db-wal"
    data = journal.read_bytes()
    assert len(data) > 100 * PAGE
    torn = {"half": data[: len(data) // 2 + 777], "few bytes": data[:-10], "all": b"", "index": data}
    torn["a bit"] = data[: len(data) * 2 // 3] + bytes((data[len(data) * 2 // 3] ^ 255,))
    torn["a bit"] += data[len(torn["a bit"]) :]
    journal.write_bytes(torn[harm])
    if harm == "index":
        journal.with_name("evaluation.db-shm").write_bytes(random.Random(1).randbytes(32_768))
    asked = asked_once(server)
    code, err = run(tmp_path, server.env(), *QUICK, "--resume")
    assert code == 0, err
    assert succeeded(tmp_path) == FILES
    assert rows(tmp_path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(tmp_path, "SELECT count(*) FROM answers") == [(FILES,)]
    assert len(list((tmp_path / "output" / "s").glob("*.txt"))) == FILES
    if harm == "index":  # it is only made anew: what was stored still is
        assert server.idle().requests <= FILES + 2 * IN_FLIGHT + 20
    assert server.idle().requests <= FILES + asked


def test_damaged_pages_end_in_a_word_and_in_no_further_call(tmp_path, server):
    write_texts(tmp_path, FILES)
    assert run(tmp_path, server.env(), *QUICK, "--max-files", "60")[0] == 0
    path = tmp_path / "output" / "s" / "evaluation.db"
    sound, dice, ended = path.read_bytes(), random.Random(2), set()
    pages = len(sound) // PAGE
    for page in [*sorted(dice.sample(range(1, pages), 3)), 0]:
        server.reset()
        path.write_bytes(sound[: page * PAGE] + dice.randbytes(PAGE) + sound[(page + 1) * PAGE :])
        code, err = run(tmp_path, server.env(), *QUICK, "--resume")
        assert "Traceback" not in err, err
        assert code in (0, 2, 3), err
        assert code == 0 or "damaged" in err or "not a database" in err, err
        ended.add(code)
        # Unharmed as far as it is read, it goes on; else not one more call than can be in flight is made.
        assert server.idle().requests <= (FILES if code == 0 else IN_FLIGHT + 20)
    assert ended & {2, 3}


def test_pages_damaged_under_a_run_end_it(tmp_path, server):
    write_texts(tmp_path, 2000)
    with start(tmp_path, server.env(), "--max-concurrency", "20") as process:
        server.await_requests(300)
        path = tmp_path / "output" / "s" / "evaluation.db"
        size = path.stat().st_size
        with path.open("r+b") as file:
            file.seek(PAGE)
            file.write(random.Random(3).randbytes(size - PAGE))
        code, err = finish(process, 40)
    assert code in (0, 2, 3), err
    assert "Traceback" not in err, err


def test_a_newer_schema_is_left_alone(tmp_path, server):
    write_texts(tmp_path, 3)
    assert run(tmp_path, server.env())[0] == 0
    path = tmp_path / "output" / "s" / "evaluation.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    write_texts(tmp_path, 6)
    code, err = run(tmp_path, server.env(), "--resume")
    assert code == 2
    assert "newer umwelten" in err
    assert server.idle().requests == 3
    assert path.read_bytes() == before


def test_a_text_file_in_the_way_costs_no_answer(tmp_path, server):
    """What cannot be written as a text is still in the database, and is written once it can be."""
    write_texts(tmp_path, 8)
    with start(tmp_path, server.env(), "--max-concurrency", "1") as process:
        wait_for(lambda: _has_answers(tmp_path))
        (tmp_path / "output" / "s" / "0005.txt.txt").mkdir()
        (tmp_path / "output" / "s" / "0005.txt.txt" / "mine").write_text("not to be lost")
        code, err = finish(process)
    assert code == 0, err
    names = rows(tmp_path, "SELECT output FROM calls ORDER BY id")
    assert all((tmp_path / "output" / "s" / name).is_file() for (name,) in names)
    assert (tmp_path / "output" / "s" / "0005.txt.txt" / "mine").read_text() == "not to be lost"
