"""Pairs of earlier answers, in an order, as inputs of an evaluation: a judge says which is the better one.

Both are answers about one input, of one evaluation or of two in the same directory. A pair's path is the
database of the first of them, its part `pair [ID:]CALL [ID:]CALL`, and `BYTES NAME` after that where the pair
is sent with the file that it is about, for estimates. Its stamp covers both texts, and where a prompt reaches
beyond them (`chained`) the calls and their inputs; of what is sent, its digest tells.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from umwelten.errors import InputError
from umwelten.identity import content_hash, input_part
from umwelten.inputs.content import Content, InputChanged, Question, frame_text
from umwelten.inputs.earlier_answers import (
    DEEP,
    Beside,
    answer_stamp,
    chained_digest,
    input_errors,
    text_stamp,
)
from umwelten.inputs.questions import chained_columns
from umwelten.inputs.sources import Inputs
from umwelten.phrases import Phrase
from umwelten.prompts.template import FIRST, INPUT, MEMORY, PROMPT, ROW, SECOND, Template
from umwelten.store.database import database, has_database, store_errors
from umwelten.store.inputs import path_text
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredAnswer, StoredCall, answers_about, stored_answer
from umwelten.store.stored_pairs import AnswerPlace, answer_places, pair_part
from umwelten.store.tables import cell_of
from umwelten.types import FoundInput, FrozenStruct, Text

_DESCRIBED = 200_000
"""Answers of an evaluation whose stamps are kept while pairs are found, some 300 bytes each: a draw takes the
inputs in any order."""

_GONE = "gone"
"""The stamp of a pair of which an answer is gone: its calls fail, and say so."""


class AnswerPair(FrozenStruct):
    """Two answers in an order, and what the input is called, which no other pair is."""

    first: AnswerPlace
    second: AnswerPlace
    name: str


class ReadQuestion(Protocol):
    """Reads what an answer of the evaluation in a folder was asked."""

    def __call__(self, answer: StoredAnswer, *, folder: Path) -> Question: ...


def pairs_as_inputs(
    folder: Path,
    pairs: Callable[[], Iterator[AnswerPair]],
    *,
    chained: Collection[str] = (),
    beside: Beside | None = None,
) -> Inputs:
    """Return pairs of answers as inputs. Places without an evaluation are of the one in `folder`.

    `pairs` returns a new iterator at each call. `chained` and `beside` are as in `earlier_answers.answers`.
    Raises `InputError` for a table that can't be read any more, if the prompts name its columns.
    """
    wants_rows = any(name.startswith(ROW) for name in chained) and has_database(folder)
    return Inputs(
        files=lambda: _found_pairs(folder, pairs(), chained, beside),
        source="pairs",
        lazy=True,
        columns=chained_columns(folder) if wants_rows else None,
    )


def read_pair(
    path: str | Path,
    *,
    name: str,
    part: str,
    stamp: str = "",
    chained: tuple[str, ...] = (),
    question: ReadQuestion | None = None,
) -> Content:
    """Return two answers, each framed like a text file, with the values of `first` and `second`.

    `file.name` and `file.path` are those of the input that both are about. `stamp` is that of
    `pairs_as_inputs`; if empty it is not compared. `chained` (`RowUse.chained`) are further values, of what
    both were asked, which `question` reads. Raises `InputError` if an answer is gone, or if they were not
    asked the same as far as that is shown, and what `question` does.
    """
    folder = Path(path).parent
    try:
        places = answer_places(part)
    except ValueError as error:
        raise InputError(f"{name}: {error}", Phrase("Continue with {option:resume}.")) from error
    folders = tuple(_folder(folder, place) for place in places)
    first, second = (_answer(where, place, name) for where, place in zip(folders, places, strict=True))
    values = {
        FIRST: first.text,
        SECOND: second.text,
        "file.name": first.file or "",
        "file.path": path_text(first.path),
    }
    digest, asked = _digest(first.text, second.text), None
    if chained and question is not None:
        asked = _common_question((first, second), folders, chained, question)
        digest = chained_digest(digest, asked, {})
        if asked.content is not None:
            values |= {n: text for n, text in asked.content.values.items() if n.startswith(ROW)}
    current = _pair_stamp(_stamps(first), _stamps(second), deep=DEEP in stamp)
    return Content(
        digest=digest,
        parts=tuple(Text(text=frame_text(values[place], place)) for place in (FIRST, SECOND)),
        changed=stamp != "" and DEEP.join(stamp.split(DEEP)[:2]) != current,
        values=values,
        question=asked,
    )


# --- what both were asked --------------------------------------------------------------------


def _common_question(
    answers: tuple[StoredAnswer, StoredAnswer],
    folders: tuple[Path, ...],
    chained: tuple[str, ...],
    question: ReadQuestion,
) -> Question:
    """Return what both answers were asked. Raises `InputError` where that is not the same."""
    first, second = answers
    if first.file != second.file:
        raise InputError(
            f"two answers about different inputs, {first.file or 'none'} and {second.file or 'none'}, "
            "cannot be compared"
        )
    about = first.file or "the prompt"
    if PROMPT in chained and first.prompt != second.prompt:
        raise InputError(
            f"the two answers about {about} are to different prompts: there is no one {{{{prompt}}}} to show"
        )
    asked = question(first, folder=folders[0])
    if not _is_alike(first, second, asked):
        other = question(second, folder=folders[1])
        if not _is_same(asked.content, other.content):
            raise InputChanged(
                Phrase(
                    "{about} is not the same for the two answers that are compared: show judges less of it "
                    "with {option:prompt}, or ask both about the same",
                    about=about,
                )
            )
    return asked


def _is_alike(first: StoredAnswer, second: StoredAnswer, asked: Question) -> bool:
    """Return whether both were surely asked the same, without reading it for the second one."""
    recalls = PROMPT in asked.names and MEMORY in Template(first.prompt).names
    return asked.content is None or (
        input_part(first.content) == input_part(second.content)
        and first.prompt == second.prompt
        and (first.recall == second.recall or not recalls)
    )


def _is_same(first: Content | None, second: Content | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.digest == second.digest and first.values == second.values


# --- finding ---------------------------------------------------------------------------------


class _Asked(msgspec.Struct, frozen=True):
    """What the answers about one input were asked."""

    file: str | None
    path: str
    part: str
    size: int


class _Found(NamedTuple):
    """What is needed of an answer to describe the pairs that it is in."""

    stamps: tuple[str, str]
    size: int
    asked: _Asked


class _Answers:
    """The answers of one evaluation, read input by input."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._kept: OrderedDict[int, dict[int, _Found]] = OrderedDict()
        self._count = 0
        self.prompt_bytes = max(len(prompt.text.encode()) for prompt in reader.spec().request.prompts)

    def of(self, call: int) -> _Found | None:
        number = cell_of(call)[0]
        if number not in self._kept:
            self._read(number)
        return self._kept[number].get(call)

    def _read(self, number: int) -> None:
        with store_errors(self._reader.folder):
            found = _described(answers_about(self._reader, number))
        self._kept[number] = found
        self._count += len(found)
        while self._count > _DESCRIBED and len(self._kept) > 1:
            self._count -= len(self._kept.popitem(last=False)[1])


