"""Thinking in tags at the start of an answer, in one piece and in many."""

from __future__ import annotations

import timeit
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from umwelten.text.thinking import Answer, AnswerText

TAGS = [
    ("<think>", "</think>"),
    ("<THINK>", "</Think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
    ("<|channel>thought\n", "<channel|>"),
]
UNSURE = ("<thinking>", "<thought>")


def read(*pieces: str, cut: bool = False) -> tuple[str, Answer]:
    """The text that was handed out, and the answer."""
    answer = AnswerText()
    return "".join(map(answer.add, pieces)), answer.split(cut=cut)


@pytest.mark.parametrize(("opening", "closing"), TAGS)
@pytest.mark.parametrize("before", ["", "\n", " \n\t"])
def test_a_block_at_the_start_is_thinking(opening: str, closing: str, before: str) -> None:
    expected = Answer("The answer.\n", "Let me see\n <b>.")
    text = f"{before}{opening}\nLet me see\n <b>.\n{closing}\n\nThe answer.\n"
    assert read(text) == (expected.text, expected)
    assert read(*text) == (expected.text, expected)


def test_two_blocks_and_an_empty_one() -> None:
    assert read("<think>a</think>\n<think>b</think>\nc")[1] == Answer("c", "ab")
    assert read("<think>\n\n</think>\n\nc") == ("c", Answer("c"))
    assert read("\n</think>\n\nc") == ("c", Answer("c"))
    assert read("<|channel|>final<|message|>c") == ("c", Answer("c"))


ORDINARY = [
    "",
    " ",
    "Hello",
    "  Hello",
    "<",
    "<thi",
    "[1, 2]",
    "[THI",
    "<b>bold</b>",
    "<thinker>a</thinker>",
    "< think>a</think> b <think>",
    "The tag <think>opens</think> and closes.",
    "`<think>` opens, `</think>` closes.",
    "It ends with </think> and nothing else.",
    "It ends with </think>\n\nand goes on.",
    'The closing tag is "</think>".',
    "The closing tag is (</think>).",
    "Write </think> [sic] there.",
    "```\nsome\n</think>\nmore\n```\n",
    "<thinking>the words that were asked for</thinking>",
    "<thought>the words</thought>\n",
    "<thinking>never closed",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_any_other_answer_is_left_alone(text: str) -> None:
    assert read(text)[1] == read(*text)[1] == Answer(text)


@pytest.mark.parametrize(
    ("text", "thinking", "answer"),
    [
        ("Okay, the user\nwants it.\n</think>\n\nYes.", "Okay, the user\nwants it.", "Yes."),
        ("First this. Then that.</think>Yes.", "First this. Then that.", "Yes."),
        ("so it is</think>\n\nYes.", "so it is", "Yes."),
        ("Let me think\n</think>", "Let me think", ""),
        ('Maybe {"a": 1}?</think>{"a": 2}', 'Maybe {"a": 1}?', '{"a": 2}'),
        ('so it is</think>\n```json\n{"a": 2}\n```', "so it is", '```json\n{"a": 2}\n```'),
    ],
)
def test_thinking_that_began_in_the_prompt_ends_at_its_tag(text: str, thinking: str, answer: str) -> None:
    assert read(text)[1] == read(*text)[1] == Answer(answer, thinking)


@pytest.mark.parametrize(("opening", "closing"), TAGS)
def test_an_answer_that_ends_within_its_thinking_has_no_text(opening: str, closing: str) -> None:
    for rest in ("", "Let me", f"Let me{closing[:-1]}"):
        text, answer = read(opening, rest, cut=True)
        assert (text, answer.text, answer.unclosed) == ("", "", True)
        if opening not in UNSURE:
            assert read(opening, rest)[1].unclosed


PIECES = st.lists(
    st.sampled_from(
        ("<think>", "</think>", "<thinking>", "</thinking>", "\n", " ", "a", "<", "think>", "İK", ".")
    )
)


@given(PIECES, st.lists(st.integers(0, 60), max_size=6), st.booleans())
@example(["<think>", "a", "</think>"], [9, 12], False)
def test_pieces_come_to_what_the_whole_does(parts: list[str], cuts: list[int], cut: bool) -> None:
    whole = "".join(parts)
    ends = sorted({0, len(whole), *(at for at in cuts if at < len(whole))})
    pieces = [whole[a:b] for a, b in pairwise(ends)]
    shown, answer = read(*pieces, cut=cut)
    assert answer == read(whole, cut=cut)[1] == read(*whole, cut=cut)[1]
    # Nothing is shown that is not in the answer, unless its thinking began in the prompt.
    assert answer.text.endswith(shown) or answer.text.startswith(shown) or shown.endswith(answer.text)
    assert sum(map(len, (answer.text, answer.thinking))) <= len(whole)


def test_long_thinking_in_small_pieces_takes_time_in_proportion() -> None:
    def read_all(count: int) -> float:
        answer = AnswerText()
        answer.add("<think>")
        return timeit.timeit(lambda: answer.add("word "), number=count)

    read_all(2_000)
    few, many = read_all(4_000), read_all(40_000)
    assert many < 40 * few
