"""What scorers of records and lists find."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from scoringkit import score, scorer
from umwelten.scoring.overlap import set_overlap
from umwelten.scoring.record_rules import read_date
from umwelten.scoring.score import Answer, Score


def test_lists_are_compared_as_sets() -> None:
    record = Answer(text="{}", record={"tags": ["Red", "green", "green"]})
    found = scorer(type="set", of="tags").score(record, {"expected": '["red", "blue"]'})
    assert isinstance(found, Score)
    assert found.value == pytest.approx(0.5)
    assert found.passed is None
    assert score("- red\n2. Green\n* blue", "red\ngreen\nblue", type="set").value == 1
    assert score('["red"]', ["red", "blue"], type="set", part="precision").value == 1
    assert score('["red"]', "red|blue", type="set", part="recall", several="|").value == 0.5
    assert score("nothing", ["red"], type="set").value == 0


FIELDS = {
    "name": "Ann Lee",
    "total": 1234.5,
    "day": "2024-03-03",
    "tags": ["a", "b"],
    "paid": True,
    "note": None,
}


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        ({}, [1, 1, 1, 1, 1, 1]),
        ({"name": " ann lee"}, [1, 1, 1, 1, 1, 1]),
        ({"day": "3 March 2024", "total": "$1,234.50"}, [1, 1, 1, 1, 1, 1]),
        ({"day": "March 3rd, 2024"}, [1, 1, 1, 1, 1, 1]),
        ({"day": "3/3/2024"}, [1, 1, 0, 1, 1, 1]),
        ({"tags": ["b"], "paid": False}, [1, 1, 1, 2 / 3, 0, 1]),
        ({"note": "late", "total": None}, [1, 0, 1, 1, 1, 0]),
        ({"total": "about 1234.5 or 7", "extra": 1}, [1, 0, 1, 1, 1, 1]),
    ],
)
def test_a_record_is_scored_field_by_field(changed: dict[str, Any], parts: list[float]) -> None:
    answer = Answer(text="", record=FIELDS | changed)
    found = scorer(type="fields").score(answer, {"expected": FIELDS})
    assert isinstance(found, Score)
    assert [part.value for part in found.parts] == pytest.approx(parts)
    assert found.value == pytest.approx(sum(parts) / 6)
    assert (found.reason is not None) == ("extra" in changed)


def test_fields_come_from_columns_of_a_table_as_text() -> None:
    columns = {"name": "Ann Lee", "total": "1234.50", "day": "3 March 2024", "tags": '["b", "a"]', "note": ""}
    found = scorer(type="fields").score(Answer(text="", record=FIELDS), columns)
    assert isinstance(found, Score)
    assert found.value == 1
    assert [part.name for part in found.parts] == list(columns)


def test_fields_have_weights_types_and_tolerances() -> None:
    expected = {"name": "Anna", "total": 100, "day": datetime.date(2024, 3, 3), "zip": "007"}
    answer = Answer(text='{"name": "Anne", "total": 101, "day": "2024-03-03", "zip": "7"}')
    found = scorer(type="fields", ignore=["day"], weights={"name": 2}, types={"name": "edit"}, within="1%")
    result = found.score(answer, {"expected": expected})
    assert isinstance(result, Score)
    assert [part.value for part in result.parts] == [0.75, 1, 0]
    assert result.value == pytest.approx((2 * 0.75 + 1) / 4)
    strict = scorer(type="fields", types={"name": "edit >= 0.8", "zip": "number"}).score(
        answer, {"expected": expected}
    )
    assert isinstance(strict, Score)
    assert [part.value for part in strict.parts] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("said", "day"),
    [
        ("2024-12-03", (2024, 12, 3)),
        ("2024-12-03T10:00:00Z", (2024, 12, 3)),
        ("2024/12/3", (2024, 12, 3)),
        ("3.12.2024", (2024, 12, 3)),
        ("3 December 2024", (2024, 12, 3)),
        ("Tuesday, 3rd of Dec. 2024", (2024, 12, 3)),
        ("Dec 3, 2024", (2024, 12, 3)),
        ("January 31st 2024", (2024, 1, 31)),
        ("Sept 1, 2024", (2024, 9, 1)),
        (datetime.datetime(2024, 12, 3, 23, 59), (2024, 12, 3)),
        ("3/12/2024", None),
        ("2024-13-03", None),
        ("30 February 2024", None),
        ("3 Nonsense 2024", None),
        ("Wed Dec 4 2024", (2024, 12, 4)),
        ("Saturday, 7 December 2024", (2024, 12, 7)),
        ("not 3 December 2024", None),
        ("not Dec 3, 2024", None),
        (20241203, None),
    ],
)
def test_days_are_read_as_people_write_them(said: Any, day: tuple[int, int, int] | None) -> None:
    assert read_date(said) == (None if day is None else datetime.date(*day))


@pytest.mark.parametrize(
    ("found", "expected", "values"),
    [
        (["a", "b"], ["b", "c", "d"], (1 / 2, 1 / 3, 2 / 5)),
        ([], ["a"], (0, 0, 0)),
        (["a"], [], (0, 0, 0)),
        ([], [], (1, 1, 1)),
    ],
)
def test_lists_have_a_precision_a_recall_and_both(
    found: list[str], expected: list[str], values: tuple[float, ...]
) -> None:
    got = [set_overlap(found, expected, part) for part in ("precision", "recall", "f1")]
    assert got == pytest.approx(values)


def test_a_missing_field_is_named() -> None:
    found = scorer(type="fields").score(Answer(text="I cannot."), {"expected": '{"a": 1, "b": null}'})
    assert isinstance(found, Score)
    assert [(part.value, part.message) for part in found.parts] == [(0, "missing"), (1, None)]
