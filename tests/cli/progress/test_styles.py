from __future__ import annotations

import io
import json
import re
import threading
import time

import msgspec
import pytest

from cli.progress.happenings import (
    FLASH,
    NASTY,
    THROTTLED,
    again,
    bad,
    begun,
    call,
    dropped,
    everything,
    finished,
    good,
    piece,
    play,
    views,
    waiting,
)  # fmt: skip
from umwelten.cli.progress import STYLES, make
from umwelten.cli.progress.plain import PlainProgress
from umwelten.cli.progress.rich import RichProgress
from umwelten.events import CallStarted, Event, Note, WaitReason
from umwelten.report.progress.waiting import wait_line, wait_state
from umwelten.tally import Tally

HARMFUL = set("\x1b\x9b\u202e")


def shown(style: str, events: list[Event], **flags: bool) -> str:
    stderr, tally = io.StringIO(), Tally()
    progress = make(style, stderr=stderr, tally=tally, **flags)
    progress.start(views)
    play(progress, events, tally)
    progress.close()
    progress.close()
    return stderr.getvalue()


# --- lines ---


def test_a_finished_call_is_one_line_with_its_time_tokens_and_cost():
    text = shown("plain", [begun(50, done=11), good()], verbose=True)
    assert "12/50 ok  google:gemini-2.5-flash scan.jpg  1.2s  312→48 tokens  $0.00012\n" in text


def test_a_cost_that_is_not_known_is_not_shown_as_0():
    text = shown("plain", [begun(), good(cost=None)], verbose=True)
    assert "cost unknown" in text
    assert "$0" not in text


def test_failures_and_retries_say_why():
    text = shown("plain", [begun(), bad(), again()], verbose=True)
    assert "1/4 FAILED  google:gemini-2.5-flash scan.jpg  0.50s  2 attempts  bad_request 404: no such" in text
    assert (
        "retry  google:gemini-2.5-flash scan.jpg  attempt 1 failed, retrying in 3.4s  "
        "rate_limit 429: slow down" in text
    )


def test_a_call_that_is_sent_a_second_time_says_which_attempt_counted():
    sent = CallStarted(call=call(), model=FLASH, lane="google", attempt=2, hedge=True)
    events = [begun(), sent, dropped(), dropped(hedge=True), dropped(THROTTLED, hedge=True)]
    assert shown("plain", events, verbose=True).splitlines()[:4] == [
        "hedge  google:gemini-2.5-flash scan.jpg  sent a second time, as it takes long",
        "hedge  google:gemini-2.5-flash scan.jpg  the second attempt was answered before the first",
        "hedge  google:gemini-2.5-flash scan.jpg  the first attempt was answered before the second",
        "hedge  google:gemini-2.5-flash scan.jpg  the second attempt failed, the other continues  "
        "rate_limit 429: slow down",
    ]
    assert "hedge" not in shown("plain", events)


def test_repeats_are_told_apart():
    assert "scan.jpg #2 " in shown("plain", [begun(), good(repeat=2)], verbose=True)


def test_without_verbose_there_are_notes_and_lanes_that_wait_or_stop_only():
    lines = shown("plain", everything()).splitlines()
    assert len(lines) == 6
    assert lines[0].startswith("note: hello ")
    assert lines[1] == "warning: beware"
    assert lines[2].startswith("google: throttled for 42 s (429: slow down ")
    assert lines[3] == "google: continues after 1 min 05 s"
    assert lines[4] == "google stopped: unavailable 401: API key not valid"
    assert lines[5].startswith("2/4 calls, 1 failed, ")


def ends(unix: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(unix))


SHORTLY = {"until_unix": 1042.2, "gives_up_unix": None}
TOLD = [
    (
        {"resource": "requests"},
        f"throttled for 42 s (429, requests), next attempt in 18 s, gives up at {ends(1900)} "
        "after 15 min without an answer",
    ),
    ({"resource": "input_tokens", **SHORTLY}, "throttled for 42 s (429, input tokens), next attempt in 1 s"),
    (
        {"reason": "outage", "status": 503, "message": "full", "until_unix": None, "gives_up_unix": 1040.0},
        "nothing but errors for 42 s (503: full), gives up with the attempt under way after 40 s "
        "without an answer",
    ),
    ({"reason": "connection", "status": None, "message": "no route", **SHORTLY},
     "not reached for 42 s (no route), next attempt in 1 s"),
    ({"reason": "budget", "resource": "tokens", **SHORTLY},
     "waits for 42 s: its limit of tokens is used up, next attempt in 1 s"),
    ({"reason": "retry", "message": "x", **SHORTLY},
     "waits for 42 s after failures (429: x), next attempt in 1 s"),
]  # fmt: skip


@pytest.mark.parametrize(("of", "told"), TOLD)
def test_a_lane_that_waits_says_for_what_until_when_and_when_it_gives_up(of, told):
    assert shown("plain", [waiting(**of)]).splitlines()[0] == f"google: {told}"


