"""Scoring from Python: figures, single scores, tables, functions as scorers, jobs."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from tests.scoredkit import evaluate, write_table

import umwelten
from provider import Profile, Provider, provider
from umwelten.api.function_scorer import AT_A_TIME
from umwelten.api.scorers.function_identity import function_digest
from umwelten.events import Event, Note
from umwelten.simulate.faultserver.profile import Behaviour
from umwelten.store.scores.store import ScoreStore

TABLE = [
    {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris!"},
    {"n": "2", "want": "Rome", "a": "Rome", "b": "Oslo"},
    {"n": "3", "want": "", "a": "Berlin", "b": ""},
]
A, B = "p:a", "p:b"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> umwelten.Results:
    """Two models and three rows: b failed at the last, which has no reference either."""
    monkeypatch.chdir(tmp_path)
    evaluate(write_table(tmp_path / "q.csv", TABLE), {A: "a", B: "b"}, output=tmp_path)
    return umwelten.open("x", tmp_path)


def values(scores: umwelten.Scores, scorer: str) -> list[float | str | None]:
    """The values of a scorer, or why there is none, by row and model."""
    return [each.unscored or each.value for each in scores if each.scorer == scorer]


# --- what comes out --------------------------------------------------------------------------


def test_figures_are_by_scorer_and_model(results: umwelten.Results) -> None:
    scores = results.score(
        right=umwelten.Contains("{{row.want}}"), exact="exact", expected="{{row.want}}"
    ).wait()
    assert list(scores["right"]) == [A, B]
    row = scores["right"][A]
    assert (row.mean, row.scored, row.unscored, row.bounds) == (1.0, 2, {"no_reference": 1}, (2 / 3, 1.0))
    assert row.low is not None
    assert 0.3 < row.low < row.high == 1.0
    assert row.pass_ is not None
    assert row.pass_.mean == 1.0
    assert scores["right"][B].unscored == {"no_answer": 1}
    assert scores["exact"][A].mean == 0.5
    assert scores["total"][A].mean == 0.75
    assert [scorer.name for scorer in scores.scorers] == ["right", "exact"]
    assert [pick.scorer for pick in scores.picks] == ["total", "right", "exact"]


def test_a_difference_has_the_direction_that_it_is_asked_for(results: umwelten.Results) -> None:
    scores = results.score(right="contains", expected="{{row.want}}").wait()
    there, back = scores.difference("right", A, B), scores.difference("right", B, A)
    assert (there.first.model, back.first.model) == (A, B)
    assert there.mean == 0.5 == -(back.mean or 0)
    assert (back.low, back.high) == (-(there.high or 0), -(there.low or 0))
    assert there.p == back.p == 1.0
    assert there.files == 2
    for wrong in (("rigth", A, B), ("right", "p:c", B), ("right", A, A)):
        with pytest.raises(umwelten.UsageError):
            scores.difference(*wrong)


def test_single_scores_have_their_answers(results: umwelten.Results) -> None:
    scores = results.score(right="contains", expected="{{row.want}}").wait()
    assert values(scores, "right") == [1.0, 1.0, 1.0, 0.0, "no_reference", "no_answer"]
    last = list(scores)[-1]
    assert (last.answer.model, last.answer.ok, last.value, last.passed) == (B, False, None, None)
    first = next(iter(scores))
    assert (first.answer.text, first.answer.file, first.scorer, first.passed) == (
        "It is Paris.",
        results[0].file,
        "right",
        True,
    )


def test_scores_are_tables_of_three_libraries(results: umwelten.Results) -> None:
    job = results.score(right="contains", expected="{{row.want}}")
    frame, table, polar = job.to_pandas(), job.to_arrow(), job.to_polars()
    assert list(frame.columns) == table.column_names == polar.columns
    assert list(frame["value"][:4]) == polar["value"].to_list()[:4] == [1.0, 1.0, 1.0, 0.0]
    assert table["passed"].to_pylist() == [True, True, True, False, None, None]
    assert list(frame["unscored"][4:]) == ["no_reference", "no_answer"]


def test_stored_scores_are_read_without_scoring(results: umwelten.Results) -> None:
    assert results.scores.scorers == ()
    assert list(results.scores) == []
    with pytest.raises(KeyError, match="no scores"):
        results.scores["right"]
    results.score(right="contains:Paris").wait()
    assert results.scores["right"][A].scored == 3
    with pytest.raises(KeyError, match="Did you mean 'right'"):
        results.scores["rigth"]


def test_gates_come_with_the_scores(results: umwelten.Results) -> None:
    scores = results.score(right="contains:Paris", fail_under=["right >= 90%", "right >= 0"]).wait()
    assert [gate.outcome for gate in scores.gates] == ["missed", "met"]


def test_a_gate_stays_while_other_scorers_are_named(results: umwelten.Results) -> None:
    results.score(right="contains:Paris", fail_under="right >= 90%").wait()
    scores = results.score(short="length:1..9 words").wait()
    assert [(gate.gate, gate.outcome) for gate in scores.gates] == [("right >= 90%", "missed")]
    with ScoreStore.open(results.folder) as store:
        store.remove_scorers(["right"])
    assert results.score().wait().gates == ()


def test_without_scorers_those_that_are_stored_go_on(results: umwelten.Results, tmp_path: Path) -> None:
    results.score(right=umwelten.Contains("{{row.want}}")).wait()
    write_table(tmp_path / "q.csv", [{**TABLE[0], "want": "Oslo"}, *TABLE[1:]])
    assert values(results.score().wait(), "right")[0] == 0.0
    with pytest.raises(umwelten.UsageError, match="stored evaluation alone"):
        results.score(own=lambda answer: True).wait()
        results.score().wait()


# --- functions -------------------------------------------------------------------------------


def test_a_function_gets_what_it_names_and_says_what_it_likes(results: umwelten.Results) -> None:
    seen: list[Any] = []

    def own(answer: umwelten.Answer, row: dict[str, str], expected: str | None = None) -> Any:
        seen.append((answer.model, row["n"], expected))
        said = [True, 0.25, None, umwelten.Score(value=0.5, reason="so so", passed=True), 1.7]
        return said[len(seen) - 1]

    scores = results.score(own=own, expected="{{row.want}}").wait()
    assert seen == [(A, "1", "Paris"), (B, "1", "Paris"), (A, "2", "Rome"), (B, "2", "Rome"), (A, "3", None)]
    assert values(scores, "own") == [1.0, 0.25, "judge_declined", 0.5, "scorer_error", "no_answer"]
    assert [each.passed for each in scores][:4] == [True, None, None, True]
    rows = list(scores)
    assert rows[3].reason == "so so"
    assert "a value from 0 to 1" in str(rows[4].message)


def test_an_exception_concerns_one_answer_and_says_where(results: umwelten.Results) -> None:
    def own(answer: umwelten.Answer) -> float:
        return 1 / (answer.text != "Rome")

    scores = results.score(own=own).wait()
    assert values(scores, "own") == [1.0, 1.0, "scorer_error", 1.0, 1.0, "no_answer"]
    message = str(list(scores)[2].message)
    assert message.startswith("ZeroDivisionError: division by zero (test_scores.py, line ")


def test_a_function_that_needs_a_reference_is_not_called_without(results: umwelten.Results) -> None:
    def own(answer: umwelten.Answer, expected: str) -> bool:
        return expected in str(answer.text)

    scores = results.score(own=umwelten.Function(own, expected="{{row.want}}")).wait()
    assert values(scores, "own") == [1.0, 1.0, 1.0, 0.0, "no_reference", "no_answer"]


def test_what_says_only_yes_or_no_has_the_interval_of_a_rate(results: umwelten.Results) -> None:
    scores = results.score(yes=lambda answer: True, part=lambda answer: len(answer.text) / 100).wait()
    assert scores["yes"][A].method == "wilson"
    assert scores["yes"][A].low != 1.0
    assert scores["part"][A].method == "t"


def test_async_functions_are_asked_about_several_answers_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = write_table(tmp_path / "q.csv", [{"n": str(n), "a": str(n)} for n in range(3 * AT_A_TIME)])
    evaluate(table, {A: "a"}, output=tmp_path)
    active, most = 0, 0

    async def own(answer: umwelten.Answer) -> float:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0 if int(str(answer.text)) % 2 else 0.001)
        active -= 1
        if answer.text == "7":
            raise asyncio.CancelledError
        return int(str(answer.text)) / 100

    scores = umwelten.open("x", tmp_path).score(own=own).wait()
    expected = [n / 100 if n != 7 else "scorer_error" for n in range(3 * AT_A_TIME)]
    assert values(scores, "own") == expected
    assert 1 < most <= AT_A_TIME


def test_a_function_is_the_same_as_long_as_it_does_the_same() -> None:
    def closing(number: float) -> Callable[[Any], float]:
        return lambda answer: number

    same = function_digest(closing(0.5))
    assert same is not None
    assert function_digest(closing(0.5)) == same != function_digest(closing(0.25))
    assert function_digest(lambda answer: 1) != function_digest(lambda answer: True)
    assert function_digest(lambda answer, expected: answer) != function_digest(
        lambda expected, answer: answer
    )
    assert function_digest(lambda answer: {"a", "b"}) is not None
    client = object()
    assert function_digest(lambda answer: client) is None
    assert function_digest(Path("x").joinpath) is None


def test_what_a_function_uses_is_part_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    code = """
import re
import rules
from rules import Scale
LIMIT = {limit}
def own(answer):
    return rules.near(answer, LIMIT) and Scale().top and re.search("x", answer)
