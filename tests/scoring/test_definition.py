"""A scorer as a file defines it: what is refused, and what decides its identity."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from umwelten.config.toml_positions import TomlPosition
from umwelten.errors import ConfigError
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition, NamedPlace, read_scorer, read_scorers, read_short_form
from umwelten.scoring.identity import canonical, content_digest, score_key

PLACE = NamedPlace("scorers.toml")


def read(**table: Any) -> Definition:
    return read_scorer("right", {k.rstrip("_"): v for k, v in table.items()}, PLACE)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({}, "has no type"),
        ({"type": "contain"}, "'contain', which does not exist\nDid you mean contains?"),
        ({"type": ["exact"]}, "does not exist\nTypes are exact, contains"),
        (
            {"type": "exact", "flod": "none"},
            "'flod' is no setting of scorer 'right' (type exact)\nDid you mean fold?",
        ),
        (
            {"type": "exact", "fold": "wrods"},
            "is 'wrods'; it must be one of none, case, words; did you mean words?",
        ),
        ({"type": "f1", "not": True}, "'not' is no setting"),
        ({"type": "exact", "not": "yes"}, "must be true or false"),
        ({"type": "exact", "value": {"a": 1}}, "must be a text, or a list of texts"),
        ({"type": "exact", "value": float("nan")}, "must be a text, or a list of texts"),
        ({"type": "regex", "value": 5}, "must be a regular expression in quotes"),
        ({"type": "exact", "at_least": 7}, "is 7; it must be a number, from 0 to 1"),
        ({"type": "exact", "at_least": float("nan")}, "from 0 to 1"),
        ({"type": "exact", "weight": -1}, "must be a number, 0 or more"),
        ({"type": "exact", "weight": True}, "must be a number, 0 or more"),
        ({"type": "exact", "part_of_total": 1}, "must be true or false"),
        ({"type": "exact", "value": ""}, "must not be empty"),
        ({"type": "contains-any", "value": []}, "a list of texts that is not empty"),
        ({"type": "number", "within": "1 percent"}, 'must be a share such as "1%" or 0.01'),
        ({"type": "number", "tolerance": float("inf")}, "must be a number, 0 or more"),
        ({"type": "number", "take": "lats"}, "did you mean last?"),
        ({"type": "choice", "letters": "AAB"}, "each once"),
        ({"type": "choice", "letters": "A"}, "each once"),
        ({"type": "choice", "letters": "A-C"}, "each once"),
        ({"type": "choice", "letters": 7}, "each once"),
        ({"type": "regex"}, "needs value"),
        ({"type": "regex", "value": "a(b"}, "missing ), unterminated subpattern\n  a(b\n   ^"),
        ({"type": "regex", "value": "(a)(b)"}, "has 2 groups; write all but the one to compare as (?:…)"),
        (
            {"type": "regex", "value": "(" * 2_000 + ")" * 2_000},
            "is no regular expression: nested too deeply",
        ),
        ({"type": "length", "value": "20-120 words"}, 'must be a range such as "20..120 words"'),
        ({"type": "length", "value": "9..1 words"}, "from low to high, not from 9 to 1"),
        ({"type": "length", "value": ".. words"}, "must be a range"),
        ({"type": "length", "value": "words"}, "must be a range"),
        ({"type": "length", "value": "9 pages"}, "words, chars, lines, sentences"),
        ({"type": "tokens", "value": "500"}, 'must be a comparison such as "<= 500"'),
        ({"type": "tokens", "value": "<= 5s"}, 'must be a comparison such as "<= 500"'),
        (
            {"type": "fields", "types": {"day": "dat"}},
            "of 'day' must be one of exact, edit, number, date, set",
        ),
        ({"type": "fields", "weights": {"day": -1}}, "of 'day' must be a number, 0 or more"),
        ({"type": "json", "schema": {"type": "objekt"}}, "is no JSON Schema"),
        ({"type": "json", "schema": {"pattern": "("}}, "is no JSON Schema"),
        ({"type": "python", "value": "checks.py"}, 'such as "checks.py:close"'),
        ({"type": "python", "value": "checks.py:2"}, 'such as "checks.py:close"'),
        ({"type": "python", "value": "a.py:f", "timeout": "10 h"}, 'must be a time such as "10s"'),
        ({"type": "python", "value": "a.py:f", "timeout": 0}, "more than 0"),
        ({"type": "python", "value": "a.py:f", "timout": 1}, "Did you mean timeout?"),
        ({"type": "pyton", "value": "a.py:f"}, "Did you mean python?"),
        ({"type": "command", "value": "a 'b"}, "is no command: no closing quotation"),
        ({"type": "command", "value": []}, "or a list of its words"),
        ({"type": "table"}, "needs value"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_scorer("right", table, PLACE)
    assert says in str(caught.value)
    assert str(caught.value).startswith("scorers.toml")


@pytest.mark.parametrize("name", ["rank", "total", "answered", "a.b", "", "-x", "a b", "x" * 61, "é"])
def test_names_that_mean_something_else_are_refused(name: str) -> None:
    with pytest.raises(ConfigError):
        read_scorer(name, {"type": "exact"}, PLACE)


def test_an_error_in_a_file_has_its_line() -> None:
    text = '[scorers.right]\ntype = "number"\n\n[scorers.polite]\ntype = "f1"\nfold = "cas"\n'
    place = TomlPosition(path=Path("scorers.toml"), text=text, table=("scorers",))
    with pytest.raises(ConfigError, match=r"^scorers.toml, line 6, \[scorers\]: fold of scorer 'polite'"):
        read_scorers(tomllib.loads(text)["scorers"], place)


def test_a_table_of_scorers_is_read() -> None:
    tables = tomllib.loads(
        """
        right = { type = "number", within = "1%", weight = 2 }
        short = { type = "length", value = "..50 words", part_of_total = false }
        alike = { type = "rouge-l", at_least = 0.5 }
        """
    )
    right, short, alike = read_scorers(tables, PLACE).values()
    assert (right.settings, right.weight, right.at_least) == ({"within": Decimal("0.01")}, 2, 1)
    assert not short.part_of_total
    assert alike.at_least == 0.5
    assert (alike.weight, alike.part_of_total) == (1, True)
    assert Definition(name="x", type="exact", settings={}).weight == 1


@pytest.mark.parametrize(
    ("text", "name", "kind", "value"),
    [
        ("exact", "exact", "exact", None),
        ("right=contains:Paris", "right", "contains", "Paris"),
        ("contains:a=b:c", "contains", "contains", "a=b:c"),
        ("form=regex:^x=1$", "form", "regex", "^x=1$"),
        ("ok=python:dir/checks.py:close", "ok", "python", "dir/checks.py:close"),
        ("command:./check --strict", "command", "command", ["./check", "--strict"]),
        ("people=table:labels.csv", "people", "table", "labels.csv"),
        ('contains-all:["a"]', "contains-all", "contains-all", '["a"]'),
    ],
)
def test_the_short_form_is_read(text: str, name: str, kind: str, value: Any) -> None:
    found = read_short_form(text, PLACE)
    assert (found.name, found.type, found.settings.get("value")) == (name, kind, value)


@pytest.mark.parametrize("text", ["", "=exact", "right=", "Paris!", "right=contain:Paris"])
def test_a_wrong_short_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        read_short_form(text, PLACE)


def test_what_changes_no_value_is_no_part_of_the_digest() -> None:
    same = [
        read(type="number", within="1%"),
        read(type="number", within=0.01, take="last", percent=False, tolerance=0),
        read(type="number", within=0.01, weight=3, at_least=0.5, part_of_total=False),
        read_scorer("other", {"within": "1.0%", "type": "number"}, PLACE),
    ]
    assert len({definition.digest for definition in same}) == 1
    others = [
        read(type="number"),
        read(type="number", within="2%"),
        read(type="number", tolerance=0.01),
        read(type="number", within="1%", not_=True),
        read(type="exact", value="a"),
        read(type="exact", value=["a"]),
        read(type="contains", value="a"),
    ]
    assert len({definition.digest for definition in (same[0], *others)}) == 1 + len(others)


def test_digests_and_keys_stay_as_they_are() -> None:
    """They stand in databases: another would score everything again."""
    assert read(type="exact").digest == "c9ecf9453e135493dc48cbce971f52e3da7dcff3"
    assert (
        read(type="fields", types={"a": "edit >= 0.8"}, within="1%").digest
        == "d01caa2d654828b654675f07b7e9bd353e13a76b"
    )
    key = score_key(
        call="u1:00", answer=content_digest(["x", None]), reference=content_digest("y"), scorer="z"
    )
    assert key == "s1:503e46751a74dd9f95a541729cd0043e5187b153"


def test_every_type_has_a_digest_of_its_own() -> None:
    needed = {
        "regex": "a",
        "length": "1 words",
        "cost": "< 1",
        "latency": "< 1s",
        "tokens": "< 1",
        "judge": "?",
        "python": "a.py:f",
        "command": "true",
        "table": "a.csv",
    }
    tables = [
        {"type": kind} | ({CATALOG[kind].short: needed[kind]} if kind in needed else {}) for kind in CATALOG
    ]
    scorers = [replace(read_scorer("x", table, PLACE), content="00") for table in tables]
    assert len({scorer.digest for scorer in scorers}) == len(CATALOG)


def test_a_file_that_decides_is_part_of_the_digest_and_its_path_and_a_timeout_are_not() -> None:
    first = read(type="python", value="checks.py:close")
    with pytest.raises(ValueError, match="has not been read"):
        _ = first.digest
    moved = read(type="python", value="elsewhere/checks.py:close", timeout="2m")
    assert replace(first, content="00").digest == replace(moved, content="00").digest
    assert replace(first, content="00").digest != replace(first, content="01").digest
    program = read(type="command", value="./check --strict")
    assert program.digest == read(type="command", value=["./check", "--strict"], timeout=1).digest
    assert program.digest != read(type="command", value="./check").digest
    assert read(type="table", value="a.csv").digest == read(type="table", value="b.csv").digest


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=30)
@given(JSON, JSON)
def test_values_have_the_same_bytes_if_they_are_equal(first: Any, second: Any) -> None:
    def plain(value: Any) -> str:
        def number(item: Any) -> Any:
            if isinstance(item, bool) or item is None or isinstance(item, str):
                return item
            if isinstance(item, dict):
                return {key: number(below) for key, below in item.items()}
            if isinstance(item, list):
                return [number(below) for below in item]
            return int(item) if isinstance(item, float) and item.is_integer() else item

        return json.dumps(number(value), sort_keys=True)

    assert (canonical(first) == canonical(second)) == (plain(first) == plain(second))
    if isinstance(first, dict):
        assert canonical(first) == canonical(dict(reversed(first.items())))


def test_depth_surrogates_and_long_numbers_have_an_identity() -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    assert canonical(deep) == b"[" * 20_001 + b"]" + b",]" * 20_000
    assert canonical("\ud800") != canonical("\udfff")
    assert canonical(10**6_000) == canonical(10**6_000)
    assert canonical(Decimal("0.10")) == canonical(Decimal("0.1"))
    assert canonical(float("nan")) == canonical(float("nan"))
    assert canonical("1") != canonical(1)
    assert canonical([1, [2]]) != canonical([[1], 2])
    with pytest.raises(TypeError):
        canonical(object())
    while deep:
        deep = deep[0]  # so that nothing recurses when it is freed
