"""The report as JSON, written row by row: a report of any length needs the memory of one result.

The shape, whose keys are stable (durations in seconds, money in USD, times ISO 8601 in UTC):

    {"evaluation": {"id", "type", "prompt", "system", "models": ["provider:model", …],
                    "started_at", "finished_at", "status"},
     "summary":    {"calls", "succeeded", "failed", "pending", "success_rate", "wall_s", "sequential_s",
                    "speedup", "average_response_s", "p50_s", "p95_s", "throughput_per_s", "peak_in_flight"},
     "cost":       {"total_usd", "priced_calls", "unpriced_calls",
                    "usage": {"input_tokens", "output_tokens", "cached_tokens", "total_tokens"}},
     "models":     [{"model", the keys of "summary", "cost": the object above}, …],
     "results":    [{"model", "provider", "file", "repeat", "status", "response", "finish_reason",
                     "metrics": {"response_s", "ttft_s", "attempts", "input_tokens", "output_tokens",
                                 "cost_usd"},
                     "error": {"kind", "message"} or null}, …],
     "errors":     [{"kind", "count", "example"}, …]}

`null` is "not known", never 0: an unknown cost, a token count the provider did not state. "results"
holds the calls that ended, by input, model and repeat; pending ones are only counted. What the
figures mean is said in `report.rows`, the words of "status" in `report.status`. One result is one line.
"""

from __future__ import annotations

from typing import Any, TextIO

import msgspec

from umwelten.report import tables
from umwelten.report.inert import json_safe
from umwelten.report.rows import ModelRow
from umwelten.report.tables import Source

_encoder = msgspec.json.Encoder()


def render_json(reader: Source, out: TextIO) -> None:
    """Write the report. `reader` is not closed, `out` gets valid JSON and a final newline."""
    with tables.snapshot(reader):
        overview = tables.overview(reader)
        out.write(f'{{"evaluation": {_dump(overview.evaluation)},\n"summary": {_dump(overview.summary)},\n')
        out.write(f'"cost": {_dump(overview.cost)},\n"models": [')
        _write_rows(out, map(_model, overview.models))
        out.write('],\n"results": [')
        _write_rows(out, tables.results(reader))
        out.write('],\n"errors": [')
        _write_rows(out, overview.errors)
        out.write("]}\n")


def _write_rows(out: TextIO, rows: Any) -> None:
    before = "\n"
    for row in rows:
        out.write(before + _dump(row))
        before = ",\n"


def _model(row: ModelRow) -> dict[str, object]:
    return {"model": row.model, **msgspec.structs.asdict(row.figures), "cost": row.cost}


def _dump(value: object) -> str:
    return json_safe(_encoder.encode(value).decode())
