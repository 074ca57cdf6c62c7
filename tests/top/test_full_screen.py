"""The full screen with Textual, by its keys, over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from textual.pilot import Pilot

from livekit import RunControlInMemory, run_state, served
from umwelten.cli.top.full.app import TopApp
from umwelten.cli.top.watched import RunWatcher
from umwelten.evaluation.run_control import Author
from umwelten.events import TextArrived
from umwelten.types import Call, ModelRef

HOSTILE = "openai:[red]\x1b[2J\x1b]0;owned\x07\u202e[@click=app.quit]x[/]"
BY = Author(via="ui", name="me", reason="")


@pytest.fixture(autouse=True)
def me(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "me")
    monkeypatch.setattr("umwelten.cli.top.full.base.POLL_S", 0.02)


def until(come: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + 10
    while not come():
        assert time.monotonic() < end, what
        time.sleep(0.005)


def screen_of(app: TopApp) -> str:
    """What the terminal shows."""
    strips = app.screen._compositor.render_strips()
    return "\n".join(strip.text.rstrip() for strip in strips)


async def shows(pilot: Pilot[None], app: TopApp, text: str) -> None:
    end = time.monotonic() + 10
    while text not in screen_of(app):
        assert time.monotonic() < end, f"{text!r} is not in\n{screen_of(app)}"
        await pilot.pause(0.02)


def drive(act: Callable[[TopApp, Pilot[None]], object], size: tuple[int, int] = (120, 40)) -> None:
    """Use the screen of the runs of this machine."""

    async def use() -> None:
        watcher = RunWatcher()
        watcher.start()
        app = TopApp(watcher)
        try:
            async with app.run_test(size=size) as pilot:
                await act(app, pilot)  # type: ignore[misc]
        finally:
            watcher.stop()

    asyncio.run(use())


def test_keys_change_the_run_and_say_the_command(tmp_path: Path) -> None:
    async def act(app: TopApp, pilot: Pilot[None]) -> None:
        await shows(pilot, app, "9 of 20 (45%)")
        for key, command in (
            ("p", "ctl tides pause"),
            ("plus", "set max-concurrency 12"),
            ("r", "ctl tides retry-failed"),
        ):
            await pilot.press(key)
            await shows(pilot, app, command)
        await pilot.press("down", "minus")
        await shows(pilot, app, "set provider-concurrency openai=8")
        await pilot.press("p")
        await shows(pilot, app, "pause --lane openai")
        await pilot.press("enter")
        await shows(pilot, app, "limit 8, ceiling 10")
        await pilot.press("escape", "x")
        await shows(pilot, app, "Stop tides?")
        await pilot.press("n")
        await shows(pilot, app, "not stopped")
        await pilot.press("x", "c")
        await shows(pilot, app, "ctl tides stop --now")
        await pilot.press("question_mark")
        await shows(pilot, app, "the run goes on")
        await pilot.press("q")

    with served(tmp_path) as run:
        run.run()
        drive(act)
        assert run.run_control.told == [
            ("pause", "", None, BY),
            ("set", "max_concurrency", "12", "", False, BY),
            ("retry", "", "", "", BY),
            ("set", "provider_concurrency", "8", "openai", False, BY),
            ("pause", "openai", None, BY),
            ("stop", True, BY),
        ]


def test_a_value_is_typed_as_for_ctl(tmp_path: Path) -> None:
    async def act(app: TopApp, pilot: Pilot[None]) -> None:
        await shows(pilot, app, "9 of 20")
        for text, said in (
            ("max-cost 5", "ctl tides set max-cost 5"),
            ("nonsense 5", "cannot be set"),
            ("retries 0", "The least is 1."),
        ):
            await pilot.press("e")
            await shows(pilot, app, "enter: do it")
            app.screen.query_one("Input").value = text  # type: ignore[attr-defined]
            await pilot.press("enter")
            await shows(pilot, app, said)

    with served(tmp_path) as run:
        run.run()
        drive(act)


def test_what_others_wrote_cannot_act(tmp_path: Path) -> None:
    async def act(app: TopApp, pilot: Pilot[None]) -> None:
        await shows(pilot, app, "tides")
        await pilot.press("down", "enter")
        await shows(pilot, app, "[@click=app.quit]")
        await pilot.press("escape", "a")
        piece = TextArrived(call=Call(id=5, model=1, input=None), model=ModelRef("o", HOSTILE), text=HOSTILE)
        until(lambda: run.server._ring.streaming > 0, "somebody wants pieces")
        run.tell(piece)
        await shows(pilot, app, "[red]")
        app.said = (HOSTILE,)
        await pilot.press("escape")
        text = screen_of(app)
        assert not set(text) & {"\x1b", "\x07", "\u202e"}
        assert app.is_running

    state = run_state()
    model = msgspec.structs.replace(state.models[0], model=HOSTILE, stopped=HOSTILE)
    lane = msgspec.structs.replace(state.lanes[0], name=HOSTILE, stopped=HOSTILE)
    state = msgspec.structs.replace(state, models=(model,), lanes=(lane,), reason=HOSTILE)
    with served(tmp_path, RunControlInMemory(state)) as run:
        run.run()
        drive(act, (60, 20))


def test_several_runs_and_one_that_ends(tmp_path: Path) -> None:
    async def act(app: TopApp, pilot: Pilot[None]) -> None:
        await shows(pilot, app, "scans")
        await shows(pilot, app, "running")
        await pilot.press("down", "enter")
        await shows(pilot, app, "9 of 20")
        other.server.close()
        await shows(pilot, app, "scans  ended")
        await pilot.press("p")
        await shows(pilot, app, "scans has ended")
        await pilot.press("escape")
        await shows(pilot, app, "PHASE")

    with served(tmp_path / "a") as run:
        run.run()
        with served(tmp_path / "b", id="scans") as other:
            other.run("scans")
            drive(act)
