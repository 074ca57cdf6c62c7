"""A ranking as an evaluation: its inputs are pairs of answers, its answers are verdicts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.demands import asking_demands
from umwelten.config.option_types import PlainText
from umwelten.config.overwriting import refuse_overwriting
from umwelten.config.settings import Settings, model_groups
from umwelten.errors import StoreError, UsageError
from umwelten.evaluation.build_spec import Stdin, read_limits, read_variant, value_text
from umwelten.evaluation.engine_choice import note_idle_workers, note_open_cluster, read_engine
from umwelten.evaluation.preflight import note_addresses, note_prices
from umwelten.evaluation.ranking.answers import RankedAnswers
from umwelten.evaluation.ranking.definition import RankingDefinition, ranking_definition
from umwelten.evaluation.ranking.plan import PairChoice, RankingPlan
from umwelten.evaluation.ranking.references import ranking_references
from umwelten.evaluation.ranking.verdicts import read_verdicts
from umwelten.evaluation.scoring.judging import OFTEN, ExpectedValues, no_references
from umwelten.evaluation.spec import EvaluationSpec, Output, check_id, stored_spec
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.pairs import pairs_as_inputs
from umwelten.inputs.references import References
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import EXPECTED, Template
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.records import Derived
from umwelten.report.output_files import check_report_path, format_of
from umwelten.schema import OutputSchema
from umwelten.scoring.judge.settings import MAX_TOKENS
from umwelten.scoring.ranking import fit, question, reply
from umwelten.scoring.ranking.draw import PairShare
from umwelten.scoring.ranking.ranking import Ranking
from umwelten.store.database import NeverStarted, has_database
from umwelten.store.derived import RANK, stored_derived
from umwelten.store.reader import Reader
from umwelten.store.scores.store import ScoreStore
from umwelten.store.settings import differences, prompt_texts, variant_differences
from umwelten.types import Parameters, Prompt, RequestSettings

SUFFIX = "rank"
"""What the id of a ranking ends with, unless another is given."""


class RankingEvaluation:
    """A ranking that was asked for, checked as far as can be before anything is asked.

    Errors: a `UmweltenError` for what the user must fix.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        settings: Settings,
        vendors: Mapping[str, Vendor],
        notes: list[Wording],
        *,
        prompt: PlainText | Path | str | None = None,
        stdin: Stdin | None = None,
    ) -> None:
        self._settings = settings
        refuse_overwriting(settings)
        _check_reports(settings.get("report"))
        output_dir: Path = settings.get("output_dir")
        self.id = check_id(settings.get("id") or f"{folders[0].name}.{SUFFIX}")
        self.folder = output_dir / self.id
        self._seed = self._earlier_seed(folders) or self.id
        self.answers = RankedAnswers(folders, notes)
        against = settings.get("against")
        self.plan = RankingPlan(
            self.answers,
            PairChoice(
                share=PairShare.parse(settings.get("pairs")),
                against=None if against is None else self.answers.contestant(against),
                seats=settings.get("seats"),
            ),
            self._seed,
        )
        self._references = self._read_references(notes)
        self._question = value_text(prompt, "prompt", stdin)
        self.spec = self._spec(vendors, notes)

    @cached_property
    def states(self) -> Counter[str]:
        """How many of the drawn comparisons are judged, and why the others are not."""
        return self.plan.states()

    def check_some(self) -> None:
        """Raise `UsageError` where there is nothing to ask, or no common ranking would come of it."""
        if not self.states["judged"]:
            why = {
                "equal": "equal answers",
                "no_answer": "no answer of one of the two",
                "input_changed": "changed inputs",
            }
            listed = ", ".join(
                f"{self.states[kind]:,} with {words}" for kind, words in why.items() if self.states[kind]
            )
            hint = Phrase("Failed and pending calls have no answer: {option:resume} makes them.")
            raise UsageError(
                f"there is nothing to judge: of {self.states.total():,} comparisons, {listed}",
                hint if self.states["no_answer"] else None,
            )
        groups = self.plan.groups()
        if len(groups) > 1:
            listed = "".join(f"\n  {', '.join(map(str, group))}" for group in groups)
            raise UsageError(
                f"these groups have no comparison with each other, so there is no common ranking:{listed}",
                Phrase("Compare more of them with {option:pairs}, or rank each group by itself.")
                if self.states.total() < self.plan.all_comparisons
                else "Rank each group by itself, or ask for the answers that are missing.",
                argument="pairs",
            )

    # --- what is asked ---

    def _spec(self, vendors: Mapping[str, Vendor], notes: list[Wording]) -> EvaluationSpec:
        settings = self._settings
        models, model_notes = parse_models(
            self._judges(), vendors, model_groups(settings), settings.variants, often=OFTEN
        )
        notes.extend(model_notes)
        settings.trust.require(asking_demands([vendors[model.provider] for model in models], settings))
        prompt, shown = self._prompt(notes)
        added = self._added(shown)
        chained = Template(prompt.text).chained
        beside = None if self._expected is None else self._expected.of_input
        inputs = pairs_as_inputs(self.answers.folder, self.plan.pairs, chained=chained, beside=beside)
        limits = read_limits(settings, vendors, notes)
        samples = settings.get("samples") or 1
        spec = EvaluationSpec(
            kind="batch",
            models=models,
            request=RequestSettings(
                prompts=(prompt,),
                system=question.system_text(shown),
                parameters=self._parameters(samples),
                schema=reply.SCHEMA,
                source="pairs",
                variants=tuple(
                    read_variant(name, settings) for name in sorted({m.variant for m in models if m.variant})
                ),
            ),
            inputs=msgspec.structs.replace(inputs, added=added),
            output_schema=OutputSchema(reply.SCHEMA),
            single=True,
            repeats=samples,
            keep_inputs=settings.get("keep_inputs"),
            text_files=settings.get("texts"),
            trace=settings.get("debug"),
            limits=limits,
            engine=read_engine(settings),
            output=Output(
                id=self.id,
                mode="overwrite" if settings.get("overwrite") else "resume",
                output_dir=settings.get("output_dir"),
            ),
            derived=Derived(
                role=RANK,
                of=self.answers.ids[0],
                scorer=SUFFIX,
                definition=RankingDefinition(
                    of=list(self.answers.ids), question=self.question, seed=self._seed
                ).stored(),
            ),
        )
        if not settings.get("overwrite"):
            self._check_earlier(spec)
        note_addresses(spec, settings, vendors, notes)
        note_prices(spec, settings, notes)
        note_open_cluster(spec.engine, notes)
        note_idle_workers(spec.engine, limits, notes)
        return spec

    @property
    def question(self) -> str:
        """What judges are asked to look at."""
        return self._question or question.DEFAULT_QUESTION

    def _judges(self) -> str:
        given = self._settings.get("judge")
        if not given:
            raise UsageError(
                "no model is named that judges",
                Phrase("Name one with {option:judge=provider:model}."),
                argument="judge",
            )
        return given if isinstance(given, str) else ",".join(given)

    def _prompt(self, notes: list[Wording]) -> tuple[Prompt, tuple[str, ...]]:
        """Return the template of what is asked, and the names of what it shows."""
        answers = self.answers
        there = ["prompt"] if answers.same_prompt else []
        # What a prompt has placed itself is in it.
        if answers.has_inputs and not (answers.same_prompt and answers.places_input):
            there.append("input")
        if self._references is not None:
            there.append("expected")
        asked = self._question
        if "input" in there and not Template(asked or "").names and (columns := answers.shown_columns):
            # A row may have columns that no model was shown, such as the answer.
            asked = question.with_columns(asked, columns, there)
        try:
            shown = question.shown_names(asked, there)
            text = question.template(asked, there)
        except ValueError as error:
            raise UsageError(Phrase("{option:prompt} {fault}", fault=str(error)), argument="prompt") from None
        if "prompt" in shown and not answers.same_prompt:
            raise UsageError(
                Phrase(
                    "{option:prompt} has {what}, and the answers were asked in different words",
                    what="{{prompt}}",
                ),
                "Leave it out, and say what was asked in the question itself.",
                argument="prompt",
            )
        if self._references is not None and EXPECTED not in shown:
            notes.append(
                Phrase(
                    "{option:expected} is not shown to judges: {option:prompt} has no {what}",
                    what="{{expected}}",
                )
            )
        if not answers.same_prompt and not Template(self._question or "").names:
            notes.append(
                Phrase(
                    "the answers were asked for in different words, so judges are not shown what was asked; "
                    "say with {option:prompt} what makes an answer good"
                )
            )
        return Prompt(name="", text=text), shown

    def _parameters(self, samples: int) -> Parameters:
        """What the flags say of judges; what settings files say is meant for answers."""
        settings = self._settings
        given = {
            name: settings.get(name)
            for name in ("temperature", "max_tokens", "top_p", "seed")
            if name in settings.given
        }
        # Several samples of 0 would say nothing about how sure a judge is.
        defaults: dict[str, Any] = {"max_tokens": MAX_TOKENS}
        if samples == 1:
            defaults["temperature"] = 0.0
        extra = dict(settings.get("params")) if "params" in settings.given else {}
        return Parameters(**(defaults | given), extra=extra)

    def _read_references(self, notes: list[Wording]) -> References | None:
        where = self._settings.get("expected")
        return None if where is None else ranking_references(where, self.answers.folder, notes)

    def _added(self, shown: Sequence[str]) -> AddedValues:
        self._expected: ExpectedValues | None = None

        def framed(values: Mapping[str, str]) -> Mapping[str, str]:
            return {**values, **question.framed(values, shown)}

        if EXPECTED not in shown:
            return AddedValues(framed=framed)
        if self._references is None:
            raise no_references(SUFFIX)
        self._expected = ExpectedValues(self.answers.folder, self._references)
        return AddedValues(names=(EXPECTED,), of=self._expected.of, framed=framed, chained=("prompt",))

    # --- what there was before ---

    def _earlier_seed(self, folders: Sequence[Path]) -> str | None:
        """Return the seed of the ranking that is there: one that was renamed must not be drawn anew.

        Raises `UsageError` where the id is that of something else, `StoreError` where it cannot be told.
        """
        if self.folder.name in {folder.name for folder in folders}:
            raise UsageError(
                Phrase("{option:id={id}} is one of the evaluations that are ranked", id=self.id),
                Phrase("Give the ranking another {option:id}."),
                argument="id",
            )
        if not has_database(self.folder):
            return None
        try:
            derived = stored_derived(self.folder)
        except StoreError:
            return None
        if derived is None or derived.role != RANK:
            raise UsageError(
                f"{self.id!r}, where the verdicts belong, is another evaluation",
                Phrase("Give the ranking another {option:id}."),
                argument="id",
            )
        if self._settings.get("overwrite"):
            return None
        return ranking_definition(self.folder, derived).seed or None

    def _check_earlier(self, spec: EvaluationSpec) -> None:
        """Raise `UsageError` where its earlier verdicts are on something else: they are paid for."""
        if not has_database(self.folder):
            return
        wanted = stored_spec(spec, self.id)
        try:
            reader = Reader.open(self.folder)
        except NeverStarted:  # a kill came before it had settings
            return
        with reader:
            before = reader.spec()
            texts = prompt_texts(reader.connection)
            changed = [*differences(before, wanted, texts), *variant_differences(reader.connection, wanted)]
            derived = before.derived
        ids = [] if derived is None else ranking_definition(self.folder, derived).of
        if not set(ids) <= set(self.answers.ids):
            changed.insert(0, f"evaluations: {', '.join(ids)} → {', '.join(self.answers.ids)}")
        if changed:
            listed = "".join(f"\n  {line}" for line in changed)
            raise UsageError(
                f"the ranking {self.id!r} was asked otherwise before{listed}",
                Phrase(
                    "Its verdicts are paid for: give the new one another {option:id}, or judge anew with "
                    "{option:overwrite}."
                ),
                argument="overwrite",
            )

    # --- what came of it ---

    def collect(self) -> Ranking:
        """Make the board of all verdicts so far, and keep it with them. Raises StoreError."""
        judges = tuple(str(model) for model in self.spec.models)
        said = read_verdicts(self.folder, self.plan.swapped(), judges)
        choice, settings = self.plan.choice, self._settings
        ranking = fit.rank(
            self.plan.units(said.votes, said.changed),
            self.answers.contestants,
            fit.RankOptions(
                question=self.question,
                judges=judges,
                samples=self.spec.repeats,
                pairs=settings.get("pairs"),
                seats=choice.seats,
                against=None if choice.against is None else str(choice.against),
                control=settings.get("control_for"),
                bootstrap=settings.get("bootstrap") or 0,
            ),
            id=self.id,
            of=self.answers.ids,
            all_comparisons=self.plan.all_comparisons,
            answer_costs=self.answers.costs(),
            judge_costs=said.costs,
            seed=self._seed,
        )
        with ScoreStore.open(self.folder) as store:
            store.write_settings({"ranking": msgspec.to_builtins(ranking)})
        return ranking


def _check_reports(paths: Sequence[Path]) -> None:
    """Raise `UsageError` where no report of a ranking can be written: before anything is paid for."""
    for path in paths:
        check_report_path(path)
        if format_of(path) == "junit":
            raise UsageError(
                Phrase("{option:report={path}}: JUnit is made of scores, and a ranking has none", path=path),
                "Endings: .csv, .html, .json, .md, .parquet.",
                argument="report",
            )
