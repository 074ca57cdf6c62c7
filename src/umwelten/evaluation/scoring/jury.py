"""All judges of an evaluation's answers: checked and prepared together, before any of them is asked."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec

from umwelten.config.demands import asking_demands
from umwelten.config.settings import Settings, model_groups
from umwelten.errors import EvaluationBusy, UsageError
from umwelten.evaluation.engine_choice import read_engine
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preflight import preflight
from umwelten.evaluation.scoring.judging import (
    JudgedBy,
    no_references,
    place_of,
    refuse_changed,
    with_judges,
)
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.evaluation.scoring.table_scores import TableScores
from umwelten.evaluation.scoring.verdicts import Judged, collect, figures_as_json, read_labels
from umwelten.evaluation.spec import EvaluationSpec, Limits
from umwelten.inputs.references import References
from umwelten.phrases import Phrase, Spelling, Wording, by_name
from umwelten.prompts.template import ROW, Template
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition
from umwelten.scoring.judge.judge import Judge
from umwelten.scoring.judge.settings import SEEN
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.reader import Reader
from umwelten.store.scores.store import ScoreStore
from umwelten.store.store import spent_nusd as store_spent
from umwelten.types import NANO, Prompt, RequestSettings

OF_JUDGES = ("judge", "samples", "check")
"""Options that are about judges alone, by their names."""


def is_judge(definition: Definition) -> bool:
    """Return whether a scorer asks models."""
    return CATALOG[definition.type].runs == "calls"


def calls_for_each(definitions: Sequence[Definition]) -> dict[str, int]:
    """Return how many calls each judge takes for one answer, by the scorers' names."""
    judges = {
        definition.name: Judge(definition.settings, definition.at_least)
        for definition in definitions
        if is_judge(definition)
    }
    return {name: judge.planned * len(judge.questions) for name, judge in judges.items()}


def resolve_judges(
    definitions: Mapping[str, Definition], settings: Settings, vendors: Mapping[str, Vendor]
) -> dict[str, Definition]:
    """Return the scorers with the judges' models in full. Errors: `UsageError`, `ConfigError`.

    Keys, addresses and, for a limit of costs, prices of the judges are checked before anything is asked.
    """
    groups = model_groups(settings)
    found = {
        name: with_judges(definition, settings, vendors, groups) if is_judge(definition) else definition
        for name, definition in definitions.items()
    }
    judges = [definition for definition in found.values() if is_judge(definition)]
    for option in OF_JUDGES:
        if option in settings.given and not judges:
            raise UsageError(
                Phrase("{option:{option}} is for judges, and no scorer is one", option=option),
                Phrase("Add {option:scorer=judge:Is the reply polite?}, or leave it out."),
                argument=option,
            )
    for definition in judges:
        models, _ = parse_models(",".join(definition.settings["model"]), vendors, {}, settings.variants)
        settings.trust.require(asking_demands([vendors[model.provider] for model in models], settings))
        request = RequestSettings(prompts=(Prompt(name="", text="-"),))
        limits = Limits(max_cost_usd=settings.get("max_cost"))
        preflight(
            EvaluationSpec(
                kind="run", models=models, request=request, limits=limits, engine=read_engine(settings)
            ),
            settings,
            vendors,
        )
    return found


def check_judges_ahead(spec: ScoringSpec, wanted: EvaluationSpec) -> None:
    """See before answers are asked for that they can be judged, as far as that can be told without them.

    Errors: those of `Jury` and of `JudgedBy.spec`.
    """
    columns = None if wanted.inputs is None else wanted.inputs.columns
    for definition in filter(is_judge, spec.scorers):
        judge = Judge(definition.settings, definition.at_least)
        if "expected" in judge.settings.placeholders and not (definition.expected or spec.expected):
            raise no_references(definition.name)
        if wanted.inputs is None or wanted.inputs.source != "answers":
            for question in judge.questions:
                rows = [name for name in question.placeholders if name.startswith(ROW)]
                words = Template("".join(f"{{{{{name}}}}}" for name in rows))
                words.check((*SEEN, "file.name"), columns, place=f"judge {definition.name!r}")
        read_labels(definition, judge.scale, spec.bases.get(definition.name, Path()))
        if wanted.output.id is not None:
            folder = wanted.output.output_dir / wanted.output.id
            if wanted.output.mode == "resume":
                refuse_changed(folder, definition)
            else:
                place_of(folder, definition.name)


