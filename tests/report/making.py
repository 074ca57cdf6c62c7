"""Evaluations on disk for the report tests, made by the real store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from umwelten.records import AttemptRecord, CallRecord, StoredSpec
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.types import (
    Call,
    Failure,
    FailureKind,
    FinishReason,
    FoundInput,
    ModelRef,
    Outcome,
    Prompt,
    Reply,
    RequestSettings,
    Schema,
    Timing,
    Usage,
)

GEMMA = ModelRef("ollama", "gemma3:12b")
FLASH = ModelRef("google", "gemini-2.5-flash")
NOON = 1_800_000_000.0

# The columns that users' spreadsheets know.
CALL_NAMES = (
    "evaluation", "file", "model", "provider", "repeat", "status", "finish_reason", "response_s", "ttft_s",
    "attempts", "input_tokens", "output_tokens", "cost_usd", "error_kind", "error_message", "response",
)  # fmt: skip
MODEL_NAMES = (
    "evaluation", "model", "calls", "succeeded", "failed", "pending", "success_rate", "wall_s",
    "sequential_s",
    "speedup", "average_response_s", "p50_s", "p95_s", "throughput_per_s", "peak_in_flight", "ttft_p50_s",
    "tokens_per_s", "input_tokens", "output_tokens", "cached_tokens", "cost_usd", "unpriced_calls",
    "cost_per_1k_usd",
)  # fmt: skip


def spec(
    kind: str = "batch",
    *,
    id: str = "demo",
    models: Sequence[ModelRef] = (GEMMA,),
    prompts: tuple[Prompt, ...] = (Prompt(name="", text="Say what it is."),),
    repeats: int = 1,
    **request: object,
) -> StoredSpec:
    settings = RequestSettings(prompts=prompts, **request)
    return StoredSpec(id=id, kind=kind, models=tuple(models), request=settings, repeats=repeats)


def answer(text: str = "A cat.", tokens: tuple[int | None, int | None] = (10, 4)) -> Reply:
    return Reply(
        text=text,
        finish_reason=FinishReason.STOP,
        usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
    )


def failure(message: str = "model not found", kind: FailureKind = FailureKind.BAD_REQUEST) -> Failure:
    return Failure(kind=kind, message=message, status=404, retry=False)


class Done:
    """How a call ended: outcome, when it began after NOON, how long it took, what it cost.

    `before`: the failures of its attempts before, each of which took and cost as much.
    """

    def __init__(
        self,
        outcome: Outcome,
        *,
        at: float = 0.0,
        took: float = 1.0,
        cost: int | None = 0,
        attempts: int = 1,
        before: Sequence[Failure] = (),
    ) -> None:
        self.outcome, self.cost, self.attempts = outcome, cost, max(attempts, len(before) + 1)
        self.before = before
        self.timing = Timing(started_at=NOON + at, latency_s=took, ttft_s=took / 2)


def work(
    folder: Path,
    plan: StoredSpec,
    files: Sequence[str] | None,
    end: Callable[[Call], Done | None],
    *,
    wall_s: float = 10.0,
    status: str | None = "complete",
    reason: str | None = None,
    peak: int = 2,
) -> None:
    """A run over all pending calls; `end` gives `None` for one that stays pending."""
    with Store.resume(folder, plan) as store:
        if files is None:
            store.set_no_inputs()
        else:
            scanned = (FoundInput(name=name, path=f"/data/{name}", size=1, stamp=name) for name in files)
            store.set_inputs(scanned, read_hash=lambda path, *_: path.encode())
        run = store.start_run({})
        for model in store.models:
            while calls := store.lease(model, 500):
                for call in calls:
                    record(store, call, end(call))
        if status is not None:
            store.end_run(status, reason, peak)
    ended = None if status is None else NOON + wall_s
    change(
        folder,
        "UPDATE runs SET started_at = ?, seen_at = ?, ended_at = ? WHERE id = ?",
        (NOON, NOON + wall_s, ended, run),
    )


def record(store: Store, call: Call, done: Done | None) -> None:
    if done is None:
        return
    first = done.attempts - len(done.before)
    for number, outcome in enumerate((*done.before, done.outcome), first):
        store.submit(
            AttemptRecord(call=call, number=number, outcome=outcome, timing=done.timing, cost_nusd=done.cost)
        )
    store.submit(
        CallRecord(
            call=call,
            key=f"u1:{call.id}",
            content=b"",
            outcome=done.outcome,
            timing=done.timing,
            attempts=done.attempts,
            time_s=done.timing.latency_s,
            cost_nusd=done.cost,
        )
    )


def change(folder: Path, statement: str, values: Sequence[object] = ()) -> None:
    """Set what depends on the clock."""
    connection = sqlite3.connect(folder / "evaluation.db")
    try:
        with connection:
            connection.execute(statement, values)
    finally:
        connection.close()


def two_models(folder: Path) -> None:
    """Two models, three files; the second model fails one call and leaves one pending.

    Ten seconds; 1+2+3 s of Gemma from second 0 on, overlapping; Flash 4 s and a failure of 2 s.
    """

    def end(call: Call) -> Done | None:
        assert call.input is not None
        number = call.input.id
        if call.model == 1:
            return Done(answer(f"answer {number}"), at=number - 1, took=number, cost=0)
        outcomes = {
            1: Done(answer("flash", (100, 20)), took=4, cost=1_230_000),
            2: Done(failure(), at=4, took=2, cost=None),
        }
        return outcomes.get(number)

    work(
        folder,
        spec(models=(GEMMA, FLASH)),
        ["a.txt", "b.txt", "sub/c.txt"],
        end,
        status="stopped",
        reason="cost cap of $0.01 reached",
    )


BOOK = Schema(
    json={
        "type": "object",
        "properties": {
            "title": {"type": "string"},
            "pages": {"type": "integer", "minimum": 1},
            "score": {"anyOf": [{"type": "number"}, {"type": "null"}]},
            "fiction": {"type": "boolean"},
            "state": {"enum": ["draft", "final"]},
            "published": {"type": "string", "format": "date"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "authors": {"type": "array", "items": {"$ref": "#/$defs/Author"}},
            "model": {"type": ["string", "null"]},
        },
        "required": ["title", "pages"],
        "$defs": {"Author": {"type": "object", "properties": {"name": {"type": "string"}}}},
    },
    name="book",
    source="title, pages int: 1-, …",
)
HIVES = {
    "title": "Hives, and how to keep them", "pages": 212, "score": 4.5, "fiction": False, "state": "final",
    "published": "2026-11-24", "tags": ["bees", "honey"], "authors": [{"name": "Ada"}], "model": "Dadant",
}  # fmt: skip


def book(*marks: str, fence: bool = False, **values: object) -> Reply:
    """An answer with a record of `BOOK`."""
    data = json.dumps(values, separators=(",", ":"))
    text = f"```json\n{data}\n```" if fence else data
    return msgspec.structs.replace(answer(text), data=data, marks=marks)


def unfit(message: str = "pages: 0 is less than 1", code: str | None = "pages", text: str = "{}") -> Failure:
    """An answer that does not fit `BOOK`, asked again or given up."""
    return Failure(kind=FailureKind.SCHEMA, message=message, code=code, partial=text)


def books(folder: Path, *, id: str = "books") -> None:
    """Two models over four files: Gemma valid in four ways; Flash after asking again, and three failures."""
    ends = {
        (1, 1): Done(book(**HIVES)),
        (1, 2): Done(book("fenced", fence=True, title="Tides", pages=10, fiction=True, state="draft")),
        (1, 3): Done(book("fenced", "mended", title="=Rain()", pages=20, score=-1, fiction=True, tags=[])),
        (1, 4): Done(book("coerced", title="Wind", pages=30, score=None, state="final")),
        (2, 1): Done(book("asked again", "mended", title="Bees", pages=3), cost=500, before=[unfit()]),
        (2, 2): Done(
            unfit("title: is missing; pages: 0 is less than 1", "title,pages", '{"pages": 0}'),
            cost=1000,
            before=[unfit(), unfit("no JSON; only words", "", "Sorry")],
        ),
        (2, 3): Done(failure(), cost=None),
        (2, 4): Done(unfit(text="<b>{</b>"), cost=None, before=[unfit(), unfit()]),
    }
    plan = spec(id=id, models=(GEMMA, FLASH), schema=BOOK)
    files = [f"{name}.txt" for name in "abcd"]
    work(folder, plan, files, lambda call: ends[call.model, call.input.id], status="failed")


def two_prompts(folder: Path, *, kind: str = "batch", id: str = "prompts") -> None:
    """Two models × two prompts × two files; the long prompt takes longer and costs more."""
    prompts = (Prompt(name="short", text="Be brief."), Prompt(name="long", text="Tell all | of it."))
    plan = spec(kind, id=id, models=(GEMMA, FLASH), prompts=prompts)

    def end(call: Call) -> Done:
        long = call.model % 2 == 0
        n = call.input.id if call.input else 0
        return Done(answer(f"{call.model} on {n}"), took=3.0 if long else 1.0, cost=2000 if long else 1000)

    work(folder, plan, ["a.txt", "b.txt"] if kind == "batch" else None, end)


def opened(folder: Path) -> Reader:
    return Reader.open(folder)
