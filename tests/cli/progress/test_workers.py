"""What is told of workers: while they start, when some are lost, and to programs."""

from __future__ import annotations

import io
import json

import msgspec
import pytest
from rich.console import Console

from cli.progress.happenings import begun, play
from umwelten.cli.ctl.shown import workers_text
from umwelten.cli.progress.drawing import draw
from umwelten.cli.progress.json import JsonProgress
from umwelten.cli.progress.plain import PlainProgress, line_of
from umwelten.cli.top.cells import event_line
from umwelten.evaluation.run_state import RunState, WorkersState, WorkerView
from umwelten.events import Event, WorkerChanged, WorkersStarting, WorkerState
from umwelten.live.events import EventRing
from umwelten.report.progress.board import Watch
from umwelten.tally import Tally

NASTY = "node\x1b[31m\u202e"


def starting(workers: int = 2, address: str = "") -> WorkersStarting:
    return WorkersStarting(workers=workers, address=address, at_unix=1000.0)


def told(number: int, state: str, at: float, why: str = "") -> WorkerChanged:
    return WorkerChanged(number=number, node=NASTY, state=WorkerState(state), at_unix=at, why=why)


STAFFED: list[Event] = [begun(), starting(), told(1, "joined", 1006.0), told(2, "joined", 1008.0)]
TROUBLE: list[Event] = [
    *STAFFED,
    told(2, "suspect", 1020.0),
    told(2, "back", 1024.0),
    told(2, "suspect", 1030.0),
    told(2, "lost", 1040.0, "its process ended"),
    told(3, "joined", 1044.0),
    told(1, "left", 1060.0),
    told(3, "left", 1060.0),
]


def lines(events: list[Event]) -> list[str]:
    stderr, tally = io.StringIO(), Tally()
    play(PlainProgress(stderr, tally), events, tally)
    return stderr.getvalue().splitlines()


def test_a_line_says_that_workers_start_and_one_when_all_are_there() -> None:
    assert lines(STAFFED) == [
        "note: starting 2 workers on a Ray cluster of this run",
        "note: 2 workers ready after 8.0 s",
    ]
    (line,) = lines([starting(1, "head:6379")])
    assert line == "note: starting 1 worker on the Ray cluster at head:6379"


def test_a_run_whose_workers_did_not_start_ends_without_a_count_of_calls() -> None:
    def last_lines(events: list[Event]) -> list[str]:
        stderr, tally = io.StringIO(), Tally()
        progress = PlainProgress(stderr, tally)
        progress.start(list)
        play(progress, events, tally)
        progress.close()
        return [line for line in stderr.getvalue().splitlines() if "calls/s" in line]

    assert last_lines(STAFFED[:3]) == []
    assert len(last_lines(STAFFED)) == 1


def test_workers_that_are_lost_and_come_anew_are_notes() -> None:
    found = lines(TROUBLE)[2:]
    assert [line.split(" on ")[0] for line in found] == [
        "warning: worker 2", "note: worker 2", "warning: worker 2", "warning: worker 2", "note: worker 3",
    ]  # fmt: skip
    assert "no new calls" in found[0] and "answers again" in found[1]
    assert "lost (its process ended): its calls are made again" in found[3]
    assert found[4].endswith("joined: 2 workers")
    assert not any("\x1b" in line or "\u202e" in line for line in found)


@pytest.mark.parametrize(
    ("events", "words"),
    [
        (STAFFED[:2], "starting 2 workers on a Ray cluster of this run ("),
        (STAFFED[:3], "s, 1 there)"),
        (STAFFED, "2 workers"),
        (TROUBLE[:5], "1 of 2 workers"),
        (TROUBLE[:8], "1 of 2 workers, 1 lost"),
        (TROUBLE[:9], "2 workers, 1 lost"),
    ],
)
def test_the_boards_say_how_many_there_are(events: list[Event], words: str) -> None:
    tally = Tally()
    for event in events:
        tally(event)
    board = Watch(tally, lambda: 0.0).look()
    drawn = Console(file=io.StringIO(), width=100)
    drawn.print(draw(board, 100))
    assert words in line_of(board) and words in drawn.file.getvalue()  # type: ignore[attr-defined]


def test_a_run_of_one_process_says_nothing_of_workers() -> None:
    tally = Tally()
    tally(begun())
    board = Watch(tally, lambda: 0.0).look()
    assert board.workers == "" and "worker" not in line_of(board)


def test_programs_are_told_as_well() -> None:
    stderr = io.StringIO()
    play(JsonProgress(stderr), TROUBLE[1:], Tally())
    found = [json.loads(line) for line in stderr.getvalue().splitlines()]
    assert found[0] | {"at": 0} == {
        "type": "workers_starting",
        "at": 0,
        "workers": 2,
        "address": "",
        "at_unix": 1000.0,
    }
    assert {one["type"] for one in found[1:]} == {"worker_changed"}
    assert [one["state"] for one in found[1:]][:4] == ["joined", "joined", "suspect", "back"]
    ring = EventRing(lambda: 0.0)
    for event in TROUBLE:
        ring(event)
    events, _ = ring.after(0, 100)
    lost = next(one for one in events if one.facts.get("state") == "lost")
    assert (lost.name, lost.facts["worker"], lost.facts["why"]) == ("worker_changed", 2, "its process ended")
    assert "worker 2" in str(event_line(lost.name, lost.facts))


def test_the_state_of_a_run_has_them_and_may_be_without() -> None:
    each = (WorkerView(number=1, node="head", state="joined", since=1006.0),)
    state = WorkersState(wanted=2, ready=1, lost=1, each=each)
    assert workers_text(state) == "1 of 2 workers, 1 lost"
    (field,) = [field for field in msgspec.structs.fields(RunState) if field.name == "workers"]
    assert field.default is None
