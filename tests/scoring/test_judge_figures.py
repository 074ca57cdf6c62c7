"""How far a judge can be relied on: with itself, with others, with people."""

from __future__ import annotations

import random
from typing import Any

import pytest

from umwelten.report.render.judges_text import check_lines
from umwelten.scoring.judge.combination import Ballot
from umwelten.scoring.judge.diagnostics import Diagnostics, same_model
from umwelten.scoring.judge.human_labels import Labelled, check_against, read_label
from umwelten.scoring.judge.reply import Verdict
from umwelten.scoring.judge.scale import Scale, make_scale
from umwelten.scoring.score import Result, Score, Unscored
from umwelten.statistics import krippendorffs_alpha

PASS_FAIL, STARS = make_scale("pass/fail", None), make_scale("1-5", None)
FAILED = Unscored(kind="judge_failed", message="refused")
DECLINED = Unscored(kind="judge_declined", message="no picture")


def ballot(judge: str, word: str | Unscored, sample: int = 1, scale: Scale = PASS_FAIL) -> Ballot:
    verdict = word if isinstance(word, Unscored) else Verdict(value=float(scale.share(word)), label=word)
    return Ballot(judge=judge, sample=sample, opinions={"": verdict})


def diagnostics(*judges: str, scale: Scale = PASS_FAIL, at_least: float | None = 1) -> Diagnostics:
    how: Any = "mean" if scale.graded else "majority"
    return Diagnostics(judges, (), scale, how, at_least)


def test_what_one_judge_did_is_counted() -> None:
    told = diagnostics("a:x")
    words: list[str | Unscored] = ["pass", "fail", "pass", "pass", FAILED, DECLINED]
    for length, word in enumerate(words):
        told.add([ballot("a:x", word)], length=length, model="b:y" if length else "c:owner/X@cool")
    (figures,) = told.figures().judges
    assert (figures.asked, figures.given, figures.failed, figures.declined) == (6, 4, 1, 1)
    assert (figures.pass_share, figures.own) == (0.75, 1)
    assert (figures.repeated, figures.contradiction_share, figures.spread) == (0, None, None)
    assert (figures.agreement, told.figures().alpha) == (None, None)
    assert figures.length_correlation == pytest.approx(0.2581989)


def test_a_judge_that_alternates_contradicts_itself() -> None:
    told = diagnostics("a:x")
    for answer in range(10):
        words = ["pass", "fail"] * 2 if answer % 2 else ["pass"] * 4
        told.add([ballot("a:x", word, sample) for sample, word in enumerate(words, 1)])
    (figures,) = told.figures().judges
    assert (figures.repeated, figures.contradicted, figures.contradiction_share) == (10, 5, 0.5)
    assert figures.spread == 0.5


def test_judges_that_always_disagree_are_below_chance() -> None:
    told = diagnostics("a:x", "b:y")
    for answer in range(20):
        words = ("pass", "fail") if answer % 2 else ("fail", "pass")
        told.add([ballot(judge, word) for judge, word in zip(("a:x", "b:y"), words, strict=True)])
    found = told.figures()
    assert found.alpha is not None
    assert found.alpha < 0
    assert [(figures.agreement, figures.distance) for figures in found.judges] == [(0, 1), (0, 1)]


def test_alpha_is_that_of_the_statistics() -> None:
    dice = random.Random(7)
    rows = [[dice.choice([None, *"12345"]) for _ in range(60)] for _ in range(3)]
    told = diagnostics(*"abc", scale=STARS, at_least=None)
    for words in zip(*rows, strict=True):
        given = [ballot(j, w or FAILED, scale=STARS) for j, w in zip("abc", words, strict=True)]
        told.add(given)
    numbers = [[None if word is None else int(word) for word in row] for row in rows]
    found = told.figures()
    assert found.metric == "ordinal"
    assert found.alpha == pytest.approx(krippendorffs_alpha(numbers, "ordinal"))
    assert found.judges[0].pass_share is None


def test_nothing_asked_is_unknown() -> None:
    found = diagnostics("a:x", "b:y").figures()
    assert (found.alpha, found.answers, found.judges[0].pass_share) == (None, 0, None)


