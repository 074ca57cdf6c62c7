"""Ranking from Python: the board, what is stored, jobs and mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.scoredkit import evaluate, write_table

import umwelten
from rankkit import Ask, JudgeServer, judges
from umwelten.api.judging_options import RankArguments, SuiteArguments
from umwelten.api.ranking_work import RankingWork
from umwelten.config.options import OF_RANK, OF_SUITE, OPTIONS
from umwelten.events import CallSucceeded, Event, Note

JUDGE = "lmstudio:judge"
BEST, WORST = "openai:best", "openai:worst"


def longer(ask: Ask) -> str:
    """The longer answer is better."""
    return "first" if len(ask.first) > len(ask.second) else "second"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JudgeServer]:
    monkeypatch.chdir(tmp_path)
    with judges(longer) as running:
        for name, value in running.env().items():
            monkeypatch.setenv(name, value)
        yield running


def answered(id: str = "x", files: int = 8, **models: int) -> umwelten.Results:
    """An evaluation in which each model's answers have so many letters; 0 is a failed call."""
    models = models or {"best": 9, "mid": 6, "worst": 3}
    rows = [{"n": n, **{name: name[0] * length for name, length in models.items()}} for n in range(files)]
    for row in rows[:2]:  # so that nobody wins always
        row["worst"] = "w" * 12
    path = write_table(Path(f"{id}.csv"), rows)
    return umwelten.Results(evaluate(path, {f"openai:{name}": name for name in models}, id=id))


def test_a_ranking_has_a_board_judges_and_tables(server: JudgeServer) -> None:
    results = answered()
    seen: list[Event] = []
    job = results.rank(JUDGE, "Which is longer?", on_event=seen.append)
    ranking = job.wait()
    assert (ranking.id, ranking.of, job.id, job.folder) == ("x.rank", ("x",), "x.rank", ranking.folder)
    assert [line.name for line in ranking] == [BEST, "openai:mid", WORST]
    line = ranking[BEST]
    assert (line.rank, line.best_rank, line.wins, line.losses) == (1, 1, 14, 2)
    assert line.low is not None and line.high is not None
    assert line.low < line.points < line.high
    assert (ranking.judged, ranking.unscored, len(ranking.compared)) == (24, {}, 3)
    assert (ranking.judges[0].judge, ranking.judges[0].given) == (JUDGE, 48)
    assert sum(isinstance(event, CallSucceeded) for event in seen) == len(server.asks) == 48
    assert "Which is longer?" in server.asks[0].text
    assert BEST in ranking.table
    assert BEST in ranking._repr_html_()
    frame, table, polar = ranking.to_pandas(), job.to_arrow(), ranking.to_polars()
    assert list(frame.columns) == table.column_names == polar.columns
    assert list(frame["model"]) == [BEST, "openai:mid", WORST]
    assert list(frame["wins"]) == [14, 6, 4]
    ranking.report("board.html")
    assert BEST in Path("board.html").read_text()
    with pytest.raises(KeyError, match="Did you mean 'openai:best'"):
        ranking["openai:bset"]


def test_a_stored_ranking_is_read_and_nothing_is_asked_twice(server: JudgeServer) -> None:
    results = answered()
    assert results.rankings == ()
    first = umwelten.rank("x", JUDGE).wait()
    asked = len(server.asks)
    again = umwelten.rank(results.folder, judge=[JUDGE]).wait()
    assert len(server.asks) == asked
    (of_answers,), (own,) = umwelten.open("x").rankings, umwelten.open("x.rank").rankings
    for ranking in (again, of_answers, own):
        assert (ranking.id, ranking.board, ranking.folder) == (first.id, first.board, first.folder)


def test_pairs_are_a_share_or_a_number_and_control_is_of_length_or_of_the_run(server: JudgeServer) -> None:
    answered()
    some = umwelten.rank("x", JUDGE, pairs=0.25, seats="one", control=False).wait()
    assert (some.drawn, len(server.asks)) == (6, 6)
    assert umwelten.rank("x", JUDGE, pairs="50%", seats="one").wait().drawn == 12
    assert umwelten.rank("x", JUDGE, pairs=15, seats="one").wait().drawn == 15
    whole = umwelten.rank("x", JUDGE, seats="one", control="length", bootstrap=100).wait()
    assert whole.drawn == 24
    assert whole.length is not None or whole.notes
    against = umwelten.rank("x", JUDGE, against=WORST, id="y").wait()
    assert (against.drawn, against.id) == (16, "y")


