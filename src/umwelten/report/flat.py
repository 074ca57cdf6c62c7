"""A report's calls and models as flat rows, for CSV and Parquet. The names hold the units."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.report.rows import ModelRow, Result

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


def call_row(evaluation: str, result: Result) -> tuple[object, ...]:
    """The values of `CALL_COLUMNS`."""
    metrics, error = result.metrics, result.error
    return (
        evaluation,
        result.file,
        result.model,
        result.provider,
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


def model_row(evaluation: str, row: ModelRow) -> tuple[object, ...]:
    """The values of `MODEL_COLUMNS`."""
    figures, usage = row.figures, row.cost.usage
    return (
        evaluation,
        row.model,
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
