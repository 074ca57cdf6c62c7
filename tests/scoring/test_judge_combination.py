"""Several verdicts, one score: exact, and never made of what is not there."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.judge.combination import Ballot
from umwelten.scoring.judge.judge import Judge
from umwelten.scoring.judge.reply import Opinion, Verdict
from umwelten.scoring.score import Part, Score, Unscored


def judge(**table: Any) -> Judge:
    table = {"type": "judge", "ask": "?", "model": "a:x"} | table
    found = read_scorer("x", table, NamedPlace("x"))
    return Judge(found.settings, found.at_least)


def opinion(by: Judge, word: str) -> Opinion:
    if word == "failed":
        return Unscored(kind="judge_failed", message="refused")
    if word == "declined":
        return Unscored(kind="judge_declined", message="no picture")
    return Verdict(value=float(by.scale.share(word)), label=word, reason=f"because {word}")


def ballots(by: Judge, *words: str | dict[str, str]) -> list[Ballot]:
    given = [word if isinstance(word, dict) else {"": word} for word in words]
    return [
        Ballot(judge="a:x", sample=n, opinions={name: opinion(by, word) for name, word in each.items()})
        for n, each in enumerate(given, 1)
    ]


def scored(words: str, **table: Any) -> Any:
    given = words.split()
    by = judge(samples=len(given), **table)
    return by.score(ballots(by, *given))


LABELS = {"wrong": 0, "partly": 0.5, "right": 1}


@pytest.mark.parametrize(
    ("words", "table", "value", "passed"),
    [
        ("pass", {}, 1, True),
        ("fail", {}, 0, False),
        ("pass pass fail", {}, 1, True),
        ("pass fail", {}, 0.5, None),
        ("pass fail pass fail", {}, 0.5, None),
        ("pass fail", {"combine": "median"}, 0.5, None),
        ("pass fail", {"at_least": 0}, 0.5, True),
        ("pass pass fail", {"combine": "all"}, 0, False),
        ("pass fail fail", {"combine": "any"}, 1, True),
        ("pass fail", {"combine": "mean"}, 0.5, None),
        ("pass fail", {"combine": "mean", "at_least": 0.5}, 0.5, True),
        ("3 5", {"scale": "1-5", "at_least": 4}, 0.75, True),
        ("3 4", {"scale": "1-5", "at_least": 4}, 0.625, False),
        ("3 4", {"scale": "1-5"}, 0.625, None),
        ("6 8", {"scale": "1-10", "at_least": 7}, 2 / 3, True),
        ("1 2 5", {"scale": "1-5", "combine": "median"}, 0.25, None),
        ("1 2 4 5", {"scale": "1-5", "combine": "median"}, 0.5, None),
        ("1 4 4", {"scale": "1-5", "combine": "majority"}, 0.75, None),
        ("2 4", {"scale": "1-5", "combine": "majority", "at_least": 3}, 0.5, None),
        ("2 4", {"scale": "1-5", "combine": "majority", "at_least": 2}, 0.5, True),
        ("1 4", {"scale": "1-5", "combine": "all"}, 0, None),
        ("1 4", {"scale": "1-5", "combine": "any"}, 0.75, None),
        ("wrong partly", {"labels": LABELS}, 0.25, None),
        ("right partly", {"labels": LABELS, "at_least": "partly"}, 0.75, True),
        ("low some", {"labels": {"low": 0.1, "some": 0.2}, "at_least": 0.15}, 0.15, True),
        ("pass failed", {}, 1, True),
        ("pass declined fail pass failed", {}, 1, True),
    ],
)
def test_verdicts_make_a_score(words: str, table: dict[str, Any], value: float, passed: bool | None) -> None:
    found = scored(words, **table)
    assert isinstance(found, Score)
    assert (found.value, found.passed) == (value, passed)


def test_a_mean_that_is_the_threshold_passes() -> None:
    """Exactly, for every pair of verdicts on scales whose steps no binary fraction has."""
    for high in (4, 7, 10, 11):
        for one, other in itertools.product(range(1, high + 1), repeat=2):
            by = judge(scale=f"1-{high}", samples=2, at_least=(one + other) / 2)
            found = by.score(ballots(by, str(one), str(other)))
            assert isinstance(found, Score)
            assert found.passed, (high, one, other)


@pytest.mark.parametrize(
    ("words", "kind", "says"),
    [
        ("failed", "judge_failed", "refused"),
        ("declined", "judge_declined", "no picture"),
        (
            "pass failed failed",
            "judge_failed",
            "1 of 3 verdicts are usable, at least half are needed",
        ),
        ("failed failed", "judge_failed", "0 of 2"),
        ("declined failed", "judge_failed", "1 failed, 1 could not tell"),
        ("declined declined pass", "judge_declined", "0 failed, 2 could not tell"),
        ("declined declined failed", "judge_declined", "1 failed, 2 could not tell"),
    ],
)
def test_fewer_than_half_are_no_score(words: str, kind: str, says: str) -> None:
    found = scored(words)
    assert isinstance(found, Unscored)
    assert found.kind == kind
    assert says in found.message


def test_verdicts_that_are_still_to_come_leave_an_answer_pending() -> None:
    by = judge(samples=3)
    assert by.score(ballots(by, "pass", "pass")) == Unscored(
        kind="pending", message="2 of 3 verdicts are there"
    )
    assert by.score([]) == Unscored(kind="pending", message="0 of 3 verdicts are there")


def test_two_verdicts_in_one_place_are_a_fault() -> None:
    by = judge(samples=2)
    with pytest.raises(ValueError, match="two verdicts of a:x, sample 1"):
        by.score(ballots(by, "pass") * 2)


def test_label_and_reason_are_those_of_the_verdict_that_won() -> None:
    found = scored("fail pass pass")
    assert (found.label, found.reason) == ("pass", "2 of 3 say pass: because pass")
    assert (scored("pass").label, scored("pass").reason) == ("pass", "because pass")
    assert scored("pass fail").label is None
    assert scored("3 5", scale="1-5").label is None
    assert scored("4 4", scale="1-5").label == "4"


def test_criteria_are_parts_and_their_mean() -> None:
    by = judge(criteria={"a": "?", "b": "?"}, samples=2)
    found = by.score(ballots(by, {"a": "pass", "b": "fail"}, {"a": "pass", "b": "pass"}))
    assert found == Score(
        value=0.75,
        passed=None,  # the draw on b decides
        reason="b: 1 of 2 say fail: because fail",
        parts=(
            Part(name="a", value=1, label="pass", message="2 of 2 say pass: because pass"),
            Part(name="b", value=0.5, message="1 of 2 say fail: because fail"),
        ),
    )
    failing = by.score(ballots(by, {"a": "fail", "b": "fail"}, {"a": "fail", "b": "pass"}))
    assert isinstance(failing, Score)
    assert failing.passed is False
    lacking = by.score(ballots(by, {"a": "pass", "b": "declined"}, {"a": "pass", "b": "declined"}))
    assert lacking == Unscored(
        kind="judge_declined",
        message="b: 0 of 2 verdicts are usable, at least half are needed: 0 failed, 2 could not tell",
    )


def test_of_several_criteria_without_outcome_a_failure_is_told() -> None:
    by = judge(criteria={"a": "?", "b": "?"})
    found = by.score(ballots(by, {"a": "declined", "b": "failed"}))
    assert found == Unscored(kind="judge_failed", message="b: refused")


def test_calls_of_each_criterion_are_put_together() -> None:
    by = judge(criteria={"a": "?", "b": "?"}, each=True, scale="1-5", at_least=4)
    calls = [
        Ballot(judge="a:x", sample=1, opinions={name: opinion(by, word)})
        for name, word in (("a", "5"), ("b", "3"))
    ]
    found = by.score(calls)
    assert isinstance(found, Score)
    assert (found.value, found.passed) == (0.75, True)
    pending = by.score(calls[:1])
    assert isinstance(pending, Unscored)
    assert (pending.kind, pending.message) == ("pending", "b: 0 of 1 verdicts are there")
