"""The options of memory: what is recalled into a prompt, and learnt from answers. As in `option_fields`."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from typing import Annotated, TypedDict

from umwelten.config import option_types as kinds
from umwelten.config.declaration import Option, Section
from umwelten.phrases import Phrase

RECALL_LIMIT = 2_000
"""Tokens of recalled facts: some hundred short sentences, and a small part of what any model can read."""


class MemoryOptions(TypedDict, total=False):
    """What is known of an input's scope; `None` is the same as left out."""

    recall: Annotated[
        str | None,
        Option(
            kinds.words("NAME", complete="memories"),
            Section.MEMORY,
            Phrase(
                "Put what this memory store knows of {option:scope} in the place of {place}, or before the "
                "prompt.",
                place="{{memory}}",
            ),
            place="profile",
        ),
    ]
    memory: Annotated[
        str | None,
        Option(
            kinds.words("NAME", complete="memories"),
            Section.MEMORY,
            Phrase("As {option:recall}, and learn from the questions and answers at the end."),
            place="profile",
        ),
    ]
    scope: Annotated[
        str | None,
        Option(
            kinds.words("TEMPLATE"),
            Section.MEMORY,
            Phrase(
                "Whom or what facts are about: {row}, {file}, or a word for all inputs.",
                row="{{row.user}}",
                file="{{file.name}}",
            ),
            place="profile",
        ),
    ]
    recall_limit: Annotated[
        int | None,
        Option(
            kinds.integer(1, 1_000_000),
            Section.MEMORY,
            "Recall at most so many tokens, roughly: the facts that fit the input best.",
            default=RECALL_LIMIT,
        ),
    ]
    recall_now: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.MEMORY,
            "When an evaluation goes on: recall what is known now, not what was when it began, and ask again "
            "where that is something else.",
            place="profile",
        ),
    ]
