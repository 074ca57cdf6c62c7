"""Every type of scorer has a class, whose fields are the settings of a file."""

from __future__ import annotations

import inspect
from pathlib import Path

import msgspec
import pytest

import umwelten
from umwelten.api import scorers
from umwelten.api.scorers.scorer import Scorer
from umwelten.scoring.catalog import CATALOG

CLASSES = [
    value
    for name in scorers.__all__
    if inspect.isclass(value := getattr(scorers, name))
    and issubclass(value, Scorer)
    and value not in (Scorer, umwelten.Function)
]
COMMON = {"at_least", "weight", "part_of_total", "expected", "check"}


def test_every_type_has_a_class() -> None:
    assert {each._type for each in CLASSES} == set(CATALOG)
    assert len(CLASSES) == len(CATALOG)


@pytest.mark.parametrize("made", CLASSES, ids=lambda each: each.__name__)
def test_a_class_has_the_settings_of_its_type(made: type[Scorer]) -> None:
    fields = {field.name.removesuffix("_"): field for field in msgspec.structs.fields(made)}
    settings = CATALOG[made._type].settings
    assert set(fields) - COMMON == set(settings)
    for name, setting in settings.items():
        field = fields[name]
        assert field.required == setting.required
        if field.default not in (None, (), msgspec.NODEFAULT):
            assert setting.read(field.default) == setting.default
    # What is given by place is what one would write after the type: a reference, else the value.
    first = next(iter(inspect.signature(made).parameters))
    assert first == ("expected" if CATALOG[made._type].needs in ("each", "list", "set", "fields") else first)
    assert inspect.getdoc(made)


@pytest.mark.parametrize(
    ("scorer", "settings", "expected"),
    [
        (umwelten.Contains("Paris"), {"value": "Paris"}, None),
        (umwelten.Contains("{{row.answer}}"), {}, "{{row.answer}}"),
        (umwelten.Exact("labels.csv"), {}, "labels.csv"),
        (umwelten.Exact(Path("labels.odd")), {}, "labels.odd"),
        (umwelten.Exact(value="labels.csv"), {"value": "labels.csv"}, None),
        (umwelten.Exact("ID:gold", not_=True), {"not": True}, "ID:gold"),
        (umwelten.Number(42), {"value": 42}, None),
        (umwelten.ContainsAll(("a", "b")), {"value": ["a", "b"]}, None),
        (umwelten.Regex("x=(.)", expected="5"), {"value": "x=(.)"}, "=5"),
        (umwelten.Judge("Good?", "p:a, p:b"), {"ask": "Good?", "model": ["p:a", "p:b"]}, None),
    ],
    ids=str,
)
def test_what_is_given_first_is_an_answer_or_where_it_is(
    scorer: Scorer, settings: dict[str, object], expected: str | None
) -> None:
    definition = scorer._definition("right")
    assert (definition.settings, definition.expected) == (settings, expected)
    assert definition.table["type"] == scorer._type
