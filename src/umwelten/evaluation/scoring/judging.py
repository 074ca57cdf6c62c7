"""Judges as evaluations: `ID.NAME` asks a judge about every answer of the evaluation `ID`.

Everything that an evaluation has goes for them: lanes, retries, resume, costs, `eval show`. Here is how such
an evaluation is put together, and how its replies become scores.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import msgspec

from umwelten.config.demands import asking_demands
from umwelten.config.settings import Settings
from umwelten.errors import InputError, MachineError, UsageError
from umwelten.evaluation.build_spec import read_limits, read_variant
from umwelten.evaluation.engine_choice import (
    note_idle_engine,
    note_idle_workers,
    note_open_cluster,
    read_engine,
)
from umwelten.evaluation.preflight import note_addresses, note_prices
from umwelten.evaluation.spec import EvaluationSpec, Output, check_id, stored_spec
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content, InputChanged
from umwelten.inputs.reader import read
from umwelten.inputs.references import References, file_values
from umwelten.inputs.sources import answers_as_inputs
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import Template
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.records import Derived
from umwelten.schema import OutputSchema
from umwelten.scoring.definition import Definition, NamedPlace, read_scorer
from umwelten.scoring.judge.frame import FRAMES
from umwelten.scoring.judge.judge import Judge, changes
from umwelten.scoring.references import EXPECTED, as_text
from umwelten.store.database import DATABASE, NeverStarted, has_database
from umwelten.store.derived import JUDGE, owner, stored_derived
from umwelten.store.inputs import original_path
from umwelten.store.reader import Reader
from umwelten.store.relocation import check_finished
from umwelten.store.settings import differences, prompt_texts, variant_differences
from umwelten.store.stored_calls import input_named
from umwelten.types import Prompt, RequestSettings, RowUse

OFTEN = Phrase("{option:samples}")
"""The option by which a judge is asked more than once."""


class JudgedBy:
    """A judge of the answers of one evaluation. `id` is that of the evaluation that holds its verdicts."""

    def __init__(self, folder: Path, definition: Definition, references: References | None) -> None:
        self.folder, self.definition, self.references = folder, definition, references
        self.judge = Judge(definition.settings, definition.at_least)
        self.id = f"{folder.name}.{definition.name}"
        self._prompts = self._make_prompts()

    @property
    def verdicts(self) -> Path:
        """The folder of its evaluation."""
        return self.folder.parent / self.id

    def spec(
        self,
        settings: Settings,
        vendors: Mapping[str, Vendor],
        notes: list[Wording],
        *,
        only: Collection[int] | None = None,
        again: bool = False,
        max_cost_usd: float | None = None,
    ) -> EvaluationSpec:
        """Return the evaluation that asks it. `again`: whatever it said before is moved aside. `only`: it is
        asked about the answers to these calls alone.

        Errors: `UsageError` for one that was defined otherwise before, or whose id is another evaluation's.
        """
        check_finished(self.folder)
        judge = self.judge
        models, model_notes = parse_models(
            ",".join(judge.settings.models), vendors, {}, settings.variants, often=OFTEN
        )
        notes.extend(model_notes)
        settings.trust.require(asking_demands([vendors[model.provider] for model in models], settings))
        chained = dict.fromkeys(name for prompt in self._prompts for name in Template(prompt.text).chained)
        expected = self._expected()
        beside = None if expected is None else expected.of_input
        inputs = answers_as_inputs(self.folder, only=only, chained=tuple(chained), beside=beside)
        limits = msgspec.structs.replace(read_limits(settings, vendors, notes), max_cost_usd=max_cost_usd)
        spec = EvaluationSpec(
            kind="batch",
            models=models,
            request=RequestSettings(
                prompts=self._prompts,
                system=judge.system,
                parameters=judge.settings.parameters,
                schema=judge.schema,
                source="answers",
                variants=tuple(
                    read_variant(name, settings) for name in sorted({m.variant for m in models if m.variant})
                ),
            ),
            inputs=msgspec.structs.replace(inputs, added=self._added(expected)),
            output_schema=OutputSchema(judge.schema),
            single=True,
            repeats=judge.settings.samples,
            keep_inputs=settings.get("keep_inputs"),
            text_files=settings.get("texts"),
            trace=settings.get("debug"),
            limits=limits,
            engine=read_engine(settings),
            output=Output(id=self.id, mode="overwrite" if again else "resume", output_dir=self.folder.parent),
            derived=Derived(
                role=JUDGE, of=self.folder.name, scorer=self.definition.name, definition=self._stored()
            ),
        )
        if not again:
            self._check_earlier(spec)
        note_addresses(spec, settings, vendors, notes)
        note_prices(spec, settings, notes)
        note_idle_engine(spec.engine, settings, notes)
        note_open_cluster(spec.engine, notes)
        note_idle_workers(spec.engine, limits, notes)
        return spec

    # --- what is asked ---

    def _make_prompts(self) -> tuple[Prompt, ...]:
        """The questions, in which everything that is there to be seen has its place."""
        with Reader.open(self.folder) as reader:
            spec = reader.spec()
        there = ["prompt"]
        # What a prompt has placed itself is in it; a row may have columns that no model was shown.
        if spec.kind == "batch" and not all(
            Template(prompt.text).places_input for prompt in spec.request.prompts
        ):
            there.append("input")
        if self.references is not None:
            there.append("expected")
        there.append("answer")
        seen = "\n\n".join(f"{{{{{name}}}}}" for name in self.judge.shown if name in there)
        return tuple(
            Prompt(name=question.name, text=question.prompt.replace(f"{{{{{FRAMES}}}}}", seen))
            for question in self.judge.questions
        )

    def _expected(self) -> ExpectedValues | None:
        """The references that the judge is shown. Errors: `UsageError` where it needs some, and has none."""
        wanted = any("expected" in Template(prompt.text).names for prompt in self._prompts)
        if wanted and self.references is None:
            raise no_references(self.definition.name)
        return (
            ExpectedValues(self.folder, self.references) if wanted and self.references is not None else None
        )

    def _added(self, expected: ExpectedValues | None) -> AddedValues:
        if expected is None:
            return AddedValues(framed=self._framed)
        # The question is read even where it is not shown: a row that asks another one has another reference.
        return AddedValues(names=("expected",), of=expected.of, framed=self._framed, chained=("prompt",))

    def _framed(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Return values in frames. What is empty is not there, and has none."""
        shown = {name: text for name, text in values.items() if text}
        return {**values, **self.judge.values(shown)}

    # --- what there was before ---

    def _stored(self) -> dict[str, object]:
        # As it was written: that is read again by whatever version comes next.
        text = msgspec.json.encode(self.definition.table, enc_hook=str)
        return msgspec.json.decode(text, type=dict[str, object])

    def _check_earlier(self, spec: EvaluationSpec) -> None:
        """Raise `UsageError` where its earlier verdicts are on something else, such as without references."""
        if refuse_changed(self.folder, self.definition) is None:
            return
        wanted = stored_spec(spec, self.id)
        with Reader.open(self.verdicts) as reader:
            connection = reader.connection
            changed = [
                *differences(reader.spec(), wanted, prompt_texts(connection)),
                *variant_differences(connection, wanted),
            ]
        if changed:
            raise _changed(self.definition.name, changed)


