"""A judge's reply: nothing but a verdict on the scale is a score."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.providers.common.strict_schemas import strict_schema
from umwelten.providers.gemini.schemas import response_fields
from umwelten.schema.output_schema import OutputSchema
from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.judge.judge import Judge
from umwelten.scoring.judge.reply import Opinion, Verdict
from umwelten.scoring.score import Unscored

LABELS = {"wrong": 0, "partly": 0.5, "right": 1}


def judge(**table: Any) -> Judge:
    found = read_scorer("x", {"type": "judge", "ask": "?"} | table, NamedPlace("x"))
    return Judge(found.settings, found.at_least)


PASS_FAIL, STARS, WORDS = judge(), judge(scale="1-5"), judge(labels=LABELS)
CRITERIA = judge(criteria={"accurate": "?", "tone": "?"})


def read(by: Judge, data: Any, **other: Any) -> Opinion:
    text = data if isinstance(data, str) else json.dumps(data)
    return by.read(by.questions[0], text, **other)[""]


@pytest.mark.parametrize(
    ("by", "word", "value", "label"),
    [
        (PASS_FAIL, "pass", 1, "pass"),
        (PASS_FAIL, "fail", 0, "fail"),
        (STARS, "1", 0, "1"),
        (STARS, "4", 0.75, "4"),
        (STARS, 4, 0.75, "4"),
        (judge(scale="-1-1"), "-1", 0, "-1"),
        (WORDS, "partly", 0.5, "partly"),
        (judge(unsure=False, labels={"a": 0, "b": 1}), "b", 1, "b"),
    ],
)
def test_a_verdict_on_the_scale_is_read(by: Judge, word: Any, value: float, label: str) -> None:
    assert read(by, {"reason": "so", "verdict": word}) == Verdict(value=value, label=label, reason="so")


@pytest.mark.parametrize(
    ("by", "data", "says"),
    [
        (PASS_FAIL, {"score": 0}, "the reply has no reason"),
        (PASS_FAIL, {"reason": "x", "score": 0}, "the reply has no verdict"),
        (PASS_FAIL, {"verdict": "pass"}, "the reply has no reason"),
        (PASS_FAIL, {"reason": "x", "verdict": "pass", "score": 0}, '"score", which was not asked for'),
        (PASS_FAIL, {"reason": "x", "verdict": "maybe"}, 'the verdict is "maybe", which is not on the scale'),
        (PASS_FAIL, {"reason": "x", "verdict": "PASS"}, "not on the scale"),
        (PASS_FAIL, {"reason": "x", "verdict": True}, "the verdict is true"),
        (PASS_FAIL, {"reason": "x", "verdict": 1}, "the verdict is 1"),
        (PASS_FAIL, {"reason": "x", "verdict": None}, "the verdict is null"),
        (PASS_FAIL, {"reason": "x", "verdict": ["pass"]}, "the verdict is a list"),
        (PASS_FAIL, {"reason": None, "verdict": "pass"}, "the reason is no text but null"),
        (judge(unsure=False), {"reason": "x", "verdict": "cannot_tell"}, "not on the scale"),
        (STARS, {"reason": "x", "verdict": "7"}, 'the verdict is "7"'),
        (STARS, {"reason": "x", "verdict": 0}, 'the verdict is "0"'),
        (STARS, {"reason": "x", "verdict": True}, "the verdict is true"),
        (STARS, {"reason": "x", "verdict": 4.5}, "the verdict is 4.5"),
        (STARS, {"reason": "x", "verdict": "four"}, 'the verdict is "four"'),
        (STARS, {"reason": "x", "verdict": 10**300}, "a very long number"),
        (STARS, "[]", "the reply is no object"),
        (STARS, "not JSON", "the reply is no JSON"),
        (STARS, "[" * 100_000, "nested more deeply"),
        (STARS, '{"reason":"x","verdict":"1","verdict":"5"}', "more than one verdict"),
    ],
)
def test_anything_else_is_no_verdict(by: Judge, data: Any, says: str) -> None:
    found = read(by, data)
    assert isinstance(found, Unscored)
    assert found.kind == "judge_failed"
    assert says in found.message


def test_a_reply_with_two_verdicts_has_none() -> None:
    data = {"reason": "x", "verdict": "5"}
    twice = '```json\n{"reason": "x", "verdict": "1", "verdict": "5"}\n```'
    for other in ({"marks": ("last of several",)}, {"text": twice}):
        found = read(STARS, data, **other)
        assert isinstance(found, Unscored)
        assert found.message == "the reply holds more than one verdict"
    assert isinstance(read(STARS, data, text="I say: " + json.dumps(data), marks=("fenced",)), Verdict)
    quoting = {"reason": 'it says {"verdict":"1"}', "verdict": "5"}
    assert isinstance(read(STARS, quoting, text=json.dumps(quoting)), Verdict)
    assert STARS.read(STARS.questions[0], None)[""] == Unscored(
        kind="judge_failed", message="the reply has no record"
    )


def test_a_judge_that_cannot_tell_declines() -> None:
    found = read(STARS, {"reason": "the picture is missing", "verdict": "cannot_tell"})
    assert found == Unscored(kind="judge_declined", message="the picture is missing")


def test_a_long_reason_is_cut() -> None:
    found = read(STARS, {"reason": "x" * 5_000, "verdict": "5"})
    assert isinstance(found, Verdict)
    assert (len(found.reason), found.reason[-1]) == (600, "…")


def test_each_criterion_is_read_alone() -> None:
    data = json.dumps(
        {"accurate": {"reason": "a", "verdict": "pass"}, "tone": {"reason": "b", "verdict": "cannot_tell"}}
    )
    assert CRITERIA.read(CRITERIA.questions[0], data) == {
        "accurate": Verdict(value=1, label="pass", reason="a"),
        "tone": Unscored(kind="judge_declined", message="tone: b"),
    }
    lacks = CRITERIA.read(CRITERIA.questions[0], '{"accurate": {"reason": "a", "verdict": "pass"}}')
    assert {name: opinion.message for name, opinion in lacks.items() if isinstance(opinion, Unscored)} == {
        "accurate": "the record has no tone",
        "tone": "the record has no tone",
    }
    each = judge(criteria={"accurate": "?", "tone": "?"}, each=True)
    assert list(each.read(each.questions[1], '{"reason": "a", "verdict": "pass"}')) == ["tone"]
    assert list(each.failed(each.questions[1], "refused")) == ["tone"]
    assert list(CRITERIA.failed(CRITERIA.questions[0], "refused")) == ["accurate", "tone"]


@settings(max_examples=80, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("pass"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["reason", "verdict", "accurate", "tone", "x"]), inner)
        ),
        max_leaves=8,
    ),
    st.sampled_from([PASS_FAIL, STARS, WORDS, CRITERIA]),
)
def test_whatever_is_read_fits_the_schema_or_is_no_verdict(value: Any, by: Judge) -> None:
    data = json.dumps(value)
    opinions = by.read(by.questions[0], data, text=data)
    assert list(opinions) == list(by.questions[0].criteria or ("",))
    if all(isinstance(opinion, Verdict) for opinion in opinions.values()):
        assert OutputSchema(by.schema).read(data, coerce=True).data is not None


@pytest.mark.parametrize("by", [PASS_FAIL, STARS, WORDS, CRITERIA, judge(scale="0-100", unsure=False)])
def test_the_schema_is_enforced_natively_everywhere_with_the_reason_first(by: Judge) -> None:
    assert strict_schema(by.schema, ranges=True) is not None
    assert strict_schema(by.schema, ranges=False) is not None
    gemini = response_fields(by.schema)["responseSchema"]  # the dialect that every model supports
    inner = gemini["properties"].get("accurate", gemini)
    assert inner["propertyOrdering"] == ["reason", "verdict"]
    assert ("cannot_tell" in inner["properties"]["verdict"]["enum"]) == by.settings.unsure
