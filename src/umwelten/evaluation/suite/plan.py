"""From a suite's file to its tasks, each with the evaluation and the scoring that it stands for.

Everything that can be checked without a call is checked here, for all tasks, before any of them begins.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.endpoints import vendors
from umwelten.config.layers import DEFAULT, Value
from umwelten.config.option_demands import option_demands
from umwelten.config.options import OPTIONS, find_option
from umwelten.config.overwriting import read_files, refuse_overwriting
from umwelten.config.settings import Settings
from umwelten.config.suite_file import OF_ALL_TASKS, SETTLED, SuiteFile, SuiteTask, merged, of_all
from umwelten.errors import ConfigError, EvaluationChanged, UmweltenError, UsageError
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preflight import preflight
from umwelten.evaluation.scoring.build_scoring import build_scoring
from umwelten.evaluation.scoring.jury import OF_JUDGES, is_judge
from umwelten.evaluation.scoring.scoring import check_ahead
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.evaluation.spec import EvaluationSpec, check_id, peek
from umwelten.evaluation.suite.chosen_gates import chosen_gates
from umwelten.evaluation.suite.stored_tasks import check_readable, check_stored, judges_of
from umwelten.phrases import Phrase, Spelling, Wording, by_name, spell
from umwelten.providers.protocol import Vendor
from umwelten.scoring.gates import Gate
from umwelten.scoring.suite_gates import GatedTask, check_suite_gates
from umwelten.store.database import has_database
from umwelten.text.suggestions import closest, did_you_mean, sentences

_PLACEHOLDER = re.compile(r"\{\{[^{}]*\}\}")


@dataclass
class PlannedTask:
    """A task that is checked: `spec` is its evaluation, `scoring` what its answers are scored by.

    `notes` are worth knowing before it begins.
    """

    name: str
    weight: float
    settings: Settings
    vendors: Mapping[str, Vendor]
    spec: EvaluationSpec
    scoring: ScoringSpec
    notes: list[Wording]
    _evaluation: Evaluation | None = field(default=None, repr=False)

    @property
    def id(self) -> str:
        """The id of its evaluation."""
        return self.folder.name

    @property
    def folder(self) -> Path:
        """The folder of its evaluation."""
        return self.spec.output.output_dir / (self.spec.output.id or "")

    def open(self, spelling: Spelling) -> Evaluation:
        """Return its evaluation, opened at the first time. Raises a `UmweltenError`."""
        if self._evaluation is None:
            self._evaluation = Evaluation.prepare(self.spec, self.settings, self.vendors, spelling)
        return self._evaluation

    def close(self) -> None:
        """Close its evaluation, or the servers of tools that were started for it."""
        if self._evaluation is not None:
            self._evaluation.close()
        elif self.spec.tools is not None:
            self.spec.tools.toolbox.close()


@dataclass
class SuitePlan:
    """A suite that is checked. `tasks` are those that are to run; `ids` the evaluations of all, by task, and
    `scorers` those that count there (none: all that are stored).

    `gates` are of the tasks that are to run, and of the whole suite where all are. `settings` are those of
    the suite as a whole.
    """

    name: str
    settings: Settings
    output_dir: Path
    tasks: tuple[PlannedTask, ...]
    ids: Mapping[str, str]
    weights: Mapping[str, float]
    scorers: Mapping[str, tuple[str, ...]]
    gates: tuple[Gate, ...]

    @property
    def max_cost_usd(self) -> float | None:
        """The limit of what all tasks and judges may cost together."""
        limit: float | None = self.settings.get("max_cost")
        return limit

    @property
    def left_out(self) -> Collection[str]:
        """The tasks that are not to run."""
        return self.ids.keys() - {task.name for task in self.tasks}

    def folders(self) -> Iterator[Path]:
        """Yield the folders of all evaluations of the suite that are there, those of judges included.

        Rankings of its answers are no part of it.
        """
        for id in self.ids.values():
            folder = self.output_dir / id
            if has_database(folder):
                yield folder
            yield from judges_of(folder)

    def close(self) -> None:
        """Close whatever is open. Again: does nothing."""
        for task in self.tasks:
            task.close()


def plan_suite(
    file: SuiteFile,
    configured: Settings,
    flags: Mapping[str, Any],
    *,
    only: Sequence[str] = (),
    spelling: Spelling = by_name,
) -> SuitePlan:
    """Return the tasks of a suite, checked.

    `configured` are the settings of files and environment, over which the suite's file counts, and over that
    the `flags`, by the options' names. `only`: these tasks alone; a text may name several, with commas.
    `spelling` is how the flags are called. Raises a `UmweltenError` for whatever the user must fix, in
    whichever task; then nothing is left behind.
    """
    only = _names(only, file)
    configured = configured.with_values(of_all(file.common))
    whole = _with_flags(configured, flags, spelling)
    vendors(whole)  # what is wrong with a provider is no task's fault
    if whole.get("memory") is not None:
        raise UsageError(
            Phrase("{option:memory} is for eval run and eval batch: a suite learns nothing from its answers"),
            Phrase("{option:recall} gives models what a memory store knows."),
            argument="memory",
        )
    of_suite = {name: value for name, value in whole.values.items() if name in OF_ALL_TASKS}
    whole.trust.require(option_demands(of_suite, whole.get("output_dir")))
    name = check_id(flags.get("id") or file.name)
    ids = {task: check_id(f"{name}.{task}") for task in file.tasks}
    chosen = [task for task in file.tasks if not only or task in only]
    gates = chosen_gates(file, whole, flags, chosen)
    for id in ids.values():
        check_readable(whole.get("output_dir") / id)
    tasks: list[PlannedTask] = []
    plan = None
    try:
        for task in chosen:
            planned, own = _plan_task(file, task, configured, flags, ids[task], spelling)
            tasks.append(planned)
            gates = tuple(dict.fromkeys((*gates, *own)))
        _check_flags(flags, tasks)
        check_suite_gates(gates, {task.name: _gated(task) for task in tasks})
        refuse_overwriting(
            whole, [file.path, *(path for task in tasks for path in read_files(task.settings))]
        )
        plan = SuitePlan(
            name=name,
            settings=whole,
            output_dir=whole.get("output_dir"),
            tasks=tuple(tasks),
            ids=ids,
            weights={task: file.tasks[task].weight for task in file.tasks},
            scorers={
                task: tuple(merged(file.common, file.tasks[task]).scoring.scorers) for task in file.tasks
            }
            | {task.name: tuple(scorer.name for scorer in task.scoring.scorers) for task in tasks},
            gates=gates,
        )
    finally:
        if plan is None:
            for planned in tasks:
                planned.close()
    return plan


def _names(only: Sequence[str], file: SuiteFile) -> list[str]:
    """The names of tasks. An empty one is none: a variable that is not set must not stand for all tasks."""
    names = [name.strip() for text in only for name in text.split(",")]
    for name in names:
        if name not in file.tasks:
            raise UsageError(
                f"{file.path} has no task {name!r}",
                sentences(did_you_mean(closest(name, file.tasks)), f"Tasks are {', '.join(file.tasks)}."),
            )
    return names


def _check_flags(flags: Mapping[str, Any], tasks: Sequence[PlannedTask]) -> None:
    """Raise `UsageError` for a flag about judges where no task has one."""
    if any(is_judge(scorer) for task in tasks for scorer in task.scoring.scorers):
        return
    for name in OF_JUDGES:
        if flags.get(name) not in (None, ()):
            raise UsageError(
                Phrase("{option:{name}} is for judges, and no task has one", name=name),
                "Add a scorer of type judge to a task, or leave it out.",
                argument=name,
            )


def _with_flags(settings: Settings, flags: Mapping[str, Any], spelling: Spelling) -> Settings:
    given = settings.given
    settings = settings.with_flags(flags, spelling)
    return msgspec.structs.replace(settings, given=settings.given | given)


def _gated(task: PlannedTask) -> GatedTask:
    return GatedTask(
        scorers={scorer.name: scorer for scorer in task.scoring.scorers},
        models=[str(model) for model in task.spec.models],
        repeats=task.spec.repeats,
        weight=task.weight,
    )


# --- one task --------------------------------------------------------------------------------


def _plan_task(
    file: SuiteFile,
    name: str,
    configured: Settings,
    flags: Mapping[str, Any],
    id: str,
    spelling: Spelling,
) -> tuple[PlannedTask, tuple[Gate, ...]]:
    """Return a task and the gates that come with its scorers."""
    task = merged(file.common, file.tasks[name])
    with _naming(file, file.tasks[name], flags, id, spelling):
        settings = _settings(task, configured, flags, id, spelling, given=file.tasks[name].values)
        known, notes = vendors(settings), list[Wording](task.notes)
        spec = build_spec("batch", settings, known, notes)
        try:
            scoring, gates = _scoring(task, settings, known)
            preflight(spec, settings, known)
            _check_inputs(spec)
            check_stored(spec, id, runs=not settings.get("dry_run"))
            check_ahead(scoring, spec)
        except BaseException:
            if spec.tools is not None:
                spec.tools.toolbox.close()
            raise
    planned = PlannedTask(
        name=name,
        weight=task.weight,
        settings=settings,
        vendors=known,
        spec=spec if settings.get("estimate") is None else _whole(spec),
        scoring=scoring,
        notes=notes,
    )
    return planned, gates


def _whole(spec: EvaluationSpec) -> EvaluationSpec:
    """A sample is drawn from all inputs that there are."""
    if spec.inputs is None:
        return spec
    return msgspec.structs.replace(spec, inputs=msgspec.structs.replace(spec.inputs, lazy=False))


def _settings(
    task: SuiteTask,
    configured: Settings,
    flags: Mapping[str, Any],
    id: str,
    spelling: Spelling,
    *,
    given: Collection[str],
) -> Settings:
    """Return the options of a task. `given`: those that its own section has, which must have an effect."""
    own = {name: value for name, value in flags.items() if name not in ("fail_under", "report")}
    settings = configured.with_values(task.values, task.variants, given=given)
    settings = _with_flags(settings, own, spelling)
    if not any(is_judge(scorer) for scorer in task.scoring.scorers.values()):
        # Flags about judges are for the tasks that have some.
        idle = {name for name in OF_JUDGES if name not in given and task.scoring.scorers}
        settings = msgspec.structs.replace(settings, given=settings.given - idle)
    source = str(task.place.path)
    settled: dict[str, Any] = {"id": id, "resume": True, "overwrite": False, "report": (), "fail_under": None}
    if task.scoring.scorers:
        settled |= {"scorers": None, "scorer": None}  # those of a profile
    values = {
        name: Value(value=value, source=DEFAULT if value is None else source)
        for name, value in settled.items()
    }
    if task.scoring.expected is not None:
        values["expected"] = Value(value=task.scoring.expected, source=source)
    settings = msgspec.structs.replace(settings, values={**settings.values, **values}, notes=())
    if not (task.scoring.scorers or settings.get("scorers") or settings.get("scorer")):
        raise ConfigError(
            f"task {task.name!r} has no scorers", 'Give it one: scorers.right = { type = "exact" }.'
        )
    if "coerce" in settings.given and settings.get("schema") is None:
        raise UsageError(Phrase("{option:coerce} goes with {option:schema}"), argument="coerce")
    return settings


def _scoring(
    task: SuiteTask, settings: Settings, known: Mapping[str, Vendor]
) -> tuple[ScoringSpec, tuple[Gate, ...]]:
    """Return what a task is scored by, and the gates that stand beside it: the suite looks at all gates."""
    file = task.scoring.as_file(task.place) if task.scoring.scorers else None
    scoring = build_scoring(settings, known, file=file)
    gates = tuple(
        msgspec.structs.replace(gate, task=task.name, text=f"{task.name}.{gate.text}")
        for gate in (*task.scoring.gates, *scoring.gates)
    )
    return msgspec.structs.replace(scoring, gates=()), gates


def _check_inputs(spec: EvaluationSpec) -> None:
    """Raise what a look at the first input shows: a column that no row has, a folder without files.

    Answers may be those of a task that runs before.
    """
    if spec.inputs is not None and spec.inputs.keep is None and spec.inputs.source != "answers":
        peek(spec.inputs.files())


@contextmanager
def _naming(
    file: SuiteFile, task: SuiteTask, flags: Mapping[str, Any], id: str, spelling: Spelling
) -> Iterator[None]:
    """Let errors of the block say which task of the file they are about, and in which line."""
    try:
        yield
    except UmweltenError as error:
        name = error.argument
        if name is not None and flags.get(name) not in (None, (), False) and name != "id":
            raise
        if isinstance(error, EvaluationChanged):
            error.hint_wording = Phrase(
                "Under another {option:id} the suite begins anew; to remove these answers: "
                "umwelten eval delete {id}",
                id=id,
            )
        else:
            hint = error.hint_wording
            error.hint_wording = None if hint is None else spell(hint, in_file(spelling))
        text = spell(error.wording, in_file(spelling))
        if not text.startswith(f"{file.path}"):
            text = f"{_place(file, task, name, text)}: {text}"
        error.wording = text
        error.spell(by_name)
        raise


def _place(file: SuiteFile, task: SuiteTask, argument: str | None, text: str) -> str:
    """Where to put an error right: at the key of the option at fault, or of a placeholder that it names."""
    option = None if argument is None else OPTIONS.get(argument)
    if option is not None and option.name in {**file.common.values, **task.values}:
        section = task if option.name in task.values else file.common
        return section.place.at(option.key)
    if (placeholder := _PLACEHOLDER.search(text)) is not None:
        for section in (task, file.common):
            if (key := section.place.key_with(placeholder[0])) is not None:
                return section.place.at(*key)
    return str(task.place) if option is None else task.place.at(option.key)


def in_file(spelling: Spelling) -> Spelling:
    """Return how a suite's file spells options; those that it cannot set are as `spelling` has them."""

    def spelled(name: str, value: str | None = None) -> str:
        option = find_option(name)
        key = name if option is None else option.key
        if key in SETTLED:
            return spelling(name, value)
        return key if value is None else f'{key} = "{value}"'

    return spelled
