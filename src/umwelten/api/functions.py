"""The library's doors: ask, and open what was asked before."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from umwelten.api.answer import T
from umwelten.api.given_data import with_given_data
from umwelten.api.job import Job
from umwelten.api.notebooks import in_notebook
from umwelten.api.results import Results
from umwelten.api.signatures import check_names, with_options
from umwelten.choices import Message
from umwelten.config.option_fields import BatchOptions, Given, PathLike, SharedOptions
from umwelten.user_folders import expand_home

if TYPE_CHECKING:
    from umwelten.api.evaluation_work import EvaluationWork
    from umwelten.api.learning_work import LearningAfter
    from umwelten.api.memory_store import Memory
    from umwelten.api.progress import ProgressChoice
    from umwelten.config.settings import Settings
    from umwelten.evaluation.spec import EvaluationSpec
    from umwelten.events import Event
    from umwelten.inputs.given.walk import GivenData

OnEvent = Callable[["Event"], None]


@with_options(SharedOptions)
def run(
    prompt: str | Path | Sequence[Message] | None = None,
    models: str | Sequence[str] | None = None,
    *,
    progress: ProgressChoice | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
    **options: Unpack[SharedOptions[T]],
) -> Job[T]:
    """Send one prompt to every model. Nothing is sent before the job is used.

    The arguments are the flags of `umwelten eval run`, with the same meaning; `None` is what
    `umwelten.toml`, `.env` and the environment say, else the flag's default. `prompt` and `system` are
    texts, or the `Path` of a file, `prompt` also a list of `umwelten.Message`; `models` a comma list or a
    list. `prompts`: several by name, or the path of their file. `schema` is a Pydantic class, a JSON Schema
    as a dict, the path of one, or the fields as a text. `progress`: True shows a line on stderr, in a
    notebook a bar; "plain" whole lines, False nothing; left out, it is shown in notebooks alone. `on_event`
    is called with every `umwelten.events.Event`, in the
    job's own thread. `grace_s`: how long calls in flight have when the job is stopped.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini,ollama:gemma3:12b").wait()
    >>> [answer.model for answer in results]
    ['openai:gpt-5.4-mini', 'ollama:gemma3:12b']
    >>> results[0].text
    'gpt-5.4-mini says ...'
    """
    check_names(run, options)
    return _job("run", {"prompt": prompt, "models": models, **options}, progress, on_event, grace_s)


@with_options(BatchOptions)
def batch(
    prompt: str | Path | Sequence[Message] | None = None,
    models: str | Sequence[str] | None = None,
    *,
    inputs: Given | Path | None = None,
    progress: ProgressChoice | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
    **options: Unpack[BatchOptions[T]],
) -> Job[T]:
    """Send one prompt with every file, row or earlier answer to every model.

    One of `directory`, `files`, `rows`, `inputs` and `from_` says what is asked about: the files of a
    directory, files and globs, rows, texts, or the answers of another evaluation (its id, or its `Results`),
    those that `where` lets through. The other arguments are those of `run`.

    `rows` is the path of a .csv, .jsonl or .parquet file, or any iterable of dicts, dataclasses, named tuples
    or Pydantic objects, also an async one or a data frame. `inputs` is an iterable of texts, bytes and
    `Path`s, or of pairs of a name and one of these, or a dict. Both are taken one by one, in a thread of the
    job, and written to the evaluation's folder, so that `resume=True` and `umwelten eval batch --resume` go
    on without them.

    >>> job = umwelten.batch("Summarise", "openai:gpt-5.4-mini", directory="texts", max_concurrency=20)
    >>> for answer in job:
    ...     print(answer.file, answer.attempts)
    tides.txt 1
    """
    check_names(batch, options)
    given, data = with_given_data({"prompt": prompt, "models": models, **options}, inputs)
    return _job("batch", given, progress, on_event, grace_s, data)


def open(
    id: str | None = None, output_dir: PathLike | None = None, *, schema: type[T] | None = None
) -> Results[T]:
    """Open an evaluation stored by the library or the command line. Raises `StoreError`.

    `id` None: the one that was started last.

    `schema`: the Pydantic class that `Answer.record` gives.

    >>> umwelten.run("Name a river.", "openai:gpt-5.4-mini", id="rivers").wait()
    <Results of 'rivers': 1 of 1 answered>
    >>> umwelten.open("rivers").status
    'complete'
    """
    from umwelten.store.reader import Reader

    where = _output_dir(output_dir)
    folder = where / id if id is not None else _latest(where)
    Reader.open(folder).close()
    return Results(folder, schema)


def _latest(output_dir: Path) -> Path:
    from umwelten.errors import StoreError
    from umwelten.store.latest import latest_evaluation

    found = latest_evaluation(output_dir)
    if found is None:
        raise StoreError(f"no evaluations in {output_dir}", "Run one, or name the folder with output_dir.")
    return found


def memory(name: str, output_dir: PathLike | None = None) -> Memory:
    """Return the memory store with this name, which need not be there yet. Raises `UsageError`.

    >>> umwelten.memory("team").facts()
    []
    """
    from umwelten.api.memory_store import Memory

    return Memory(name, _output_dir(output_dir))


def evaluations(output_dir: PathLike | None = None) -> list[Results[Any]]:
    """Return the evaluations in the output directory, by id.

    >>> [results.id for results in umwelten.evaluations()]
    []
    """
    from umwelten.store.database import evaluations as folders

    return [Results(folder) for folder in folders(_output_dir(output_dir))]


def _output_dir(given: PathLike | None) -> Path:
    from umwelten.config.settings import load

    if given is not None:
        return expand_home(Path(given))
    configured: Path = load(Path.cwd(), os.environ).get("output_dir")
    return configured


def _job(
    kind: Literal["run", "batch"],
    given: Mapping[str, Any],
    progress: ProgressChoice | None,
    on_event: OnEvent | None,
    grace_s: float,
    data: GivenData | None = None,
) -> Job[Any]:
    schema = given.get("schema")
    shape = schema if isinstance(schema, type) else None

    shown = None
    if progress is not False and (progress is not None or in_notebook()):
        from umwelten.api.progress import job_progress

        shown = job_progress(progress)
    told = tuple(each for each in (shown, on_event) if each is not None)

    def prepare() -> EvaluationWork:
        return _prepare(kind, given, shape, told)

    return Job(prepare, name=f"umwelten.{kind}(…)", shape=shape, grace_s=grace_s, data=data, progress=shown)


def _prepare(
    kind: Literal["run", "batch"],
    given: Mapping[str, Any],
    shape: type[Any] | None,
    on_event: Sequence[OnEvent],
) -> EvaluationWork:
    from umwelten.api.argument_names import as_argument
    from umwelten.api.evaluation_work import EvaluationWork
    from umwelten.api.notes import observer
    from umwelten.api.repeated_calls import exists_otherwise, resumed_if_same
    from umwelten.api.scoring_work import scoring_after
    from umwelten.config.endpoints import vendors
    from umwelten.config.settings import load
    from umwelten.errors import EvaluationChanged, UmweltenError
    from umwelten.evaluation.build_spec import build_spec
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Note
    from umwelten.phrases import Wording, spell

    scorers, repeated = given.get("scorers"), False
    named, flags = ({}, given) if not isinstance(scorers, Mapping) else (scorers, {**given, "scorers": None})
    try:
        configured = load(Path.cwd(), os.environ, profile=given.get("profile"))
        flags, repeated = resumed_if_same(flags, configured.flags)
        settings = configured.with_flags(flags, as_argument, arguments=True)
        known, notes = vendors(settings), list[Wording](settings.notes)
        with settings.concealing():
            spec = build_spec(kind, settings, known, notes)
            try:
                scoring = scoring_after(named, spec, settings, shape)
                learning = None if settings.get("memory") is None else _learning(spec, settings)
                evaluation = Evaluation.prepare(spec, settings, known, as_argument)
            except BaseException:
                if spec.tools is not None:
                    spec.tools.toolbox.close()
                raise
    except EvaluationChanged as error:
        raise (exists_otherwise(error) if repeated else error).spell(as_argument) from None
    except UmweltenError as error:
        raise error.spell(as_argument) from None
    tell = observer(*on_event)
    for text in notes:
        tell(Note(text=settings.conceal(spell(text, as_argument))))
    return EvaluationWork(evaluation, tell, spec.output.reports, scoring, learning)


def _learning(spec: EvaluationSpec, settings: Settings) -> LearningAfter:
    from umwelten.api.learning_work import LearningAfter

    return LearningAfter(spec, settings)
