"""The full screen on a real terminal, by its keys: over a run in another process, and in front of one."""

from __future__ import annotations

import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from provider import Provider, clean_environment, provider
from umwelten.simulate.faultserver import Profile
from umwelten.simulate.faultserver.profile import Behaviour, Rule

pytestmark = pytest.mark.skipif(
    shutil.which("tmux") is None and os.environ.get("UMWELTEN_TEST_SHELLS") != "required", reason="no tmux"
)
SLOW = Profile(
    default=Behaviour(latency_s=0.3, text="[red]\x1b]0;owned\x07 fine"),
    rules=(Rule(prompt="Fail", n=1, behaviour=Behaviour(fault=400, message="[@click=app.quit]no[/]")),),
)
PATIENCE_S = 30.0


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Provider]:
    texts = tmp_path / "texts"
    texts.mkdir()
    for n in range(40):
        (texts / f"{n}.txt").write_text("text")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)
    with provider(SLOW) as served:
        yield served


class Terminal:
    """A terminal in which a command of ours runs; what it shows, and keys for it."""

    def __init__(
        self, folder: Path, environment: dict[str, str], words: list[str], size: tuple[int, int]
    ) -> None:
        self._tmux = ["tmux", "-S", str(folder / "tmux"), "-f", os.devnull]
        command = shlex.join([sys.executable, "-m", "umwelten", *words])
        width, height = map(str, size)
        new = ["new-session", "-d", "-x", width, "-y", height, f"{command}; echo status=$?; exec sleep 60"]
        subprocess.run([*self._tmux, *new], env=environment, check=True, timeout=30)

    def press(self, *keys: str) -> None:
        subprocess.run([*self._tmux, "send-keys", *keys], check=True, timeout=30)

    def shown(self) -> str:
        done = subprocess.run(
            [*self._tmux, "capture-pane", "-p"], check=True, capture_output=True, text=True, timeout=30
        )
        return done.stdout

    def until(self, text: str) -> str:
        return until(lambda: shown if text in (shown := self.shown()) else "", self.shown)

    def close(self) -> None:
        subprocess.run([*self._tmux, "kill-server"], check=False, timeout=30, capture_output=True)


def until(look: Callable[[], str], said: Callable[[], str]) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < deadline, said()
        time.sleep(0.03)
    return found


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(environment: dict[str, str], *words: str, size: tuple[int, int] = (120, 40)) -> Terminal:
        made.append(Terminal(tmp_path, environment, list(words), size))
        return made[-1]

    yield make
    for each in made:
        each.close()


BATCH = ("eval", "batch", "-p", "Summarise", "-m", "openai:a", "--directory", "texts", "-i", "scans")
FAILING = tuple("Fail" if word == "Summarise" else word for word in BATCH)


def test_a_run_is_paused_resumed_and_left(server: Provider, terminal: Callable[..., Terminal]) -> None:
    environment = {**clean_environment(server.env()), "TERM": "xterm-256color"}
    run = subprocess.Popen(
        [sys.executable, "-m", "umwelten", *BATCH, "--max-concurrency", "1"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        until(lambda: _listed(environment), lambda: "the run is not listed")
        screen = terminal(environment, "top", "scans", size=(80, 24))
        screen.until("of 40")
        screen.press("p")
        screen.until("umwelten ctl scans pause")
        screen.until("safe to kill")
        before = server.idle().requests
        time.sleep(0.3)
        assert server.idle().requests == before
        screen.press("p")
        screen.until("umwelten ctl scans resume")
        screen.press("e")
        screen.until("enter: do it")
        screen.press("0", "Enter")  # after the 1 that is there
        screen.until("umwelten ctl scans set max-concurrency 10")
        screen.press("q")
        screen.until("status=0")
        assert run.wait(PATIENCE_S) == 0
    finally:
        run.kill()
        run.wait()
    assert _count(Path("output/scans")) == 40
    assert server.idle().requests == 40


def _listed(environment: dict[str, str]) -> str:
    folder = Path(environment["XDG_STATE_HOME"]) / "umwelten" / "run"
    return "yes" if list(folder.glob("*.json")) else ""


def _count(folder: Path) -> int:
    with sqlite3.connect(folder / "evaluation.db") as connection:
        (count,) = connection.execute("SELECT count(*) FROM calls WHERE status = 1").fetchone()
        return int(count)


def test_a_run_with_the_screen_in_front_ends_with_its_summary_and_its_status(
    server: Provider, terminal: Callable[..., Terminal]
) -> None:
    environment = {**clean_environment(server.env()), "TERM": "xterm-256color"}
    screen = terminal(environment, *FAILING, "--max-concurrency", "20", "--ui")
    screen.until("The run has ended; q leaves.")
    screen.press("f")
    screen.until("[@click=app.quit]no[/]")
    screen.press("Enter")
    screen.until("bad_request: 1 failed call")
    screen.press("Enter")
    screen.until("attempt 1: bad_request 400")
    screen.press("q")
    shown = screen.until("status=1")
    assert "39 of 40 calls succeeded" in shown
    assert "umwelten eval show scans" in shown
