"""Whatever an answer holds, scoring it takes bounded time and gives a score or a reason, never a wrong 0."""

from __future__ import annotations

import math
import re
import time
import unicodedata
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.scoring.budget import TooCostly
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.choices import ChoiceReader
from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.folding import FOLDS, fold, normalize
from umwelten.scoring.numbers import numbers_in
from umwelten.scoring.overlap import common_subsequence, edit_distance
from umwelten.scoring.pattern_cost import compile_pattern
from umwelten.scoring.score import Answer, Score, Unscored, total
from umwelten.scoring.scorer import Scorer
from work import calls_of

NEEDED = {"regex": "(a+)x", "length": "1 words", "cost": "< 1", "latency": "< 1s", "tokens": "< 1"}
ALL = {
    kind: Scorer(
        read_scorer(
            "x", {"type": kind} | ({"value": NEEDED[kind]} if kind in NEEDED else {}), NamedPlace("x")
        )
    )
    for kind, known in CATALOG.items()
    if known.make is not None
}
SIZE = 15_000
MOST_S = 2.0  # each takes some hundredths at most; what grows with the square takes many seconds


@settings(max_examples=25, deadline=None)
@given(
    st.text(st.characters() | st.sampled_from('$½-,.()AB\n\x00\ud800{}[]"')),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    ),
)
def test_every_answer_has_a_score_or_a_reason(text: str, other: Any) -> None:
    for scorer in ALL.values():
        for expected in (other, text):
            found = scorer.score(Answer(text=text, record=other), {"expected": expected})
            assert isinstance(found, Score | Unscored)
            again = scorer.score(Answer(text=text, record=other), {"expected": expected})
            assert repr(found) == repr(again)


def test_long_answers_take_no_time() -> None:
    texts = ("a", "1,", "(A", "answer: A/", "\u0300\u0316", "[", "½", "a ", "$", "é", "1/", '"\\')
    for piece in texts:
        text = piece * (SIZE // len(piece))
        for kind, scorer in ALL.items():
            start = time.process_time()
            found = scorer.score(Answer(text=text), {"expected": "A 1" if kind != "choice" else "A"})
            assert time.process_time() - start < MOST_S, (kind, piece)
            assert isinstance(found, Score | Unscored)


def test_what_may_take_long_is_refused_and_is_no_zero() -> None:
    for kind, text, expected in (
        ("regex", "a" * SIZE, "b"),
        ("edit", "ab" * 40_000, "ba" * 40_000),
        ("rouge-l", "a b " * 90_000, "b a " * 90_000),
        ("chrf", "ab" * 500_000, "b"),
    ):
        found = ALL[kind].score(Answer(text=text), {"expected": expected})
        assert isinstance(found, Unscored), kind
        assert (found.kind, found.costly) == ("scorer_error", True)
        short = ALL[kind].score(Answer(text=text[:200]), {"expected": expected[:200]})
        assert isinstance(short, Score)
    small = ALL["regex"].score(Answer(text="a" * 500), {"expected": "b"}, limit=10)
    assert isinstance(small, Unscored)
    assert isinstance(ALL["regex"].score(Answer(text="a" * 500), {"expected": "b"}, limit=math.inf), Score)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"(a+)+b", "a" * 30),
        (r"(a|a)*b", "a" * 30),
        (r"(a|aa)+$", "a" * 50 + "b"),
        (r"(.*)*x", "y" * 40),
        (r"(a?){30}a{30}", "a" * 29),
        (r"(?:a*)*b", "a" * 40),
        (r"(\w+\s?)*$", "word " * 10 + "!"),
        (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a" * 40),
        (r"(?=(a+)+b)c", "a" * 40),
        (r"a+b", "a" * 50_000),
        (r"a*a*a*b", "a" * 2_000),
        (r"(?i:a+)b", "A" * 50_000),
        (r"(a*)\1b", "a" * 2_000),
        (r"(?>a+)b", "a" * 50_000),
        (r"(x)?(?(1)c|a*)b", "a" * 50_000),
        (r"a{9,}$", "a" * 50_000),
        (r"a{90000}", "a" * 50_000),
    ],
)
def test_catastrophic_patterns_are_told_ahead(pattern: str, text: str) -> None:
    start = time.process_time()
    assert compile_pattern(pattern)[1].steps(text, 1e8) > 1e8
    assert time.process_time() - start < MOST_S


@pytest.mark.parametrize(
    "pattern",
    [
        r"\d+",
        r"(?i)answer:\s*(\w+)",
        r"^\s*(yes|no)\b",
        r"\d+ apples",
        r"(\w+) (\w+)",
        r"x{3,5}",
        r"#### (-?\d+)",
        r"(\d{4})-\d\d-\d\d",
        r"(?:the )?answer is (\w+)",
        r"[A-Z]\w+, [A-Z]\w+",
        r"^(?:yes|no)[.!]?$",
    ],
)
def test_ordinary_patterns_are_tried_on_ordinary_answers(pattern: str) -> None:
    text = "The answer is 42 apples, I think, as Ann Lee has 17 of them and Bob has 25.\n" * 50
    assert compile_pattern(pattern)[1].steps(text, 1e8) <= 1e8


