"""The second Ctrl-C ends the process within a second, whatever it does."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from provider import clean_environment, provider
from reliability.runs import rows, run, start, wait_for, write_texts
from umwelten import child_processes
from umwelten.cli.interrupts import INTERRUPTED, interrupts
from umwelten.simulate.faultserver.profile import Profile

pytestmark = pytest.mark.skipif(os.name == "nt", reason="sends signals")
WITHIN_S = 8.0
"""It is less than a second where nothing else runs. What hangs here hangs for a minute and more."""
SLOW = b"<html><body>" + b"<p>Hello <b>World</b> and <i>so on</i></p>" * 49_000

# Deaf to the first Ctrl-C, in the ways in which a main thread can be.
HUNG = {
    "Python's own code": "while True: pass",
    "a call that knows no signals": "import ctypes\nwhile True: ctypes.CDLL(None).poll(None, 0, 60_000)",
    "a lock": "import threading\nlock = threading.Lock(); lock.acquire(); lock.acquire()",
    "a FIFO": "import os\nos.mkfifo('pipe'); open('pipe')",
    "threads at the end": "import os, threading\nos.mkfifo('pipe')\n"
    "threading.Thread(target=lambda: open('pipe')).start()",
    "an exit handler": "import atexit, time\natexit.register(time.sleep, 60)",
}


def press_twice(process: subprocess.Popen[str], between_s: float = 0.15) -> tuple[int, str]:
    """Send both signals; the status, and what was said. It must end in time."""
    process.send_signal(signal.SIGINT)
    time.sleep(between_s)
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    began = time.monotonic()
    _, err = process.communicate(timeout=20)
    took = time.monotonic() - began
    assert took < WITHIN_S, f"{took:.2f} s"
    return process.returncode, err or ""


def wait_until_started(process: subprocess.Popen[str]) -> None:
    """Until signals are ours to handle, which a thread shows; Python itself ends by the first before that."""
    threads = Path(f"/proc/{process.pid}/task")
    if threads.parent.exists():
        wait_for(lambda: process.poll() is not None or len(list(threads.iterdir())) > 1)
    else:
        time.sleep(1.0)


@contextmanager
def command(root: Path, *words: str, code: str = "") -> Iterator[subprocess.Popen[str]]:
    launch = ["-c", code] if code else ["-m", "umwelten", *words]
    with subprocess.Popen(
        [sys.executable, *launch],
        cwd=root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("what", HUNG)
def test_whatever_the_main_thread_does(tmp_path: Path, what: str) -> None:
    code = (
        "import signal\nfrom umwelten.cli.interrupts import interrupts\ninterrupts()\n"
        "signal.signal(signal.SIGINT, lambda number, frame: None)\n"
        f"print('ready', flush=True)\n{HUNG[what]}"
    )
    with command(tmp_path, code=code) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.05)
        assert press_twice(process)[0] == 130


def test_a_conversion_under_way(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("a.html", "b.html", "c.html"):
        (tmp_path / "in" / name).write_bytes(SLOW)
    with provider(Profile()) as server:
        with start(tmp_path, server.env()) as process:
            pids: list[int] = []

            def converting() -> bool:
                pids[:] = children(process.pid)
                return bool(pids)

            wait_for(converting)
            time.sleep(0.3)
            assert press_twice(process)[0] == 130
        wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 2)
        assert rows(tmp_path, "SELECT status FROM runs") == [("interrupted",)]
        (tmp_path / "in" / "c.html").write_bytes(b"<html><body><p>c</p>")
        code, err = run(tmp_path, server.env(), "--resume", "--file-pattern", "c.html")
        assert code == 0, err


def test_a_run_whose_loop_stands_still(tmp_path: Path) -> None:
    """As over a file on a server that is gone: its loop does nothing, and neither does what closes it."""
    write_texts(tmp_path, 3)
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nreal = os.read\n"
        "def read(fd, n):\n"
        "    while str(n) == '26': pass\n"
        "    return real(fd, n)\n"
        "os.read = read\n"
    )
    with provider(Profile()) as server:
        env = {**server.env(), "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"}
        with start(tmp_path, env) as process:
            wait_for((tmp_path / "output" / "s" / "evaluation.db").exists)
            time.sleep(0.5)
            assert press_twice(process)[0] == 130
    code, err = run(tmp_path, server.env(), "--dry-run", "--resume")
    assert code == 0, err


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):
            if f"\nPPid:\t{pid}\n" in status.read_text():
                found.append(int(status.parent.name))
    return found


def test_files_that_are_listed(tmp_path: Path) -> None:
    for folder in range(40):
        (tmp_path / "in" / f"{folder}").mkdir(parents=True)
        for number in range(300):
            (tmp_path / "in" / f"{folder}" / f"{number}").touch()
    words = ("eval", "batch", "-p", "go", "-m", "openai:a", "--directory", "in", "--recursive", "--dry-run")
    with command(tmp_path, *words) as process:
        wait_until_started(process)
        assert press_twice(process)[0] in (0, 2, 130)


def test_a_prompt_that_is_read_from_a_pipe_nobody_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with command(tmp_path, "eval", "run", "-p", "@pipe", "-m", "openai:a") as process:
        writer = wait_for_reader(tmp_path / "pipe")
        assert press_twice(process)[0] == 130
        os.close(writer)


def wait_for_reader(pipe: Path) -> int:
    """Open a FIFO for writing once somebody reads it."""
    opened: list[int] = []

    def is_read() -> bool:
        with suppress(OSError):
            opened.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
        return bool(opened)

    wait_for(is_read)
    return opened[0]


def test_the_terminal_is_given_back(tmp_path: Path) -> None:
    import termios

    code = (
        "import signal, termios\nfrom umwelten.cli.interrupts import interrupts\ninterrupts()\n"
        "signal.signal(signal.SIGINT, lambda number, frame: None)\n"
        "now = termios.tcgetattr(0)\nnow[3] &= ~termios.ECHO\ntermios.tcsetattr(0, termios.TCSANOW, now)\n"
        f"print('\\x1b[?25l', end='', flush=True)\n{HUNG['a lock']}"
    )
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=clean_environment(),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    assert b"\x1b[?25l" in os.read(ours, 100)
    for _ in range(2):
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
    assert process.wait(WITHIN_S) == 130
    assert termios.tcgetattr(theirs) == before
    assert b"\x1b[?25h" in os.read(ours, 100)
    os.close(ours)
    os.close(theirs)


class Child:
    """A process that ends at once."""

    def kill(self) -> None: ...


def test_children_that_start_meanwhile_do_not_disturb_the_end() -> None:
    children: list[Child] = []

    def start_more() -> None:
        for _ in range(20_000):
            children.append(Child())
            child_processes.remember(children[-1])

    thread = threading.Thread(target=start_more)
    thread.start()
    while thread.is_alive():
        child_processes.end_all()
    thread.join()


def test_the_process_ends_whatever_fails_before(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[int] = []
    monkeypatch.setattr(os, "_exit", left.append)
    monkeypatch.setattr(child_processes, "end_all", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        interrupts().leave()
    assert left == [INTERRUPTED]
