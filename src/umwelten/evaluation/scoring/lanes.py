"""The scorers at work on an evaluation: rules here, what may take long in a process, tables looked up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from umwelten.errors import UsageError
from umwelten.evaluation.scoring.answer_inputs import AnswerInput
from umwelten.evaluation.scoring.external import ScorerInput, external_scorer, read_content
from umwelten.evaluation.scoring.spec import Apart, ScoringSpec
from umwelten.evaluation.scoring.table_scores import AnswerName, TableScores
from umwelten.inputs.references import References
from umwelten.phrases import Phrase
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition
from umwelten.scoring.identity import content_digest
from umwelten.scoring.score import Answer, Result, Unscored
from umwelten.scoring.scorer import Scorer
from umwelten.store.stored_calls import StoredCall

_NO_REFERENCE: Mapping[str, Any] = {}
_ROW = "row."


class Tools:
    """What scorers need that are no rules: code to run, tables. Errors: `ConfigError`, `InputError`.

    `definitions` are those of the spec, with the content that is part of their identity.
    """

    def __init__(self, spec: ScoringSpec) -> None:
        self._spec = spec
        self._codes: dict[str, bytes] = {}
        self.tables: dict[str, TableScores] = {}
        self.definitions = tuple(self._read(definition) for definition in spec.scorers)

    def _read(self, definition: Definition) -> Definition:
        base = self._base(definition)
        if definition.name in self._spec.functions:
            return definition
        if definition.type == "python":
            definition, self._codes[definition.name] = read_content(definition, base)
        elif definition.type == "table":
            self.tables[definition.name] = TableScores(definition, base)
        return definition

    def external(self, definition: Definition) -> Apart:
        """Return the scorer as one with a process of its own, or a function of the program that asks."""
        if definition.name in self._spec.functions:
            return self._spec.functions[definition.name]
        secrets = [secret.reveal() for secret in self._spec.secrets]
        return external_scorer(
            definition,
            base=self._base(definition),
            code=self._codes.get(definition.name),
            secrets=secrets,
            masked=_mask(secrets),
        )

    def start(self, stack: ExitStack) -> dict[str, Apart]:
        """Start each scorer that has a process, until `stack` is closed: what cannot work raises now."""
        found: dict[str, Apart] = {}
        for definition in self.definitions:
            if CATALOG[definition.type].runs == "child":
                scorer = found[definition.name] = stack.enter_context(self.external(definition))
                self._check_reference(definition, scorer)
        return found

    def _check_reference(self, definition: Definition, scorer: Apart) -> None:
        """A function without a default for `expected` would be called for no answer."""
        if definition.type != "python" or not scorer.needs_reference:
            return
        if definition.expected is None and self._spec.expected is None:
            raise UsageError(
                f"the function of scorer {definition.name!r} takes expected, and nothing says what that is",
                Phrase("Say where it is with {option:expected}, or give the parameter a default."),
                argument="expected",
            )

    def _base(self, definition: Definition) -> Path:
        return self._spec.bases.get(definition.name, Path())


class Lane:
    """One scorer at work, in `process` if it has one. What it starts is ended by `stack`."""

    def __init__(
        self,
        definition: Definition,
        references: References | None,
        process: Apart | None,
        tools: Tools,
        stack: ExitStack,
    ) -> None:
        self.id = 0
        self.definition, self.references = definition, references
        self.identity = definition.digest
        self._tools, self._stack = tools, stack
        self._rule = Scorer(definition) if CATALOG[definition.type].runs == "rule" else None
        self._table = tools.tables.get(definition.name)
        self.is_apart = process is not None
        self._process = process

    @property
    def takes_rows(self) -> bool:
        """Whether it sees all values of a row."""
        return self.definition.type in ("python", "command")

    def reference(self, call: StoredCall, values: Mapping[str, str]) -> Mapping[str, Any]:
        """Return what the answer should be."""
        if self._table is not None:
            return self._table.reference(answer_name(call))
        return _NO_REFERENCE if self.references is None else self.references.of(call.file or "", values)

    def digest(self, reference: Mapping[str, Any], found: AnswerInput) -> bytes:
        """Return the hash of what the score depends on beside the answer."""
        facts = [reference, found.changed]
        return content_digest([*facts, row_of(found)] if self.takes_rows else facts)

    def is_stale(self, found: AnswerInput) -> bool:
        """Whether the input is no longer what was sent, and the score would depend on it."""
        return bool(found.changed) and (self.references is not None or self.takes_rows)

    def score(
        self, call: StoredCall, answer: Answer, reference: Mapping[str, Any], found: AnswerInput
    ) -> Result:
        """Return the score of an answer."""
        if self.is_stale(found):
            return Unscored(kind="input_changed", message=found.changed)
        if self._table is not None:
            return self._table.score(answer_name(call))
        assert self._rule is not None
        result = self._rule.score(answer, reference)
        if isinstance(result, Unscored) and result.costly:
            if self._process is None:
                self._process = self._stack.enter_context(self._tools.external(self.definition))
            (result,) = self._process.score([ScorerInput(answer=answer, reference=reference)])
        return result

    def score_apart(self, items: Iterable[ScorerInput]) -> Iterator[Result]:
        """Yield the results of a scorer that `is_apart`, in order, while others are under way."""
        assert self._process is not None
        return self._process.score(items)


def answer_name(call: StoredCall) -> AnswerName:
    """Return what a row of a table may name the answer by."""
    return AnswerName(file=call.file or "", model=call.model, prompt=call.prompt or "", repeat=call.repeat)


def row_of(found: AnswerInput) -> dict[str, str]:
    """Return the values of the input's row by column."""
    return {name.removeprefix(_ROW): value for name, value in found.values.items() if name.startswith(_ROW)}


def _mask(secrets: Iterable[str]) -> Callable[[str], str]:
    # Short ones are dummies, and part of ordinary words.
    hidden = sorted((secret for secret in secrets if len(secret) >= 6), key=len, reverse=True)

    def masked(text: str) -> str:
        for secret in hidden:
            text = text.replace(secret, "***")
        return text

    return masked


def with_definitions(spec: ScoringSpec, tools: Tools) -> ScoringSpec:
    """Return the spec with the definitions that have their content."""
    return replace(spec, scorers=tools.definitions)
