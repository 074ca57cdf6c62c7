"""A scorer that is ready: made once from its definition, applied to any number of answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from umwelten.scoring.budget import LIMIT, TooCostly
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition
from umwelten.scoring.record_rules import expected_fields
from umwelten.scoring.references import EXPECTED, alternatives, as_text, is_missing, record_path
from umwelten.scoring.rule import CannotScore, Found
from umwelten.scoring.score import Answer, Result, Score, Unscored


class Scorer:
    """Scores answers by one definition. Errors: `ValueError` for a type that has no rule."""

    def __init__(self, definition: Definition) -> None:
        known = CATALOG[definition.type]
        if known.make is None:
            raise ValueError(f"scorer {definition.name!r} is a {definition.type}: no rule scores by it")
        settings = {name: setting.default for name, setting in known.settings.items()}
        settings |= definition.settings
        self.definition = definition
        self._rule = known.make(settings)
        self._needs = known.needs
        self._of: str | None = settings.get("of")
        self._several: str | None = settings.get("several")
        self._inverted: bool = settings.get("not", False)
        self._value: Any = settings.get("value") if known.needs in ("each", "list", "set") else None
        if known.needs == "group" and not re.compile(settings["value"]).groups:
            self._needs = "nothing"

    @property
    def digest(self) -> str:
        """The definition's digest."""
        return self.definition.digest

    def score(self, answer: Answer, reference: Mapping[str, Any], *, limit: float = LIMIT) -> Result:
        """Return the answer's score, or why there is none.

        `reference` holds what the answer should be under `expected`; for `fields`, its other keys are fields
        where there is no such object. `limit` bounds the steps: without one (`math.inf`), call this in a
        process that can be ended.
        """
        try:
            return self._finished(self._best(answer, reference, limit))
        except CannotScore as error:
            return Unscored(kind=error.kind, message=error.message)
        except TooCostly:
            message = f"an answer of {len(answer.text):,} characters may take too long"
            return Unscored(kind="scorer_error", message=message, costly=True)
        except RecursionError:
            return Unscored(kind="scorer_error", message="the record is nested too deeply")

    def _best(self, answer: Answer, reference: Mapping[str, Any], limit: float) -> Found:
        text = self._text(answer)
        best: Found | None = None
        unusable: CannotScore | None = None
        for wanted in self._wanted(reference):
            try:
                found = self._rule(answer, text, wanted, limit)
            except CannotScore as error:
                unusable = error  # another of several may do
                continue
            if best is None or found.value > best.value:
                best = found
            if best.value >= 1:
                break
        if best is None:
            raise unusable or CannotScore("no_reference", "nothing says what the answer should be")
        return best

    def _text(self, answer: Answer) -> str:
        if self._of is None:
            return answer.text
        if answer.record is None:
            raise CannotScore("scorer_error", f"the answer has no record to take {self._of!r} from")
        return as_text(record_path(answer.record, self._of))

    def _wanted(self, reference: Mapping[str, Any]) -> Iterator[Any]:
        """The references that the rule is asked about, one after another."""
        if self._needs == "nothing":
            yield None
            return
        if self._needs == "fields":
            fields = expected_fields(reference)
            if fields is not None:
                yield fields
            return
        value = self._value if self._value is not None else reference.get(EXPECTED)
        if self._needs == "set":
            if not is_missing(value):
                yield value
        elif self._needs == "list":
            if words := alternatives(value, self._several):
                yield words
        else:
            yield from alternatives(value, self._several)

    def _finished(self, found: Found) -> Score:
        value = 1 - found.value if self._inverted else found.value
        least = self.definition.at_least
        return Score(
            value=value,
            label=found.label,
            passed=None if least is None else value >= least,
            reason=found.reason,
            parts=found.parts,
        )
