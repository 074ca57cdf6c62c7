"""A report's calls and models as flat rows, for CSV and Parquet. The names hold the units.

Where there are several prompts, the column `prompt` follows that of the model or provider; where answers
have a schema, its fields follow the answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from umwelten.report.models import CallResult, ModelRow
from umwelten.report.queries import overviews
from umwelten.report.queries.current_calls import ReportSource
from umwelten.report.queries.variants import prompts
from umwelten.report.schema_fields import Field, fields_of, record_of, schema_of
from umwelten.types import FrozenStruct

Column = type[str] | type[int] | type[float]

CALL_TYPES: Mapping[str, Column] = {
    "evaluation": str,
    "file": str,
    "model": str,
    "provider": str,
    "repeat": int,
    "status": str,
    "finish_reason": str,
    "response_s": float,
    "ttft_s": float,
    "attempts": int,
    "input_tokens": int,
    "output_tokens": int,
    "cost_usd": float,
    "error_kind": str,
    "error_message": str,
    "response": str,
}
CALL_COLUMNS = tuple(CALL_TYPES)

MODEL_TYPES: Mapping[str, Column] = {
    "evaluation": str,
    "model": str,
    "calls": int,
    "succeeded": int,
    "failed": int,
    "pending": int,
    "success_rate": float,
    "wall_s": float,
    "sequential_s": float,
    "speedup": float,
    "average_response_s": float,
    "p50_s": float,
    "p95_s": float,
    "throughput_per_s": float,
    "peak_in_flight": int,
    "ttft_p50_s": float,
    "tokens_per_s": float,
    "input_tokens": int,
    "output_tokens": int,
    "cached_tokens": int,
    "cost_usd": float,
    "unpriced_calls": int,
    "cost_per_1k_usd": float,
}
MODEL_COLUMNS = tuple(MODEL_TYPES)

PROMPT = "prompt"


class Layout(FrozenStruct):
    """Which columns the rows of some evaluations have: `types` by name, then those of the fields."""

    types: Mapping[str, Column]
    fields: tuple[Field, ...]
    prompts: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """All names in order."""
        return (*self.types, *(field.column for field in self.fields))


def layout(readers: Sequence[ReportSource], *, short: bool) -> Layout:
    """The columns for all of these evaluations under one header. Short: a row a model."""
    several = any(prompts(reader.connection) for reader in readers)
    types = MODEL_TYPES if short else CALL_TYPES
    schemas = () if short else tuple(schema_of(reader.connection) for reader in readers)
    return Layout(
        types=_with_prompt(types) if several else types,
        fields=fields_of(schemas, taken=(*CALL_COLUMNS, PROMPT)),
        prompts=several,
    )


def rows(
    reader: ReportSource, shape: Layout, *, short: bool
) -> Iterator[tuple[tuple[object, ...], list[object]]]:
    """For each call or model the values of `types` and, as they are in the record, those of the fields."""
    if short:
        overview = overviews.overview(reader)
        return ((model_row(overview.evaluation.id, row, shape), []) for row in overview.models)
    id_, names = overviews.name(reader), [field.name for field in shape.fields]
    return ((call_row(id_, result, shape), _values(result, names)) for result in overviews.results(reader))


def _values(result: CallResult, names: Sequence[str]) -> list[object]:
    if not names:
        return []
    record = record_of(result.data)
    return [record.get(name) for name in names]


def _with_prompt(types: Mapping[str, Column]) -> dict[str, Column]:
    after = "provider" if "provider" in types else "model"
    placed: dict[str, Column] = {}
    for name, kind in types.items():
        placed |= {name: kind, PROMPT: str} if name == after else {name: kind}
    return placed


def call_row(evaluation: str, result: CallResult, shape: Layout) -> tuple[object, ...]:
    """The values of `CALL_COLUMNS`, with the prompt's where the layout has it."""
    metrics, error = result.metrics, result.error
    return (
        evaluation,
        result.file,
        result.model,
        result.provider,
        *((result.prompt,) if shape.prompts else ()),
        result.repeat,
        result.status,
        result.finish_reason,
        metrics.response_s,
        metrics.ttft_s,
        metrics.attempts,
        metrics.input_tokens,
        metrics.output_tokens,
        metrics.cost_usd,
        error.kind if error else None,
        error.message if error else None,
        result.response,
    )


def model_row(evaluation: str, row: ModelRow, shape: Layout) -> tuple[object, ...]:
    """The values of `MODEL_COLUMNS`, with the prompt's where the layout has it."""
    figures, usage = row.figures, row.cost.usage
    return (
        evaluation,
        row.model,
        *((row.prompt,) if shape.prompts else ()),
        figures.calls,
        figures.succeeded,
        figures.failed,
        figures.pending,
        figures.success_rate,
        figures.wall_s,
        figures.sequential_s,
        figures.speedup,
        figures.average_response_s,
        figures.p50_s,
        figures.p95_s,
        figures.throughput_per_s,
        figures.peak_in_flight,
        row.service.ttft_p50_s,
        row.service.tokens_per_s,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_tokens,
        row.cost.total_usd,
        row.cost.unpriced_calls,
        row.service.cost_per_1k_usd,
    )
