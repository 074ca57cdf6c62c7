"""The inputs that answers are about, read again: their values, and whether they are what was sent."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

import msgspec

from umwelten.errors import InputError
from umwelten.identity import input_part
from umwelten.inputs.files.scan import stamp as stamp_of
from umwelten.inputs.reader import file_hash, read
from umwelten.inputs.references import file_values
from umwelten.prompts.request_builder import row_use
from umwelten.prompts.template import JSON, ROW
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import ScorableAnswer
from umwelten.types import FrozenStruct, RowUse


class AnswerInput(FrozenStruct):
    """What is known of an answer's input. `changed` says why it is not what was sent, "": it is."""

    values: Mapping[str, str]
    changed: str = ""


class AnswerInputs:
    """Reads the inputs of an evaluation's answers.

    `needs_values`: placeholders of rows and earlier answers are filled in, not only those about a file;
    `names` are those that reach back along a chain of evaluations.
    """

    def __init__(self, reader: Reader, *, needs_values: bool, names: Collection[str] = ()) -> None:
        self._needs_values = needs_values
        self._chained = tuple(name for name in names if name.startswith((ROW, JSON)))
        request = reader.spec().request
        self._uses = {
            prompt.name: msgspec.structs.replace(row_use(request, prompt.text), again=True)
            for prompt in request.prompts
        }
        self._last: tuple[int, str | None] = (-1, None)
        self._found = AnswerInput(values={})

    def of(self, answer: ScorableAnswer) -> AnswerInput:
        """Return the input of an answer. Answers about one input that follow each other read it once."""
        call = answer.call
        place = (call.input_id, call.prompt)
        if place != self._last:
            self._found, self._last = self._read(answer), place
        return self._found

    def _read(self, answer: ScorableAnswer) -> AnswerInput:
        call = answer.call
        values = file_values(call.file or "", call.path)
        if not call.input_id:
            return AnswerInput(values=values)
        use = self._uses.get(call.prompt or "", RowUse())
        try:
            if not call.part:
                return AnswerInput(values=values, changed=_changed_file(answer))
            if not self._needs_values and not call.part.startswith("row "):
                return AnswerInput(values=values)
            if not call.part.startswith("row "):
                chained = tuple(dict.fromkeys((*use.chained, *self._chained)))
                use = msgspec.structs.replace(use, chained=chained)
            content = read(call.path, name=call.file or "", stamp=answer.stamp, part=call.part, use=use)
        except InputError as error:
            return AnswerInput(values=values, changed=str(error.wording))
        sent = content.digest == input_part(answer.content)
        return AnswerInput(
            values={**content.values, **values},
            changed="" if sent or not content.changed else "the input is no longer what was sent",
        )


def _changed_file(answer: ScorableAnswer) -> str:
    """Say why a file is not what was sent. One that is gone, as after a move, may be the same elsewhere."""
    path = Path(answer.call.path)
    try:
        status = os.stat(path)  # noqa: PTH116 - Path takes three times as long
    except OSError:
        return ""
    if stamp_of(status) == answer.stamp or file_hash(path) == input_part(answer.content):
        return ""
    return "the file is no longer what was sent"
