"""The library's doors: ask, rank, run a suite, and open what was asked before."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from umwelten.api.answer import T
from umwelten.api.given_data import with_given_data
from umwelten.api.job import Job
from umwelten.api.judging_options import RankArguments, SuiteArguments
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
    from umwelten.api.progress import JobProgress, ProgressChoice
    from umwelten.api.rank_job import RankJob
    from umwelten.api.suite_job import SuiteJob
    from umwelten.config.settings import Settings
    from umwelten.evaluation.spec import EvaluationSpec
    from umwelten.events import Event
    from umwelten.inputs.given.walk import GivenData

OnEvent = Callable[["Event"], None]

Ranked = str | Path | Results[Any]
"""An evaluation: its id, its folder, or its results."""


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


@with_options(RankArguments)
def rank(
    evaluations: Ranked | Sequence[Ranked],
    judge: str | Sequence[str] | None = None,
    question: str | Path | None = None,
    *,
    progress: ProgressChoice | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
    **options: Unpack[RankArguments],
) -> RankJob:
    """Ask judges which of two answers is better, pair by pair, and rank the models by what they say.

    `evaluations` is the id of an evaluation, its `Results` or its folder, or several that asked about the
    same inputs; of one with a single model its prompts are ranked. `judge` is the model that judges, or
    several. `question` says what makes an answer better, in place of the usual question: a text, or the
    `Path` of a file.

    The other arguments are the flags of `umwelten eval rank`. `pairs`: "all", a share such as "25%" or 0.25,
    or a number of comparisons. `against`: compare with this model alone. `seats`: "both" shows each pair in
    both orders, "one" in one. `control="length"` ranks as if all answers were of the same length; `control`
    True or False is that of `umwelten.run`. `bootstrap`: so many draws of files. Judges are asked what they
    have not said; `overwrite=True` judges anew. The ranking is the evaluation `ID.rank`, or `id`.

    >>> results = umwelten.run("Name a river.", "openai:gpt-5.4-mini,ollama:gemma3:12b", id="rivers").wait()
    >>> ranking = umwelten.rank(results, judge="anthropic:claude-sonnet-5-5").wait()
    >>> ranking.id, ranking.judged
    ('rivers.rank', 1)
    """
    check_names(rank, options)
    from umwelten.api.rank_job import rank_job

    some = [evaluations] if isinstance(evaluations, str | Path | Results) else evaluations
    ranked = [each.folder if isinstance(each, Results) else each for each in some]
    return rank_job(ranked, question, {**options, "judge": judge}, progress, on_event, grace_s)


@with_options(SuiteArguments)
def suite(
    suite: str | Path | Mapping[str, Any],
    models: str | Sequence[str] | None = None,
    *,
    only: str | Sequence[str] = (),
    baseline: str | None = None,
    max_drop: float = 0.0,
    progress: ProgressChoice | None = None,
    on_event: OnEvent | None = None,
    grace_s: float = 10.0,
    **options: Unpack[SuiteArguments],
) -> SuiteJob:
    """Run the tasks of a suite, score them, and make a leaderboard of the models.

    `suite` is the path of a TOML file, or what such a file says, as a dict: "suite", "tasks" and "gates",
    where paths may be `Path`s and scorers may be those of the library, such as `umwelten.Number`. Each task
    is the evaluation `SUITE.TASK`. The same call again does what is missing; `id` is another name of the
    suite, under which it begins anew.

    `only` names the tasks to run, separated by commas or in a list. `baseline` is the name of a suite whose
    tasks are compared with these, `max_drop` the drop that is allowed, from 0 to below 1. `max_cost` is one
    limit for all tasks and their judges. The other arguments are the flags of `umwelten eval suite`.

    >>> brief = {"directory": "texts", "prompt": "Sum this up.",
    ...          "scorers": {"short": umwelten.Length("1..200 words", weight=2)}}
    >>> tasks = {"tasks": {"brief": brief}, "gates": {"brief.short.pass": ">= 90%"}}
    >>> board = umwelten.suite(tasks, "openai:gpt-5.4-mini,ollama:gemma3:12b", id="nightly").wait()
    >>> board.outcome, board.tasks[0].id
    ('met', 'nightly.brief')
    """
    check_names(_suite, options)
    from umwelten.api.suite_job import SuiteJob

    shown = _shown(progress)
    return SuiteJob(suite, {**options, "models": models}, only, baseline, max_drop, on_event, grace_s, shown)


_suite = suite
"""The function, where the name is that of its argument."""


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

    shown = _shown(progress)
    told = tuple(each for each in (shown, on_event) if each is not None)

    def prepare() -> EvaluationWork:
        return _prepare(kind, given, shape, told)

    return Job(prepare, name=f"umwelten.{kind}(…)", shape=shape, grace_s=grace_s, data=data, progress=shown)


def _shown(progress: ProgressChoice | None) -> JobProgress | None:
    if progress is False or (progress is None and not in_notebook()):
        return None
    from umwelten.api.progress import job_progress

    return job_progress(progress)


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
