"""What a user wants: one evaluation, the same for the command line and the library."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

from umwelten.errors import UsageError
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.records import StoredSpec
from umwelten.schema import OutputSchema
from umwelten.types import FoundInput, FrozenStruct, ModelRef, Parameters, PdfMode, Prompt, Schema

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


class EvaluationSpec(FrozenStruct):
    """One evaluation as a user wants it; the same for the command line and the library.

    `files` gives a batch's inputs anew at each call (None: a run). `max_concurrency` "auto": every lane
    finds its own level. `mode` "new" refuses an id that exists, "resume" goes on with it, "overwrite"
    moves it aside. `trace`: tell of every attempt its stages and rate limits, as notes of level "debug".

    `prompts`: several in place of `prompt`, each sent to every model. `lazy`: `files` may give very many, so
    the first calls start while the rest is still being found. `columns` are the names that `{{row.…}}` may
    have (`None`: not rows). `schema` is the shape that answers must have, `shape` its reader where it is
    more than the schema says, and `coerce` lets `"7"` pass for 7. `pdf` is how PDF files are sent: "auto" as
    they are where the model takes them, else as text.
    """

    kind: Literal["run", "batch"]
    prompt: str
    models: tuple[ModelRef, ...]
    id: str | None = None
    system: str | None = None
    parameters: Parameters = Parameters()
    prompts: tuple[Prompt, ...] = ()
    files: Callable[[], Iterator[FoundInput]] | None = None
    source: Literal["files", "rows", "answers"] = "files"
    lazy: bool = False
    columns: tuple[str, ...] | None = None
    attach: tuple[Path, ...] = ()
    schema: Schema | None = None
    shape: OutputSchema | None = None
    coerce: bool = False
    pdf: PdfMode = "auto"
    repeats: int = 1
    max_concurrency: int | Literal["auto"] = 1
    provider_concurrency: Mapping[str, int] = {}
    timeout_s: float = 120.0
    retries: int = 6
    max_cost_usd: float | None = None
    max_errors: int | None = None
    max_bytes_in_flight: int = 512 << 20
    trace: bool = False
    stream: bool = False
    mode: Literal["new", "resume", "overwrite"] = "new"
    output_dir: Path = Path("output")


def check_id(text: str) -> str:
    """The id itself, or `UsageError`: letters, digits, `-`, `_`, `.`; not starting with a dot."""
    if not _ID.fullmatch(text):
        raise UsageError(
            f"{text!r} cannot be an id",
            "Use letters, digits, '-', '_' and '.', at most 128, not starting with a dot: say reviews-2.",
        )
    return text


def make_id(prompt: str, output_dir: Path, *, today: str) -> str:
    """An id from the date and the prompt's first words that is free in the output directory."""
    words = re.findall(r"[a-z0-9]+", prompt.lower())[:5]
    base = "-".join([today, *words])[:60].rstrip("-")
    candidates = itertools.chain([base], (f"{base}-{n}" for n in itertools.count(2)))
    return next(name for name in candidates if not (output_dir / name).exists())


def stored_spec(wanted: EvaluationSpec, plan: RequestBuilder, id_: str) -> StoredSpec:
    """The settings as the store keeps and compares them."""
    return StoredSpec(
        id=id_,
        kind=wanted.kind,
        prompt=wanted.prompt,
        models=wanted.models,
        system=wanted.system,
        parameters=wanted.parameters,
        attachments=plan.attachments,
        repeats=wanted.repeats,
        schema=wanted.schema,
        prompts=wanted.prompts,
        coerce=wanted.coerce,
        pdf=wanted.pdf,
        source=wanted.source,
    )
