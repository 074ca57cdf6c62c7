"""What is kept of a question is what its request sends, whatever the input is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.attempts.input_reader import ReadInput
from umwelten.attempts.question_keeper import QuestionKeeper
from umwelten.attempts.target import Target
from umwelten.identity import content_hash
from umwelten.inputs.content import frame_text, framed_pieces, unframe_text
from umwelten.inputs.tables.rows import read_row, rows
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.store.contents import Content, KeptQuestion, SentMedia
from umwelten.types import Input, Media, ModelRef, Part, Prompt, RequestSettings, Text

MODEL = ModelRef("openai", "m")
ENDPOINT = Endpoint(vendor=VENDORS["openai"], base_url="http://127.0.0.1:1")
TARGET = Target(model=MODEL, endpoint=ENDPOINT, wire=WIRES["openai"])
PLAIN = Text(text="plain")
PICTURE = Media(mime="image/png", data=b"12345", name="a.png")

any_text = st.text(st.characters(exclude_categories=("Cs",)), max_size=300)


class Kept:
    """What a keeper has handed over."""

    def __init__(self, prompt: str, attached: tuple[tuple[str, bytes], ...] = ()) -> None:
        settings = RequestSettings(prompts=(Prompt(name="", text=prompt),), attachments=attached)
        self.builder = RequestBuilder(settings)
        self.contents: list[Content] = []
        self.keeper = QuestionKeeper(self.builder, self.contents.extend, {"a.png": "/pictures/a.png"})

    def question(
        self, given: ReadInput, source: Input | None = None, attached: tuple[Part, ...] = ()
    ) -> KeptQuestion:
        name = self.keeper.keep(source, TARGET, given, content_hash(b"file"), attached)
        return msgspec.json.decode(dict(self.contents)[name], type=KeptQuestion)

    def text(self, piece: object) -> str:
        if isinstance(piece, str):
            return piece
        return dict(self.contents)[bytes.fromhex(piece[0])].decode()  # type: ignore[index]

    def parts(self, question: KeptQuestion) -> list[str]:
        return ["".join(map(self.text, part)) for part in question.parts]

    def sent(self, given: ReadInput, attached: tuple[Part, ...] = ()) -> list[str]:
        request = self.builder.request(
            MODEL, given.parts, stream=False, values=given.values, attached=attached
        )
        return [part.text for part in request.messages[0].parts if isinstance(part, Text)]  # type: ignore[union-attr]


@given(any_text, st.sampled_from(["Sum it up.", "{{content}}", "{{file.name}}: {{content}}!", "\\{{x}}"]))
def test_a_files_question_is_kept_as_it_is_sent(text: str, prompt: str) -> None:
    kept = Kept(prompt)
    framed = frame_text(text, "a.txt")
    bare = kept.builder.bare()
    parts = (Text(text=unframe_text(framed) if bare else framed),)
    given_ = ReadInput(parts=parts, values={"file.name": "a.txt", "file.path": "/d/a.txt"})
    source = Input(id=1, name="a.txt", path="/d/a.txt")
    question = kept.question(given_, source, (PLAIN,))
    assert kept.parts(question) == kept.sent(given_, (PLAIN,))
    assert question.input is not None
    assert kept.text(question.input.text) == unframe_text(framed)
    assert all(digest == content_hash(data) for digest, data in kept.contents)


@given(any_text)
def test_the_pieces_of_a_frame_are_the_frame(text: str) -> None:
    framed = frame_text(text, "a.txt")
    before, inside, after = framed_pieces(framed)
    assert (before + inside + after, inside) == (framed, unframe_text(framed))


@pytest.mark.parametrize("prompt", ["Sum it up.", "{{row.title}} and {{row.text}}", "{{content}}"])
@pytest.mark.parametrize("length", [5, 200, 2_000])
def test_a_rows_long_text_is_kept_once(tmp_path: Path, prompt: str, length: int) -> None:
    text = "w" * length
    (tmp_path / "t.jsonl").write_text(f'{{"title": "Bees", "text": "{text}", "n": 7, "none": null}}\n')
    (found,) = rows(tmp_path / "t.jsonl")
    content = read_row(found.path, name=found.name, part=found.part)
    kept = Kept(prompt)
    parts = tuple(
        Text(text=unframe_text(part.text)) if kept.builder.bare() and isinstance(part, Text) else part
        for part in content.parts
    )
    given_ = ReadInput(parts=parts, values={"file.name": "row-1", "file.path": found.path, **content.values})
    source = Input(id=1, name="row-1", path=found.path, part=found.part)
    question = kept.question(given_, source)
    assert kept.parts(question) == kept.sent(given_)
    assert question.input is not None
    raw = bytes(question.input.row)
    row = msgspec.json.decode(raw if raw.startswith(b"{") else kept.text(msgspec.json.decode(raw)))
    row |= {name: kept.text((digest,)) for name, digest in question.input.long.items()}
    assert row == {"title": "Bees", "text": text, "n": 7, "none": None}
    assert (
        sum(text.encode() in data for data in dict(kept.contents).values()) == 1
        or length == 5
        or length == 200
    )


def test_a_line_is_a_row_with_one_column(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text('a "line" of text\n')
    (found,) = rows(tmp_path / "t.txt")
    content = read_row(found.path, name=found.name, part=found.part)
    kept = Kept("{{row.line}}")
    given_ = ReadInput(parts=content.parts, values={"file.name": "row-1", **content.values})
    question = kept.question(given_, Input(id=1, name="row-1", path=found.path, part=found.part))
    assert question.input is not None
    assert bytes(question.input.row) == b'{"line":"a \\"line\\" of text"}'


def test_media_are_kept_by_hash_and_path_alone() -> None:
    kept = Kept("What is it?", attached=(("b.png", b"\x01" * 20),))
    given_ = ReadInput(parts=(PICTURE,), values={"file.name": "a.png", "file.path": "/d/a.png"})
    beside = msgspec.structs.replace(PICTURE, name="b.png")
    question = kept.question(given_, Input(id=1, name="a.png", path="/d/a.png"), (beside,))
    file = content_hash(b"file").hex()
    assert question.media == (
        SentMedia(name="a.png", mime="image/png", size=5, source=file, path="/d/a.png"),
        SentMedia(name="b.png", mime="image/png", size=5, source="01" * 20),
    )
    assert not any(b"12345" in data for _, data in kept.contents)


def test_the_same_question_is_the_same_content() -> None:
    kept = Kept("x" * 500)
    given_ = ReadInput()
    first = kept.keeper.keep(None, TARGET, given_, b"", ())
    assert kept.keeper.keep(None, TARGET, given_, b"", ()) == first
    assert len(dict(kept.contents)) == 2
