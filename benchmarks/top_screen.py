"""What the screen of `umwelten top` costs, in percent of a core: `python -m benchmarks.top_screen [seconds]`.

A run of 12 lanes that changes between any two looks tells of 200 pieces of answers and 20 failed attempts a
second.
Its channel is real; the screen is a process of its own on a pseudo terminal of 120×40.
"""

from __future__ import annotations

import os
import pty
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path
from struct import pack
from termios import TIOCSWINSZ
from typing import Any

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from livekit import RunControlInMemory, Served, run_state, served
from umwelten.evaluation.run_state import RunState
from umwelten.events import AttemptFailed, TextArrived
from umwelten.types import Call, Failure, FailureKind, ModelRef

LANES, PIECES_PER_S, FAILURES_PER_S = 12, 200, 20
WARM_S = 4.0
"""Importing and drawing for the first time is not what is measured."""


class _Busy(RunControlInMemory):
    """A run whose figures are others each time they are asked for."""

    def state(self) -> RunState:
        lane, model, n = self.now.lanes[0], self.now.models[0], int(time.monotonic() * 100)
        lanes = [
            msgspec.structs.replace(lane, name=f"provider-{at}", in_flight=n % 97, calls_per_s=n % 89 / 7)
            for at in range(LANES)
        ]
        models = [
            msgspec.structs.replace(model, model=f"provider-{at}:model-{at}", done=n % 900, total=1_000)
            for at in range(LANES)
        ]
        return msgspec.structs.replace(
            self.now, lanes=tuple(lanes), models=tuple(models), done=n % 9_000, total=9_000
        )

    def tell_texts(self, wanted: bool) -> None:
        pass


def _tell(run: Served, ended: threading.Event) -> None:
    model = ModelRef("provider-1", "model-1")
    failure = Failure(kind=FailureKind.SERVER, message="overloaded", status=503)
    count = 0
    while not ended.wait(1 / FAILURES_PER_S):
        call = Call(id=count, model=1, input=None)
        pieces = [
            TextArrived(call=Call(id=n, model=1, input=None), model=model, text="some words of an answer ")
            for n in range(PIECES_PER_S // FAILURES_PER_S)
        ]
        of: dict[str, Any] = {"call": call, "model": model, "lane": "provider-1", "failure": failure}
        run.tell(*pieces, AttemptFailed(**of, attempt=1, retry_in_s=1.0, counted=True))
        count += 1


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure(flags: tuple[str, ...], keys: bytes, seconds: float) -> tuple[float, float]:
    """Return percent of a core and MB of the screen, after these keys."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execv(sys.executable, [sys.executable, "-m", "umwelten", "top", *flags])
    ioctl(terminal, TIOCSWINSZ, pack("HHHH", 40, 120, 0, 0))
    drain: Callable[[], None] = lambda: _drain(terminal)  # noqa: E731
    threading.Thread(target=drain, daemon=True).start()
    time.sleep(WARM_S)
    os.write(terminal, keys)
    time.sleep(1.0)
    began, before = time.monotonic(), _cpu_s(pid)
    time.sleep(seconds)
    share = (_cpu_s(pid) - before) / (time.monotonic() - began)
    rss = _rss_mb(pid)
    os.write(terminal, b"q")
    os.waitpid(pid, 0)
    return 100 * share, rss


def _drain(terminal: int) -> None:
    try:
        while os.read(terminal, 1 << 16):
            pass
    except OSError:
        pass


def main() -> None:
    """Print a line for each kind of screen."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 20.0
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        with served(Path(folder), _Busy(run_state())) as run:
            run.run()
            ended = threading.Event()
            threading.Thread(target=_tell, args=(run, ended), daemon=True).start()
            for name, flags, keys in (
                ("Textual: lanes and log", (), b""),
                ("Textual: answers", (), b"a"),
                ("without Textual", ("--plain",), b""),
            ):
                share, rss = measure(flags, keys, seconds)
                print(f"{name:24} {share:5.1f} % of a core  {rss:4.0f} MB", flush=True)
            ended.set()


if __name__ == "__main__":
    main()
