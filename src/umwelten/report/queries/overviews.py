"""An evaluation's database as the values of its report; every format draws from here.

Only *current* calls count (`store.views`); everything else of the grid inputs × models × repeats is pending.
Results come one by one, so a report of any size needs the memory of one row.

The figures are defined in `report.models`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from umwelten.prompts.messages import as_messages, readable
from umwelten.report import recommendations, stats
from umwelten.report.models import (
    CallResult,
    Cost,
    Error,
    ErrorGroup,
    EvaluationInfo,
    EvaluationSummary,
    Figures,
    Metrics,
    ModelRow,
    Overview,
    RefusedModel,
    UsageSums,
)
from umwelten.report.queries import attempts, performance, throttling, tool_figures
from umwelten.report.queries.attempts import MODEL_OF
from umwelten.report.queries.changes import changes
from umwelten.report.queries.reported_settings import reported_settings
from umwelten.report.queries.status import EvaluationStatus, Run, derive, iso
from umwelten.report.queries.variants import Variant, prompts, variants
from umwelten.report.queries.workers import worker_sums
from umwelten.store.database import LOCK
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import StoredCall, call_rows
from umwelten.store.tables import FAILED, SUCCEEDED
from umwelten.types import FailureKind, FrozenStruct


@contextmanager
def snapshot(reader: Reader) -> Iterator[None]:
    """Read everything inside as of one moment, also while a run is writing."""
    connection = reader.connection
    if connection.in_transaction:
        yield
        return
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def overview(reader: Reader) -> Overview:
    """Return the report without its results.

    Reads every call once; memory does not grow with their number.
    """
    connection = reader.connection
    sums = call_sums(connection)
    everything = total_sums(list(sums.values()))
    cells = calls_per_model(connection)
    columns = variants(connection)
    summary = _figures(
        connection, everything, cells * len(columns), _wall(connection), _peak(connection), model=None
    )
    tools = tool_figures.tool_use(reader)
    walls, peaks = _model_walls(connection), _model_peaks(connection)

    def model_row(number: int, variant: Variant) -> ModelRow:
        own = sums.get(number, Sums())
        wall, peak = walls.get(number, 0.0), peaks.get(number, 0)
        cost = cost_of(own)
        return ModelRow(
            model=variant.model,
            figures=_figures(connection, own, cells, wall, peak, model=number),
            cost=cost,
            service=performance.service_figures(connection, number, cost),
            prompt=variant.prompt,
            number=number,
            tools=None if tools is None else tools.models.get(number),
        )

    models = tuple(model_row(number, variant) for number, variant in columns.items())
    return Overview(
        evaluation=_evaluation(reader, columns, pending=summary.pending, failed=summary.failed),
        summary=summary,
        cost=cost_of(everything),
        models=models,
        errors=errors(reader),
        settings=reported_settings(reader),
        picks=recommendations.picks(models),
        attempts=attempts.attempt_sums(connection),
        throttling=throttling.throttling(connection),
        attributions=throttling.attributions(connection),
        tools=tools,
        most_expensive=recommendations.most_expensive(models),
        left_out=recommendations.left_out(models),
        changes=changes(connection),
        workers=worker_sums(connection),
    )


def summary(reader: Reader) -> EvaluationSummary:
    """Return what a list of evaluations shows: cheaper than `overview`, the same figures."""
    connection = reader.connection
    everything = total_sums(list(call_sums(connection).values()))
    columns = variants(connection)
    calls = calls_per_model(connection) * len(columns)
    pending = max(calls - everything.succeeded - everything.failed, 0)
    return EvaluationSummary(
        evaluation=_evaluation(reader, columns, pending=pending, failed=everything.failed),
        calls=calls,
        succeeded=everything.succeeded,
        failed=everything.failed,
        cost=cost_of(everything),
    )


def name(reader: Reader) -> str:
    """Return the evaluation's id."""
    return str(reader.connection.execute("SELECT id FROM evaluation").fetchone()[0])


