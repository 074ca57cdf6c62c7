"""Control of a run from the page: the channel is real, the run behind it is in memory."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from livekit import served
from report.making import two_models
from umwelten.view.routes import THREADS
from viewkit import viewed


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One run and one server for all tests, and where runs are found."""
    folder, state = tmp_path_factory.mktemp("view"), str(tmp_path_factory.mktemp("state"))
    two_models(folder / "tides")
    two_models(folder / "other")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", state)
        with served(folder / "tides") as run, viewed(folder) as asked:
            run.run()
            yield run, asked, state


@pytest.fixture
def run(shared, monkeypatch):
    run, asked, state = shared
    monkeypatch.setenv("XDG_STATE_HOME", state)
    run.run_control.told.clear()
    return run, asked


CHANGE = {"verb": "pause", "reason": "lunch", "pid": os.getpid()}


def test_a_run_is_found_by_its_folder(run):
    _, asked = run
    (found,) = asked.get("/api/e/tides/control").json["runs"]
    assert (found["pid"], found["state"]["phase"], found["error"]) == (os.getpid(), "running", None)
    assert asked.get("/api/e/other/control").json["runs"] == []


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ({"verb": "pause", "scope": "openai"}, ("pause", "openai", None)),
        ({"verb": "resume"}, ("resume", "")),
        ({"verb": "stop", "now": True}, ("stop", True)),
        ({"verb": "retry", "kind": "server"}, ("retry", "server", "", "")),
        ({"verb": "cancel", "call": 7}, ("cancel", 7)),
        (
            {"verb": "set", "key": "max_concurrency", "value": "40"},
            ("set", "max_concurrency", "40", "", False),
        ),
    ],
)
def test_each_verb_reaches_the_run_with_its_reason(run, verb, told):
    served_run, asked = run
    said = asked.post("/api/e/tides/control", {**CHANGE, **verb})
    assert said.status == 200
    *words, by = served_run.run_control.told[-1]
    assert tuple(words) == told
    assert (by.via, by.reason) == ("view", "lunch")


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"reason": " "}, 400),
        ({"verb": "destroy"}, 400),
        ({"verb": "set", "key": "max_concurrency", "value": "0"}, 409),
        ({"verb": "cancel", "call": 404}, 409),
        ({"pid": 1}, 409),
        ({"url": "http://elsewhere"}, 400),
    ],
)
def test_what_is_refused_is_said(run, change, status):
    _, asked = run
    said = asked.post("/api/e/tides/control", {**CHANGE, **change})
    assert (said.status, bool(said.json["error"])) == (status, True)


def test_a_run_of_another_evaluation_is_not_reached(run):
    served_run, asked = run
    assert asked.post("/api/e/other/control", CHANGE).status == 409
    assert served_run.run_control.told == []


def test_read_only_changes_no_run(tmp_path, serve):
    two_models(tmp_path / "tides")
    with served(tmp_path / "tides") as run:
        run.run()
        asked = serve(tmp_path, read_only=True)
        assert asked.post("/api/e/tides/control", CHANGE).status == 403
        assert asked.get("/api/e/tides/control").json["read_only"] is True
        assert run.run_control.told == []


def test_runs_that_do_not_answer_hold_up_no_page(tmp_path, serve, monkeypatch):
    two_models(tmp_path / "demo")
    asked, answered = serve(tmp_path), threading.Event()

    def silent(*_):
        answered.wait(30)
        return []

    monkeypatch.setattr("umwelten.view.control.all_runs", silent)
    with ThreadPoolExecutor(2 * THREADS) as pool:
        waiting = [pool.submit(asked.get, "/api/e/demo/control") for _ in range(2 * THREADS)]
        try:
            assert len(asked.get("/api/e/demo/calls").json["calls"]) == 5
            assert not any(one.done() for one in waiting)
        finally:
            answered.set()
        assert [one.result().json["runs"] for one in waiting] == [[]] * len(waiting)
