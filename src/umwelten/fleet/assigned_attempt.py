"""An attempt under way at a worker, and what it comes to, as the engine is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from umwelten.engine.interfaces import AttemptResult
from umwelten.fleet.handshake import worker_name
from umwelten.fleet.membership import Member
from umwelten.fleet.messages import Assignment, Completion
from umwelten.fleet.wire_turns import pack_turns
from umwelten.types import AttemptOutcome, Call, Failure, FailureKind, Timing, Turn


class AssignedAttempt:
    """An attempt under way at a worker. Times are those of the event loop.

    `on_begin`: it is on standby, and that is told of its number once it begins; `None` once it has.
    `supply`: the key of its input, if that is sent with it. `is_sent`: the worker was told of it.
    """

    __slots__ = (
        "begun_at",
        "call",
        "future",
        "is_sent",
        "lane",
        "member",
        "n",
        "on_begin",
        "on_text",
        "size",
        "supply",
        "turns",
    )

    def __init__(
        self,
        n: int,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        *,
        member: Member,
        begun_at: float,
        future: asyncio.Future[AttemptResult | None],
        on_begin: Callable[[int], None] | None = None,
    ) -> None:
        self.n, self.call, self.turns, self.on_text, self.lane = n, call, turns, on_text, lane
        self.member, self.begun_at, self.future = member, begun_at, future
        self.supply, self.is_sent, self.on_begin = "", False, on_begin
        self.size = call.input.size if call.input is not None else 0

    def message(self, about: bytes | None) -> Assignment:
        """Return what its worker is told; `about`: what its conversation is about so far."""
        return Assignment(
            n=self.n,
            call=self.call,
            lane=self.lane,
            turns=pack_turns(self.turns) if self.turns else (),
            about=about,
            supply=self.supply,
            texts=self.on_text is not None,
            standby=self.on_begin is not None,
        )

    def settle(self, result: AttemptResult | None) -> None:
        """Let the engine have the result, unless it cancelled the attempt; `None`: it did not begin."""
        if not self.future.done():
            self.future.set_result(result)

    def result(
        self, message: Completion, outcome: AttemptOutcome, *, now: float, unix: float, successor: int = 0
    ) -> AttemptResult:
        """Return what the worker says that it came to; `unix` is the time of day."""
        timing = message.timing
        # Clocks of machines differ: when it began follows from how long it was on its way and was held.
        under_way_s = (now - self.begun_at + message.held_s) / 2
        prepared_s = max(0.0, message.held_s - timing.latency_s)
        started_at = unix - max(0.0, under_way_s - prepared_s)
        return AttemptResult(
            outcome=outcome,
            timing=Timing(started_at=started_at, latency_s=timing.latency_s, ttft_s=timing.ttft_s),
            key=message.key,
            content=message.content,
            cost_nusd=message.cost_nusd,
            step=message.step,
            kept=message.kept,
            worker=self.member.number,
            away=self.begun_at < self.member.away_before,
            assignment=self.n,
            successor=successor,
            transit_s=max(0.0, now - self.begun_at - message.held_s),
        )

    def lost(self, why: str, *, sent: bool, now: float, unix: float) -> AttemptResult:
        """Return the result of an attempt of which nobody knows what became."""
        member, took_s = self.member, now - self.begun_at
        message = f"{worker_name(member.number, member.place)} {why}"
        return AttemptResult(
            outcome=Failure(kind=FailureKind.LOST, message=message),
            timing=Timing(started_at=unix - took_s, latency_s=took_s),
            key="",
            content=b"",
            cost_nusd=None if sent else 0,
            worker=member.number,
            assignment=self.n,
            sent=sent,
        )


def unsent(failure: Failure, unix: float) -> AttemptResult:
    """Return the result of an attempt that no worker was told of."""
    timing = Timing(started_at=unix, latency_s=0.0)
    return AttemptResult(outcome=failure, timing=timing, key="", content=b"", cost_nusd=0, sent=False)
