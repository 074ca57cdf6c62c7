"""The full screen without Textual, over real sockets."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from livekit import RunControlInMemory, run_state, served
from umwelten.cli.app import main
from umwelten.cli.top.actions import command
from umwelten.cli.top.plain_screen import PlainScreen
from umwelten.cli.top.watched import RunWatcher, Seen
from umwelten.evaluation.run_control import Author
from umwelten.live.run_folder import run_folder

HOSTILE = "openai:[red]\x1b[2J\x1b]0;owned\x07\u202e[@click=app.quit]x[/]"
BY = Author(via="ui", name="me", reason="")


def until(come: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 10
    while not come():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def drawn(screen: PlainScreen, width: int = 120, height: int = 40) -> str:
    lines = [text.plain for text in screen.lines(width, height)]
    assert len(lines) <= height
    return "\n".join(lines)


@pytest.fixture(autouse=True)
def me(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "me")


@pytest.fixture
def watcher() -> RunWatcher:
    return RunWatcher()


def all_seen(watcher: RunWatcher, ended: int = 0) -> list[Seen]:
    return [seen for seen in watcher.look() if seen.state is not None or seen.end]


def test_keys_change_the_run_and_say_the_command(tmp_path: Path, watcher: RunWatcher) -> None:
    with served(tmp_path) as run:
        run.run()
        watcher.start()
        until(lambda: bool(all_seen(watcher)), "the run answers")
        screen = PlainScreen(watcher)
        assert "9 of 20 (45%)" in drawn(screen)
        for key, command in (
            ("p", "umwelten ctl tides pause"),
            ("+", "umwelten ctl tides set max-concurrency 12"),
            ("-", "umwelten ctl tides set max-concurrency 8"),
        ):
            assert screen.press(key)
            until(lambda command=command: command in drawn(screen), command)  # type: ignore[misc]
        assert screen.press("x")
        assert "stop tides?" in drawn(screen)
        assert screen.press("n")
        assert "not stopped" in drawn(screen)
        assert screen.press("x")
        assert screen.press("y")
        until(lambda: "umwelten ctl tides stop" in drawn(screen), "stop")
        assert not screen.press("q")
        assert run.run_control.told == [
            ("pause", "", None, BY),
            ("set", "max_concurrency", "12", "", False, BY),
            ("set", "max_concurrency", "8", "", False, BY),
            ("stop", False, BY),
        ]
    watcher.stop()


def test_the_command_for_a_run_whose_id_is_a_verb() -> None:
    assert command("stop", ["stop"]) == "umwelten ctl -i stop stop"
    assert command("scans", ["pause"]) == "umwelten ctl scans pause"


def test_what_others_wrote_cannot_act(tmp_path: Path, watcher: RunWatcher) -> None:
    state = run_state()
    model = msgspec.structs.replace(state.models[0], model=HOSTILE, stopped=HOSTILE)
    lane = msgspec.structs.replace(state.lanes[0], name=HOSTILE, stopped=HOSTILE)
    state = msgspec.structs.replace(state, models=(model,), lanes=(lane,), reason=HOSTILE)
    with served(tmp_path, RunControlInMemory(state)) as run:
        run.run()
        watcher.start()
        until(lambda: bool(all_seen(watcher)), "the run answers")
        for width, height in ((60, 20), (80, 24), (200, 60)):
            text = drawn(PlainScreen(watcher), width, height)
            assert width < 200 or "[red]" in text
            assert not set(text) & {"\x1b", "\x07", "\u202e"}
    watcher.stop()


def test_the_dead_the_ended_and_the_silent_are_named(tmp_path: Path, watcher: RunWatcher) -> None:
    folder = run_folder()
    assert folder is not None
    with ExitStack() as runs:
        run = runs.enter_context(served(tmp_path / "tides"))
        run.run()  # first, as the older one is above the other
        runs.enter_context(served(tmp_path / "slow", id="slow")).run("slow")
        record = next(folder.glob("*-tides.json"))
        facts = {**json.loads(record.read_bytes()), "id": "gone", "socket": "1-gone.sock", "started_at": 1.0}
        gone = record.with_name("1-gone.json")
        gone.write_text(json.dumps(facts))
        gone.chmod(0o600)
        watcher.start()
        screen = PlainScreen(watcher)
        until(lambda: len(all_seen(watcher)) == 3 and "dead: process" in drawn(screen), "three runs")
        screen.press("down")  # what is under the cursor stays so, wherever it goes
        drawn(screen)
        name = next(seen.run.id for seen in watcher.look() if seen.key == watcher.looked_at)
        assert name == "slow"
        screen.press("up")
        run.server.close()
        until(lambda: "tides  ended" in drawn(screen), "it has ended")
        assert screen.press("p")
        assert "it has ended" in drawn(screen)
        text = drawn(screen, 60, 20)
        assert "slow" in text
        assert "gone" in text
    watcher.stop()


@pytest.mark.parametrize(("words", "said"), [((), "terminal"), (("tides",), "ctl ID --watch")])
def test_without_a_terminal_it_says_what_to_use(
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("umwelten.cli.app.standard_streams.prepare", lambda: None)
    monkeypatch.setattr("sys.argv", ["umwelten", "top", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_without_runs_it_says_how_to_start_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("umwelten.cli.app.standard_streams.prepare", lambda: None)
    monkeypatch.setattr("umwelten.cli.top.screen.check_terminal", lambda: None)
    monkeypatch.setattr("sys.argv", ["umwelten", "top"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "umwelten eval batch" in capsys.readouterr().err


def test_without_textual_it_says_how_to_have_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    hints: list[str] = []

    class Screen(PlainScreen):
        def __init__(self, watcher: RunWatcher, hint: str = "") -> None:
            hints.append(hint)
            super().__init__(watcher, hint)

        def show(self) -> None:
            assert "pip install" in drawn(self, 60, 20)

    monkeypatch.setitem(sys.modules, "textual.app", None)  # as if it was not installed
    monkeypatch.setattr("umwelten.cli.top.plain_screen.PlainScreen", Screen)
    monkeypatch.setattr("umwelten.cli.app.standard_streams.prepare", lambda: None)
    monkeypatch.setattr("umwelten.cli.top.screen.check_terminal", lambda: None)
    monkeypatch.setattr("sys.argv", ["umwelten", "top", "tides"])
    with served(tmp_path) as run:
        run.run()
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code, len(hints)) == (0, 1)
    assert not capsys.readouterr().err
