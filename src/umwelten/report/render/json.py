"""The report as JSON, written row by row: a report of any length needs the memory of one result.

The shape, whose keys are stable (durations in seconds, money in USD, times ISO 8601 in UTC):

    {"evaluation": {"id", "type", "prompt", "system", "models": ["provider:model", …],
                    "started_at", "finished_at", "status"}, with several prompts also
                    "prompts": [{"name", "text"}, …],
     "summary":    {"calls", "succeeded", "failed", "pending", "success_rate", "wall_s", "sequential_s",
                    "speedup", "average_response_s", "p50_s", "p95_s", "throughput_per_s", "peak_in_flight"},
     "cost":       {"total_usd", "priced_calls", "unpriced_calls",
                    "usage": {"input_tokens", "output_tokens", "cached_tokens", "total_tokens"}},
     "models":     [{"model", "prompt", the keys of "summary", "ttft_p50_s", "tokens_per_s",
                     "cost_per_1k_usd", "cost": the object above}, …],
     "results":    [{"model", "provider", "prompt", "file", "repeat", "status", "response", "data",
                     "marks": [word, …], "finish_reason",
                     "metrics": {"response_s", "ttft_s", "attempts", "input_tokens", "output_tokens",
                                 "cost_usd"},
                     "error": {"kind", "message", of the kind "schema" also "answer"} or null}, …],
     "errors":     [{"kind", "count", "example"}, …],
     "settings":   {"repeats", "parameters": [[name, text], …], "attachments": [name, …]}, where the price
                    list was used also "price_lists": [day, …], with variants also
                    "variants": [{"name", "parameters": [[name, text], …], "system"}, …],
     "picks":      [{"what", "model", "prompt", "why"}, …],
     "attempts":   [{"model", "prompt", "outcome", "attempts", "time_s", "cost_usd"}, …],
     "throttling": [{"lane", "changes", "cuts", "lowest", "highest", "last"}, …],
     "attributions": [{"lane", "reason", "seconds", "share"}, …],
     "schema":     null or {"name", "source", "json": the JSON Schema, "records": {"valid", "at_once",
                    "fenced", "mended", "coerced", "asked_again", "failed"}, "extra_attempts",
                    "extra_cost_usd", "unreadable", "models": [{"model", "prompt", "records"}, …],
                    "fields": [{"field", "type", "valid", "missing", "wrong", "message",
                                "values": [[text, count], …], "min", "mean", "max"}, …]}}

"prompt" is the name of one of several prompts, null where there is one alone; "data" is the record in an
answer that had a schema to keep to. Both and "schema": see `report.queries.schema_validation`.

Of several evaluations: {"evaluations": [the object above, …]}. A short report has no "results".

`null` is "not known", never 0: an unknown cost, a token count the provider did not state. "results"
holds the calls that ended, by input, model and repeat; pending ones are only counted. What the
figures mean is said in `report.models`, the values of "status" in `report.queries.status`. One result is
one line.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TextIO

import msgspec

from umwelten.report.models import ModelRow
from umwelten.report.queries import overviews
from umwelten.report.queries.schema_validation import validation
from umwelten.store.reader import Reader
from umwelten.text.sanitize import json_safe

_encoder = msgspec.json.Encoder()


def render_json(reader: Reader, out: TextIO, *, short: bool = False) -> None:
    """Write the report. `reader` is not closed, `out` gets valid JSON and a final newline."""
    with overviews.snapshot(reader):
        overview = overviews.overview(reader)
        out.write(f'{{"evaluation": {_dump(overview.evaluation)},\n"summary": {_dump(overview.summary)},\n')
        out.write(f'"cost": {_dump(overview.cost)}')
        _write_list(out, "models", map(_model, overview.models))
        if not short:
            _write_list(out, "results", overviews.results(reader))
        _write_list(out, "errors", overview.errors)
        out.write(f',\n"settings": {_dump(overview.settings)}')
        for name in ("picks", "attempts", "throttling", "attributions"):
            _write_list(out, name, getattr(overview, name))
        out.write(f',\n"schema": {_dump(validation(reader))}}}\n')


def render_json_of_several(readers: Iterable[Reader], out: TextIO, *, short: bool = False) -> None:
    """Write the reports of several evaluations as one object."""
    before = '{"evaluations": [\n'
    for reader in readers:
        out.write(before)
        render_json(reader, out, short=short)
        before = ","
    out.write("]}\n")


def _write_list(out: TextIO, name: str, rows: Any) -> None:
    out.write(f',\n"{name}": [')
    before = "\n"
    for row in rows:
        out.write(before + _dump(row))
        before = ",\n"
    out.write("]")


def _model(row: ModelRow) -> dict[str, object]:
    figures, service = msgspec.structs.asdict(row.figures), msgspec.structs.asdict(row.service)
    return {"model": row.model, "prompt": row.prompt, **figures, **service, "cost": row.cost}


def _dump(value: object) -> str:
    return json_safe(_encoder.encode(value).decode())
