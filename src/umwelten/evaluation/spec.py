"""What a user wants: one evaluation, the same for the command line and the library."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from umwelten.choices import RayEnv
from umwelten.config.engine_fields import WORKERS
from umwelten.control.known_rate import KnownRate
from umwelten.errors import UsageError
from umwelten.evaluation.tools import ToolRun
from umwelten.inputs import input_hash
from umwelten.inputs.sources import Inputs
from umwelten.prompts.messages import question_of
from umwelten.prompts.request_builder import row_use
from umwelten.prompts.template import Template
from umwelten.records import Derived, Recall, StoredSpec
from umwelten.schema import OutputSchema
from umwelten.types import FoundInput, FrozenStruct, ModelRef, RequestSettings, RowUse

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


class EngineChoice(FrozenStruct):
    """Who makes the attempts: this process, or `workers` processes of a Ray cluster.

    `address` is that of a running cluster, "auto" the one that Ray finds by itself, "" one that is started
    for this run. `ship_keys`: API keys are sent to the workers; else they read their own environment. `env`:
    "pip" lets Ray install umwelten on its nodes.
    """

    kind: Literal["local", "ray"] = "local"
    address: str = ""
    workers: int = WORKERS
    ship_keys: bool = False
    env: RayEnv = "none"


class Limits(FrozenStruct):
    """How fast, and how far. `max_concurrency` "auto": every lane finds its own level.

    `rates` are those that the user knows, by provider or by provider and model. A provider that only refuses
    is stopped after `max_wait_s`. `hedge` is the part of the calls that may be sent once more. `remember`:
    begin from the limits that earlier runs found, and keep those that are found; `forget`: not from those
    found until now. `share`: with other runs on this machine that use the same accounts.
    """

    max_concurrency: int | Literal["auto"] = 1
    provider_concurrency: Mapping[str, int] = {}
    rates: Mapping[str, tuple[KnownRate, ...]] = {}
    remember: bool = True
    forget: bool = False
    timeout_s: float = 120.0
    retries: int = 6
    max_wait_s: float = 900.0
    hedge: float = 0.0
    max_cost_usd: float | None = None
    max_errors: int | None = None
    max_bytes_in_flight: int = 512 << 20
    share: bool = False


class Output(FrozenStruct):
    """Where the answers go, and the files of reports to write at the end. `id` None: one is made.

    `mode` "new" refuses an id that exists, "resume" continues it, "overwrite" moves it aside. `words`: those
    of the prompt as it was given, of which an id is made; `None`: they are as in the request.
    """

    id: str | None = None
    words: str | None = None
    mode: Literal["new", "resume", "overwrite"] = "new"
    output_dir: Path = Path("output")
    reports: tuple[Path, ...] = ()


class EvaluationSpec(FrozenStruct):
    """One evaluation as a user wants it; the same for the command line and the library.

    `inputs` None: a run, one call a model and prompt. `attach` are the files whose hashes are in `request`.
    `output_schema` reads the answers where `request` has a schema, and `coerce` lets `"7"` pass for 7.
    `tools` runs those that `request` offers. `reuse`: evaluations in the output directory whose answers to
    the same calls are taken over. `keep_inputs`: what is sent is stored too. `text_files`: each answer is
    written as a text file too. `single`: an answer holds one record alone. `trace`: tell of every attempt its
    stages and rate limits, as notes of level "debug". `engine` is who makes the attempts. `derived` and
    `recall` as in `StoredSpec`. `given` returns the options as JSON, to go on with them, by what masks keys
    in a text. `tags` are added to those that the evaluation has.
    """

    kind: Literal["run", "batch"]
    models: tuple[ModelRef, ...]
    request: RequestSettings
    inputs: Inputs | None = None
    attach: tuple[Path, ...] = ()
    output_schema: OutputSchema | None = None
    tools: ToolRun | None = None
    coerce: bool = False
    single: bool = False
    derived: Derived | None = None
    recall: Recall | None = None
    repeats: int = 1
    reuse: tuple[str, ...] = ()
    keep_inputs: bool = True
    text_files: bool = True
    stream: bool = False
    trace: bool = False
    limits: Limits = Limits()
    engine: EngineChoice = EngineChoice()
    output: Output = Output()
    given: Callable[[Callable[[str], str]], str] | None = None
    tags: tuple[str, ...] = ()


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
    words = re.findall(r"[a-z0-9]+", question_of(prompt).lower())[:5]
    base = "-".join([today, *words])[:60].rstrip("-")
    candidates = itertools.chain([base], (f"{base}-{n}" for n in itertools.count(2)))
    return next(name for name in candidates if not (output_dir / name).exists())


def hash_reader(spec: EvaluationSpec) -> Callable[[str, str, str, str], bytes]:
    """Return what gives the hash of what is sent of an input: of path, part, a prompt's text and its name."""
    read = lru_cache(maxsize=1)(input_hash)  # a file's is that of all prompts
    added = None if spec.inputs is None else spec.inputs.added

    def content(path: str, part: str, prompt: str, name: str) -> bytes:
        use = row_use(spec.request, prompt) if part else RowUse()
        if added is None:
            return read(path, part, use)
        return read(path, part, use, added, Template(prompt).names, name)

    return content


def stored_spec(spec: EvaluationSpec, id: str) -> StoredSpec:
    """The settings as the store keeps and compares them."""
    return StoredSpec(
        id=id,
        kind=spec.kind,
        models=spec.models,
        request=spec.request,
        repeats=spec.repeats,
        coerce=spec.coerce,
        derived=spec.derived,
        recall=spec.recall,
    )


def peek(files: Iterator[FoundInput] | None) -> Iterator[FoundInput] | None:
    """Return the same files once the first is found: a scan that fails should before the store is made."""
    if files is None:
        return None
    first = next(files, None)
    return itertools.chain([] if first is None else [first], files)
