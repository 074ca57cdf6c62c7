"""The options by which answers are scored, for `option_fields`: flags, settings and arguments alike."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from umwelten.config import option_types as kinds
from umwelten.config import path_types as paths
from umwelten.config.declaration import Option, Section
from umwelten.phrases import Phrase

PathLike = str | Path


class ScoreOptions(TypedDict, total=False):
    """What the answers of an evaluation are scored by; `None` is the same as left out."""

    scorers: Annotated[
        PathLike | Mapping[str, Any] | None,
        Option(
            paths.FILE,
            Section.SCORES,
            "Score the answers by what this file says: scorers, references and gates (.toml).",
            place="profile",
        ),
    ]
    scorer: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("[NAME=]TYPE[:VALUE]", complete="scorers"),
            Section.SCORES,
            "Score the answers: exact, right=contains:Paris, number, 'judge:Is the reply polite?'; "
            "repeatable.",
            place="profile",
        ),
    ]
    expected: Annotated[
        str | None,
        Option(
            kinds.words("WHERE"),
            Section.SCORES,
            Phrase(
                "What answers should be: {row}, a table with a column file, {file}, =Paris, or ID:gold, the "
                "answers of another evaluation.",
                row="{{row.NAME}}",
                file="@gold/{{file.stem}}.txt",
            ),
            place="profile",
        ),
    ]
    judge: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.MODELS,
            Section.SCORES,
            "Models that judge, where a judge names none: provider:model, @NAME; repeatable.",
        ),
    ]
    samples: Annotated[
        int | None,
        Option(kinds.integer(1, 100), Section.SCORES, "Ask each judge N times about an answer."),
    ]
    check: Annotated[
        PathLike | None,
        Option(
            paths.FILE,
            Section.SCORES,
            "Compare judges with people: a table with a column file and value or label.",
            place="profile",
        ),
    ]
    fail_under: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("GATE"),
            Section.SCORES,
            "Exit with status 4 if this is missed: 'right >= 0.9', 'polite.pass >= 95%'; repeatable.",
            place="profile",
        ),
    ]