class Jury:
    """The judges of the answers of one evaluation.

    `references` are by what says where they are, `again` names judges whose verdicts are moved aside. `only`:
    they are asked about the answers to these calls.
    """

    def __init__(
        self,
        folder: Path,
        spec: ScoringSpec,
        references: Mapping[str, References],
        *,
        again: Sequence[str] = (),
        only: Collection[int] | None = None,
    ) -> None:
        self._folder, self._spec, self._again, self._only = folder, spec, again, only
        self._labels: dict[str, TableScores | None] = {}
        self.judges = tuple(
            JudgedBy(folder, definition, references.get(definition.expected or spec.expected or ""))
            for definition in spec.scorers
            if is_judge(definition)
        )
        for by in self.judges:
            base = spec.bases.get(by.definition.name, Path())
            self._labels[by.definition.name] = read_labels(by.definition, by.judge.scale, base)
        for name in again:
            if name not in {by.definition.name for by in self.judges}:
                raise UsageError(
                    Phrase("{option:again}: no judge is called {name!r}", name=name),
                    "Other scorers are computed again where anything changed.",
                    argument="again",
                )

    def specs(
        self, settings: Settings, vendors: Mapping[str, Vendor], notes: list[Wording]
    ) -> list[EvaluationSpec]:
        """Return the evaluations that ask the judges, in order. Errors: as `JudgedBy.spec`."""
        if not self._spec.asks_judges:
            notes.extend(
                Phrase(
                    "judge {name} is asked nothing, as only the stored evaluation names it; name it with "
                    "{option:scorer} or {option:scorers}",
                    name=by.definition.name,
                )
                for by in self.judges
            )
            return []
        return [
            by.spec(
                settings,
                vendors,
                notes,
                only=self._only,
                again=by.definition.name in self._again,
                max_cost_usd=settings.get("max_cost"),
            )
            for by in self.judges
        ]

    def prepare(
        self,
        settings: Settings,
        vendors: Mapping[str, Vendor],
        notes: list[Wording],
        spelling: Spelling = by_name,
    ) -> list[tuple[JudgedBy, Evaluation]]:
        """Check everything that can be checked, for all judges, and open their evaluations. Close them."""
        specs = self.specs(settings, vendors, notes)
        with ExitStack() as stack:
            found = []
            for by, spec in zip(self.judges if specs else (), specs, strict=True):
                try:
                    evaluation = Evaluation.prepare(spec, settings, vendors, _of_judges(spelling))
                except EvaluationBusy as error:
                    raise EvaluationBusy(error.wording, "Wait until it has ended, or stop it.") from None
                stack.callback(evaluation.close)
                found.append((by, evaluation))
            stack.pop_all()
        return found

    def collect(self) -> Iterator[tuple[JudgedBy, Judged]]:
        """Make scores of what the judges said so far, and keep their figures."""
        if not self.judges:
            return
        with ScoreStore.open(self._folder) as store:
            ids = {scorer.name: scorer.id for scorer in store.scorers}
            for by in self.judges:
                if not has_database(by.verdicts):
                    continue
                name = by.definition.name
                judged = collect(by, ids[name], store, self._labels[name], asked=self._is_asked)
                kept = store.settings().get("judges") or {}
                store.write_settings({"judges": {**kept, name: figures_as_json(judged)}})
                yield by, judged

    def _is_asked(self, call: int) -> bool:
        """Whether judges were to be asked about the answer to this call."""
        return self._spec.asks_judges and (self._only is None or call in self._only)


def _of_judges(spelling: Spelling) -> Spelling:
    """Return how a judge's calls name options: what its own definition settles is none."""

    def spelled(name: str, value: str | None = None) -> str:
        return "its max_tokens" if name == "max_tokens" else spelling(name, value)

    return spelled


def due(
    prepared: Sequence[tuple[JudgedBy, Evaluation]], max_cost_usd: float | None, besides: Sequence[Path]
) -> Iterator[tuple[JudgedBy, Evaluation, bool]]:
    """Yield each judge that has something to be asked, when its turn has come; False: the limit is spent.

    The limit of costs is one for all of them, and for the evaluations in the folders `besides` too, whose
    answers were asked for in the same command.
    """
    for by, evaluation in prepared:
        if sum(evaluation.store.to_do().values()):
            # Read from their folders: one that ended with its estimate is closed.
            folders = [*besides, *(other.verdicts for other, _ in prepared if other is not by)]
            yield by, evaluation, limit_cost(evaluation, max_cost_usd, sum(map(spent_nusd, folders)))


def limit_cost(evaluation: Evaluation, max_cost_usd: float | None, others_nusd: int) -> bool:
    """Let an evaluation spend what a limit over several leaves; returns False if that is nothing.

    `others_nusd` is what the others have spent, earlier runs of them included.
    """
    if max_cost_usd is None:
        return True
    left = max_cost_usd - others_nusd / NANO
    limits = msgspec.structs.replace(evaluation.spec.limits, max_cost_usd=max(left, 0.0))
    evaluation.spec = msgspec.structs.replace(evaluation.spec, limits=limits)
    return left > 0 and evaluation.store.spent_nusd() < left * NANO


def spent_nusd(folder: Path) -> int:
    """Return what the calls of an evaluation have cost, as far as is known."""
    if not has_database(folder):
        return 0
    try:
        with Reader.open(folder) as reader:
            return store_spent(reader.connection)
    except NeverStarted:  # by a process that was killed as it began
        return 0
