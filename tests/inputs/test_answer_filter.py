"""Answers chosen by what scorers said of them."""

from __future__ import annotations

import pytest

from store.judged import evaluate
from store.making import query
from umwelten.errors import InputError, UsageError
from umwelten.inputs.earlier_answers import answers, matching_calls
from umwelten.scoring.score import Part, Score, Unscored
from umwelten.store.scores.records import ScoreRecord, StoredScorer
from umwelten.store.scores.store import ScoreStore

SAID = {
    "right": Score(value=1.0, passed=True),
    "wrong": Score(
        value=0.25, passed=False, parts=(Part(name="day.of", value=0.5), Part(name="sum", value=0.0))
    ),
    "graded": Score(value=0.5, passed=None),
    "silent": Unscored(kind="judge_declined", message="cannot tell"),
    "stale": Score(value=0.0, passed=False),
}
"""By the name of the file that the answer is about; "new" has no score."""


@pytest.fixture
def scored(tmp_path):
    folder = tmp_path / "x"
    evaluate(folder, *SAID, "new")
    numbers = dict(query(folder, "SELECT i.name, c.id FROM calls c JOIN inputs i ON i.id = c.input_id"))
    with ScoreStore.open(folder) as store:
        scorers = [
            StoredScorer(name=name, type="exact", table={}, digest="d", graded=True)
            for name in ("other", "good")
        ]
        ids = store.write_scorers(scorers)
        for name, result in SAID.items():
            key = "u1:before" if name == "stale" else f"u1:{numbers[name]}"
            for scorer, said in (("good", result), ("other", Score(value=1.0, passed=True))):
                store.put(
                    ScoreRecord(
                        call_id=numbers[name], scorer_id=ids[scorer], call_key=key, key="k", result=said
                    )
                )
    return folder


@pytest.mark.parametrize(
    ("where", "names"),
    [
        ("pass.good = false", ["wrong"]),
        ("pass.good = null", ["graded", "silent", "stale", "new"]),
        ("pass.good = true and pass.other = true", ["right"]),
        ("score.good < 0.6", ["wrong", "graded"]),
        ("score.good = null", ["silent", "stale", "new"]),
        ("unscored.good = judge_declined", ["silent"]),
        ("unscored.good = pending", ["stale", "new"]),
        ("unscored.good = null and not file = right", ["wrong", "graded"]),
        ("score.good.sum = 0 or score.good.day.of > 1", ["wrong"]),
        ("score.good.day.of = 0.5", ["wrong"]),
    ],
)
def test_answers_are_chosen_by_their_scores(scored, where, names):
    found = list(answers(scored, where=where))
    assert [each.name for each in found] == names
    whole = {each.name: each for each in answers(scored)}
    assert found == [whole[name] for name in names]  # nothing about them is another


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("pass.god = false", "there is no field 'pass.god'; did you mean 'pass.good'?"),
        ("score.good.summ = 0", "score.good.sum"),
        ("score.good = high", "score.good is a number"),
        ("passed.good = true", "there is no field 'passed.good'"),
    ],
)
def test_what_is_not_there_is_an_error_with_the_nearest_name(scored, where, said):
    with pytest.raises(UsageError) as caught:
        answers(scored, where=where)
    assert said in str(caught.value)


def test_an_evaluation_without_scores_says_how_to_get_some(tmp_path):
    evaluate(tmp_path / "x")
    with pytest.raises(UsageError, match=r"has no scores, so its answers have no pass\.right"):
        answers(tmp_path / "x", where="pass.right = false")
    assert not (tmp_path / "x" / "scores.db").exists()


def test_the_calls_of_matching_answers(scored):
    with pytest.raises(InputError, match="none of the 6 answers"):
        matching_calls(scored, "score.good > 1")
    found = matching_calls(scored, "pass.other = true and score.good > 0")
    assert len(found) == 3
