"""How few tokens a text can have: the bound against real tokenizers, and texts that must not raise alarms."""

from __future__ import annotations

import base64
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.attempts.cut_input import characters, least_tokens, may_be_cut
from umwelten.types import Request, Usage
from wirekit import image, question

DICE = random.Random(1)
WORDS = (
    "the of and to in that for it as was with government community development management technology "
    "environment organization university administration communication information international"
)
COMMON = WORDS.split()
LONG_WORDS = [word for word in COMMON if len(word) > 8]
CHINESE = (
    "人工智能是计算机科学的一个分支，它企图了解智能的实"
    "质，并生产出一种新的能以人类智能相似的方式做出反应的智能机器。"
)

# Texts, with the fewer of their tokens by cl100k and o200k, the vocabularies of OpenAI's models.
MEASURED = {
    "common words": (" ".join(DICE.choice(COMMON) for _ in range(4000)), 4_000),
    "long words": (" ".join(DICE.choice(LONG_WORDS) for _ in range(4000)), 4_000),
    "long words without spaces": ("".join(DICE.choice(LONG_WORDS) for _ in range(4000)), 4_323),
    "one word": ("word " * 4000, 4_001),
    "spaces": (" " * 20_000, 157),
    "line breaks": ("\n" * 20_000, 625),
    "rules": (("-" * 80 + "\n") * 100, 200),
    "equals signs": ("=" * 20_000, 312),
    "one letter": ("a" * 20_000, 2_500),
    "table": (("|  x  |   " + " " * 60 + "|\n") * 200, 1_400),
    "tabs": (("\t" * 20 + "x\n") * 1000, 3_000),
    "base64": (base64.b64encode(DICE.randbytes(12_000)).decode(), 10_868),
    "hex": (DICE.randbytes(8_000).hex(), 9_035),
    "numbers": (" ".join(map(str, range(4000))), 10_999),
    "numbered words": (" ".join(f"word{n}" for n in range(4000)), 11_000),
    "Chinese": (CHINESE * 20, 800),
    "emoji": ("".join(DICE.choice("😀😃😄🎉🔥") for _ in range(1000)), 1_590),
}


def read(text: str) -> Request:
    """A request that is this text."""
    return question(text)


@pytest.mark.parametrize("name", MEASURED)
def test_no_tokenizer_makes_fewer_tokens_of_a_text(name: str) -> None:
    text, tokens = MEASURED[name]
    assert 1.25 * least_tokens(read(text)) < tokens


def test_prose_that_was_cut_to_half_is_noticed() -> None:
    prose = MEASURED["common words"][0]
    usage = Usage(input_tokens=2_000)
    assert may_be_cut(characters(read(prose)), usage) or characters(read(prose)) < 10_000
    assert least_tokens(read(prose)) > 2_000


@given(
    st.lists(st.sampled_from(("a", " ", "\n", "\t", "-", "=", "word ", "人", "🎉", "é", "1")), max_size=30),
    st.integers(1, 400),
)
def test_a_text_that_repeats_itself_is_never_worth_more_than_its_pieces(parts: list[str], times: int) -> None:
    # No tokenizer joins words over white space, and a token of repeated signs has at most 64 or so of them.
    text = "".join(parts) * times
    words = len(text.split())
    assert least_tokens(read(text)) <= max(words, len(text) // 64 + 16)


def test_what_says_nothing_about_the_input_is_not_looked_at() -> None:
    sent = characters(read("word " * 10_000))
    assert sent == 40_000
    assert may_be_cut(sent, Usage(input_tokens=2_050))
    assert not may_be_cut(sent, Usage())
    assert not may_be_cut(sent, Usage(input_tokens=0))
    # All that is in the cache may be left out of the count.
    assert not may_be_cut(sent, Usage(input_tokens=7))
    assert not may_be_cut(sent, Usage(input_tokens=1_000, cached_tokens=9_001))
    assert not may_be_cut(sent, Usage(input_tokens=10_001))


def test_media_count_for_nothing() -> None:
    alone, beside = read("Look."), question("Look.", image())
    assert characters(beside) == characters(alone)
    assert least_tokens(beside) == least_tokens(alone)