def _described(calls: Sequence[StoredCall]) -> dict[int, _Found]:
    asked = None
    found = {}
    for call in calls:
        asked = asked or _Asked(file=call.file, path=call.path, part=call.part, size=call.input_size)
        text = call.text or ""
        stamps = text_stamp(text), answer_stamp("", call.key, call.input_stamp, deep=True)
        found[call.id] = _Found(stamps=stamps, size=len(text.encode()), asked=asked)
    return found


def _found_pairs(
    folder: Path, pairs: Iterator[AnswerPair], chained: Collection[str], beside: Beside | None
) -> Iterator[FoundInput]:
    path, about = str(database(folder)), _About(chained=chained, beside=beside)
    with ExitStack() as stack, input_errors():
        known: dict[str, _Answers] = {}

        def found(place: AnswerPlace) -> tuple[_Found | None, _Answers]:
            if place.evaluation not in known:
                reader = stack.enter_context(Reader.open(_folder(folder, place)))
                known[place.evaluation] = _Answers(reader)
            answers = known[place.evaluation]
            return answers.of(place.call), answers

        for pair in pairs:
            pair = _relative(pair, folder.name)
            (first, own), (second, others) = found(pair.first), found(pair.second)
            prompt = max(own.prompt_bytes, others.prompt_bytes)
            yield about.described(pair, path, first, second, prompt)


class _About(FrozenStruct):
    """Makes inputs of pairs: what is sent with their texts is counted in their sizes and stamps."""

    chained: Collection[str]
    beside: Beside | None

    def described(
        self, pair: AnswerPair, path: str, first: _Found | None, second: _Found | None, prompt_bytes: int
    ) -> FoundInput:
        part = pair_part(pair.first, pair.second)
        if first is None or second is None:
            return FoundInput(name=pair.name, path=path, size=0, stamp=_GONE, part=part)
        size, asked = first.size + second.size, first.asked
        deep = bool(self.chained) or self.beside is not None
        stamp = _pair_stamp(first.stamps, second.stamps, deep=deep)
        if self.chained:
            size += asked.size + (prompt_bytes if PROMPT in self.chained else 0)
        if self.beside is not None:
            text = self.beside(asked.file or "", asked.path)
            size, stamp = size + len(text.encode()), f"{stamp}{DEEP}{text_stamp(text)}"
        if INPUT in self.chained and asked.file is not None and not asked.part:
            part = f"{part} {asked.size} {asked.file}"
        return FoundInput(name=pair.name, path=path, size=size, stamp=stamp, part=part)


def _relative(pair: AnswerPair, own: str) -> AnswerPair:
    """Return the pair with no evaluation where that is the one whose database is the path."""
    if own not in (pair.first.evaluation, pair.second.evaluation):
        return pair
    first, second = (
        AnswerPlace(call=place.call) if place.evaluation == own else place
        for place in (pair.first, pair.second)
    )
    return AnswerPair(first=first, second=second, name=pair.name)


# --- answers ---------------------------------------------------------------------------------


def _folder(folder: Path, place: AnswerPlace) -> Path:
    return folder.with_name(place.evaluation) if place.evaluation else folder


def _answer(folder: Path, place: AnswerPlace, name: str) -> StoredAnswer:
    with input_errors():
        answer = stored_answer(folder, place.call)
    if answer is None:
        raise InputError(
            f"an answer of the pair {name!r} is no longer in {folder}",
            Phrase("Continue with {option:resume}."),
        )
    return answer


def _stamps(answer: StoredAnswer) -> tuple[str, str]:
    """Return the stamps of an answer's text, and of its call and input."""
    return text_stamp(answer.text), answer_stamp("", answer.key, answer.stamp, deep=True)


def _pair_stamp(first: tuple[str, str], second: tuple[str, str], *, deep: bool) -> str:
    texts = text_stamp(f"{first[0]} {second[0]}")
    return f"{texts}{DEEP}{text_stamp(f'{first[1]} {second[1]}')}" if deep else texts


def _digest(first: str, second: str) -> bytes:
    hashes = [content_hash(first.encode()).hex(), content_hash(second.encode()).hex()]
    return content_hash(msgspec.json.encode(hashes))