def input_names(reader: Reader) -> Iterator[str]:
    """Yield the names of the inputs of the plan, in their order; "" where there is none but the prompt."""
    for row in reader.connection.execute("SELECT name FROM inputs WHERE active ORDER BY id"):
        yield str(row[0])


def results(reader: Reader) -> Iterator[CallResult]:
    """Yield every current call that ended, by input, model, repeat; one at a time."""
    has_tools = reader.spec().request.tools is not None
    return (call_result(call, has_tools=has_tools) for call in call_rows(reader))


def answer_lengths(reader: Reader) -> tuple[int, int]:
    """Return how many characters all answers and their records have, and how many answers they are."""
    row = reader.connection.execute(
        "SELECT total(length(text) + coalesce(length(data), 0)), count(*) FROM current_answers"
    ).fetchone()
    return int(row[0]), row[1]


def errors(reader: Reader) -> tuple[ErrorGroup, ...]:
    """Return the failed calls by kind, the most frequent first."""
    # SQLite promises that a bare column beside one min() comes from the row of the minimum.
    rows = reader.connection.execute(
        f"""SELECT coalesce(error_kind, 'server') AS kind, count(*) AS n, min(id), error_message
        FROM current_calls WHERE status = {FAILED} GROUP BY 1 ORDER BY n DESC, kind"""
    )
    return tuple(ErrorGroup(kind=kind, count=n, example=message or "") for kind, n, _, message in rows)


def refused_models(reader: Reader) -> tuple[RefusedModel, ...]:
    """Return the models with attempts of kind `unavailable` in the latest run, each with the last message.

    With several prompts a model is there once: its account refuses them all.
    """
    rows = reader.connection.execute(
        f"""SELECT m.name, m.provider, a.error_message, max(a.id)
        FROM attempts a JOIN models m ON m.id = {MODEL_OF} AND m.active
        WHERE a.error_kind = 'unavailable' AND a.run_id = (SELECT max(id) FROM runs)
        GROUP BY m.name ORDER BY (SELECT min(id) FROM models n WHERE n.name = m.name)"""
    )
    return tuple(
        RefusedModel(model=name, provider=provider, message=text or "") for name, provider, text, _ in rows
    )


def runs(reader: Reader) -> tuple[Run, ...]:
    """Return the processes that worked on it, in order."""
    rows = reader.connection.execute(
        "SELECT pid, started_at, seen_at, ended_at, status, reason FROM runs ORDER BY id"
    )
    return tuple(Run(**dict(row)) for row in rows)


# --- sums over calls ----------------------------------------------------------------------------


class Sums(FrozenStruct):
    """Sums over calls, as SQL gives them."""

    succeeded: int = 0
    failed: int = 0
    time_s: float = 0.0
    response_s: float = 0.0
    cost_nusd: int = 0
    priced: int = 0
    reused: int = 0
    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None


# A provider may state nonsense, and SQLite stops at sums past 64 bits: no call counts for more than this.
_MOST = 10**12


def call_sums(connection: sqlite3.Connection) -> dict[int, Sums]:
    """Return the sums by number of model, from one pass over the calls; none for a model without calls."""
    rows = connection.execute(
        f"""SELECT model_id, sum(status = {SUCCEEDED}) AS succeeded, sum(status = {FAILED}) AS failed,
            sum(time_s) AS time_s, total(CASE WHEN status = {SUCCEEDED} THEN response_s END) AS response_s,
            coalesce(sum(min(cost_nusd, {1000 * _MOST})), 0) AS cost_nusd,
            count(CASE WHEN attempts > 0 THEN cost_nusd END) AS priced, sum(attempts = 0) AS reused,
            sum(min(input_tokens, {_MOST})) AS input_tokens,
            sum(min(output_tokens, {_MOST})) AS output_tokens,
            sum(min(cached_tokens, {_MOST})) AS cached_tokens
        FROM current_calls GROUP BY model_id"""
    )
    return {row[0]: Sums(**{name: row[name] for name in Sums.__struct_fields__}) for row in rows}


