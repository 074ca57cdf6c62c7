"""Changes to a run that goes on, against a real server, as its ledger and the store tell them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from provider import Provider, provider
from runcontrolkit import BY, ControlledRun, controlled_run, until
from umwelten.errors import StoreError, UsageError
from umwelten.evaluation.run_state import Author, RunPhase
from umwelten.events import RunStatus, TextArrived
from umwelten.report.queries.changes import changes
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.store.reader import Reader
from umwelten.store.tables import MIGRATIONS

SLOW = Profile(default=Behaviour(latency_s=0.05, input_tokens=100, output_tokens=10))


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider(SLOW) as running:
        yield running


def journal(folder: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(f"file:{folder / 'output' / 's' / 'evaluation.db'}?mode=ro", uri=True) as db:
        db.row_factory = sqlite3.Row
        return [dict(row) for row in db.execute("SELECT * FROM changes ORDER BY id")]


def in_flight(run: ControlledRun) -> int:
    return run.run_control.state().in_flight


def test_fewer_in_flight_cancels_none_and_more_start_at_once(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=200, max_concurrency=20) as run:
        until(lambda: in_flight(run) == 20, "20 in flight")
        change = run.run_control.set("max-concurrency", "3", BY)
        assert (change.old, change.new, change.journalled) == (20, 3, True)
        until(lambda: in_flight(run) <= 3, "3 in flight")
        server.reset()  # its ledger begins anew
        until(lambda: server.ledger.requests >= 8, "8 more requests")
        assert server.ledger.peak_in_flight <= 3
        run.run_control.set("max_concurrency", 40, BY)
        until(lambda: in_flight(run) == 40, "40 in flight")
        assert run.run_control.state().settings["max_concurrency"] == 40
        run.end()
    assert run.tally.succeeded == 200 and not run.tally.retries
    assert run.tally.changes == 2
    with Reader.open(tmp_path / "output" / "s") as reader:
        out, text = StringIO(), StringIO()
        render_json(reader, out)
        render_markdown(reader, text)
    first, _ = json.loads(out.getvalue())["changes"]
    assert (first["key"], first["old"], first["new"], first["via"]) == ("max_concurrency", 20, 3, "ctl")
    assert "| max-concurrency 3 → 40 | ctl, ada: a test |" in text.getvalue()
    assert [(row["key"], json.loads(row["old"]), json.loads(row["new"])) for row in journal(tmp_path)] == [
        ("max_concurrency", 20, 3),
        ("max_concurrency", 3, 40),
    ]
    assert {(row["via"], row["author"], row["reason"]) for row in journal(tmp_path)} == {
        ("ctl", "ada", "a test")
    }


def test_from_a_number_to_auto_and_back(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a", "two:b"], files=200, max_concurrency=4) as run:
        until(lambda: in_flight(run) == 4, "4 in flight")
        run.run_control.set("max_concurrency", "auto", BY)
        until(lambda: in_flight(run) > 8, "more than 8 in flight")
        run.run_control.set("max_concurrency", 6, BY)
        until(lambda: in_flight(run) <= 6, "6 in flight")
        server.reset()
        until(lambda: server.ledger.requests >= 12, "12 requests")
        assert server.ledger.peak_in_flight <= 6
        run.run_control.set("max_concurrency", 200, BY)
        run.end()
    assert run.tally.succeeded == 400


def test_the_calls_of_one_provider_are_bounded(server: Provider, tmp_path: Path) -> None:
    models = ["one:a", "one:b", "two:a"]
    with controlled_run(tmp_path, server, models, files=100, max_concurrency=30) as run:
        until(lambda: in_flight(run) == 30, "30 in flight")
        run.run_control.set("provider_concurrency", 2, BY, scope="one")
        of_one = lambda: sum(  # noqa: E731
            lane.in_flight for lane in run.run_control.state().lanes if lane.provider == "one"
        )
        until(lambda: of_one() <= 2, "2 in flight")
        seen = [of_one() for _ in range(200) if not time.sleep(0.001)]
        assert max(seen) <= 2
        run.run_control.set("provider_concurrency", "off", BY, scope="one")
        run.end()
    assert run.tally.succeeded == 300


@pytest.mark.parametrize("scope", ["", "one", "one:a"])
def test_a_pause_starts_nothing_until_it_ends(scope: str, server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a", "two:b"], files=60, max_concurrency=10) as run:
        until(lambda: run.tally.succeeded >= 20, "20 answers")
        change = run.run_control.pause(BY, scope=scope)
        assert change.journalled
        before = run.tally.models["one:a"].succeeded
        if not scope:
            until(lambda: run.run_control.state().quiet, "all is committed")
            assert run.run_control.state().phase is RunPhase.PAUSED
            requests = server.idle().requests
            time.sleep(0.15)
            assert server.ledger.requests == requests
            assert run.run_control.state().models[0].paused
            assert run.run_control.state().left_s is None
        else:
            until(lambda: run.tally.models["two:b"].succeeded == 60, "the others go on")
            assert run.tally.models["one:a"].succeeded < 60
            assert run.tally.models["one:a"].succeeded <= before + 10
        run.run_control.resume(BY, scope=scope)
        result = run.end()
    assert (result.status, run.tally.succeeded) == (RunStatus.COMPLETE, 120)
    finished = run.tally.finished
    assert finished is not None
    for lane in finished.lane_times:
        assert sum(lane.seconds.values()) == pytest.approx(finished.wall_s, abs=0.05)
    paused = {lane.lane: lane.seconds.get("paused", 0.0) for lane in finished.lane_times}
    assert paused[next(name for name in paused if name.startswith("one"))] > 0.0
    assert [row["key"] for row in journal(tmp_path)] == ["pause", "resume"]


def test_a_pause_ends_by_itself_after_its_time(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=30, max_concurrency=5) as run:
        until(lambda: run.tally.succeeded >= 5, "5 answers")
        run.run_control.pause(BY, for_s=0.2)
        assert run.end().status is RunStatus.COMPLETE
    assert [row["key"] for row in journal(tmp_path)] == ["pause", "resume"]


def test_a_pause_without_an_end_replaces_one_that_has_one(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=30, max_concurrency=5) as run:
        until(lambda: run.tally.succeeded >= 5, "5 answers")
        assert "goes on in" in run.run_control.pause(BY, for_s=60).note
        change = run.run_control.pause(BY)
        assert change.journalled and "no longer goes on by itself" in change.note
        assert run.run_control.pause(BY).journalled is None
        assert "goes on in" in run.run_control.pause(BY, for_s=60).note
        run.run_control.resume(BY)
        run.end()
        elapsed_s = run.run_control.state().elapsed_s
        assert elapsed_s == run.run_control.state().elapsed_s, "it ended"
    assert [json.loads(row["new"]) for row in journal(tmp_path)] == [
        {"for_s": 60},
        True,
        {"for_s": 60},
        False,
    ]


def test_what_would_have_no_effect_any_more_is_refused(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=30, max_concurrency=1) as run:
        until(lambda: run.tally.succeeded >= 2, "2 answers")
        server.use(Profile(default=Behaviour(latency_s=60)))
        until(lambda: server.ledger.in_flight > 0, "a long call")
        run.run_control.stop(BY)
        for change in (lambda: run.run_control.set("max_cost", 1, BY), lambda: run.run_control.pause(BY)):
            with pytest.raises(UsageError, match="about to end"):
                change()
        run.run_control.stop(BY, now=True)
        run.end()
    assert [row["key"] for row in journal(tmp_path)] == ["stop", "stop"]


def test_a_rate_holds_from_then_on(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=300, max_concurrency=20) as run:
        until(lambda: run.tally.succeeded >= 20, "20 answers")
        run.run_control.set("rate", "600/min", BY, scope="one")
        until(lambda: in_flight(run) <= 2, "fewer in flight")
        server.reset()
        began = time.monotonic()
        until(lambda: server.ledger.requests >= 6, "6 more requests")
        assert time.monotonic() - began > 0.3
        assert run.run_control.state().lanes[0].rate == "600/min"
        run.run_control.set("rate", "off", BY, scope="one")
        until(lambda: in_flight(run) > 10, "as many as before")


def test_a_cap_of_costs_that_is_spent_ends_the_run(server: Provider, tmp_path: Path) -> None:
    """A call costs $0.0003."""
    with controlled_run(tmp_path, server, ["one:a"], files=400, max_concurrency=5, max_tokens=10) as run:
        until(lambda: run.tally.succeeded >= 20, "20 answers")
        change = run.run_control.set("max_cost", 0.003, BY)
        assert "spent already" in change.note
        done = run.tally.succeeded
        result = run.end()
    assert result.status is RunStatus.STOPPED and run.tally.succeeded <= done + 15
    assert result.reason is not None and "spent" in str(result.reason.wording)


def test_a_cap_of_costs_holds_that_was_set_later(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=400, max_concurrency=5, max_tokens=10) as run:
        until(lambda: run.tally.succeeded >= 5, "5 answers")
        run.run_control.set("max_cost", "0.03", BY)
        result = run.end()
    assert result.status is RunStatus.STOPPED
    assert run.tally.cost_nusd <= 30_000_000
    assert run.tally.cost_nusd > 25_000_000


def test_a_cap_without_a_price_is_refused(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:unpriced"], files=60, max_concurrency=2) as run:
        with pytest.raises(UsageError, match="no price is known"):
            run.run_control.set("max_cost", 1.0, BY)
        assert run.run_control.state().settings["max_cost"] is None


FAILING = Profile(
    default=Behaviour(latency_s=0.02),
    rules=(Rule(every=8, behaviour=Behaviour(fault=400, message="not this one")),),
)


def test_failed_calls_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("umwelten.evaluation.run_control._AT_ONCE", 2)
    with (
        provider(FAILING) as server,
        controlled_run(tmp_path, server, ["one:a"], files=60, max_concurrency=4) as run,
    ):
        until(lambda: run.tally.failed >= 3, "3 failures")
        server.use(SLOW)
        until(lambda: in_flight(run) > 0, "it goes on")
        run.run_control.pause(BY)
        until(lambda: run.run_control.state().quiet, "all is committed")
        failed = run.tally.failed
        again = run.run_control.retry_failed(BY)
        assert again.new == failed and run.tally.failed == 0
        assert run.run_control.retry_failed(BY).new == 0
        run.run_control.resume(BY)
        result = run.end()
    assert (result.status, run.tally.succeeded, run.tally.failed) == (RunStatus.COMPLETE, 60, 0)


def test_only_those_of_a_kind_or_model_are_made_again(tmp_path: Path) -> None:
    rules = (
        Rule(model="a", behaviour=Behaviour(fault=400, message="no")),
        Rule(model="b", first=4, behaviour=Behaviour(fault=400, message="no")),
    )
    profile = Profile(default=Behaviour(latency_s=0.05), rules=rules)
    with (
        provider(profile) as server,
        controlled_run(tmp_path, server, ["one:a", "one:b"], files=40, max_concurrency=4) as run,
    ):
        until(
            lambda: run.tally.models.get("one:b") is not None and run.tally.models["one:b"].failed == 4, "b"
        )
        run.run_control.pause(BY)
        until(lambda: run.run_control.state().quiet, "all is committed")
        assert run.run_control.retry_failed(BY, kind="server").new == 0
        assert run.run_control.retry_failed(BY, model="one:b").new == 4
        run.run_control.resume(BY)
        run.end()
    assert run.tally.models["one:b"].succeeded == 40
    assert run.tally.models["one:b"].failed == 0


def test_a_cancelled_call_stays_pending(tmp_path: Path) -> None:
    hanging = Profile(
        default=Behaviour(latency_s=0.01), rules=(Rule(prompt="text 3", behaviour=Behaviour(latency_s=60)),)
    )
    with (
        provider(hanging) as server,
        controlled_run(tmp_path, server, ["one:a"], files=5, max_concurrency=5) as run,
    ):
        until(lambda: run.tally.succeeded == 4, "four answers")
        started = [event for event in run.events if type(event).__name__ == "CallStarted"]
        call = next(e.call for e in started if e.call.input is not None and e.call.input.name == "0003.txt")
        with pytest.raises(UsageError, match="not in flight"):
            run.run_control.cancel(BY, call.id + 1)
        run.run_control.cancel(BY, call.id)
        result = run.end()
    assert (
        result.status is RunStatus.STOPPED
        and str(result.reason and result.reason.wording) == "1 call was cancelled"
    )
    assert run.tally.finished is not None and run.tally.finished.pending == 1


def test_a_stop_ends_the_run_which_can_be_resumed(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=200, max_concurrency=4) as run:
        until(lambda: run.tally.succeeded >= 4, "4 answers")
        assert run.run_control.stop(BY).journalled
        result = run.end()
        with pytest.raises(UsageError, match="has ended"):
            run.run_control.set("retries", 1, BY)
    assert result.status is RunStatus.STOPPED
    assert str(result.reason and result.reason.wording) == "stopped by ada: a test"


def test_a_dry_run_and_what_is_refused_change_nothing(server: Provider, tmp_path: Path) -> None:
    with controlled_run(tmp_path, server, ["one:a"], files=60, max_concurrency=2) as run:
        until(lambda: in_flight(run) > 0, "it has begun")
        before = run.run_control.state().settings
        assert run.run_control.set("timeout", "5s", BY, dry_run=True).journalled is None
        for key, value in (
            ("max_concurrency", 0),
            ("max_concurrency", "many"),
            ("timeout", "soon"),
            ("retries", -1),
            ("temperature", 1),
            ("max_cost", -1),
            ("rate", "x"),
        ):
            with pytest.raises(UsageError):
                run.run_control.set(key, value, BY)
        with pytest.raises(UsageError, match="no lane, provider or model"):
            run.run_control.pause(BY, scope="three")
        assert run.run_control.state().settings == before
        run.run_control.set("timeout", "5s", BY)
        run.run_control.set("retries", "1", BY)
        run.run_control.set("max_errors", 3, BY)
        settings = run.run_control.state().settings
        assert (settings["timeout"], settings["retries"], settings["max_errors"]) == (5.0, 1, 3)
    assert len(journal(tmp_path)) == 3


def test_pieces_of_answers_are_told_while_somebody_wants_them(server: Provider, tmp_path: Path) -> None:
    def pieces() -> int:
        return sum(isinstance(event, TextArrived) for event in run.events)

    given: dict[str, Any] = {"files": 200, "max_concurrency": 4, "stream": True, "texts": False}
    with controlled_run(tmp_path, server, ["one:a"], **given) as run:
        until(lambda: run.tally.succeeded >= 4, "4 answers")
        assert pieces() == 0
        run.run_control.tell_texts(True)
        until(lambda: pieces() >= 4, "pieces")
        run.run_control.tell_texts(False)
        done = run.tally.succeeded
        until(lambda: run.tally.succeeded >= done + 8, "calls that started before have ended")
        seen, done = pieces(), run.tally.succeeded
        until(lambda: run.tally.succeeded >= done + 4, "4 more answers")
        assert pieces() == seen


def test_what_cannot_be_stored_is_refused_before_anything_is_changed(
    server: Provider, tmp_path: Path
) -> None:
    wrong: list[Any] = [b"x", None, 5, "x" * 20_000]
    with controlled_run(tmp_path, server, ["one:a"], files=60, max_concurrency=2) as run:
        until(lambda: in_flight(run) > 0, "it has begun")
        for reason in wrong:
            for change in (run.run_control.stop, run.run_control.pause, run.run_control.resume):
                with pytest.raises(UsageError):
                    change(Author(reason=reason))
            with pytest.raises(UsageError):
                run.run_control.set("retries", 1, Author(name=reason))
        for for_s in (float("nan"), float("inf"), 0, -1, 1e300, "5", True):
            with pytest.raises(UsageError):
                run.run_control.pause(BY, for_s=for_s)  # type: ignore[arg-type]
        for key, value in (("max_cost", 10**400), ("timeout", 10**400), ("timeout", float("inf"))):
            with pytest.raises(UsageError) as error:
                run.run_control.set(key, value, BY)
            assert len(error.value.message) < 300
        run.run_control.set("max_cost", 1e300, BY)
        run.run_control.set("max_cost", "off", Author(name="\udcff\x1b[31m"))
        assert run.end().status is RunStatus.COMPLETE
    assert [row["key"] for row in journal(tmp_path)] == ["max_cost", "max_cost"]


def test_a_failure_that_is_just_committed_is_not_made_again_twice(tmp_path: Path) -> None:
    """The store knows of it before the run does."""
    with (
        provider(FAILING) as server,
        controlled_run(tmp_path, server, ["one:a"], files=40, max_concurrency=4) as run,
    ):
        until(lambda: in_flight(run) > 0, "it has begun")
        live = run.evaluation.live
        assert live is not None
        engine, held = live.engine, []
        acknowledge = engine.acknowledge
        engine.acknowledge = held.append  # type: ignore[method-assign]
        until(lambda: any(type(one.outcome).__name__ == "Failure" for many in held for one in many), "one")
        server.use(SLOW)
        assert run.run_control.retry_failed(BY).new == 0

        def go_on() -> None:
            engine.acknowledge = acknowledge  # type: ignore[method-assign]
            for records in held:
                acknowledge(records)

        live.do(go_on, 5.0)
        until(lambda: run.tally.failed >= 1, "it is told")
        run.run_control.pause(BY)
        until(lambda: run.run_control.state().quiet, "all is committed")
        failed = run.tally.failed
        assert run.run_control.retry_failed(BY).new == failed
        assert run.run_control.retry_failed(BY).new == 0
        run.run_control.resume(BY)
        assert run.end().status is RunStatus.COMPLETE
    assert (run.tally.succeeded, run.tally.failed) == (40, 0)


def test_what_is_still_paused_is_said_and_the_end_of_a_pause_is_told(
    server: Provider, tmp_path: Path
) -> None:
    with controlled_run(tmp_path, server, ["one:a", "two:b"], files=60, max_concurrency=4) as run:
        until(lambda: run.tally.succeeded >= 4, "4 answers")
        run.run_control.pause(BY)
        change = run.run_control.resume(BY, scope="one")
        assert (change.journalled, change.note) == (
            None,
            "it is not paused by that name; the whole run is",
        )
        run.run_control.pause(BY, scope="one", for_s=0.05)
        until(lambda: len(run.run_control.state().changes) == 3, "it is told that it ends")
        last = run.run_control.state().changes[-1]
        assert (last.key, last.scope, last.reason) == ("resume", "one", "the time of the pause is over")
        assert all(lane.paused for lane in run.run_control.state().lanes)
        run.run_control.stop(BY)
        run.end()
        assert run.run_control.state().paused_s > 0.05


@pytest.mark.parametrize("value", ["", "no", "[" * 5_000])
def test_a_change_that_no_run_has_stored_is_damage(value: str) -> None:
    with sqlite3.connect(":memory:") as db:
        for migration in MIGRATIONS:
            db.executescript(migration)
        db.execute("INSERT INTO changes VALUES (1, 1, 1.0, '', 'ctl', 'retries', '', '1', ?, '')", (value,))
        with pytest.raises(StoreError, match="is damaged: a change"):
            changes(db)
    db.close()
