"""How an evaluation stands, model by model, from one pass over its calls: what is looked at again and again.

A report's overview has more, and reads calls and attempts several times for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from umwelten.prompts.messages import readable
from umwelten.report import stats
from umwelten.report.queries import overviews
from umwelten.report.queries.status import EvaluationStatus, Run, derive
from umwelten.report.queries.variants import variants
from umwelten.store.database import LOCK
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct


class ModelTotals(FrozenStruct):
    """A model, with several prompts one of them. `mean_s` is the mean response of answers.

    `None`: unknown.
    """

    model: str
    prompt: str | None
    calls: int
    succeeded: int
    failed: int
    pending: int
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None
    mean_s: float | None


class Totals(FrozenStruct):
    """An evaluation as of one moment. `active_s`: of all its runs; `attempts`: the last one's number."""

    calls: int
    succeeded: int
    failed: int
    pending: int
    cost_usd: float | None
    unpriced: int
    input_tokens: int | None
    output_tokens: int | None
    active_s: float
    attempts: int
    status: str
    models: tuple[ModelTotals, ...]


class Head(FrozenStruct):
    """What an evaluation is, without a look at its calls. Times are Unix seconds.

    `running`: a process is at work on it. `run_status` and `reason` are those of the latest run; `changes`:
    how often runs were changed while they went on.
    """

    id: str
    type: str
    prompt: str
    system: str | None
    prompts: tuple[str, ...]
    models: tuple[str, ...]
    inputs: int
    latest_input: int
    repeats: int
    tags: tuple[str, ...]
    started_at: float
    seen_at: float
    ended_at: float | None
    running: bool
    run_status: str | None
    reason: str | None
    runs: int
    changes: int


def head(reader: Reader, before: Head | None = None) -> Head:
    """Return what an evaluation is. `before`: as it was, so that inputs are not counted again."""
    connection = reader.connection
    row = connection.execute(
        "SELECT kind, prompt, system, repeats, created_at, tags FROM evaluation"
    ).fetchone()
    runs = overviews.runs(reader)
    last = runs[-1] if runs else None
    columns = variants(connection).values()
    latest = connection.execute("SELECT coalesce(max(id), 0) FROM inputs").fetchone()[0]
    # A plan changes with a run, and while it finds its inputs. There may be a million.
    if before is not None and (before.latest_input, before.runs) == (latest, len(runs)):
        inputs = before.inputs
    else:
        inputs = connection.execute("SELECT count(*) FROM inputs WHERE active").fetchone()[0]
    return Head(
        id=reader.folder.name,
        type=row["kind"],
        prompt=readable(row["prompt"]),
        system=row["system"],
        prompts=tuple(dict.fromkeys(one.prompt for one in columns if one.prompt)),
        models=tuple(dict.fromkeys(one.model for one in columns)),
        inputs=inputs,
        latest_input=latest,
        repeats=row["repeats"],
        tags=_tags(row["tags"]),
        started_at=runs[0].started_at if runs else row["created_at"],
        seen_at=last.last_sign if last else row["created_at"],
        ended_at=last.ended_at if last else None,
        running=_status(reader, runs, 1, 0) is EvaluationStatus.RUNNING,
        run_status=last.status if last else None,
        reason=last.reason if last else None,
        runs=len(runs),
        changes=connection.execute("SELECT count(*) FROM changes").fetchone()[0],
    )


def totals(reader: Reader) -> Totals:
    """Return the counts and sums; it reads every call once."""
    connection = reader.connection
    cells, sums = overviews.calls_per_model(connection), overviews.call_sums(connection)
    everything = overviews.total_sums(list(sums.values()))
    cost = overviews.cost_of(everything)
    models = tuple(
        _model(one.model, one.prompt, cells, sums.get(number, overviews.Sums()))
        for number, one in variants(connection).items()
    )
    pending = sum(one.pending for one in models)
    runs = overviews.runs(reader)
    return Totals(
        calls=cells * len(models),
        succeeded=everything.succeeded,
        failed=everything.failed,
        pending=pending,
        cost_usd=cost.total_usd,
        unpriced=cost.unpriced_calls,
        input_tokens=everything.input_tokens,
        output_tokens=everything.output_tokens,
        active_s=sum(max(run.last_sign - run.started_at, 0.0) for run in runs),
        attempts=last_attempt(connection),
        status=_status(reader, runs, pending, everything.failed),
        models=models,
    )


def last_attempt(connection: sqlite3.Connection) -> int:
    """Return the number of the latest attempt, 0 if there is none."""
    return int(connection.execute("SELECT coalesce(max(id), 0) FROM attempts").fetchone()[0])


def _model(model: str, prompt: str | None, cells: int, sums: overviews.Sums) -> ModelTotals:
    cost = overviews.cost_of(sums)
    return ModelTotals(
        model=model,
        prompt=prompt,
        calls=cells,
        succeeded=sums.succeeded,
        failed=sums.failed,
        pending=max(cells - sums.succeeded - sums.failed, 0),
        cost_usd=cost.total_usd,
        unpriced=cost.unpriced_calls,
        input_tokens=sums.input_tokens,
        output_tokens=sums.output_tokens,
        mean_s=stats.ratio(sums.response_s, sums.succeeded - sums.reused),
    )


def _status(reader: Reader, runs: Sequence[Run], pending: int, failed: int) -> EvaluationStatus:
    return derive(runs, pending=pending, failed=failed, lock=reader.folder / LOCK)


def _tags(text: str) -> tuple[str, ...]:
    found = msgspec.json.decode(text)
    return tuple(str(tag) for tag in found) if isinstance(found, list) else ()