def refuse_changed(folder: Path, definition: Definition) -> Derived | None:
    """Return what is stored where the verdicts of a judge belong, `None` if nothing is.

    Errors: `UsageError` if that is another evaluation, or verdicts of a judge that was defined otherwise.
    Further models, or fewer, are no other judge.
    """
    derived = place_of(folder, definition.name)
    if derived is None:
        return None
    before = read_scorer(derived.scorer, derived.definition, NamedPlace(name=DATABASE))
    found = [change for change in changes(before.settings, definition.settings) if change.setting != "models"]
    if found:
        raise _changed(
            definition.name, [f"{change.setting}: {change.before} → {change.after}" for change in found]
        )
    return derived


def _changed(name: str, lines: Sequence[str]) -> UsageError:
    listed = "".join(f"\n  {line}" for line in lines)
    return UsageError(
        f"judge {name!r} was defined otherwise when it was asked{listed}",
        Phrase(
            "Its verdicts are paid for: give the new one another name, or judge anew with eval score and "
            "{option:again={name}}.",
            name=name,
        ),
        argument="again",
    )


def place_of(folder: Path, name: str) -> Derived | None:
    """Return what is stored where the verdicts of a judge belong, `None` if nothing is.

    Errors: `UsageError` if that is another evaluation, or the name is too long for one.
    """
    verdicts = folder.with_name(check_id(f"{folder.name}.{name}"))
    if not has_database(verdicts):
        return None
    try:
        derived = stored_derived(verdicts)
    except NeverStarted:
        return None
    if derived is not None and owner(verdicts, derived) == folder:
        return derived
    whose = "is another evaluation"
    if derived is not None:
        whose = f"holds what the judge {derived.scorer!r} said of {derived.of!r}"
    raise UsageError(
        f"{verdicts.name!r}, where the verdicts of {name!r} belong, {whose}",
        Phrase(
            "Call the scorer otherwise: {option:scorer=NAME=judge:…}, or give that evaluation another name: "
            "umwelten eval rename {id} NEW",
            id=verdicts.name,
        ),
        argument="scorer",
    )


