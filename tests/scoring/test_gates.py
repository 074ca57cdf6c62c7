"""Gates: what can be written, what is said of anything else, and their three outcomes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from columnkit import ONE, TWO, right
from umwelten.errors import ConfigError
from umwelten.scoring.columns import Column, ColumnName, Files
from umwelten.scoring.definition import Definition, NamedPlace
from umwelten.scoring.gate_outcomes import GateColumn, GateResult, exit_status, gate_results
from umwelten.scoring.gates import Gate, check_gates, read_gate, read_gates

FILE = NamedPlace(name="scorers.toml, line 3")
SCORERS = {
    "right": Definition(name="right", type="exact", settings={}, at_least=1.0),
    "f1": Definition(name="f1", type="f1", settings={}),
    "long": Definition(name="long", type="length", settings={}, at_least=1.0, part_of_total=False),
}
MODELS = ("openai:gpt-4o-mini", "ollama:gemma3:12b")


def gate(text: str) -> Gate:
    return read_gate(text, "fail_under")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("right >= 0.9", ("right", "mean", 1, ">=", 0.9, False, None)),
        ("  right>=90%  ", ("right", "mean", 1, ">=", 0.9, False, None)),
        ("right.pass > .95 for ollama:gemma3:12b", ("right", "pass", 1, ">", 0.95, False, MODELS[1])),
        ("right.low >= 1", ("right", "mean", 1, ">=", 1.0, True, None)),
        ("right.pass@2 >= 0.5", ("right", "pass_at", 2, ">=", 0.5, False, None)),
        ("right.pass^3.low >= 12.5%", ("right", "pass_all", 3, ">=", 0.125, True, None)),
        ("total <= 0", ("total", "mean", 1, "<=", 0.0, False, None)),
        ("answered >= 0.99", ("answered", None, 1, ">=", 0.99, False, None)),
        ("scored>=1", ("scored", None, 1, ">=", 1.0, False, None)),
        ("cost_usd < $0.50", ("cost_usd", None, 1, "<", 0.5, False, None)),
        ("cost_usd <= 90", ("cost_usd", None, 1, "<=", 90.0, False, None)),
        ("p95_s <= 2500ms", ("p95_s", None, 1, "<=", 2.5, False, None)),
        ("p95_s <= 2.5", ("p95_s", None, 1, "<=", 2.5, False, None)),
    ],
)
def test_texts(text: str, expected: tuple[Any, ...]) -> None:
    found = gate(text)
    assert (
        found.name,
        found.figure,
        found.k,
        found.operator,
        found.number,
        found.sure,
        found.model,
    ) == expected


def test_sections() -> None:
    found = read_gates(
        {
            "right": ">= 0.9",
            "right.pass": [">= 95%", ">= 0.8 for ollama:gemma3:12b"],
            "f1": {"at_least": 0.8, "at_most": "99%", "sure": True, "for": MODELS[0]},
            "p95_s": {"below": 2},
        },
        FILE,
    )
    assert [one.text for one in found] == [
        "right >= 0.9",
        "right.pass >= 95%",
        "right.pass >= 0.8 for ollama:gemma3:12b",
        "f1 >= 0.8 for openai:gpt-4o-mini (sure)",
        "f1 <= 99% for openai:gpt-4o-mini (sure)",
        "p95_s < 2",
    ]
    assert [one.sure for one in found] == [False] * 3 + [True] * 2 + [False]
    check_gates(found, SCORERS, MODELS, 1)


@pytest.mark.parametrize(
    ("text", "said", "way_out"),
    [
        ("right >= 90", "90 is not from 0 to 1", "Write 0.9 or 90%."),
        ("right >= 1.5", "1.5 is not from 0 to 1", "Write 0.015 or 1.5%."),
        ("right >= 150%", "150% is not from 0 to 1", "0.9 or 90%"),
        ("right >= high", "'high' is no share", "0.9 or 90%"),
        ("right >= nan", "'nan' is no share", "0.9 or 90%"),
        ("right >= $1", "is no share", "0.9 or 90%"),
        ("right >= 0.9 for", "is no share", "0.9 or 90%"),
        ("right >= ", "'' is no share", "0.9 or 90%"),
        ("right = 0.9", "compares by '='", ">=, >, <=, <"),
        ("right => 0.9", "compares by '=>'", ">=, >, <=, <"),
        ("right", "'right' is no gate", "METRIC OP NUMBER"),
        (">= 0.9", "'>= 0.9' is no gate", "METRIC OP NUMBER"),
        ("0.9 <= right <= 1", "is no gate", "METRIC OP NUMBER"),
        ("right.pas >= 0.9", "'right.pas' is no metric", "NAME.pass@2"),
        ("right.pass@0 >= 0.9", "'right.pass@0' is no metric", "NAME.pass@2"),
        ("answered.low >= 0.9", "answered has no .low", "Write answered."),
        ("right.low <= 0.9", "lower end of an interval is asked to stay below", "sure = true"),
        ("right > 1", "can never be met", "best value is 1"),
        ("cost_usd < 0", "can never be met", "below 0"),
        ("cost_usd <= 50%", "is no number for cost_usd", "cost_usd <= 0.5"),
        ("p95_s <= $2", "is no number for p95_s", "p95_s <= 2.5"),
    ],
)
def test_texts_that_are_no_gates(text: str, said: str, way_out: str) -> None:
    with pytest.raises(ConfigError) as refused:
        gate(text)
    assert refused.value.message.startswith("fail_under: ")
    assert said in refused.value.message
    assert way_out in (refused.value.hint or "")


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"right": 0.9}, 'Write it as right = ">= 0.9".'),
        ({"right.pass": True}, 'Write it as "right.pass" = ">= 0.9".'),
        ({"right": {"pass": ">= 0.9"}}, 'Write the metric in quotes: "right.pass"'),
        ({"right": {"atleast": 0.9}}, "Did you mean at_least?"),
        ({"right": {"sure": True}}, "Give it one of at_least, above, at_most, below."),
        ({"right": {"at_least": True}}, "is no share"),
        ({"right": {"at_least": 90}}, "Write 0.9 or 90%."),
        ({"right": {"at_least": 0.9, "sure": "yes"}}, "it must be true or false"),
        ({"right": {"at_least": 0.9, "for": 1}}, "it must be a model's name"),
        ({"answered": {"at_least": 0.9, "sure": True}}, "answered is known, not estimated"),
    ],
)
def test_sections_that_are_no_gates(table: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        read_gates(table, FILE)
    assert refused.value.message.startswith("scorers.toml, line 3: ")
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["wright >= 0.9"], "no scorer or metric 'wright'\nDid you mean right?"),
        (["answred >= 0.9"], "Did you mean answered?"),
        (["f1.pass >= 0.9"], "nothing says which values of 'f1' pass\nGive the scorer at_least"),
        (["right.pass@5 >= 0.9"], "about 5 repeats of a file; there are 3\nWrite a number from 1 to 3"),
        (["total.pass >= 0.9"], "the total does not pass or fail"),
        (["right >= 0.9 for openai:gpt-4o-mni"], "Did you mean openai:gpt-4o-mini?"),
        (["right >= 0.9", "right < 0.9"], "'right >= 0.9' and 'right < 0.9' contradict each other"),
        (["right <= 0.5", "right.low >= 0.6 for openai:gpt-4o-mini"], "contradict each other"),
    ],
)
def test_gates_that_cannot_be_met(texts: list[str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_gates([gate(text) for text in texts], SCORERS, MODELS, 3)
    assert said in str(refused.value)


def test_gates_that_go_together() -> None:
    texts = ["right >= 0.5", "right <= 0.5", "right.pass >= 0.9", "total >= 0.1", "right.pass^3 >= 0.1"]
    texts += [f"f1 >= 0.9 for {MODELS[0]}", f"f1 <= 0.5 for {MODELS[1]}"]
    check_gates([gate(text) for text in texts], SCORERS, MODELS, 3)
    with pytest.raises(ConfigError, match="no scorer is part of the total"):
        check_gates([gate("total >= 0.1")], {"long": SCORERS["long"]}, MODELS, 1)


def _column(name: ColumnName = ONE, scores: Column | None = None, **given: Any) -> GateColumn:
    known: dict[str, Any] = {"planned": 100, "succeeded": 100, "pending": 0, "cost_usd": 0.4, "unpriced": 0}
    known |= {"p95_s": 1.5} | given
    return GateColumn(name=name, scores={} if scores is None else {"right": scores}, **known)


def _outcome(text: str, *columns: GateColumn) -> GateResult:
    return gate_results([gate(text)], columns)[0]


@pytest.mark.parametrize(
    ("passed", "outcome", "bounds"),
    [(85, "undecided", (0.85, 0.95)), (40, "missed", (0.4, 0.5)), (90, "met", (0.9, 1.0))],
)
def test_outcomes_where_a_judge_broke_on_10_of_100(
    passed: int, outcome: str, bounds: tuple[float, float]
) -> None:
    column = right([True] * passed + [False] * (90 - passed) + [None] * 10)
    found = _outcome("right >= .9", _column(scores=column))
    assert found.outcome == outcome
    assert found.models[0].bounds == bounds
    assert found.models[0].value == pytest.approx(passed / 90)


def test_sure_is_about_the_end_of_the_interval() -> None:
    column = _column(scores=right([True] * 88 + [False] * 12))
    assert _outcome("right.low >= 0.80", column).outcome == "met"
    assert _outcome("right.low >= 0.81", column).outcome == "missed"
    (value,) = _outcome("right.low >= 0.81", column).models
    assert (value.value, value.bounds[0]) == (0.88, value.low)
    unsure = _column(scores=right([True] * 86 + [False] * 12 + [None] * 2))
    assert _outcome("right.low >= 0.79", unsure).outcome == "undecided"
    assert _outcome("right.low >= 0.9", _column(scores=right([True]))).outcome == "undecided"
    upper = gate_results(read_gates({"right": {"at_most": 0.9, "sure": True}}, FILE), [column])
    assert upper[0].outcome == "missed"


def test_every_model_must_meet_a_gate_that_names_none() -> None:
    good, bad = right([True] * 10), right([False] * 10)
    both = (_column(ONE, good), _column(TWO, bad))
    assert _outcome("right >= 0.9", *both).outcome == "missed"
    assert _outcome(f"right >= 0.9 for {ONE.model}", *both).outcome == "met"
    assert [value.model for value in _outcome(f"right < 0.9 for {TWO.model}", *both).models] == [TWO.model]
    assert _outcome("right >= 0.9", _column(ONE, good), _column(TWO, right([None]))).outcome == "undecided"
    assert _outcome("right >= 0.9", _column(ONE, right([None])), _column(TWO, bad)).outcome == "missed"
    assert _outcome("right >= 0.9").outcome == "undecided"
    assert _outcome("right >= 0.9", _column(scores=Column(Files([])))).outcome == "undecided"


def test_pass_rates() -> None:
    column = Column(Files(range(2)), repeats=2, yes_no=True)
    column.add_rows([(0, 1.0, True, None), (0, 0.0, False, None), (1, 1.0, True, None)])
    assert _outcome("right.pass@2 >= 1", _column(scores=column)).outcome == "met"
    assert _outcome("right.pass^2 >= 0.5", _column(scores=column)).outcome == "undecided"
    assert _outcome("right.pass^2 > 0.5", _column(scores=column)).outcome == "missed"


@pytest.mark.parametrize(
    ("text", "given", "outcome"),
    [
        ("cost_usd <= 0.5", {}, "met"),
        ("cost_usd <= 0.3", {}, "missed"),
        ("cost_usd <= 0.5", {"unpriced": 1}, "undecided"),
        ("cost_usd <= 0.5", {"pending": 1}, "undecided"),
        ("cost_usd <= 0.3", {"unpriced": 1}, "missed"),  # the known part alone is more
        ("cost_usd >= 0.3", {"unpriced": 1}, "met"),
        ("p95_s <= 2", {}, "met"),
        ("p95_s <= 1", {}, "missed"),
        ("p95_s <= 2", {"pending": 1}, "undecided"),
        ("p95_s <= 2", {"p95_s": None}, "undecided"),
        ("answered >= 0.99", {}, "met"),
        ("answered >= 0.99", {"succeeded": 98}, "missed"),
        ("answered >= 0.99", {"succeeded": 98, "pending": 2}, "undecided"),
        ("answered >= 0.99", {"planned": 0, "succeeded": 0}, "undecided"),
        ("scored >= 0.5", {}, "undecided"),
    ],
)
def test_gates_of_no_scorer(text: str, given: dict[str, Any], outcome: str) -> None:
    assert _outcome(text, _column(**given)).outcome == outcome


def test_scored_is_that_of_the_scorer_with_the_fewest() -> None:
    waiting = Column(Files(range(4)))
    waiting.add_rows(
        [(0, 1.0, None, None), (1, 1.0, None, None), (2, None, None, None), (3, 0.0, None, None)]
    )
    scores = {"right": right([True, None, True, True]), "polite": waiting, "total": right([None])}
    column = GateColumn(
        name=ONE, scores=scores, planned=4, succeeded=4, pending=0, cost_usd=0, unpriced=0, p95_s=None
    )
    assert _outcome("scored >= 0.75", column).outcome == "met"
    assert _outcome("scored >= 0.8", column).outcome == "missed"
    values = gate_results([gate("scored >= 0.8")], [column])[0].models
    assert values[0].bounds == (0.75, 0.75)


ANSWERS = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=12)


@settings(max_examples=60, deadline=None)
@given(ANSWERS, st.integers(0, 20), st.sampled_from(["right", "right.low", "right.pass"]), st.data())
def test_laws(answers: list[bool | None], twentieths: int, metric: str, data: st.DataObject) -> None:
    column = _column(scores=right(answers))
    order = {"missed": 0, "undecided": 1, "met": 2}
    outcomes = [_outcome(f"{metric} >= {at / 20}", column).outcome for at in (twentieths, 20)]
    assert order[outcomes[0]] >= order[outcomes[1]]  # a higher limit is never met sooner
    # What is decided stays so, whatever the unscored answers come to.
    known = [data.draw(st.booleans()) if one is None else one for one in answers]
    decided = _outcome(f"{metric} >= {twentieths / 20}", _column(scores=right(known))).outcome
    if metric != "right.low":
        assert outcomes[0] in ("undecided", decided)


@pytest.mark.parametrize(
    ("outcomes", "given", "status"),
    [
        (["met", "held", "unclear"], {}, 0),
        ([], {}, 0),
        (["met", "missed"], {"failed": 3}, 4),
        (["regressed"], {"stopped": True, "pending": 4}, 4),
        (["missed"], {"interrupted": True}, 130),
        (["undecided"], {}, 1),
        (["met"], {"failed": 1}, 1),
        (["undecided"], {"stopped": True}, 3),
        (["met"], {"pending": 1, "failed": 2}, 3),
        (["missed"], {"exit_zero": True}, 0),
        (["undecided"], {"failed": 1, "exit_zero": True}, 0),
        (["missed"], {"pending": 1, "exit_zero": True}, 3),
    ],
)
def test_exit_status(outcomes: list[str], given: dict[str, Any], status: int) -> None:
    assert exit_status(outcomes, **given) == status
