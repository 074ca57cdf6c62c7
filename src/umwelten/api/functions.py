"""The library's doors: ask, and open what was asked before."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from umwelten.api.answer import T
from umwelten.api.job import Job
from umwelten.api.results import Results

if TYPE_CHECKING:
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Event, Observer

PathLike = str | Path
OnEvent = Callable[["Event"], None]

_log = logging.getLogger("umwelten")
_log.addHandler(logging.NullHandler())
_LEVELS = {"info": logging.INFO, "warning": logging.WARNING}


def run(
    prompt: str | Path | None = None,
    models: str | Sequence[str] | None = None,
    *,
    id: str | None = None,
    prompts: PathLike | Mapping[str, str] | None = None,
    system: str | Path | None = None,
    attach: PathLike | Sequence[PathLike] | None = None,
    schema: type[T] | str | Path | Mapping[str, Any] | None = None,
    coerce: bool = False,
    temperature: float | None = None,
    max_tokens: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    params: Mapping[str, Any] | None = None,
    repeat: int | None = None,
    concurrent: bool = False,
    max_concurrency: int | Literal["auto"] | None = None,
    provider_concurrency: Mapping[str, int] | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
    max_cost: float | None = None,
    max_errors: int | None = None,
    max_bytes_in_flight: int | str | None = None,
    stream: bool | None = None,
    pdf: Literal["auto", "native", "text", "images"] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    output_dir: PathLike | None = None,
    profile: str | None = None,
    report: PathLike | Sequence[PathLike] | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
) -> Job[T]:
    """Send one prompt to every model. Nothing is sent before the job is used.

    The arguments are the flags of `umwelten eval run`, with the same meaning; `None` is what
    `umwelten.toml`, `.env` and the environment say, else the flag's default. `prompt` and `system` are
    texts, or the `Path` of a file; `models` a comma list or a list. `prompts`: several by name, or the path
    of their file. `schema` is a Pydantic class, a JSON Schema as a dict, the path of one, or the fields as
    a text. `on_event` is called with every `umwelten.events.Event`, in the job's own thread. `grace_s`:
    how long calls in flight have when the job is stopped.
    """
    return _job("run", locals())


def batch(
    prompt: str | Path | None = None,
    models: str | Sequence[str] | None = None,
    *,
    directory: PathLike | None = None,
    file_pattern: str | None = None,
    recursive: bool = False,
    files: PathLike | Sequence[PathLike] | None = None,
    rows: PathLike | None = None,
    row_name: str | None = None,
    from_: str | Results[Any] | None = None,
    where: str | None = None,
    max_files: int | None = None,
    id: str | None = None,
    prompts: PathLike | Mapping[str, str] | None = None,
    system: str | Path | None = None,
    attach: PathLike | Sequence[PathLike] | None = None,
    schema: type[T] | str | Path | Mapping[str, Any] | None = None,
    coerce: bool = False,
    temperature: float | None = None,
    max_tokens: int | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    params: Mapping[str, Any] | None = None,
    repeat: int | None = None,
    concurrent: bool = False,
    max_concurrency: int | Literal["auto"] | None = None,
    provider_concurrency: Mapping[str, int] | None = None,
    timeout_s: float | None = None,
    retries: int | None = None,
    max_cost: float | None = None,
    max_errors: int | None = None,
    max_bytes_in_flight: int | str | None = None,
    stream: bool | None = None,
    pdf: Literal["auto", "native", "text", "images"] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    output_dir: PathLike | None = None,
    profile: str | None = None,
    report: PathLike | Sequence[PathLike] | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
) -> Job[T]:
    """Send one prompt with every file, row or earlier answer to every model.

    One of `directory`, `files`, `rows` and `from_` says what is asked about: the files of a directory,
    files and globs, the rows of a .csv, .jsonl or .parquet file, or the answers of another evaluation (its
    id, or its `Results`), those that `where` lets through. The other arguments are those of `run`.
    """
    return _job("batch", locals())


def open(id: str, output_dir: PathLike | None = None, *, schema: type[T] | None = None) -> Results[T]:
    """An evaluation that was stored, by the library or the command line. Raises `StoreError`.

    `schema`: the Pydantic class that `Answer.record` gives.
    """
    from umwelten.store.reader import Reader

    folder = _output_dir(output_dir) / id
    Reader.open(folder).close()
    return Results(folder, schema)


def evaluations(output_dir: PathLike | None = None) -> list[Results[Any]]:
    """The evaluations in the output directory, by id."""
    from umwelten.store.reader import evaluations as folders

    return [Results(folder) for folder in folders(_output_dir(output_dir))]


def _output_dir(given: PathLike | None) -> Path:
    from umwelten.config import load

    if given is not None:
        return Path(given).expanduser()
    configured: Path = load(Path.cwd(), os.environ).get("output_dir")
    return configured


def _job(kind: Literal["run", "batch"], given: Mapping[str, Any]) -> Job[Any]:
    shape = given["schema"] if isinstance(given["schema"], type) else None
    on_event = given["on_event"]

    def prepare() -> tuple[Evaluation, Observer, tuple[Path, ...]]:
        return _prepare(kind, given, on_event)

    return Job(prepare, name=f"umwelten.{kind}(…)", shape=shape, grace_s=given["grace_s"])


def _prepare(
    kind: Literal["run", "batch"], given: Mapping[str, Any], on_event: OnEvent | None
) -> tuple[Evaluation, Observer, tuple[Path, ...]]:
    """The evaluation, who is told what happens, and the reports to write at the end."""
    from umwelten.api.argument_names import as_argument
    from umwelten.api.arguments import resolve_arguments
    from umwelten.errors import UmweltenError
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Note, Observers
    from umwelten.phrases import spelled

    try:
        settled = resolve_arguments(kind, given)
        evaluation = Evaluation.prepare(settled.spec, settled.settings, settled.known, as_argument)
    except UmweltenError as error:
        raise error.spell(as_argument) from None
    tell = Observers([_logged, *([] if on_event is None else [on_event])])
    for text in settled.notes:
        tell(Note(text=spelled(text, as_argument)))
    return evaluation, tell, settled.reports


def _logged(event: Event) -> None:
    """Notes go to the log `umwelten`, which says nothing unless the program sets up logging."""
    from umwelten.events import Note

    if isinstance(event, Note):
        _log.log(_LEVELS.get(event.level, logging.DEBUG), "%s", event.text)
