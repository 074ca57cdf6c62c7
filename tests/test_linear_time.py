"""What a model, a server or a file wrote is read in time that grows with its size alone."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.attempts.key_mask import KeyMask
from umwelten.inputs.content import frame_text, unframe_text
from umwelten.inputs.convert.html import _FROM_LINE_END, _one_blank_line, markdown
from umwelten.inputs.convert.markdown_table import cell
from umwelten.inputs.convert.pdf_streams import check
from umwelten.inputs.filters import parse_where, path_value
from umwelten.providers.common.errors import _NO_SUCH_PATH
from umwelten.schema.json_extraction import candidates
from umwelten.schema.repair import REPAIR_LIMIT, repair_json
from umwelten.text.thinking import AnswerText
from umwelten.types import Reply

SIZE = 1_000_000
MOST_S = 15.0  # each takes a second at most, on a busy machine; what grows with the square takes minutes


def _filtered(value: str) -> bool:
    return parse_where("answer > 3")({"answer": value})


def _streamed(first: str, piece: str) -> str:
    answer = AnswerText()
    answer.add(first)
    for _ in range(SIZE // 10):
        answer.add(piece)
    return answer.split(cut=True).text


def _masked(text: str) -> object:
    return MASK.outcome(Reply(text=text * (SIZE // len(text))))


def _pieces_masked(text: str) -> None:
    pieces = MASK.pieces(lambda shown: None)
    for _ in range(SIZE // 10):
        pieces(text)
    pieces.end()


KEY = "sk-proj-0aB1cD2eF3gH4iJ5kL6mN7oP8qR9sT0uV1wX2yZ3"
MASK = KeyMask([KEY])
TAGS = "</content>" + "".join(f"</content-{number}>" for number in range(1, SIZE // 20))
READ: dict[str, Callable[[], object]] = {
    "digits and a letter": lambda: _filtered("9" * SIZE + "x"),
    "digits": lambda: _filtered("9" * SIZE),
    "a fraction": lambda: _filtered("." + "9" * SIZE + "e"),
    "an exponent": lambda: _filtered("1e" + "9" * SIZE + " x"),
    "blanks and a number": lambda: _filtered(" " * SIZE + "1 1"),
    "tags of a frame": lambda: frame_text(TAGS, "a"),
    "tags of a frame from behind": lambda: frame_text(TAGS[::-1] + TAGS[10:], "a"),
    "empty lines": lambda: _FROM_LINE_END.sub(_one_blank_line, ("\n" * 9 + "a") + "\n " * SIZE + "a"),
    "blanks in a page": lambda: markdown(f"<p>a{' ' * SIZE}b<pre>a{' ' * SIZE}b", "a"),
    "items of a list": lambda: markdown("<ol>" + "<li>a</li>" * (SIZE // 100), "a"),
    "rows of a head": lambda: markdown("<table><thead>" + "<tr><td>a" * (SIZE // 200), "a"),
    "scripts side by side": lambda: markdown("<p>" + "<script></script>a" * (SIZE // 50), "a"),
    "streams of a PDF": lambda: check(b" obj /Fl >>stream\n" * (SIZE // 20), "a"),
    "backslashes in a table": lambda: cell("|" + "\\" * SIZE),
    "signs in a refusal": lambda: _NO_SUCH_PATH.search("!" * SIZE + "x"),
    "escaped quotes": lambda: repair_json('{"a": 1, b: ' + '\\"' * (REPAIR_LIMIT // 2 - 9) + "}", True),
    "brackets in an answer": lambda: candidates("{[" * (SIZE // 2)),
    "braces in an answer": lambda: candidates("{ a" * (SIZE // 3)),
    "ends of a key": lambda: _masked(f"{KEY[20:]} "),
    "beginnings of a key": lambda: _masked(f"{KEY[:30]} "),
    "first letters of a key": lambda: _masked(KEY[:8]),
    "keys": lambda: _masked(KEY),
    "a key in pieces": lambda: _pieces_masked(KEY[:8]),
    "white space in pieces": lambda: _streamed(" ", "          "),
    "white space behind thinking": lambda: _streamed("<think></think>\n", "\n"),
}


@pytest.mark.parametrize("kind", READ)
def test_a_text_of_a_megabyte_takes_no_time(kind: str) -> None:
    start = time.process_time()
    READ[kind]()
    assert time.process_time() - start < MOST_S


def test_numbers_are_those_that_were() -> None:
    for text in ("7", "+7.", "-.5", "7.25e-3", "1E5", " 7 "):
        assert parse_where("answer = 7 or answer != 7")({"answer": text})
        assert parse_where(f"answer = {text.strip()}")({"answer": float(text)})
    for text in (".", "e5", "1e", "7x", "", "1.2.3"):
        assert not parse_where("answer < 1e9")({"answer": text})


@pytest.mark.parametrize("path", ["9" * 5000, f"{'9' * 5000}.name", "٩" * 5000, "0" * 5000, "3"])
def test_an_index_beyond_a_list_leads_to_nothing(path: str) -> None:
    assert path_value([1, 2, 3], path) is None
    assert path_value({"a": [1]}, f"a.{path}") is None


@given(
    st.lists(
        st.sampled_from(
            ["</content>", "</content-1>", "</content-2>", "</content-01>", "</content-", "3>", "a"]
        )
    )
)
def test_a_frame_takes_the_first_tag_that_is_free(pieces: list[str]) -> None:
    text = "".join(pieces)
    names = ("content" if number == 0 else f"content-{number}" for number in count())
    tag = next(name for name in names if f"</{name}>" not in text)
    framed = frame_text(text, "a.txt")
    assert framed.startswith(f"File: a.txt\n<{tag}>\n")
    assert framed.endswith(f"</{tag}>")
    assert unframe_text(framed) == text


@given(st.text(st.sampled_from("\n \t\r|\\a\u2028")))
def test_blank_lines_and_bars_are_written_as_before(text: str) -> None:
    assert _FROM_LINE_END.sub(_one_blank_line, text) == re.sub(r"\n\s*\n\s*\n+", "\n\n", text)
    expected = re.sub(r"(\\*)\|", lambda match: f"{match[1] * 2}\\|", text)
    assert cell(text) == re.sub(r"\r\n|[\r\n\v\f\u0085\u2028\u2029]", "<br>", expected)


@given(st.lists(st.text(st.sampled_from(" \n<think>/a"), max_size=12)))
def test_an_answer_is_split_alike_however_its_white_space_arrives(pieces: list[str]) -> None:
    whole, split = AnswerText(), AnswerText()
    whole.add("".join(pieces))
    for piece in "".join(pieces):
        split.add(piece)
    assert whole.split() == split.split()
    assert whole.split(cut=True) == split.split(cut=True)