@pytest.mark.parametrize(
    ("pattern", "text", "steps"),
    [
        ("ab", "x" * 99, 100),
        (r"\d+x", "a1234b" * 10, 61 * 5),  # a row of four digits is the longest
        (r"x\d+", "a1234b" * 10, 61),
        (r"x\d{3,}", "a1234b" * 10, 61 * 5),
        (r"(?:ab|c)x", "c" * 9, 10 * 2),
        (r"(?:ab|c){2}x", "c" * 9, 10 * (1 + 2 + 4)),
        (r"(?:abc)*x", "c" * 9, 10 * (3 + 1) * 3),
    ],
)
def test_ways_are_counted(pattern: str, text: str, steps: float) -> None:
    assert compile_pattern(pattern)[1].steps(text, 0) == steps


@given(st.text(max_size=30), st.sampled_from(FOLDS))
def test_folding_twice_is_folding_once(text: str, how: str) -> None:
    assert fold(fold(text, how), how) == fold(text, how)  # type: ignore[arg-type]


@given(st.text(st.sampled_from("ae\u0300\u0316ﬁ½Ａ\u0345ϓ"), max_size=28))
def test_texts_of_people_are_normalized_as_unicode_says(text: str) -> None:
    assert normalize(text) == unicodedata.normalize("NFKC", text)


@settings(max_examples=100)
@given(st.text("abc", max_size=80), st.text("abc", max_size=80))
def test_distances_are_those_of_the_textbook(first: str, second: str) -> None:
    row, common = list(range(len(second) + 1)), [0] * (len(second) + 1)
    for number, a in enumerate(first, 1):
        old, row = row, [number]
        before, common = common, [0]
        for place, b in enumerate(second, 1):
            row.append(min(old[place] + 1, row[-1] + 1, old[place - 1] + (a != b)))
            common.append(before[place - 1] + 1 if a == b else max(before[place], common[-1]))
    assert edit_distance(first, second) == row[-1]
    assert common_subsequence(first, second) == common[-1]


def test_distances_are_the_published_ones() -> None:
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("intention", "execution") == 5
    assert edit_distance("a" * 1_000, "") == 1_000


@given(st.text(st.sampled_from("0123456789.,/-$% eE½x\n"), max_size=40))
def test_numbers_are_found_in_any_text(text: str) -> None:
    for number in numbers_in(text):
        assert number is None or number.is_finite()
    assert bool(numbers_in(text)) or not re.search(r"(?<![\w.,/])\d+(?![\w.,/%])", text)


@given(
    st.lists(st.sampled_from(["answer", " is ", ": ", "A", "b", "(C)", "\n", "**", " or ", "$", "x", "/"]))
)
def test_a_choice_is_one_of_the_letters(pieces: list[str]) -> None:
    assert ChoiceReader("ABC").read("".join(pieces)) in (None, "A", "B", "C")


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1e300)), max_size=5), st.booleans())
def test_a_total_lies_among_its_values(pairs: list[tuple[float, float]], unscored: bool) -> None:
    results: list[Any] = [(Score(value=value), weight) for value, weight in pairs]
    found = total(results)
    values = [value for value, weight in pairs if weight > 0]
    assert (found is None) == (not values)
    if found is not None:
        assert min(values) - 1e-9 <= found <= max(values) + 1e-9
        results.append((Unscored(kind="pending"), 1.0 if unscored else 0.0))
        assert (total(results) is None) == unscored


def test_a_total_weighs_its_values() -> None:
    results = [(Score(value=1), 3.0), (Score(value=0), 1.0)]
    assert total(results) == 0.75
    assert total([(Score(value=0.3), 1e300), (Score(value=0.3), 1e300)]) == pytest.approx(0.3)


def test_steps_are_counted_from_both_lengths() -> None:
    assert edit_distance("ab" * 32, "ba" * 32, limit=12 * 64 * 2) == 2
    with pytest.raises(TooCostly):
        edit_distance("ab" * 32, "ba" * 32, limit=12 * 64 * 2 - 1)
    assert common_subsequence("ab" * 32, "ba" * 32, limit=64 * 2) == 63
    with pytest.raises(TooCostly):
        common_subsequence("ab" * 32, "ba" * 32, limit=64 * 2 - 1)


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf])
def test_a_score_is_a_share(value: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 1"):
        Score(value=value)


def test_equal_measures_of_more_text_are_in_order() -> None:
    values = []
    for count in range(1, 6):
        found = ALL["edit"].score(Answer(text="x" * count), {"expected": "x" * 6})
        assert isinstance(found, Score)
        values.append(found.value)
    assert all(less < more for less, more in pairwise(values))


@pytest.mark.parametrize(("kind", "most_calls"), [("contains", 60), ("number", 110), ("f1", 120)])
def test_an_ordinary_answer_is_scored_with_few_steps(kind: str, most_calls: int) -> None:
    """A hundred thousand with three scorers may take 60 s: `benchmarks/scoring.py` has the time."""
    answer = Answer(text="Let me think. The result is 7, as it was before. " * 10)
    ALL[kind].score(answer, {"expected": "7"})
    assert calls_of(lambda: ALL[kind].score(answer, {"expected": "8"})) < most_calls
