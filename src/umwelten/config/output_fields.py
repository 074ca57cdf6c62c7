"""The options of what is stored and written: flags, settings and arguments alike. As in `option_fields`."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypedDict

from umwelten.config import option_types as kinds
from umwelten.config import path_types as paths
from umwelten.config.declaration import Option, Section, StoredEvaluation


class OutputOptions(TypedDict, total=False):
    """Where answers go, and what else is written; `None` is the same as left out."""

    id: Annotated[
        str | None,
        Option(
            kinds.words("ID", complete="ids"),
            Section.OUTPUT,
            "Name of the evaluation; generated and printed if omitted.",
            short="-i",
            place="profile",
        ),
    ]
    tags: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.texts("NAME"),
            Section.OUTPUT,
            "Tag the evaluation, to list and sum up costs by; repeatable.",
            key="tag",
            default=(),
        ),
    ]
    resume: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.OUTPUT,
            "Continue: answered calls are skipped, failed and missing ones run.",
            place="profile",
        ),
    ]
    overwrite: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.OUTPUT,
            "Start over under this id; the old evaluation is moved aside.",
            place="profile",
        ),
    ]
    reuse: Annotated[
        str | StoredEvaluation | Sequence[str | StoredEvaluation] | None,
        Option(
            kinds.EVALUATIONS,
            Section.OUTPUT,
            "Take over the answers of another evaluation to the same calls, at no cost; repeatable.",
            place="profile",
        ),
    ]
    keep_inputs: Annotated[
        bool | Literal["on", "off"] | None,
        Option(
            kinds.ON_OFF,
            Section.OUTPUT,
            "Store what is sent, so that reports show it: prompts, texts and rows; of media, hash and path.",
            default=True,
            default_text="on",
        ),
    ]
    texts: Annotated[
        bool | Literal["on", "off"] | None,
        Option(
            kinds.ON_OFF,
            Section.OUTPUT,
            "Write each answer as a text file too; off is faster, and eval export can write them later.",
            default=True,
            default_text="on",
        ),
    ]
    output_dir: Annotated[
        str | Path | None,
        Option(
            paths.FOLDER,
            Section.OUTPUT,
            "Where evaluations are stored.",
            writes=True,
            default=Path("output"),
            default_text="output, or UMWELTEN_OUTPUT_DIR",
        ),
    ]
    report: Annotated[
        str | Path | Sequence[str | Path] | None,
        Option(
            paths.FILES,
            Section.OUTPUT,
            "Write a report at the end: .csv, .html, .json, .junit.xml, .md or .parquet; repeatable.",
            writes=True,
            default=(),
        ),
    ]
