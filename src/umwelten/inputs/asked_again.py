"""What a call asked, put together again from its input where it was not kept."""

from __future__ import annotations

import msgspec

from umwelten.errors import InputError
from umwelten.identity import input_part
from umwelten.inputs.content import Content, InputChanged, Question, unframe_text
from umwelten.inputs.questions import question_values
from umwelten.inputs.reader import read_question
from umwelten.prompts.template import FIRST, INPUT, PROMPT, ROW, SECOND, Template, content_text
from umwelten.providers.capabilities import Capabilities
from umwelten.store.asked import NOT_KEPT, Asked, AskedSource
from umwelten.store.contents import SentMedia
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredAnswer, stored_answer
from umwelten.types import Media, Text

_CONVERTED = "the file was sent as it is or converted, as its model takes it"
_BESIDE = "without the attachments"


def read_again(reader: Reader, call: int) -> Asked:
    """Return what the good answer to a call was asked, read from its input as long as that is the same.

    Its source is "read", or "changed since" where the input is another one now. A file that was converted is
    named, but not shown: what its model took is not known any more. Raises StoreError.
    """
    answer = stored_answer(reader.folder, call)
    if answer is None:
        return NOT_KEPT
    note = _BESIDE if reader.spec().request.attachments else ""
    try:
        question = read_question(
            answer, (PROMPT, INPUT), folder=reader.folder, sees=Capabilities(), pdf="auto"
        )
        if question.content is not None and question.content.convert is not None:
            return _named(answer)
        values = question_values(Content(digest=b"", parts=(), question=question))
    except InputChanged:
        return Asked(source=AskedSource.CHANGED)
    except InputError as error:
        return Asked(source=AskedSource.NOT_KEPT, note=error.message)
    return _asked(answer, question, values[PROMPT], note)


def _asked(answer: StoredAnswer, question: Question, prompt: str, note: str) -> Asked:
    content = question.content
    if content is None:
        return Asked(source=AskedSource.READ, parts=(prompt,), note=note)
    framed = [part.text for part in content.parts if isinstance(part, Text)]
    after = () if Template(answer.prompt).places_input else framed
    words = content_text(map(unframe_text, framed), ()) if framed else None
    is_row = answer.part.startswith("row ")
    return Asked(
        source=AskedSource.READ,
        parts=(prompt, *after),
        input_text=None if answer.part else words,
        # Of a changed row, only what its prompt uses is known to be the same.
        row=_row(content, words or "") if is_row and not content.changed else None,
        answer=content.values.get("answer") if answer.part and not is_row else None,
        memory=content.values.get("memory"),
        media=tuple(_medium(answer, part) for part in content.parts if isinstance(part, Media)),
        note=note,
        first=content.values.get(FIRST),
        second=content.values.get(SECOND),
    )


def _row(content: Content, text: str) -> dict[str, object]:
    values = {name.removeprefix(ROW): value for name, value in content.values.items() if name.startswith(ROW)}
    try:
        row = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.MsgspecError:
        return dict(values)
    return row if row.keys() == values.keys() else dict(values)


def _named(answer: StoredAnswer) -> Asked:
    medium = SentMedia(name=answer.file or "", mime="", size=0, source=_source(answer), path=answer.path)
    return Asked(source=AskedSource.READ, media=(medium,), note=_CONVERTED)


def _medium(answer: StoredAnswer, part: Media) -> SentMedia:
    return SentMedia(
        name=part.name, mime=part.mime, size=len(part.data), source=_source(answer), path=answer.path
    )


def _source(answer: StoredAnswer) -> str:
    return input_part(answer.content).hex()