def total_sums(parts: list[Sums]) -> Sums:
    """Return the sums of all; a figure that none of them knows is `None`."""

    def add(name: str) -> int | float | None:
        values = [value for part in parts if (value := getattr(part, name)) is not None]
        return sum(values) if values else None

    added = {name: add(name) for name in Sums.__struct_fields__} if parts else {}
    return msgspec.structs.replace(Sums(), **added)


def calls_per_model(connection: sqlite3.Connection) -> int:
    """Return how many calls a model has, pending ones too."""
    row = connection.execute(
        "SELECT (SELECT count(*) FROM inputs WHERE active) * (SELECT repeats FROM evaluation)"
    ).fetchone()
    return int(row[0])


def cost_of(sums: Sums) -> Cost:
    """Return what is known of the cost, and how many calls have no price."""
    unpriced = sums.succeeded + sums.failed - sums.reused - sums.priced
    known = [n for n in (sums.input_tokens, sums.output_tokens) if n is not None]
    return Cost(
        total_usd=stats.usd(stats.total_cost(sums.cost_nusd, sums.priced, unpriced)),
        priced_calls=sums.priced,
        unpriced_calls=unpriced,
        usage=UsageSums(
            input_tokens=sums.input_tokens,
            output_tokens=sums.output_tokens,
            cached_tokens=sums.cached_tokens,
            total_tokens=sum(known) if known else None,
        ),
    )


def _figures(
    connection: sqlite3.Connection, sums: Sums, calls: int, wall_s: float, peak: int, *, model: int | None
) -> Figures:
    ended, answered = sums.succeeded + sums.failed, sums.succeeded - sums.reused
    return Figures(
        calls=calls,
        succeeded=sums.succeeded,
        failed=sums.failed,
        pending=max(calls - ended, 0),
        success_rate=stats.ratio(sums.succeeded, ended),
        wall_s=round(wall_s, stats.DIGITS),
        sequential_s=round(sums.time_s, stats.DIGITS),
        speedup=stats.ratio(sums.time_s, wall_s),
        average_response_s=stats.ratio(sums.response_s, answered),
        p50_s=_percentile(connection, 50, answered, model),
        p95_s=_percentile(connection, 95, answered, model),
        throughput_per_s=stats.ratio(ended - sums.reused, wall_s),
        peak_in_flight=peak,
    )


def _percentile(connection: sqlite3.Connection, percent: int, n: int, model: int | None) -> float | None:
    row = connection.execute(
        f"""SELECT response_s FROM current_calls WHERE status = {SUCCEEDED}
            AND (:model IS NULL OR model_id = :model) AND response_s IS NOT NULL
        ORDER BY response_s LIMIT 1 OFFSET :rank""",
        {"model": model, "rank": stats.rank(percent, n)},
    ).fetchone()
    return None if row is None else stats.rounded(row[0])


# --- time and concurrency ------------------------------------------------------------------------


def _wall(connection: sqlite3.Connection) -> float:
    # Earlier versions took both times from the system's clock: where that was set back, the lanes' sums are
    # what is left of a run's time.
    row = connection.execute(
        """SELECT total(CASE WHEN last_at > started_at THEN last_at - started_at ELSE lanes END) FROM (
            SELECT started_at, coalesce(ended_at, seen_at) AS last_at, coalesce((SELECT max(seconds) FROM (
                SELECT sum(seconds) AS seconds FROM attributions WHERE run_id = runs.id GROUP BY lane
            )), 0) AS lanes FROM runs)"""
    ).fetchone()
    return float(row[0])


def _model_walls(connection: sqlite3.Connection) -> dict[int, float]:
    rows = connection.execute(
        f"""SELECT model, total(wall) FROM (
            SELECT {MODEL_OF} AS model, max(a.started_at + a.latency_s) - min(a.started_at) AS wall
            FROM attempts a GROUP BY model, a.run_id) GROUP BY model"""
    )
    return dict(tuple(row) for row in rows)


