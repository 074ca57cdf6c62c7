"""The values of records by model, and how far models and repeats agree on them: as HTML and for Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from umwelten.report.queries.field_agreement import Agreement, PairAgreement
from umwelten.report.queries.schema_validation import FieldFigures, Validation
from umwelten.report.render.markup import table, text
from umwelten.report.render.value_words import values_in_words
from umwelten.text import formatting

VALUES_HEAD = ("field", "model", "values", "with a value", "missing")
MODELS_HEAD = ("field", "between", "inputs", "the same", "Krippendorff's α", "Cohen's κ (95%)")
REPEATS_HEAD = ("field", "model", "inputs", "always the same", "Krippendorff's α")
NOTE = (
    "α and κ are 1 where all agree and 0 where they agree no more than by chance; by Krippendorff's rule no "
    "conclusion should rest on an α below 0.67. Of numbers α counts how far apart they are. Only inputs with "
    "a value from at least two count; of several repeats, models are compared by the first."
)
"""0.667 is Krippendorff's own lower bound for tentative conclusions."""


def as_html(figures: Validation) -> str:
    """The tables that have rows."""
    parts = [
        _html("Values by model", VALUES_HEAD, value_rows(figures), words=3),
        _html("Agreement between models", MODELS_HEAD, model_rows(figures), words=2),
        _html("Agreement between repeats", REPEATS_HEAD, repeat_rows(figures), words=2),
    ]
    agreed = f"<p>{text(NOTE)}</p>\n" if any(parts[1:]) else ""
    return "".join(parts) + agreed


def _html(title: str, head: Sequence[str], rows: Iterator[tuple[str, ...]], *, words: int) -> str:
    body = table(head, ([text(cell) for cell in row] for row in rows), name=title, words=words)
    return f"<h3>{title}</h3>\n{body}" if body else ""


def value_rows(figures: Validation) -> Iterator[tuple[str, ...]]:
    """Field by field, for `VALUES_HEAD`; none with one model. Foreign text as it is."""
    for field in figures.fields:
        known = [model for model in field.models if model.values or model.mean is not None]
        for model in known if len(field.models) > 1 else ():
            words = values_in_words(model, field.type)
            yield (field.field, model.label, words, f"{model.valid:,}", f"{model.missing:,}")


def model_rows(figures: Validation) -> Iterator[tuple[str, ...]]:
    """Field by field, for `MODELS_HEAD`: all models, then two by two where there are more than two."""
    return _rows(figures, _between_models)


def repeat_rows(figures: Validation) -> Iterator[tuple[str, ...]]:
    """Field by field, for `REPEATS_HEAD`."""
    return _rows(figures, _between_repeats)


def _rows(
    figures: Validation, of: Callable[[FieldFigures], Iterator[tuple[str, ...]]]
) -> Iterator[tuple[str, ...]]:
    for field in figures.fields:
        yield from of(field)


def _between_models(field: FieldFigures) -> Iterator[tuple[str, ...]]:
    found = field.agreement.models
    if found is None or not found.units:
        return
    pairs = field.agreement.pairs
    if found.raters > 2 or not pairs:
        yield (field.field, f"{found.raters} models", *_agreed(found), "")
    for pair in pairs:
        kappa = _two(pair.kappa)
        if pair.low is not None and pair.high is not None:
            kappa += f" ({_two(pair.low)} to {_two(pair.high)})"
        names = f"{pair.first} and {pair.second}"
        yield (field.field, names, *_agreed(pair), "" if found.metric == "interval" else kappa)


def _between_repeats(field: FieldFigures) -> Iterator[tuple[str, ...]]:
    for row in field.agreement.repeats:
        if row.agreement.units:
            yield (field.field, row.label, *_agreed(row.agreement))


def _agreed(found: Agreement | PairAgreement) -> tuple[str, str, str]:
    return f"{found.units:,}", formatting.percent(found.same), _two(found.alpha)


def _two(value: float | None) -> str:
    """Two decimals, which is more than some dozens of inputs tell."""
    return formatting.UNKNOWN if value is None else f"{value:.2f}".replace("-", "\u2212")
