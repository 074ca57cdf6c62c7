"""Pages of calls, and what is asked about one evaluation."""

from __future__ import annotations

import csv
import io

import pytest

from report.making import FLASH, GEMMA, Done, answer, failure, spec, two_models, work
from report.test_workers import evaluation
from umwelten.evaluation.scoring.table_scores import TableScores
from umwelten.report.queries.call_pages import CallFilter, call_page, count, neighbours
from umwelten.report.queries.side_by_side import LONGEST
from umwelten.scoring.judge.human_labels import read_label
from umwelten.scoring.judge.scale import make_scale
from umwelten.store.reader import Reader
from umwelten.store.tables import FAILED
from umwelten.types import FailureKind, Prompt
from viewkit import viewed

FILES = [f"f{number:02}.txt" for number in range(40)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """40 files, two models: every ninth call fails, and the last three files are pending with Flash."""
    folder = tmp_path_factory.mktemp("out") / "demo"

    def end(call):
        number = call.input.id * 2 + call.model
        if call.input.id > 37 and call.model == 2:
            return None
        if number % 9 == 0:
            return Done(failure(f"no {number}%", FailureKind.SERVER), at=number, took=0.5, cost=None)
        return Done(answer(f"answer {number} a_b"), at=number, took=1 + number % 7, cost=number % 5 * 1000)

    work(folder, spec(models=(GEMMA, FLASH)), FILES, end)
    return folder


@pytest.fixture
def reader(folder):
    with Reader.open(folder) as reader:
        yield reader


def walk(reader, *args, **options):
    """All pages forwards, then all back from the last one; both must be the same calls."""
    pages = [call_page(reader, *args, limit=7, **options)]
    while pages[-1].after is not None:
        pages.append(call_page(reader, *args, limit=7, after=pages[-1].after, **options))
    assert pages[0].before is None
    back = [pages[-1]]
    while back[-1].before is not None:
        back.append(call_page(reader, *args, limit=7, before=back[-1].before, **options))
    forwards = [call.call for page in pages for call in page.calls]
    assert [call.call for page in reversed(back) for call in page.calls] == forwards
    return [call for page in pages for call in page.calls]


def test_pages_hold_every_call_once(reader):
    calls = walk(reader)
    assert len({call.call for call in calls}) == len(calls) == count(reader, CallFilter()) == 77
    assert [call.call for call in calls] == sorted(call.call for call in calls)
    assert (calls[0].file, calls[0].model, calls[0].text) == ("f00.txt", "ollama:gemma3:12b", "answer 3 a_b")


@pytest.mark.parametrize("order", ["ended", "duration", "cost"])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_are_sorted(reader, order, descending):
    calls = walk(reader, order=order, descending=descending)
    values = {
        "ended": lambda call: call.ended_at,
        "duration": lambda call: call.response_s,
        "cost": lambda call: -1 if call.cost_usd is None else call.cost_usd,
    }
    found = [(values[order](call), call.call) for call in calls]
    assert found == sorted(found, reverse=descending)
    assert len(found) == 77


@pytest.mark.parametrize(
    ("wanted", "holds"),
    [
        ({"status": "failed"}, lambda call: call.kind == "server"),
        (
            {"status": "succeeded", "model": "google:gemini-2.5-flash"},
            lambda call: call.model == "google:gemini-2.5-flash" and call.kind is None,
        ),
        ({"kind": "server"}, lambda call: call.status == "failed"),
        ({"input": "F1"}, lambda call: call.file.startswith("f1")),
        ({"words": ("ANSWER", "1")}, lambda call: "answer" in call.text and "1" in call.text),
        ({"words": ("a_b",)}, lambda call: call.kind is None),
        ({"words": ("a%b",)}, lambda call: False),
        ({"words": ("r_",)}, lambda call: False),
        ({"words": ("%",)}, lambda call: call.kind == "server"),
    ],
)
def test_filters(reader, wanted, holds):
    everything = walk(reader)
    found = walk(reader, CallFilter(**wanted))
    assert all(map(holds, found))
    assert (
        len(found) == len([call for call in everything if holds(call)]) == count(reader, CallFilter(**wanted))
    )


def test_pending_calls_are_those_of_the_grid_without_a_row(reader):
    page = call_page(reader, CallFilter(status="pending"), limit=2)
    rest = call_page(reader, CallFilter(status="pending"), limit=2, after=page.after)
    assert [(call.file, call.model) for call in (*page.calls, *rest.calls)] == [
        (name, "google:gemini-2.5-flash") for name in FILES[37:]
    ]
    assert rest.after is None


def test_the_middle_is_about_half_way(reader):
    page = call_page(reader, at=0.5, limit=10)
    assert page.calls[0].file in ("f19.txt", "f20.txt") and page.before and page.after
    assert abs(page.share - 0.5) < 0.05
    assert call_page(reader, at=0.0).before is None
    assert call_page(reader, at=1.0, limit=10).calls
    assert call_page(reader, at=0.5, order="cost", limit=5).calls


def test_neighbours_are_those_of_the_list(reader):
    failed = [call.call for call in walk(reader, CallFilter(status="failed"), order="ended", descending=True)]
    wanted = CallFilter(status="failed")
    assert neighbours(reader, failed[1], wanted, order="ended", descending=True) == (failed[0], failed[2])
    assert neighbours(reader, failed[0], wanted, order="ended", descending=True) == (None, failed[1])


# --- over HTTP -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(folder):
    with viewed(folder.parent) as asked:
        yield asked


def test_the_home_list_has_counts_and_words(asked):
    home = asked.get("/api/home").json
    (row,) = home["evaluations"]
    assert (row["id"], row["problem"]) == ("demo", None)
    totals = row["totals"]
    assert (totals["calls"], totals["succeeded"], totals["failed"], totals["pending"]) == (80, 68, 9, 3)
    assert totals["status"] == "incomplete"


def test_totals_are_those_of_the_report(asked, reader):
    from umwelten.report.queries import overviews

    totals = asked.get("/api/home").json["evaluations"][0]["totals"]
    overview = overviews.overview(reader)
    figures = overview.summary
    assert [totals[name] for name in ("calls", "succeeded", "failed", "pending")] == [
        figures.calls, figures.succeeded, figures.failed, figures.pending,
    ]  # fmt: skip
    assert totals["cost_usd"] == pytest.approx(overview.cost.total_usd)
    assert [totals[name] for name in ("input_tokens", "output_tokens")] == [
        overview.cost.usage.input_tokens, overview.cost.usage.output_tokens,
    ]  # fmt: skip
    assert [(one["succeeded"], one["mean_s"]) for one in totals["models"]] == [
        (one.figures.succeeded, one.figures.average_response_s) for one in overview.models
    ]


def test_tokens_that_nobody_counted_are_unknown(tmp_path, serve):
    work(tmp_path / "demo", spec(), ["a.txt"], lambda call: Done(answer(tokens=(None, None))))
    totals = serve(tmp_path).get("/api/home").json["evaluations"][0]["totals"]
    assert (totals["succeeded"], totals["input_tokens"], totals["output_tokens"]) == (1, None, None)


def test_failures_are_told_by_kind_and_message_with_what_to_do(asked, monkeypatch):
    def told():
        return asked.get("/api/e/demo/failures").json

    kinds = told()
    assert sum(kind["count"] for kind in kinds) == 9
    for kind in kinds:
        assert sum(one["count"] for one in kind["messages"]) == kind["count"]
        assert all(one["advice"] for one in kind["messages"])
    monkeypatch.setattr("umwelten.report.queries.stored_failures._LOOKED_AT", 2)
    assert sum(one["count"] for kind in told() for one in kind["messages"]) == 2
    assert sum(kind["count"] for kind in told()) == 9


def test_a_call_has_all_that_is_stored(asked):
    listed = asked.get("/api/e/demo/calls?status=failed&limit=1").json["calls"][0]
    said = asked.get(f"/api/e/demo/calls/{listed['call']}?status=failed").json
    assert said["call"]["error"]["message"] == listed["text"]
    assert said["call"]["attempts"][0]["http_status"] == 404
    assert said["before"] is None and said["after"] > listed["call"]


def test_a_call_says_where_it_is_known_from_what_was_sent(asked):
    listed = asked.get("/api/e/demo/calls?limit=1").json["calls"][0]
    sent = asked.get(f"/api/e/demo/calls/{listed['call']}").json["call"]["asked"]
    assert sent["source"] in ("stored", "read", "changed since", "not kept")
    assert set(sent) >= {"text", "row", "input_text", "earlier_answer", "memory", "media", "note"}


def test_workers_are_told_as_in_reports(asked, tmp_path, serve):
    assert asked.get("/api/e/demo/workers").json["rows"] == []
    evaluation(tmp_path / "fleet")
    found = serve(tmp_path).get("/api/e/fleet/workers").json
    assert found["head"][-3:] == ["attempts", "answered", "mean time"]
    assert found["rows"][1] == ["node|7", "2", "1 × timeout", "killed", "1", "0", "2.00 s"]


def test_the_pace_counts_every_attempt(asked):
    pace = asked.get("/api/e/demo/pace").json
    assert (sum(pace["answered"]), sum(pace["failed"]), sum(pace["refused"])) == (68, 9, 0)


def test_answers_side_by_side(asked):
    page = asked.get("/api/e/demo/compare?limit=3").json
    assert [column["model"] for column in page["columns"]] == ["ollama:gemma3:12b", "google:gemini-2.5-flash"]
    assert [row["file"] for row in page["rows"]] == FILES[:3]
    assert page["rows"][0]["same"] is False
    other = asked.get(f"/api/e/demo/compare?limit=50&after={page['after']}").json
    assert [row["file"] for row in other["rows"]] == FILES[3:]
    assert other["after"] is None or not asked.get(f"/api/e/demo/compare?after={other['after']}").json["rows"]
    two = asked.get("/api/e/demo/compare?with=demo&input=f05").json
    assert len(two["rows"]) == 1


def test_long_answers_are_compared_to_their_end(tmp_path, serve):
    ends = {0: "\n same end", 1: " same  end", 2: " another"}
    for name, models in (("alike", (0, 1)), ("unlike", (0, 2))):
        texts = {number: "x" * LONGEST + ends[end] for number, end in zip((1, 2), models, strict=True)}
        work(
            tmp_path / name,
            spec(models=(GEMMA, FLASH)),
            ["a.txt"],
            lambda call, texts=texts: Done(answer(texts[call.model])),
        )
    asked = serve(tmp_path)
    assert asked.get("/api/e/alike/compare").json["rows"][0]["same"] is True
    assert asked.get("/api/e/unlike/compare").json["rows"][0]["same"] is False
    assert len(asked.get("/api/e/unlike/compare?differing=1").json["rows"]) == 1


def test_two_evaluations_side_by_side(tmp_path, serve):
    two_models(tmp_path / "a")
    two_models(tmp_path / "b")
    page = serve(tmp_path).get("/api/e/a/compare?with=b").json
    assert [column["evaluation"] for column in page["columns"]] == [0, 0, 1, 1]
    assert [row["answers"][0]["text"] for row in page["rows"]] == [
        row["answers"][2]["text"] for row in page["rows"]
    ]


# --- ratings ---------------------------------------------------------------------------------------


@pytest.fixture
def rated(tmp_path, serve):
    two_models(tmp_path / "demo")
    asked = serve(tmp_path)
    calls = asked.get("/api/e/demo/calls?status=succeeded").json["calls"]
    return asked, calls, tmp_path / "demo"


def test_ratings_are_kept_beside_the_evidence_and_exported_for_a_judge(rated, tmp_path):
    asked, calls, folder = rated
    before = (folder / "evaluation.db").read_bytes()
    for value, call in zip((1, 5, 3), calls, strict=False):
        said = asked.post(
            "/api/e/demo/ratings",
            {"call": call["call"], "scale": "1-5", "value": value, "comment": "=1+1 so\nso"},
        )
        assert said.json["rating"]["value"] == value
    asked.post("/api/e/demo/ratings", {"call": calls[3]["call"], "scale": "pass/fail", "value": 0})
    asked.post("/api/e/demo/ratings", {"call": calls[1]["call"], "scale": "1-5"})  # taken back
    assert (folder / "evaluation.db").read_bytes() == before
    assert [one["call"] for one in asked.get("/api/e/demo/ratings").json["ratings"]] == [
        calls[0]["call"], calls[2]["call"], calls[3]["call"],
    ]  # fmt: skip
    said = asked.get("/api/e/demo/labels.csv?scale=1-5")
    assert said.headers["Content-Disposition"] == 'attachment; filename="demo-labels.csv"'
    rows = list(csv.DictReader(io.StringIO(said.body.decode())))
    assert [(row["file"], row["value"]) for row in rows] == [(calls[0]["file"], "1"), (calls[2]["file"], "3")]
    assert rows[0]["reason"] == "'=1+1 so so"
    assert (
        asked.get("/api/e/demo/labels.csv?scale=pass/fail").body.decode().splitlines()[1].endswith(",1,fail,")
    )
    path = tmp_path / "labels.csv"
    path.write_bytes(said.body)
    scale = make_scale("1-5", None)
    table = TableScores.of_labels(None, path, lambda column, text: read_label(scale, value=text))
    assert [row.value for row in table._rows.values()] == [0.0, 0.5]


@pytest.mark.parametrize(
    "rating",
    [
        {"scale": "1-5", "value": 6},
        {"scale": "1-5", "value": 2.5},
        {"scale": "pass/fail", "value": 5},
        {"scale": "1-10", "value": 5},
        {"scale": "1-5", "value": "5"},
        {"scale": "1-5", "value": 5, "path": "/etc"},
        {"scale": "1-5", "value": 5, "call": 1},
        {"scale": "1-5", "value": 5, "comment": "x" * 10_001},
    ],
)
def test_what_is_no_rating_is_refused(asked, rating):
    (call,) = asked.get("/api/e/demo/calls?status=succeeded&limit=1").json["calls"]
    assert asked.post("/api/e/demo/ratings", {"call": call["call"], **rating}).status == 400
    assert asked.get("/api/e/demo/ratings").json["ratings"] == []


def test_a_rating_is_of_the_answer_that_was_rated(rated):
    from report.making import change

    asked, calls, folder = rated
    asked.post("/api/e/demo/ratings", {"call": calls[0]["call"], "scale": "1-5", "value": 5})
    change(folder, "UPDATE calls SET key = 'another' WHERE id = ?", (calls[0]["call"],))
    assert asked.get("/api/e/demo/ratings").json["ratings"] == []


def test_a_failure_is_no_answer_to_be_rated(rated):
    from report.making import change

    asked, calls, folder = rated
    (failed,) = asked.get("/api/e/demo/calls?status=failed").json["calls"]
    said = asked.post("/api/e/demo/ratings", {"call": failed["call"], "scale": "pass/fail", "value": 0})
    assert (said.status, said.json["error"]) == (400, f"call {failed['call']} has no answer")
    asked.post("/api/e/demo/ratings", {"call": calls[0]["call"], "scale": "1-5", "value": 5})
    assert len(asked.get("/api/e/demo/ratings").json["ratings"]) == 1
    change(folder, f"UPDATE calls SET status = {FAILED} WHERE id = ?", (calls[0]["call"],))
    assert asked.get("/api/e/demo/ratings").json["ratings"] == []


def test_several_prompts_are_columns_of_their_own(tmp_path, serve):
    prompts = (Prompt(name="short", text="Say it."), Prompt(name="long", text="Explain it."))
    work(tmp_path / "demo", spec(prompts=prompts), ["a.txt"], lambda call: Done(answer(f"by {call.model}")))
    asked = serve(tmp_path)
    (call,) = asked.get("/api/e/demo/calls?prompt=long").json["calls"]
    assert call["prompt"] == "long"
    assert [one["prompt"] for one in asked.get("/api/e/demo/compare").json["columns"]] == ["short", "long"]


def test_ratings_that_cannot_be_read_hide_no_answer(asked, folder):
    path = folder / "ratings.db"
    before = path.read_bytes() if path.exists() else None
    (call,) = asked.get("/api/e/demo/calls?status=succeeded&limit=1").json["calls"]
    path.write_bytes(b"no database of anybody's")
    try:
        said = asked.get(f"/api/e/demo/calls/{call['call']}")
        assert (said.status, said.json["rating"]) == (200, None)
        assert asked.get("/api/e/demo/ratings").status == 404
    finally:
        path.unlink() if before is None else path.write_bytes(before)
