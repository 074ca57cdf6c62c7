"""What a worker tells its parent, and what one that a file has taken over can tell it."""

from __future__ import annotations

import ast
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import umwelten.inputs
from umwelten.cli.flag_names import as_flag
from umwelten.errors import InputError, MachineError
from umwelten.inputs.content import UnsupportedInput
from umwelten.inputs.workers import protocol
from umwelten.inputs.workers.protocol import Answer, Problem
from umwelten.phrases import Named, Phrase, by_name

TEXTS = st.text(st.characters(codec="utf-8"), max_size=50) | st.sampled_from(
    ["{x.__class__}", "{0!r:>9999999999}", "{option:max_cost}", "{", "--pdf"]
)
NAMED = st.builds(Named, st.sampled_from(["pdf", "rows"]), st.none() | TEXTS)
WORDINGS = TEXTS | st.builds(Phrase.of, st.lists(TEXTS | NAMED, max_size=5))
ERRORS = st.builds(
    lambda kind, text, hint: kind(text, hint),
    st.sampled_from([InputError, MachineError, UnsupportedInput]),
    WORDINGS,
    st.none() | WORDINGS,
)


def received(problem: Problem) -> InputError:
    answer = protocol.answer_decoder.decode(protocol.encode(Answer(id=1, problem=problem)))
    assert answer.problem is not None
    return protocol.unpack_error(answer.problem)


@given(ERRORS)
def test_an_error_is_the_same_on_the_other_side(error: InputError) -> None:
    other = received(protocol.pack_error(error))
    assert type(other) is type(error)
    for spelling in (by_name, as_flag):
        assert str(other.spell(spelling)) == str(error.spell(spelling))


def test_what_is_too_long_to_be_read_is_cut_by_the_sender() -> None:
    pieces = ["x" * 30_000, *["y"] * 200]
    other = received(protocol.pack_error(InputError(Phrase.of(pieces))))
    assert other.message == "x" * 20_000 + "y" * 99


@pytest.mark.parametrize(
    "words",
    [
        [{"option": "max_cost"}],
        [{"option": "pdf\x1b[2J"}],
        [{"option": "pdf", "value": 3}],
        [{"option": "pdf", "value": "x" * 20_001}],
        ["x" * 20_001],
        ["x"] * 101,
        [["{x.__class__}", {"x": 1}]],
        [3],
        [None],
        [[[[[]]]]],
        "x",
        {"option": "pdf"},
    ],
    ids=range(12),
)
@pytest.mark.parametrize("kind", ["input", "internal"])
def test_other_words_are_not_read(words: object, kind: str) -> None:
    for problem in ({"words": words}, {"words": [], "hint": words}):
        data = msgspec.msgpack.encode({"id": 1, "problem": {"kind": kind, **problem}})
        with pytest.raises(msgspec.ValidationError):
            protocol.answer_decoder.decode(data)


def test_every_option_that_a_converter_names_can_be_sent() -> None:
    """Those of `inputs.convert` and of the files that it shares with the parent."""
    named = set()
    folder = Path(umwelten.inputs.__path__[0])
    for path in [*folder.glob("convert/**/*.py"), folder / "content.py", folder / "media.py"]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Phrase":
                values = {word.arg: "v" for word in node.keywords if word.arg}
                phrase = Phrase(ast.literal_eval(node.args[0]), **values)
                named |= {piece for piece in phrase.pieces if isinstance(piece, Named)}
    assert {piece.option for piece in named} >= {"pdf"}
    error = InputError(Phrase.of(named))
    assert str(received(protocol.pack_error(error))) == str(error)
