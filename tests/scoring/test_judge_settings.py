"""The definition of a judge: what is refused, what it is without, and what decides its identity."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import ConfigError
from umwelten.scoring.definition import Definition, NamedPlace, read_scorer, read_scorers, read_short_form
from umwelten.scoring.judge.judge import Judge, changes
from umwelten.scoring.scorer import Scorer
from umwelten.types import Parameters

PLACE = NamedPlace("scorers.toml")
ASK = "Is the reply polite?"
CRITERIA = {"accurate": "Is every figure right?", "tone": "Is it polite?"}


def read(**table: Any) -> Definition:
    return read_scorer("polite", {"type": "judge"} | table, PLACE)


def judge(**table: Any) -> Judge:
    found = read(**{"ask": ASK} | table)
    return Judge(found.settings, found.at_least)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "scorer 'polite' needs ask"),
        ({"ask": " "}, "must be a text in quotes"),
        ({"aks": ASK}, "Did you mean ask?"),
        ({"ask": ASK, "value": "x"}, "'value' is no setting of scorer 'polite' (type judge)"),
        ({"ask": ASK, "scale": "5-1"}, "must go from low to high in at most 100 steps"),
        ({"ask": ASK, "scale": "0-1000"}, "at most 100 steps"),
        ({"ask": ASK, "scale": "good"}, 'must be "pass/fail" or two whole numbers, such as "1-5"'),
        ({"ask": ASK, "scale": "1-5", "at_least": 7}, "is 7; it must be a number from 1 to 5, as the scale"),
        ({"ask": ASK, "scale": "1-5", "at_least": 0.8}, "must be a number from 1 to 5"),
        ({"ask": ASK, "at_least": 4}, 'for grades, give the judge scale = "1-5" in a file of scorers'),
        ({"ask": ASK, "at_least": True}, "must be a number from 0 to 1, as the scale has it, or one of fail"),
        ({"ask": ASK, "labels": {"right": 1}}, "two labels or more"),
        ({"ask": ASK, "labels": {"right": 1, "Right": 0}}, "twice but for case"),
        ({"ask": ASK, "labels": {"right": 1, "Cannot_tell": 0}}, "unsure = false"),
        ({"ask": ASK, "labels": {"right": 1, "wrong": 1}}, "must differ"),
        ({"ask": ASK, "labels": {"right": 2, "wrong": 1}}, "of 'right' must be a number, from 0 to 1"),
        ({"ask": ASK, "labels": {'a"b': 0, "wrong": 1}}, "words of up to 40"),
        ({"ask": ASK, "labels": {"a": 0, "b": 1}, "scale": "1-5"}, "has both scale and labels"),
        ({"ask": ASK, "labels": {"wrong": 0, "right": 1}, "at_least": "rihgt"}, "did you mean right?"),
        ({"ask": ASK, "each": True}, "but no criteria"),
        ({"criteria": {"a.b": "x"}}, "names are made of letters"),
        ({"criteria": {"a": ""}}, "of 'a' must be a text"),
        ({"ask": ASK, "sees": ["prompt"]}, "must have answer"),
        ({"ask": ASK, "sees": ["promt", "answer"]}, "did you mean prompt?"),
        ({"ask": "Is {{answr}} right?"}, "has {{answr}}, which is not known; did you mean {{answer}}?"),
        ({"ask": "Is {{frames}} right?"}, "Known are {{prompt}}, {{input}}"),
        ({"ask": "Is {{row.city}} right?"}, "a question without {{answer}} or {{json.…}}"),
        (
            {"criteria": {"a": "{{answer}}: polite?", "b": "Right?"}, "each": True},
            "a question without {{answer}}",
        ),
        ({"ask": "Is {{answer}} right?", "sees": ["answer"]}, "has sees and placeholders"),
        ({"ask": ASK, "samples": 0}, "must be 1 to 100"),
        ({"ask": ASK, "samples": True}, "must be 1 to 100"),
        ({"ask": ASK, "max_tokens": 0}, "a whole number, 1 or more"),
        ({"ask": ASK, "temperature": 3}, "from 0 to 2"),
        ({"ask": ASK, "combine": "mode"}, "must be one of majority, mean, median, all, any"),
        ({"ask": ASK, "model": ["a:b", "a:b"]}, "samples = 2 asks a judge twice"),
        ({"ask": ASK, "parameters": {"temperature": 0}}, "a setting of its own"),
        ({"ask": ASK, "parameters": {"messages": []}}, "the judge decides itself"),
        ({"ask": ASK, "parameters": {"top_p": 2}}, "of 'top_p' must be a number, from 0 to 1"),
        ({"ask": ASK, "parameters": {"x": float("nan")}}, "of 'x' must be a text"),
        ({"ask": ASK, "parameters": {"seed": 0.5}}, "of 'seed' must be a whole number"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**table)
    assert says in str(caught.value)


def test_a_contradiction_in_a_file_has_its_line() -> None:
    text = '[scorers.a]\ntype = "judge"\nask = "?"\n\neach = true\n'
    place = TomlPosition(path=Path("scorers.toml"), text=text, table=("scorers",))
    with pytest.raises(ConfigError, match=r"line 5, \[scorers\]: scorer 'a' has each = true"):
        read_scorers(tomllib.loads(text)["scorers"], place)


def test_the_short_form_is_the_question() -> None:
    found = read_short_form("polite=judge:Is the reply polite: yes or no?", PLACE)
    assert (found.name, found.settings) == ("polite", {"ask": "Is the reply polite: yes or no?"})
    assert found.at_least == 1
    with pytest.raises(ConfigError, match="needs ask"):
        read_short_form("judge", PLACE)


def test_a_judge_is_not_computed() -> None:
    with pytest.raises(ValueError, match="no rule scores by it"):
        Scorer(read(ask=ASK))


@pytest.mark.parametrize(
    ("table", "at_least"),
    [
        ({}, 1.0),
        ({"combine": "mean"}, None),
        ({"combine": "mean", "at_least": 0.5}, 0.5),
        ({"scale": "1-5"}, None),
        ({"scale": "1 - 5", "at_least": 4}, 0.75),
        ({"scale": "-2..2", "at_least": -1}, 0.25),
        ({"scale": "1-10", "at_least": 7}, 2 / 3),
        ({"labels": {"wrong": 0, "partly": 0.5, "right": 1}, "at_least": "partly"}, 0.5),
        ({"labels": {"wrong": 0, "right": 1}}, None),
    ],
)
def test_what_passes_is_given_on_the_scale(table: dict[str, Any], at_least: float | None) -> None:
    assert read(ask=ASK, **table).at_least == at_least


def test_the_request_is_as_the_settings_have_it() -> None:
    assert judge().settings.parameters == Parameters(temperature=0.0, max_tokens=1_024)
    assert judge(samples=3).settings.parameters.temperature is None
    assert judge(samples=3, temperature=0.7).settings.parameters.temperature == 0.7
    seven = {f"c{n}": "?" for n in range(7)}
    assert judge(criteria=seven).settings.parameters.max_tokens == 1_792
    assert judge(criteria=seven, each=True).settings.parameters.max_tokens == 1_024
    found = judge(parameters={"top_p": 0.5, "stop": "END", "reasoning": {"effort": "low"}}, max_tokens=9)
    assert found.settings.parameters == Parameters(
        temperature=0.0, max_tokens=9, top_p=0.5, stop=("END",), extra={"reasoning": {"effort": "low"}}
    )


def test_defaults_of_combining_follow_the_scale() -> None:
    assert judge().settings.combine == "majority"
    assert judge(scale="1-5").settings.combine == "mean"
    assert judge(labels={"a": 0, "b": 1}).settings.combine == "mean"


def test_the_digest_is_of_what_decides_a_verdict() -> None:
    base = judge(model=["a:x", "b:y"], temperature=0)
    same = [
        judge(model=["b:y", "a:x"], temperature=0),
        judge(model=["a:x", "b:y"], temperature=0, samples=5, combine="all"),
        judge(model=["a:x", "b:y"], temperature=0, at_least=0.5, weight=3, scale="pass/fail"),
    ]
    assert {each.digest for each in same} == {base.digest}
    assert not changes(base_settings(), base_settings(samples=5, combine="all"))
    others = [
        {"model": "a:x"},
        {"ask": "Is it polite?"},
        {"scale": "1-5"},
        {"labels": {"fail": 0, "pass": 1}},
        {"unsure": False},
        {"sees": ["prompt", "answer"]},
        {"max_tokens": 1_025},
        {"parameters": {"seed": 1}},
        {"criteria": CRITERIA},
        {"criteria": CRITERIA, "each": True},
        {"criteria": dict(reversed(CRITERIA.items()))},
    ]
    table = {"model": ["a:x", "b:y"], "temperature": 0}
    assert len({base.digest, *(judge(**table | other).digest for other in others)}) == 1 + len(others)
    for other in others:
        found = changes(base_settings(), base_settings(**other))
        assert found, other
    assert judge(samples=1).digest != judge(samples=2).digest  # 0 is not sent with several


def base_settings(**other: Any) -> dict[str, Any]:
    table = {"ask": ASK, "model": ["a:x", "b:y"], "temperature": 0} | other
    return dict(read(**table).settings)


def test_the_scores_digest_has_samples_and_combination_too() -> None:
    digests = {read(ask=ASK, **t).digest for t in ({}, {"samples": 3}, {"combine": "all"}, {"at_least": 0})}
    assert len(digests) == 3


def test_digests_stay_as_they_are() -> None:
    """They stand in databases: another would ask every judge again. Raise `WORDING` with the words."""
    assert judge(model="a:x").digest == "162a6e259027735dfc8dabb606b50c3e668bbbc9"
    assert (
        judge(criteria=CRITERIA, each=True, scale="1-5", model="a:x").digest
        == "53c6a21ec39448d43a71a38f926275180130dace"
    )


def test_changes_are_shown_with_both_sides() -> None:
    before, after = base_settings(), base_settings(model=["a:x"], scale="1-3", unsure=False)
    assert [tuple(change) for change in changes(before, after)] == [
        ("models", '["a:x","b:y"]', '["a:x"]'),
        ("scale", "fail = 0, pass = 1", "1 = 0, 2 = 0.5, 3 = 1"),
        ("unsure", "true", "false"),
    ]
    # Several samples have no temperature of their own accord: what is sent is what differs.
    several = read(ask=ASK, samples=3, max_tokens=9)
    assert [tuple(change) for change in changes(read(ask=ASK).settings, several.settings)] == [
        ("temperature", "0.0", "not sent"),
        ("max_tokens", "1024", "9"),
    ]


def test_a_definition_that_was_stored_as_json_is_the_same_judge() -> None:
    found = read(criteria=CRITERIA, labels={"a": 0, "b": 0.1, "c": 1}, sees=["answer"], model="a:x")
    stored = json.loads(json.dumps(found.settings))
    assert Judge(stored, None).digest == Judge(found.settings, None).digest