@pytest.mark.parametrize("reason", list(WaitReason))
def test_every_reason_has_words_for_a_line_and_for_a_column(reason):
    event = waiting(reason=reason, failures=15)
    assert " for 42 s" in wait_line(event)
    assert re.match(
        r"[a-z ]+ 42 s: 429 slow down .*, (refused|failed) 15 times, next in 18 s, gives up at [\d:]{8}$",
        wait_state(event),
    )


def test_debug_adds_limits_and_debug_notes():
    verbose, debug = shown("plain", everything(), verbose=True), shown("plain", everything(), debug=True)
    added = [line for line in debug.splitlines()[:-1] if line not in verbose.splitlines()]
    assert added == [
        "debug: demo: 4 calls, 0 done before, in flight: 5",
        "debug: a header",
        "debug: google: limit 4, 8 in flight: 429",
    ]


def test_none_shows_warnings_alone():
    assert shown("none", everything(), verbose=True, debug=True) == "warning: beware\n"


@pytest.mark.parametrize("style", [style for style in STYLES if style != "rich"])
def test_foreign_text_steers_no_terminal(style):
    events = [
        begun(),
        good(text=NASTY, name=NASTY),
        bad(name=f"a\n{NASTY}"),
        Note(text=NASTY, level="warning"),
        finished(),
    ]
    text = shown(style, events, debug=True)
    assert not HARMFUL & set(text)
    assert "[red]x[/red]" in text


# --- plain ---


def test_plain_prints_a_line_at_every_interval_and_one_at_the_end():
    stderr, tally = io.StringIO(), Tally()
    polled = threading.Semaphore(0)

    def view():
        polled.release()
        return views()

    progress = PlainProgress(stderr, tally, interval_s=0.01)
    progress.start(view)
    play(progress, [begun(100, done=10), good(), bad()], tally)
    while polled.acquire(blocking=False):
        pass
    for _ in range(4):
        assert polled.acquire(timeout=5)
    progress.close()
    lines = stderr.getvalue().splitlines()
    assert len(lines) >= 4
    assert re.match(
        r"12/100 calls, 1 failed, 5 in flight, [\d.]+ calls/s, [\d.]+ tokens/s, "
        r"cost this run \$0\.00012\+\?, "
        r"(about )?[\d.]+ \w+ left; google waits 12 s: rate limit; ollama .* stopped: key refused$",
        lines[-2],
    )
    assert re.match(r"12/100 calls, 1 failed, .* took [\d.]+ s$", lines[-1])
    assert not HARMFUL & set(stderr.getvalue())


def test_plain_holds_its_lines_back_while_an_answer_is_being_written():
    stderr, tally = io.StringIO(), Tally()
    progress = PlainProgress(stderr, tally, interval_s=0.01)
    progress.start(views)
    with progress.hold():
        before = stderr.getvalue()
        time.sleep(0.1)
        assert stderr.getvalue() == before
    progress.close()
    assert stderr.getvalue() != before


@pytest.mark.parametrize("style", ["plain", "rich"])
def test_a_progress_can_be_closed_while_it_is_held(style):
    progress = PlainProgress(io.StringIO(), Tally(), interval_s=0.01)
    if style == "rich":
        progress = RichProgress(io.StringIO(), Tally())
    progress.start(views)
    with progress.hold():
        time.sleep(0.05)
        closing = threading.Thread(target=progress.close, daemon=True)
        closing.start()
        closing.join(5)
        assert not closing.is_alive()


# --- json ---


def test_json_has_one_tagged_event_a_line():
    happened = [*everything(), piece("Hel"), CallStarted(call=call(), model=FLASH, lane="google", attempt=1)]
    lines = [json.loads(line) for line in shown("json", happened).splitlines()]
    assert [line["type"] for line in lines] == [
        "run_started", "note", "note", "note", "call_succeeded", "call_failed", "attempt_failed",
        "attempt_dropped", "limit_changed", "lane_waiting", "lane_resumed", "lane_stopped", "run_finished",
        "text_arrived", "call_started",
    ]  # fmt: skip
    for line, event in zip(lines, happened, strict=True):
        assert list(line) == ["type", "at", *event.__struct_fields__]
    assert lines[4]["reply"]["usage"]["input_tokens"] == 312
    assert lines[4]["model"] == {"provider": "google", "model": "gemini-2.5-flash"}
    assert lines[5]["cost_nusd"] is None


def test_json_values_are_the_events_own():
    (line,) = shown("json", [good(text=NASTY)]).splitlines()
    assert msgspec.convert(json.loads(line)["reply"], type(good().reply)).text == NASTY


def test_json_survives_a_file_name_that_is_no_text():
    (line,) = shown("json", [good(name="caf\udce9.jpg")]).splitlines()
    assert json.loads(line)["call"]["input"]["name"] == "caf\\udce9.jpg"
