"""What a tool returns, as the model is told it."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest

from toolkit import result
from umwelten.tool_calls import ToolCallState
from umwelten.tools.results import LONGEST_RESULT, result_text, sendable


class Person(pydantic.BaseModel):
    name: str


class Array:
    """As those of numpy are, and the series of pandas."""

    def tolist(self) -> list[int]:
        return [1, 2]


@dataclasses.dataclass
class Point:
    x: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is \U0001f642", "as it is \U0001f642"),
        ("", ""),
        (None, "null"),
        (1.5, "1.5"),
        (True, "true"),
        (float("nan"), "NaN"),
        ([1, float("inf")], "[1, Infinity]"),
        ({"a": "ä", 1: None}, '{"a": "ä", "1": null}'),
        (b"bytes \xff", "bytes \ufffd"),
        ((1, {2}), "[1, [2]]"),
        (Decimal("1.10"), '"1.10"'),
        (datetime.date(2026, 11, 30), '"2026-11-30"'),
        (Path("a/b"), '"a/b"'),
        (Person(name="Ada"), '{"name": "Ada"}'),
        ([Person(name="Ada")], '[{"name": "Ada"}]'),
        (Point(1), '{"x": 1}'),
        (Array(), "[1, 2]"),
        ((n for n in range(3)), "[0, 1, 2]"),
        ({"n": map(str, range(2))}, '{"n": ["0", "1"]}'),
        (complex(1, 2), '"(1+2j)"'),
    ],
)  # fmt: skip
def test_a_text_is_told_as_it_is_and_anything_else_as_json(value: Any, text: str) -> None:
    assert result_text(value) == text


def test_an_iterator_without_an_end_is_cut() -> None:
    def endless() -> Any:
        return itertools.count()

    outcome = result(endless)
    assert outcome.state is ToolCallState.DONE
    assert outcome.text.startswith("[0, 1, 2, ")


def test_a_number_that_is_too_long_to_write_is_an_error() -> None:
    def odd() -> int:
        return 10**5000

    assert result(odd).text.startswith("ValueError: Exceeds the limit")


def test_a_structure_in_itself_is_an_error() -> None:
    def circular() -> Any:
        inner: list[Any] = []
        inner.append(inner)
        return inner

    outcome = result(circular)
    assert outcome.state is ToolCallState.ERROR
    assert outcome.text.startswith("RecursionError")


@pytest.mark.parametrize(
    ("text", "length"),
    [("x" * 1_000_000, 1_000_000), ("ä" * 100_000, 100_000), ("\U0001f642" * 10_000, 10_000)],
)
def test_the_middle_of_a_long_result_is_cut_and_that_is_said(text: str, length: int) -> None:
    told = sendable(f"<{text}>")
    assert len(told.encode()) <= LONGEST_RESULT
    assert told.startswith(f"<{text[0]}") and told.endswith(f"{text[0]}>")
    said = told.split("[… ")[1].split(" …]")[0]
    left_out = int(said.split(" of ")[0].replace(",", ""))
    assert said == f"{left_out:,} of {length + 2:,} characters left out"
    assert left_out == length + 2 - told.count(text[0]) - 2


def test_a_result_of_the_longest_size_is_whole() -> None:
    assert sendable("x" * LONGEST_RESULT) == "x" * LONGEST_RESULT
    assert sendable("ä" * (LONGEST_RESULT // 2)) == "ä" * (LONGEST_RESULT // 2)


def test_half_characters_and_nul_are_replaced() -> None:
    assert sendable("a\ud800b\0c") == "a?b\ufffdc"
    assert sendable("\ud800" * 20_000).encode()


def test_a_text_of_any_size_is_cut() -> None:
    def large() -> str:
        return "x" * 50_000_000

    outcome = result(large)
    assert len(outcome.text) <= LONGEST_RESULT
