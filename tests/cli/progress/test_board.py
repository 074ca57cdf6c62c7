"""The board on terminals of many sizes."""

from __future__ import annotations

import io
import re

import msgspec
import pytest
from rich.cells import cell_len
from rich.console import Console

from cli.progress.happenings import begun, good, waiting
from umwelten.cli.progress.drawing import draw
from umwelten.cli.progress.names import shorten
from umwelten.cli.progress.plain import line_of
from umwelten.events import CallFailed, Event, LaneView, ModelCalls
from umwelten.report.progress.board import Board, Watch
from umwelten.tally import Tally
from umwelten.types import Failure, FailureKind, ModelRef, Timing

NAMES = (
    "openai:gpt-5.4-mini",
    "google:gemini-3.5-flash",
    "ollama:gemma3:12b",
    "openrouter:anthropic/claude-sonnet-5-5",
    "openrouter:anthropic/claude-sonnet-5-5-thinking",
)
OVERLOADED = waiting("google", status=503, message="overloaded. Try later", failures=15)
SIZES = [(60, 20), (70, 24), (80, 24), (100, 30), (140, 40), (200, 60)]


def ref(name: str) -> ModelRef:
    return ModelRef(*name.split(":", 1))


def answered(name: str, times: int) -> list[Event]:
    return [msgspec.structs.replace(good(n, lane=lane_of(name)), model=ref(name)) for n in range(times)]


def lane_of(name: str) -> str:
    return name.split(":")[0] if name.startswith(("google", "openrouter")) else name


def views(names: tuple[str, ...], wait: bool) -> list[LaneView]:
    lanes: dict[str, dict[str, int]] = {}
    for name in names:
        lanes.setdefault(lane_of(name), {})[name] = 2
    return [
        LaneView(
            name=lane,
            in_flight=2 * len(of),
            limit=8,
            ready=5,
            waiting=0,
            models=of,
            wait=OVERLOADED if wait and lane == "google" else None,
        )
        for lane, of in lanes.items()
    ]


def board(
    names: tuple[str, ...] = NAMES, *, wait: bool = True, failed: int = 0, done: int = 100, before: int = 0
) -> Board:
    """The first model is done, the others are half way."""
    tally, now = Tally(), [0.0]
    watch = Watch(tally, lambda: now[0])
    watch.start(lambda: views(names, wait))
    calls = {name: ModelCalls(total=100, pending=100 - before) for name in names}
    start = begun(100 * len(names), models=tuple(map(ref, names)), limit=20, done=before * len(names))
    tally(msgspec.structs.replace(start, by_model=calls))
    watch.look()
    bad = Failure(kind=FailureKind.BAD_REQUEST, message="no", status=400)
    for event in answered(names[0], done - failed - before):
        tally(event)
    for _ in range(failed):
        timing = Timing(started_at=0, latency_s=1)
        tally(
            CallFailed(
                call=good().call,
                model=ref(names[0]),
                lane=lane_of(names[0]),
                failure=bad,
                timing=timing,
                attempts=1,
                time_s=1.0,
                cost_nusd=0,
            )
        )
    now[0] = 10.0
    watch.look()
    for name in names[1:]:
        for event in answered(name, 50):
            tally(event)
    now[0] = 100.0
    return watch.look()


def drawn(of: Board, width: int = 100, height: int = 40) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    console.print(draw(of, width, height))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_every_model_has_a_row_with_what_is_done_at_any_size(width: int, height: int) -> None:
    lines = drawn(board(failed=3), width, height)
    text = "\n".join(lines)
    assert max(map(cell_len, lines)) <= width
    assert len(lines) <= height - 2
    assert text.count("50/100") == 4
    assert re.search(r"openai:gpt-5.4-mini +100/100 .*done", text)
    assert "ETA" in text
    assert "3 failed" in text
    assert re.search("━{10}", lines[0])
    (bar,) = re.findall("[━╸╺]+", lines[0])
    assert 10 <= len(bar) <= 60


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_why_a_lane_waits_is_said_whole_at_any_size(width: int, height: int) -> None:
    text = re.sub(r"\s+", " ", " ".join(drawn(board(), width, height)))
    assert "throttled 42 s: 503 overloaded, refused 15 times, next in 18 s, gives up at " in text
    assert "503 overloaded, refused 15 times" in line_of(board())


def test_what_the_expected_cost_says_moves_nothing() -> None:
    with_cost = board()
    without = msgspec.structs.replace(with_cost, projected="")
    for width, _ in SIZES:
        bars = {len(re.findall("[━╸╺]+", drawn(each, width)[0])[0]) for each in (with_cost, without)}
        assert len(bars) == 1, width


def test_a_model_that_is_done_keeps_its_mean_pace() -> None:
    model = board().models[0]
    assert (model.ended, model.state) == (True, "done")
    assert model.calls_per_s == pytest.approx(10)  # a hundred in ten seconds, ninety seconds ago


def test_sixteen_models_fit_into_a_usual_terminal() -> None:
    names = tuple(f"provider{n}:model-{n}" for n in range(16))
    lines = drawn(board(names, wait=False), 80, 24)
    assert len(lines) <= 22
    assert all(f"model-{n} " in "\n".join(lines) for n in range(16))


def test_those_that_wait_are_shown_before_those_that_are_done() -> None:
    names = ("provider0:m", *(f"provider{n}:m" for n in range(1, 40)), "google:m")
    text = "\n".join(drawn(board(names), 80, 24))
    assert "google:m" in text
    assert "provider0:m " not in text
    assert re.search(r"… and \d+ models more: \d+ in progress, 1 done", text)


def test_lanes_that_models_share_have_rows_of_their_own() -> None:
    text = "\n".join(drawn(board(), 120))
    assert re.search(r"lane openrouter +4/8 ", text)
    assert re.search(r"openai:gpt-5.4-mini +100/100 +0 ", text)
    assert not re.search(r"lane (google|ollama)", text)


def test_calls_of_earlier_runs_are_told_apart_from_the_cost_of_this_one() -> None:
    resumed = board(before=20)
    assert resumed.models[0].done == 100
    assert resumed.money.startswith("this run $")
    assert not board().money.startswith("this run")


@pytest.mark.parametrize(
    ("failed", "done", "style"), [(0, 100, "green"), (1, 100, "yellow"), (1, 50, "cyan")]
)
def test_the_bar_is_calm(failed: int, done: int, style: str) -> None:
    console = Console(file=io.StringIO(), width=100, color_system="standard", force_terminal=True)
    console.print(draw(board(NAMES[:1], wait=False, failed=failed, done=done), 100, 40))
    codes = {"green": "\x1b[32m", "yellow": "\x1b[33m", "cyan": "\x1b[36m"}
    first = console.file.getvalue().split("━")[0]  # type: ignore[attr-defined]
    assert first.endswith(codes[style])


@pytest.mark.parametrize("width", [8, 16, 24, 38])
def test_names_that_are_shortened_stay_different(width: int) -> None:
    names = [*NAMES, "vendor:a-model-2024-05-13-of-a-kind", "vendor:a-model-2024-08-06-of-a-kind"]
    short = shorten(names, width)
    assert len(set(short)) == len(names)
    assert all(len(name) <= width for name in short)
    assert shorten(NAMES, 60) == list(NAMES)


def test_large_numbers_are_grouped_everywhere() -> None:
    of = msgspec.structs.replace(board(), done=1000, total=1000)
    assert line_of(of).startswith("1,000/1,000 calls, ")
    assert "1,000/1,000 100%" in drawn(of)[0]
