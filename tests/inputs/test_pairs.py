"""Pairs of earlier answers as inputs: what they are called, read as, and when they are others."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from tests.scoredkit import evaluate, write_table

from umwelten.errors import InputError, UsageError
from umwelten.evaluation.preflight import PLACEHOLDERS
from umwelten.inputs.pairs import AnswerPair, pairs_as_inputs
from umwelten.inputs.questions import question_values
from umwelten.inputs.reader import input_hash, read
from umwelten.prompts.template import Template
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import stored_answers
from umwelten.store.stored_pairs import AnswerPlace, answer_places
from umwelten.types import FoundInput, RowUse, Text

_TABLE = [
    {"n": "1", "a": "one", "b": "uno", "want": "1"},
    {"n": "2", "a": "two", "b": "dos", "want": "2"},
]
_MODELS = {"echo:a": "a", "echo:b": "b"}
_QUESTION = ("prompt", "input", "row.n")


def _evaluation(tmp_path: Path, id: str = "x", **further: str) -> Path:
    table = write_table(tmp_path / "table.csv", _TABLE)
    return evaluate(table, _MODELS, id=id, output=tmp_path / "output", **further)


def _places(folder: Path, evaluation: str = "") -> dict[tuple[str, str], AnswerPlace]:
    with Reader.open(folder) as reader:
        return {
            (call.file or "", call.model): AnswerPlace(call=call.id, evaluation=evaluation)
            for call in stored_answers(reader)
        }


def _pairs(folder: Path, *pairs: AnswerPair, chained: Sequence[str] = ()) -> list[FoundInput]:
    def found() -> Iterator[AnswerPair]:
        yield from pairs

    return list(pairs_as_inputs(folder, found, chained=chained).files())


def _read(found: FoundInput, chained: tuple[str, ...] = ()):
    return read(found.path, name=found.name, part=found.part, stamp=found.stamp, use=RowUse(chained=chained))


def test_a_pair_has_both_texts_in_their_order_and_the_question_of_both(tmp_path: Path) -> None:
    folder = _evaluation(tmp_path)
    places = _places(folder)
    a, b = places["row-1", "echo:a"], places["row-1", "echo:b"]
    one, other = _pairs(
        folder,
        AnswerPair(first=a, second=b, name="row-1.a.b"),
        AnswerPair(first=b, second=a, name="row-1.b.a"),
        chained=_QUESTION,
    )
    content, swapped = _read(one, _QUESTION), _read(other, _QUESTION)
    assert (content.values["first"], content.values["second"]) == ("one", "uno")
    assert (swapped.values["first"], swapped.values["second"]) == ("uno", "one")
    assert content.values["file.name"] == "row-1"
    assert content.values["row.n"] == "1"
    assert question_values(content)["prompt"] == "Which is it, 1?"
    assert not content.changed
    assert content.digest != swapped.digest
    shown = "".join(part.text for part in content.parts if isinstance(part, Text))
    assert "echo" not in shown and "row-1.a.b" not in shown  # who wrote it is nobody's business
    assert input_hash(one.path, one.part, RowUse(chained=_QUESTION), name=one.name) == content.digest


def test_answers_of_two_evaluations_are_compared(tmp_path: Path) -> None:
    folder, second = _evaluation(tmp_path), _evaluation(tmp_path, "y")
    a = _places(folder)["row-2", "echo:a"]
    b = _places(second, "y")["row-2", "echo:b"]
    (found,) = _pairs(
        folder,
        AnswerPair(first=b, second=AnswerPlace(call=a.call, evaluation="x"), name="row-2.b.a"),
        chained=_QUESTION,
    )
    assert answer_places(found.part) == (b, a)
    content = _read(found, _QUESTION)
    assert (content.values["first"], content.values["second"]) == ("dos", "two")
    assert question_values(content)["prompt"] == "Which is it, 2?"


def test_answers_to_different_prompts_have_no_prompt_to_show(tmp_path: Path) -> None:
    folder, second = (
        _evaluation(tmp_path),
        _evaluation(tmp_path, "y", prompt="Say {{row.n}} and {{row.want}}"),
    )
    a = _places(folder)["row-2", "echo:a"]
    b = _places(second, "y")["row-2", "echo:b"]
    (found,) = _pairs(folder, AnswerPair(first=a, second=b, name="row-2.a.b"), chained=_QUESTION)
    with pytest.raises(InputError, match="are to different prompts"):
        _read(found, _QUESTION)
    content = _read(found, ("input", "row.n"))
    assert question_values(content)["input"] and content.values["row.n"] == "2"


def test_answers_about_different_inputs_are_not_compared(tmp_path: Path) -> None:
    folder = _evaluation(tmp_path)
    places = _places(folder)
    (found,) = _pairs(
        folder,
        AnswerPair(first=places["row-1", "echo:a"], second=places["row-2", "echo:b"], name="row-1.a.b"),
        chained=_QUESTION,
    )
    with pytest.raises(InputError, match="different inputs, row-1 and row-2"):
        _read(found, _QUESTION)


@pytest.mark.parametrize(
    "part", ["pair 1", "pair 1 x", "pair ../y:1 2", "pair :1 2", "pair 1 9999999999999999999"]
)
def test_what_names_no_two_answers_is_an_error(tmp_path: Path, part: str) -> None:
    folder = _evaluation(tmp_path)
    with pytest.raises(InputError, match="names no two answers"):
        read(folder / "evaluation.db", name="p", part=part)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{{answer}}", "there are two answers", "{{first}} and {{second}}"),
        ("{{json.a}}", "there are two answers", "{{first}} and {{second}}"),
        ("{{expected}}", "nothing says what is expected", "expected="),
        ("{{row.n}}", "no rows to fill it in from", "not about rows"),
        ("{{frist}}", "did you mean {{first}}?", ""),
    ],
)
def test_placeholders_that_pairs_lack_are_refused(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)) as raised:
        Template(text).check(PLACEHOLDERS["pairs"], None)
    assert hint in str(raised.value.hint)


def test_answers_about_an_input_that_two_evaluations_saw_otherwise_are_not_compared(tmp_path: Path) -> None:
    folder, other = _evaluation(tmp_path), tmp_path / "other"
    other.mkdir()
    table = write_table(other / "table.csv", [{**row, "n": f"{row['n']}0"} for row in _TABLE])
    second = evaluate(table, _MODELS, id="y", output=tmp_path / "output")
    a = _places(folder)["row-2", "echo:a"]
    b = _places(second, "y")["row-2", "echo:b"]
    (found,) = _pairs(folder, AnswerPair(first=a, second=b, name="row-2.a.b"), chained=_QUESTION)
    with pytest.raises(InputError, match="row-2 is not the same for the two answers"):
        _read(found, _QUESTION)
    assert _read(found).values["second"] == "dos"  # where nothing of it is shown, nobody knows


def test_a_pair_is_another_one_with_another_text_or_reference(tmp_path: Path) -> None:
    folder = _evaluation(tmp_path)
    places = _places(folder)
    a, b = places["row-1", "echo:a"], places["row-1", "echo:b"]

    def stamp(wanted: str, chained: Sequence[str] = _QUESTION) -> str:
        pairs = [AnswerPair(first=a, second=b, name="row-1.a.b")]
        inputs = pairs_as_inputs(folder, lambda: iter(pairs), chained=chained, beside=lambda *_: wanted)
        (found,) = inputs.files()
        content = _read(found, tuple(chained))
        assert not content.changed
        other = msgspec.structs.replace(found, stamp=found.stamp.replace(found.stamp[:3], "xyz", 1))
        assert _read(other, tuple(chained)).changed
        return found.stamp

    assert stamp("1") == stamp("1") != stamp("one")