@pytest.mark.parametrize(
    ("judge", "model", "same"),
    [
        ("openai:gpt-4o", "openai:gpt-4o", True),
        ("openai:gpt-4o", "openrouter:openai/GPT-4o", True),
        ("openai:gpt-4o@cool", "openai:gpt-4o", True),
        ("openai:gpt-4o", "openai:gpt-4o-mini", False),
        ("local", "other", False),
        ("ollama:gemma3:12b", "ollama:gemma3:4b", False),
    ],
)
def test_a_model_is_known_by_its_name(judge: str, model: str, same: bool) -> None:
    assert same_model(judge, model) is same


def result(word: str) -> Result:
    if word == "?":
        return FAILED
    if word == "draw":
        return Score(value=0.5)
    return Score(value=float(word == "pass"), label=word, passed=word == "pass", reason=f"so {word}")


def test_a_judge_is_checked_against_people() -> None:
    """20 answers: both pass 9, both fail 6, only people pass 2, only the judge 3; three more."""
    pairs = [("pass", 1)] * 9 + [("fail", 0)] * 6 + [("fail", 1)] * 2 + [("pass", 0)] * 3
    pairs += [("?", 1), ("draw", 1), ("draw", 0)]
    answers = [
        Labelled(key=f"f{n}", person=person, result=result(word)) for n, (word, person) in enumerate(pairs)
    ]
    found = check_against(iter(answers), PASS_FAIL, 1)
    assert (found.labelled, found.compared, found.unscored) == (23, 22, 1)
    assert found.kappa.agreement == pytest.approx(15 / 22)
    # Chance: (12·12 + 10·8 + 0·2) / 22²
    assert found.kappa.kappa == pytest.approx((15 / 22 - 224 / 484) / (1 - 224 / 484))
    assert found.kappa.low is not None
    assert (found.true_pass.count, found.true_pass.of) == (9, 12)
    assert (found.true_fail.rate, found.true_fail.count, found.true_fail.of) == (0.6, 6, 10)
    assert found.true_fail.low == pytest.approx(0.3127, abs=0.0001)
    assert found.distance == pytest.approx(6 / 22)
    assert [each.key for each in found.worst] == ["f15", "f16", "f17", "f18", "f19", "f21", "f22"]
    assert (found.worst[0].person, found.worst[0].judge, found.worst[0].reason) == (1, 0, "so fail")


def test_without_labels_or_threshold_nothing_is_made_up() -> None:
    nothing = check_against([], STARS, None)
    assert (nothing.kappa.kappa, nothing.distance, nothing.true_pass.rate) == (None, None, None)
    one = check_against([Labelled(key="a", person=0.75, result=Score(value=0.7))], STARS, None)
    assert (one.kappa.agreement, one.true_pass.of) == (1, 0)
    assert one.distance == pytest.approx(0.05)
    with pytest.raises(ValueError, match="a: a label is a share from 0 to 1, not 4"):
        check_against([Labelled(key="a", person=4, result=Score(value=0.7))], STARS, None)


def test_the_ten_worst_are_shown() -> None:
    answers = (Labelled(key=str(n), person=0, result=Score(value=n / 1_000)) for n in range(1, 1_000))
    worst = check_against(answers, STARS, None).worst
    assert [each.key for each in worst] == [str(n) for n in range(999, 989, -1)]


def test_grades_that_differ_are_said_to_be_shares() -> None:
    def lines(scale: Scale, person: float, judge: float) -> list[str]:
        return list(check_lines(check_against([Labelled("a", person, Score(value=judge))], scale, None)))

    assert lines(STARS, 1, 0.5)[-2:] == [
        "  differ most, from 0 (the lowest grade) to 1 (the highest):",
        "  a: people 1, judge 0.5",
    ]
    assert not any("differ most" in line for line in lines(PASS_FAIL, 1, 0))


@pytest.mark.parametrize(
    ("given", "share"),
    [
        ({"label": " PASS "}, 1),
        ({"value": "0"}, 0),
        ({"value": 1}, 1),
        ({"value": "pass"}, None),
        ({"label": "good"}, None),
        ({"value": "nan"}, None),
        ({"value": 2}, None),
        ({"value": True}, None),
    ],
)
def test_labels_of_people_are_read(given: dict[str, Any], share: float | None) -> None:
    if share is None:
        with pytest.raises(ValueError, match="must be"):
            read_label(PASS_FAIL, **given)
    else:
        assert read_label(PASS_FAIL, **given) == share
    assert read_label(STARS, value="4") == 0.75
