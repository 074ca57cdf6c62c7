"""The columns of an evaluation's grid: its models, and with several prompts each model with each prompt."""

from __future__ import annotations

import sqlite3

import msgspec

from umwelten.prompts.messages import as_messages, readable
from umwelten.report.models import ReportedPrompt, model_label
from umwelten.store.reader import Reader
from umwelten.store.settings import active_models
from umwelten.types import FrozenStruct, ModelRef


class Variant(FrozenStruct):
    """A row of the table `models`. `prompt` is the prompt's name, `None` where there is one prompt alone.

    `model` is the model as it was asked for, `ref` the same in its parts.
    """

    number: int
    ref: ModelRef
    model: str
    provider: str
    prompt: str | None
    text: str | None

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


def variants(connection: sqlite3.Connection) -> dict[int, Variant]:
    """Return those of the latest plan by number, in order."""
    rows = connection.execute(
        """SELECT m.id, m.name, m.provider, p.name, p.text
        FROM models m LEFT JOIN prompts p ON p.id = m.prompt_id WHERE m.active ORDER BY m.id"""
    )
    refs = active_models(connection)
    return {
        row[0]: Variant(
            number=row[0], ref=refs[row[0]], model=row[1], provider=row[2], prompt=row[3], text=row[4]
        )
        for row in rows
    }


def prompts(reader: Reader) -> tuple[ReportedPrompt, ...]:
    """Return the several prompts of the latest plan as people read them; none where there is one alone."""
    return tuple(
        ReportedPrompt(
            name=prompt.name,
            text=readable(prompt.text),
            messages=as_messages(prompt.text) or msgspec.UNSET,
        )
        for prompt in reader.spec().request.named_prompts
    )
