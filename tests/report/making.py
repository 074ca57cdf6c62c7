"""Evaluations on disk for the report tests, made by the real store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

from umwelten.store import Reader, Store
from umwelten.store.records import AttemptRecord, CallRecord, Scanned, Spec
from umwelten.types import Call, Failure, FailureKind, FinishReason, ModelRef, Outcome, Reply, Timing, Usage

GEMMA = ModelRef("ollama", "gemma3:12b")
FLASH = ModelRef("google", "gemini-2.5-flash")
NOON = 1_800_000_000.0


def spec(
    kind: str = "batch", *, id: str = "demo", models: Sequence[ModelRef] = (GEMMA,), **more: object
) -> Spec:
    return Spec(id=id, kind=kind, prompt="Say what it is.", models=tuple(models), **more)


def answer(text: str = "A cat.", tokens: tuple[int | None, int | None] = (10, 4)) -> Reply:
    return Reply(
        text=text,
        finish_reason=FinishReason.STOP,
        usage=Usage(input_tokens=tokens[0], output_tokens=tokens[1]),
    )


def failure(message: str = "model not found", kind: FailureKind = FailureKind.BAD_REQUEST) -> Failure:
    return Failure(kind=kind, message=message, status=404, retry=False)


class Done:
    """How a call ended: outcome, when it began after NOON, how long it took, what it cost."""

    def __init__(
        self, outcome: Outcome, *, at: float = 0.0, took: float = 1.0, cost: int | None = 0, attempts: int = 1
    ) -> None:
        self.outcome, self.cost, self.attempts = outcome, cost, attempts
        self.timing = Timing(started_at=NOON + at, latency_s=took, ttft_s=took / 2)


def work(
    folder: Path,
    plan: Spec,
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
            scanned = (Scanned(name=name, path=f"/data/{name}", size=1, stamp=name) for name in files)
            store.set_inputs(scanned, read_hash=lambda path: path.encode())
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
    store.submit(
        AttemptRecord(
            call=call, number=done.attempts, outcome=done.outcome, timing=done.timing, cost_nusd=done.cost
        )
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


def opened(folder: Path) -> Reader:
    return Reader.open(folder)