def _peak(connection: sqlite3.Connection) -> int:
    """The most in flight as the runs noted it; counted from the attempts where a run could not."""
    noted = connection.execute("SELECT max(peak_in_flight), min(peak_in_flight) FROM runs").fetchone()
    if noted[1]:
        return int(noted[0])
    swept = connection.execute(f"SELECT max(level) FROM ({_sweep('0')})").fetchone()
    return max(noted[0] or 0, swept[0] or 0)


def _model_peaks(connection: sqlite3.Connection) -> dict[int, int]:
    rows = connection.execute(f"SELECT part, max(level) FROM ({_sweep(MODEL_OF)}) GROUP BY part")
    return dict(tuple(row) for row in rows)


def _sweep(part: str) -> str:
    """SQL: how many attempts were under way after each start and end; an end comes before a start."""
    return f"""SELECT part, sum(step) OVER so_far AS level
        FROM (SELECT {part} AS part, a.started_at AS at, 1 AS step FROM attempts a
        UNION ALL SELECT {part}, a.started_at + a.latency_s, -1 FROM attempts a)
        WINDOW so_far AS (PARTITION BY part ORDER BY at, step ROWS UNBOUNDED PRECEDING)"""


# --- rows as values ------------------------------------------------------------------------------


def _evaluation(reader: Reader, columns: dict[int, Variant], *, pending: int, failed: int) -> EvaluationInfo:
    row = reader.connection.execute("SELECT id, kind, prompt, system, created_at FROM evaluation").fetchone()
    seen = runs(reader)
    status = derive(seen, pending=pending, failed=failed, lock=_lock(reader.connection))
    return EvaluationInfo(
        id=row["id"],
        type=row["kind"],
        prompt=readable(row["prompt"]),
        messages=as_messages(row["prompt"]) or msgspec.UNSET,
        prompts=prompts(reader) or msgspec.UNSET,
        system=row["system"],
        models=tuple(dict.fromkeys(variant.model for variant in columns.values())),
        started_at=iso(seen[0].started_at if seen else row["created_at"]),
        finished_at=iso(seen[-1].last_sign) if seen and status is not EvaluationStatus.RUNNING else None,
        status=status,
    )


def _lock(connection: sqlite3.Connection) -> Path:
    """The lock of the process at work, beside the database."""
    return Path(connection.execute("PRAGMA database_list").fetchone()[2]).with_name(LOCK)


def call_result(call: StoredCall, *, has_tools: bool = False) -> CallResult:
    """Return a stored call as a report has it. `has_tools`: it was offered some."""
    metrics = Metrics(
        response_s=stats.rounded(call.response_s),
        ttft_s=stats.rounded(call.ttft_s),
        attempts=call.attempts,
        input_tokens=call.input_tokens,
        output_tokens=call.output_tokens,
        cost_usd=stats.usd(call.cost_nusd),
    )
    if has_tools:
        metrics = msgspec.structs.replace(
            metrics,
            steps=call.steps,
            tool_calls=call.tool_calls,
            tool_errors=call.tool_errors,
            tool_s=stats.rounded(call.tool_s),
        )
    return CallResult(
        model=call.model,
        provider=call.provider,
        prompt=call.prompt,
        file=call.file,
        repeat=call.repeat,
        status="succeeded" if call.succeeded else "failed",
        response=call.text,
        data=None if call.data is None else msgspec.Raw(call.data.encode()),
        marks=call.mark_names,
        finish_reason=call.finish_reason,
        metrics=metrics,
        error=None if call.succeeded else _error(call),
    )


def _error(call: StoredCall) -> Error:
    """Why it failed, with the answer that did not fit the schema."""
    kind = call.error_kind or "server"
    answer = call.partial if kind == FailureKind.SCHEMA else msgspec.UNSET
    return Error(kind=kind, message=call.error_message or "", answer=answer)
