"""A run whose calls are still being counted, and answers in the wrong shape, as they are shown."""

from __future__ import annotations

import io
import json

import msgspec
from rich.console import Console

from cli.progress.happenings import again, begun, good, views
from cli.progress.test_styles import shown
from umwelten.cli.progress.plain import line_of
from umwelten.cli.progress.rich import draw
from umwelten.events import Event, Grown
from umwelten.report.progress.board import Board, Watch
from umwelten.tally import Tally
from umwelten.types import Failure, FailureKind

WRONG = Failure(kind=FailureKind.SCHEMA, message="title: is missing", code="title")
PENDING = {"google": 4, "ollama": 4}
FIRST = msgspec.structs.replace(begun(8), complete=False, pending=PENDING)
MORE = Grown(total=800, pending={"google": 400, "ollama": 400}, complete=False)
ALL = Grown(total=900, pending={"google": 450, "ollama": 450}, complete=True)


def board(*events: Event) -> Board:
    tally = Tally()
    now = [0.0]
    watch = Watch(tally, lambda: now[0])
    watch.start(views)
    for event in events:
        tally(event)
    now[0] = 10.0
    return watch.look()


def drawn(of: Board) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(draw(of, 120))
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_the_total_grows_and_is_called_a_part_of_it_until_it_is_whole() -> None:
    for events, total, so_far in (
        ((FIRST,), 8, True),
        ((FIRST, MORE), 800, True),
        ((FIRST, MORE, ALL), 900, False),
    ):
        seen = board(*events, good())
        assert (seen.total, seen.done, seen.complete) == (total, 1, not so_far)
        assert (f"1/{total} so far" in drawn(seen)) is so_far
        assert line_of(seen).startswith(f"1/{total} calls" + (" so far," if so_far else ","))


def test_the_rest_is_judged_by_all_of_the_calls_and_not_before() -> None:
    answered = [good(n) for n in range(40)]
    assert board(FIRST, MORE, *answered).left_s is None
    assert board(FIRST, MORE, *answered).projected == ""
    whole = board(FIRST, MORE, msgspec.structs.replace(ALL, pending={"google": 400}), *answered)
    # Forty in ten seconds, 360 to go.
    assert whole.left_s is not None
    assert 80 < whole.left_s < 100
    assert whole.projected == "$0.048"


def test_a_run_that_begins_anew_has_a_total_of_its_own() -> None:
    tally = Tally()
    for event in (FIRST, ALL, begun(3)):
        tally(event)
    assert (tally.total, tally.complete, tally.pending) == (3, True, {})


def test_lines_say_that_more_may_come() -> None:
    text = shown("plain", [FIRST, good(), ALL, good(2)], debug=True)
    assert "debug: demo: 8 calls so far, 0 done before" in text
    assert "1/8+ ok  google" in text
    assert "2/900 ok  google" in text


def test_growth_is_an_event_for_programs() -> None:
    (line,) = shown("json", [ALL]).splitlines()
    told = json.loads(line)
    assert told.pop("at") > 1e9
    assert told == {
        "type": "grown",
        "total": 900,
        "pending": {"google": 450, "ollama": 450},
        "complete": True,
        "by_model": {},
    }


def test_an_answer_in_the_wrong_shape_is_told_as_one_and_is_no_retry() -> None:
    event = msgspec.structs.replace(again(), failure=WRONG, retry_in_s=0.0)
    text = shown("plain", [begun(), event], verbose=True)
    said = "attempt 1 does not fit the schema, retrying  schema: title: is missing"
    assert f"retry  google:gemini-2.5-flash scan.jpg  {said}" in text
    tally = Tally()
    tally(event)
    assert (tally.retries, tally.asked_again, tally.lanes) == (0, 1, {})