"""
    rules = """
class Scale:
    @property
    def top(self): return {top}
def near(answer, limit): return helper(limit)
def helper(limit): return limit < {less}
def unused(): return {unused}
"""

    def digest(limit: int = 1, top: int = 1, less: int = 1, unused: int = 1, blank: str = "") -> str | None:
        for name, text in (("rules", rules), ("checks", code)):
            module = ModuleType(name)
            module.__file__ = str(tmp_path / f"{name}.py")
            monkeypatch.setitem(sys.modules, name, module)
            exec(blank + text.format(limit=limit, top=top, less=less, unused=unused), vars(module))
        return function_digest(sys.modules["checks"].own)

    same = digest()
    assert same is not None
    assert digest() == digest(unused=2) == digest(blank="# another line\n") == same
    assert len({same, digest(limit=2), digest(top=2), digest(less=2)}) == 4


def counting(answer: umwelten.Answer) -> bool:
    """A scorer that leaves a trace where no hash sees it."""
    import umwelten.api.scores as home

    vars(home).setdefault("_calls", []).append(answer.text)
    return True


def test_a_function_that_did_not_change_is_not_called_again(
    results: umwelten.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr("umwelten.api.scores._calls", calls, raising=False)
    assert values(results.score(own=counting).wait(), "own")[:5] == [1.0] * 5
    assert len(calls) == 5
    results.score(own=counting).wait()
    assert len(calls) == 5

    def remembering(answer: umwelten.Answer) -> bool:
        calls.append(str(answer.text))
        return len(calls) > 0

    calls.clear()
    results.score(own=remembering).wait()
    results.score(own=remembering).wait()
    assert len(calls) == 10, "what it closes over has another content, so that it may say something else"


# --- mistakes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scorers", "said"),
    [
        ({"right": "contain:Paris"}, "Did you mean contains?"),
        ({"right": umwelten.Number(5, take="lst")}, "did you mean last?"),  # type: ignore[arg-type]
        ({"right": umwelten.Contains("Rome", value="Paris")}, "two answers"),
        ({"right": umwelten.Exact(Path("nothing.csv"))}, "nothing.csv"),
        ({"right": umwelten.Exact()}, "expected"),
        ({"right": umwelten.Regex}, "value"),
        ({"right": 7}, "a function"),
        ({"total": "exact:Paris"}, "meaning of their own"),
        ({"own": lambda answr: True}, "Did you mean answer?"),
        ({"own": lambda answer, expected: True}, "takes expected"),
        ({"own": umwelten.Function(lambda answer: True, at_least=7)}, "at_least"),
        ({"expcted": "{{row.want}}"}, "Did you mean expected=?"),
    ],
    # Functions have addresses, and every process of the tests must have the same names.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_errors_before_anything_is_written(
    results: umwelten.Results, scorers: dict[str, Any], said: str
) -> None:
    with pytest.raises(umwelten.UmweltenError) as caught:
        results.score(**scorers).wait()
    assert said in str(caught.value)
    assert "--" not in str(caught.value)
    assert not (results.folder / "scores.db").exists()


def test_scorers_may_have_the_names_of_arguments(results: umwelten.Results) -> None:
    scores = results.score({"expected": "contains:Paris", "judge": lambda answer: True}).wait()
    assert [scorer.name for scorer in scores.scorers] == ["expected", "judge"]


# --- judges ----------------------------------------------------------------------------------


def test_a_judge_is_asked_once_about_every_answer(
    results: umwelten.Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = '{"reason": "as it should be", "verdict": "pass"}'
    with provider(Profile(default=Behaviour(text=said, shaped="ignore"))) as server:
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        polite = umwelten.Judge("Is it polite?", "openai:judge")
        scores = results.score(polite=polite, short=umwelten.Length("1..2 words")).wait()
        assert values(scores, "polite") == [1.0] * 5 + ["no_answer"]
        first = next(iter(scores))
        assert (first.reason, first.verdicts[0].judge) == ("as it should be", "openai:judge")
        assert scores["polite"][A].method == "wilson"
        assert [judge.scorer for judge in scores.judges] == ["polite"]
        assert server.idle().requests == 5
        assert values(results.score(polite=polite).wait(), "polite") == values(scores, "polite")
        assert server.idle().requests == 5
        with pytest.raises(umwelten.UsageError, match="defined otherwise") as caught:
            results.score(polite=umwelten.Judge("Is it rude?", "openai:judge")).wait()
        assert "again=" in str(caught.value)
        results.score(polite=umwelten.Judge("Is it rude?", "openai:judge"), again="polite").wait()
        assert server.idle().requests == 10


# --- jobs ------------------------------------------------------------------------------------


def test_a_job_is_awaited_and_stopped_like_any_other(results: umwelten.Results) -> None:
    async def main() -> None:
        scores = await results.score(right="contains:Paris")
        assert scores["right"][A].scored == 3
        waiting = asyncio.Event()
        loop = asyncio.get_running_loop()

        async def own(answer: umwelten.Answer) -> bool:
            loop.call_soon_threadsafe(waiting.set)
            return await asyncio.Future()  # never

        job = results.score(own=own)
        task = asyncio.ensure_future(job)
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert repr(job) == "<ScoreJob results.score(…): ended>"
        assert values(results.scores, "own")[0] == "pending"

    asyncio.run(main())


def test_a_stopped_job_keeps_what_it_has(results: umwelten.Results) -> None:
    jobs: list[umwelten.ScoreJob] = []

    def own(answer: umwelten.Answer) -> bool:
        if answer.text == "Rome":
            jobs[0].stop()
        return True

    jobs.append(results.score(own=own))
    found = values(jobs[0].wait(), "own")
    assert found[:2] == [1.0, 1.0]
    assert found[3:5] == ["pending", "pending"]


def test_a_job_that_is_dropped_warns(results: umwelten.Results) -> None:
    with pytest.warns(umwelten.NeverRun, match="results.score"):
        results.score(right="contains:Paris")


# --- with the calls --------------------------------------------------------------------------


def test_a_run_scores_its_answers(server: Provider) -> None:
    results = umwelten.run(
        "hello",
        "openai:a,openai:b",
        scorer="hello=contains:hello",
        scorers={"own": lambda answer: answer.model == "openai:a"},
        fail_under="own >= 0.9 for openai:a",
    ).wait()
    assert results.scores["hello"]["openai:a"].mean == 1.0
    assert results.scores["own"]["openai:b"].mean == 0.0
    assert [gate.outcome for gate in results.scores.gates] == ["met"]


def test_with_several_prompts_figures_are_by_model_and_prompt(server: Provider) -> None:
    results = umwelten.run(
        models="openai:a", prompts={"x": "hello", "y": "bye"}, scorer="contains:bye"
    ).wait()
    scores = results.scores["contains"]
    assert {key: row.mean for key, row in scores.items()} == {("openai:a", "x"): 0.0, ("openai:a", "y"): 1.0}
    with pytest.raises(KeyError, match="several prompts"):
        scores["openai:a"]


@pytest.mark.parametrize(
    "options",
    [
        {"scorers": {"right": umwelten.Exact()}},
        {"scorer": "contain:x"},
        {"scorer": "exact", "expected": "nothing.csv"},
        {"scorers": {"own": lambda answr: True}},
        {"fail_under": "right >= 0.9"},
        {"expected": "=Paris"},
        {"scorer": "exact:x", "fail_under": "rigth >= 0.9"},
    ],
    ids=["settings", "type", "file", "function", "no scorer", "nothing to expect", "gate"],
)
def test_what_cannot_score_is_known_before_the_first_call(server: Provider, options: dict[str, Any]) -> None:
    with pytest.raises(umwelten.UmweltenError):
        umwelten.run("hello", "openai:a", id="x", **options).wait()
    assert server.idle().requests == 0
    assert not Path("output/x").exists()


def test_answers_outlive_scoring_that_fails(server: Provider, tmp_path: Path) -> None:
    told: list[Event] = []
    write_table(tmp_path / "labels.csv", [{"file": "other", "expected": "hello"}])
    write_table(tmp_path / "q.csv", [{"n": "1"}])
    results = umwelten.batch(
        "hello {{row.n}}",
        "openai:a",
        rows="q.csv",
        scorer="exact",
        expected="labels.csv",
        on_event=told.append,
    ).wait()
    assert [answer.ok for answer in results] == [True]
    assert [event.text for event in told if isinstance(event, Note) and "not scored" in event.text]
