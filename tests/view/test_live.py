"""What the page is told while evaluations change, and which folders it can be shown."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
import pytest

from report.making import Done, answer, spec, two_models, work
from store.making import downgrade
from umwelten.report.queries.news import news_since
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.tables import MIGRATIONS
from umwelten.view.live import Heard
from umwelten.view.readers import Readers
from umwelten.view.tail import Follower, Tail


@contextmanager
def events(asked, path, **headers):
    """Yield what reads the next event of that name, as (id, value)."""
    connection = http.client.HTTPConnection("127.0.0.1", asked.server.port, timeout=10)
    connection.request("GET", path, headers={"Cookie": asked.cookie, **headers})
    response = connection.getresponse()
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert response.headers["Content-Security-Policy"]

    def read(wanted):
        event, number = None, None
        while line := response.readline():
            field, _, value = line.decode().rstrip("\n").partition(": ")
            match field:
                case "event":
                    event, number = value, None
                case "id":
                    number = int(value)
                case "data" if event == wanted:
                    return number, json.loads(value)
        raise AssertionError("the stream ended")

    try:
        yield read
    finally:
        connection.close()


def more(folder: Path, files: int) -> None:
    """Go on with an evaluation of so many files, all of them."""
    names = [f"f{number}.txt" for number in range(files)]
    work(folder, spec(id="demo"), names, lambda call: Done(answer("later")))


def test_counts_move_without_a_question_and_end_as_the_report_says(tmp_path, serve):
    more(tmp_path / "demo", 3)
    asked = serve(tmp_path)
    with events(asked, "/api/e/demo/events") as read:
        first, news = read("news")
        assert (first, news["count"], news["attempts"]) == (3, 0, [])
        assert read("totals")[1]["succeeded"] == 3
        more(tmp_path / "demo", 8)
        seen = 0
        while seen < 5:
            number, news = read("news")
            seen += news["count"]
            assert [one["kind"] for one in news["attempts"]] == [None] * len(news["attempts"])
        assert number == 8
        while (totals := read("totals")[1])["succeeded"] < 8:
            pass
        assert (totals["calls"], totals["pending"], totals["status"]) == (8, 0, "complete")


def test_no_attempt_is_lost_between_the_first_news_and_the_next(tmp_path):
    more(tmp_path / "demo", 3)

    async def first_news():
        with ThreadPoolExecutor(1) as pool:
            follower = Follower(Tail(Readers(tmp_path), "demo", pool, was_running=False), 3, lambda: None)
            queue = follower.listen()
            more(tmp_path / "demo", 8)  # before the follower looks for the first time
            news = await asyncio.wait_for(queue.get(), 10)
            follower.leave(queue)
            await asyncio.sleep(0)
            return news

    news = asyncio.run(first_news())
    assert (news.count, news.last, len(news.attempts)) == (5, 8, 5)


def test_no_attempt_is_told_twice_to_one_who_knows_more_than_the_others(tmp_path):
    folder = tmp_path / "demo"
    more(folder, 10)
    with closing(Reader.open(folder)) as reader:
        whole = news_since(reader, 0)

    def news(first, last):
        attempts = tuple(one for one in whole.attempts if first <= one.id <= last)
        return msgspec.structs.replace(whole, last=last, count=last - first + 1, attempts=attempts)

    heard = Heard(told=4, last=8)
    found = [heard.new(each) for each in (news(5, 6), news(7, 9), news(10, 10), news(3, 2), news(3, 3))]
    assert [(each.last, each.count) for each in found] == [(8, 0), (9, 1), (10, 1), (2, 0), (3, 1)]
    assert [[one.id for one in each.attempts] for each in found] == [[], [9], [10], [], [3]]


def test_a_run_that_ends_while_it_is_followed_leaves_no_log(tmp_path, serve):
    folder = tmp_path / "demo"
    more(folder, 1)
    asked = serve(tmp_path)
    with Store.resume(folder, spec(id="demo")) as store:
        store.start_run({})
        with events(asked, "/api/e/demo/events") as read:
            assert read("news")[1]["head"]["running"] is True
            store.end_run("complete", None, 1)
            store.close()
            while read("news")[1]["head"]["running"]:
                pass
            assert asked.get("/api/e/demo/calls").status == 200
            log = folder / "evaluation.db-wal"
            deadline = time.monotonic() + 10
            while log.exists() and log.stat().st_size:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_a_stream_goes_on_after_the_last_event(tmp_path, serve):
    more(tmp_path / "demo", 5)
    asked = serve(tmp_path)
    with events(asked, "/api/e/demo/events", **{"Last-Event-ID": "2"}) as read:
        number, news = read("news")
        assert (number, news["count"], [one["id"] for one in news["attempts"]]) == (5, 3, [3, 4, 5])
    with events(asked, "/api/e/demo/events?after=99") as read:
        assert read("news")[1]["count"] == 0


def test_the_list_tells_of_evaluations_that_come_change_and_go(tmp_path, serve):
    two_models(tmp_path / "a")
    asked = serve(tmp_path)
    with events(asked, "/api/events") as read:
        assert read("evaluation")[1]["id"] == "a"
        more(tmp_path / "b", 2)
        row = read("evaluation")[1]
        while row["totals"]["succeeded"] < 2:
            row = read("evaluation")[1]
        assert row["id"] == "b"
        shutil.rmtree(tmp_path / "a")
        assert read("gone")[1]["id"] == "a"
    assert [row["id"] for row in asked.get("/api/home").json["evaluations"]] == ["b"]
    assert asked.get("/api/e/a/calls").status == 404


def test_a_folder_whose_name_is_no_id_hides_no_other(tmp_path, serve):
    two_models(tmp_path / "demo")
    shutil.copytree(tmp_path / "demo", tmp_path / "demo (copy)")
    asked = serve(tmp_path)
    rows = {row["id"]: row for row in asked.get("/api/home").json["evaluations"]}
    assert rows["demo"]["problem"] is None
    assert "cannot be an id" in rows["demo (copy)"]["problem"]
    with events(asked, "/api/events") as read:
        assert {read("evaluation")[1]["id"] for _ in rows} == set(rows)


def test_an_evaluation_that_is_replaced_is_read_anew(tmp_path, serve):
    more(tmp_path / "demo", 2)
    asked = serve(tmp_path)
    assert len(asked.get("/api/e/demo/calls").json["calls"]) == 2
    shutil.rmtree(tmp_path / "demo")
    more(tmp_path / "demo", 4)
    assert len(asked.get("/api/e/demo/calls").json["calls"]) == 4


def test_a_killed_run_is_shown_as_interrupted(tmp_path, serve):
    work(
        tmp_path / "demo",
        spec(),
        ["a", "b"],
        lambda call: Done(answer()) if call.input.id == 1 else None,
        status=None,
    )
    row = serve(tmp_path).get("/api/home").json["evaluations"][0]
    assert (row["head"]["running"], row["totals"]["status"], row["totals"]["pending"]) == (
        False,
        "interrupted",
        1,
    )


def test_a_folder_that_nothing_can_be_written_to(tmp_path, serve):
    two_models(tmp_path / "demo")
    folder = tmp_path / "demo"
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # as a copy without a log lies on a disk
    before = sorted(path.name for path in folder.iterdir())
    for path in (folder / "evaluation.db", folder):
        path.chmod(0o555)
    try:
        asked = serve(tmp_path)
        assert len(asked.get("/api/e/demo/calls").json["calls"]) == 5
        assert asked.get("/api/home").json["evaluations"][0]["totals"]["succeeded"] == 4
        assert sorted(path.name for path in folder.iterdir()) == before
        if os.geteuid():
            call = asked.get("/api/e/demo/calls").json["calls"][0]["call"]
            said = asked.post("/api/e/demo/ratings", {"call": call, "scale": "1-5", "value": 4})
            assert said.status == 404 and "cannot be kept" in said.json["error"]
    finally:
        folder.chmod(0o755)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_evaluations_of_earlier_versions_have_every_view(tmp_path, serve, version):
    two_models(tmp_path / "demo")
    downgrade(tmp_path / "demo", version)
    asked = serve(tmp_path)
    (row,) = asked.get("/api/home").json["evaluations"]
    assert (row["problem"], row["totals"]["succeeded"], row["totals"]["failed"]) == (None, 4, 1)
    call = asked.get("/api/e/demo/calls?status=failed").json["calls"][0]["call"]
    views = ("", "/pace", "/failures", "/scores", "/rankings", "/compare", "/ratings", "/control")
    for part in (*views, f"/calls/{call}"):
        assert asked.get(f"/api/e/demo{part}").status == 200, part


def test_what_is_damaged_is_listed_with_its_reason(tmp_path, serve):
    two_models(tmp_path / "demo")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "evaluation.db").write_bytes(b"no database" * 100)
    asked = serve(tmp_path)
    rows = {row["id"]: row for row in asked.get("/api/home").json["evaluations"]}
    assert rows["bad"]["problem"] and rows["demo"]["problem"] is None
    assert asked.get("/api/e/bad").status == 404