def no_references(name: str) -> UsageError:
    """Return the error that a judge is shown references, and there are none."""
    return UsageError(
        Phrase("judge {name!r} is shown {what}, and there are no references", name=name, what="{{expected}}"),
        Phrase("Say where they are with {option:expected}."),
        argument="expected",
    )


class ExpectedValues:
    """The references of answers, by the names of their inputs; reads are in any thread, one at a time."""

    def __init__(self, folder: Path, references: References) -> None:
        self._references, self._lock = references, threading.Lock()
        self._reader = Reader.open(folder)
        self._of_input = lru_cache(maxsize=64)(self._read)

    def of(self, content: Content) -> Mapping[str, str]:
        """Return the value of the placeholder for the input of an answer."""
        return {"expected": self._found(content.values.get("file.name", ""))}

    def of_input(self, name: str, path: str = "") -> str:
        """Return the reference of the input of that name as text; "" where its row cannot be read any more.

        Then `of` says so, with which the judge's call ends before anything is sent.
        """
        try:
            return self._found(name)
        except InputChanged:
            return ""

    def _found(self, name: str) -> str:
        with self._lock:
            return self._of_input(name)

    def _read(self, name: str) -> str:
        values = file_values(name, "")
        found = input_named(self._reader, name) if name else None
        if found is not None:
            path, part, stamp = original_path(found[0]), found[1], found[2]
            values = file_values(name, path)
            if part.startswith("row ") and self._references.names:
                use = RowUse(rule=self._reader.spec().request.row_rule, again=True)
                try:
                    values |= read(path, name=name, part=part, stamp=stamp, use=use).values
                except MachineError:
                    raise
                except InputError as error:
                    raise InputChanged(error.wording, error.hint_wording) from error
        return reference_text(self._references.of(name, values))


def reference_text(reference: Mapping[str, object]) -> str:
    """Return a reference as a judge is shown it; "" where there is none."""
    if set(reference) <= {EXPECTED}:
        return as_text(reference.get(EXPECTED))
    return as_text(dict(reference))


def with_judges(
    definition: Definition,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    groups: Mapping[str, tuple[str, ...]],
) -> Definition:
    """Return a judge's definition with its models in full, from the options where it names none.

    Errors: `UsageError` where nothing says which models judge.
    """
    given = definition.settings.get("model") or settings.get("judge")
    if not given:
        raise UsageError(
            f"no model is named that judges {definition.name!r}",
            Phrase("Name one with {option:judge=provider:model}, or as model in its section."),
            argument="judge",
        )
    text = given if isinstance(given, str) else ",".join(given)
    models, _ = parse_models(text, vendors, groups, settings.variants)
    further: dict[str, object] = {"model": [str(model) for model in models]}
    labels = settings.get("check")
    if labels is not None and definition.check is None:
        further["check"] = str(labels)
    samples = settings.get("samples")
    if samples is not None and "samples" not in definition.table:
        further["samples"] = samples
    table = {**definition.table, **further}
    return read_scorer(definition.name, table, NamedPlace(name=definition.name))