@pytest.mark.parametrize(
    ("ids", "options", "said"),
    [
        ("x", {"pairs": 1.5}, r"pairs cannot be 1\.5"),
        ("x", {"pairs": True}, "pairs cannot be True"),
        ("x", {"pairs": "120%"}, "pairs"),
        ("x", {"control": "size"}, "control"),
        ("x", {"seats": "two"}, "seats"),
        ("x", {"judge": None}, 'judge="provider:model"'),
        ("x", {"question": "{{row.n}}"}, "^question "),
        ("x", {"against": "openai:bets"}, 'against="openai:bets"'),
        ("x", {"bootstrap": 5}, "bootstrap"),
        ("x", {"report": "board.junit.xml"}, "a ranking has none"),
        ("y", {}, "y"),
        ([], {}, "nothing to rank"),
        ([3], {}, "3 cannot be ranked"),
        (["x", Path("elsewhere/x")], {}, "is not in"),
    ],
)
def test_mistakes_are_said_as_arguments_before_anything_is_asked(
    server: JudgeServer, ids: Any, options: dict[str, Any], said: str
) -> None:
    answered()
    with pytest.raises(umwelten.UmweltenError, match=said) as caught:
        umwelten.rank(ids, **{"judge": JUDGE, **options}).wait()
    assert "--" not in str(caught.value)
    assert server.asks == []
    assert not Path("output/x.rank").exists()


def test_an_argument_that_there_is_not_is_a_type_error(server: JudgeServer) -> None:
    with pytest.raises(TypeError, match="Did you mean 'samples'"):
        umwelten.rank("x", JUDGE, sampels=3)  # type: ignore[call-arg]


def test_another_question_needs_another_id(server: JudgeServer) -> None:
    answered()
    umwelten.rank("x", JUDGE).wait()
    with pytest.raises(umwelten.UsageError, match="asked otherwise before") as caught:
        umwelten.rank("x", JUDGE, "Which is kinder?").wait()
    assert "overwrite=True" in str(caught.value)
    assert umwelten.rank("x", JUDGE, "Which is kinder?", overwrite=True).wait().question == "Which is kinder?"


def test_what_cannot_be_judged_is_no_loss(server: JudgeServer) -> None:
    answered(best=9, mid=0, worst=3)
    ranking = umwelten.rank("x", JUDGE).wait()
    assert ranking.unscored == {"no_answer": 16}
    server.judge = lambda ask: ""
    failed = umwelten.rank("x", JUDGE, "Other?", id="y", retries=0).wait()
    assert failed.unscored == {"no_answer": 16, "judge_failed": 8}
    assert failed.judged == 0


def test_a_job_is_awaited_and_stopped_as_others_are(server: JudgeServer) -> None:
    answered()

    def stopping(event: Event) -> None:
        if isinstance(event, CallSucceeded):
            job.stop()

    job = umwelten.rank("x", JUDGE, max_concurrency=1, on_event=stopping)
    ranking = job.wait()
    assert ranking.unscored["pending"] > 0
    status = job.status()
    assert status is not None
    assert umwelten.open("x.rank").status == "stopped"

    async def rest() -> umwelten.Ranking:
        async with umwelten.rank("x", JUDGE) as job:
            return await job

    assert asyncio.run(rest()).judged == 24
    with pytest.warns(umwelten.NeverRun):
        umwelten.rank("x", JUDGE)


def test_progress_and_notes_are_those_of_any_job(
    server: JudgeServer, capsys: pytest.CaptureFixture[str]
) -> None:
    answered()
    seen: list[Event] = []
    umwelten.rank("x", [JUDGE, JUDGE], progress="plain", on_event=seen.append).wait()
    assert "x.rank: 48 of 48 calls" in capsys.readouterr().err
    assert any(
        "listed twice" in event.text or "twice" in event.text for event in seen if isinstance(event, Note)
    )


@pytest.mark.parametrize(
    ("arguments", "options", "own"),
    [
        (RankArguments, OF_RANK, {"judge"}),
        (SuiteArguments, OF_SUITE, {"models"}),
    ],
)
def test_the_arguments_are_the_options_of_the_command(
    arguments: Any, options: tuple[str, ...], own: set[str]
) -> None:
    named = {"control" if name == "control_for" else name for name in options}
    terminal = {"json", "progress", "verbose", "debug", "yes", "dry_run", "estimate", "on_end"}
    assert set(arguments.__annotations__) == named - terminal - own
    assert set(arguments.__annotations__) <= OPTIONS.keys()


@pytest.mark.parametrize("control", [False, True])
def test_a_truth_value_of_control_is_that_of_the_run(server: JudgeServer, control: bool) -> None:
    answered()
    work = RankingWork(["x"], None, {"judge": JUDGE, "control": control}, lambda event: None)
    work.close()
    assert work.settings.get("control") is control
    assert work.settings.get("control_for") is None
