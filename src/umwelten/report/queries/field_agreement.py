"""How far models, and the repeats of one model, agree on the fields of their records.

For enums and truth values the statistic is Krippendorff's α for categories, for numbers the one for
intervals: 1 where all agree, 0 where they agree no more than by chance. A unit is an input. Between models
the first repeats are compared, so that an input counts once; between repeats the answers of one model are.
Two models have Cohen's κ as well, with its interval of 95 %.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations

from umwelten.report import stats
from umwelten.report.models import model_label
from umwelten.report.queries.column_types import is_number
from umwelten.report.queries.variants import Variant
from umwelten.report.schema_fields import Field, Record
from umwelten.statistics.agreement import Metric, cohens_kappa, krippendorffs_alpha
from umwelten.types import FrozenStruct

MOST_UNITS = 20_000
"""Inputs that are compared, the first: with so many an α is known to about 0.01, and they fit in memory."""
MOST_PAIRED = 6
"""Models that are compared two by two; of more there would be more pairs than anybody reads."""


class Agreement(FrozenStruct, kw_only=True):
    """Of several raters on the inputs that at least two of them gave a value for: `units` of them.

    `same` is the share of these on which all gave the same value. `alpha` is `None` where all values are
    equal: that says nothing of agreement.
    """

    units: int
    raters: int
    same: float | None
    alpha: float | None
    metric: Metric


class PairAgreement(FrozenStruct, kw_only=True):
    """Of two models, as `Agreement`. `kappa` with its interval is Cohen's, and `None` for numbers."""

    first: str
    second: str
    units: int
    same: float | None
    alpha: float | None
    kappa: float | None
    low: float | None
    high: float | None


class RepeatAgreement(FrozenStruct, kw_only=True):
    """Of the repeats of one model."""

    model: str
    prompt: str | None
    agreement: Agreement

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class FieldAgreement(FrozenStruct, kw_only=True):
    """All of it for one field; `models` is `None` where only one model has values."""

    models: Agreement | None = None
    pairs: tuple[PairAgreement, ...] = ()
    repeats: tuple[RepeatAgreement, ...] = ()


class Ratings:
    """The values of one field by model and repeat, an input a place."""

    def __init__(self, field: Field) -> None:
        self._numeric = field.type in ("integer", "number")
        self._labels = bool(field.options) or field.type == "boolean"
        self._rows: dict[tuple[int, int], list[object]] = {}
        self._units = 0

    def add(self, found: Mapping[tuple[int, int], Record], name: str) -> None:
        """Another input: its records by model and repeat."""
        if self._units >= MOST_UNITS or not (self._numeric or self._labels):
            return
        for key, record in found.items():
            value = self._value(record.get(name))
            if value is not None:
                row = self._rows.setdefault(key, [])
                row.extend([None] * (self._units - len(row)))
                row.append(value)
        self._units += 1

    def agreement(self, columns: Mapping[int, Variant]) -> FieldAgreement:
        """Return what is known of it."""
        rows = {key: row + [None] * (self._units - len(row)) for key, row in self._rows.items()}
        first = {model: rows[model, 1] for model in columns if (model, 1) in rows}
        repeats = {model: [row for key, row in sorted(rows.items()) if key[0] == model] for model in columns}
        return FieldAgreement(
            models=self._among(list(first.values())) if len(first) > 1 else None,
            pairs=tuple(self._pairs(first, columns)) if len(first) <= MOST_PAIRED else (),
            repeats=tuple(
                RepeatAgreement(
                    model=columns[model].model, prompt=columns[model].prompt, agreement=self._among(own)
                )
                for model, own in repeats.items()
                if len(own) > 1
            ),
        )

    def _value(self, value: object) -> object:
        if self._numeric:
            return float(value) if is_number(value) else None  # type: ignore[arg-type]
        return value if isinstance(value, str | bool) else None

    def _among(self, ratings: Sequence[Sequence[object]]) -> Agreement:
        units = [[value for value in unit if value is not None] for unit in zip(*ratings, strict=True)]
        units = [unit for unit in units if len(unit) > 1]
        metric: Metric = "interval" if self._numeric else "nominal"
        return Agreement(
            units=len(units),
            raters=len(ratings),
            same=stats.ratio(sum(len(set(unit)) == 1 for unit in units), len(units)),
            alpha=stats.rounded(krippendorffs_alpha(ratings, metric)),
            metric=metric,
        )

    def _pairs(
        self, ratings: Mapping[int, Sequence[object]], columns: Mapping[int, Variant]
    ) -> Iterator[PairAgreement]:
        for first, second in combinations(ratings, 2):
            both = [
                (one, other)
                for one, other in zip(ratings[first], ratings[second], strict=True)
                if one is not None and other is not None
            ]
            found = self._among([ratings[first], ratings[second]])
            kappa = None if self._numeric else cohens_kappa([a for a, _ in both], [b for _, b in both])
            yield PairAgreement(
                first=columns[first].label,
                second=columns[second].label,
                units=found.units,
                same=found.same,
                alpha=found.alpha,
                kappa=None if kappa is None else stats.rounded(kappa.kappa),
                low=None if kappa is None else stats.rounded(kappa.low),
                high=None if kappa is None else stats.rounded(kappa.high),
            )


def ratings_of(fields: Iterable[Field]) -> dict[str, Ratings]:
    """Return empty ratings for each field."""
    return {field.name: Ratings(field) for field in fields}
