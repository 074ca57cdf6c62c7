"""The attempts that workers make or have on standby, and what each counts for: room, shares, inputs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from umwelten.fleet.assigned_attempt import AssignedAttempt
from umwelten.fleet.gathering import MeanAnswers, gathering_s
from umwelten.fleet.membership import Member, Membership
from umwelten.fleet.shipments import Shipments
from umwelten.fleet.standby import StandbyShares
from umwelten.types import Call, Turn


class AttemptsUnderWay:
    """See the module's text; by their numbers, which are not used again."""

    def __init__(self, membership: Membership, shipments: Shipments) -> None:
        self._membership, self._shipments = membership, shipments
        self._loop = asyncio.get_running_loop()
        self._shares, self._means = StandbyShares(), MeanAnswers()
        self._n = 0
        self.attempts: dict[int, AssignedAttempt] = {}

    def add(
        self,
        call: Call,
        turns: tuple[Turn, ...],
        on_text: Callable[[str], None] | None,
        lane: str,
        member: Member,
        on_begin: Callable[[int], None] | None = None,
    ) -> AssignedAttempt:
        """Return a new attempt of a worker; with `on_begin`, one that is on standby."""
        self._n = n = self._n + 1
        assigned = AssignedAttempt(
            n,
            call,
            turns,
            on_text,
            lane,
            member=member,
            begun_at=self._loop.time(),
            future=self._loop.create_future(),
            on_begin=on_begin,
        )
        self.attempts[n] = assigned
        if on_begin is None:
            self._count_begin(assigned)
        else:
            self._shares.stand_by(lane, member.number)
        return assigned

    def get(self, n: int, member: Member) -> AssignedAttempt | None:
        """Return an attempt, if it is under way at that worker."""
        assigned = self.attempts.get(n)
        return assigned if assigned is not None and assigned.member is member else None

    def of(self, member: Member) -> list[AssignedAttempt]:
        """Return the attempts of a worker."""
        return [each for each in self.attempts.values() if each.member is member]

    def begin(self, assigned: AssignedAttempt) -> Callable[[int], None]:
        """Note that an attempt on standby began; return what is to be told, if nobody else tells it."""
        on_begin, assigned.on_begin = assigned.on_begin, None
        assert on_begin is not None
        self._shares.stand_by(assigned.lane, assigned.member.number, -1)
        assigned.begun_at = self._loop.time()
        self._count_begin(assigned)
        return on_begin

    def _count_begin(self, assigned: AssignedAttempt) -> None:
        self._membership.begin(assigned.member, assigned.size)
        self._shares.begin(assigned.lane, assigned.member.number)

    def end(self, assigned: AssignedAttempt, took_s: float | None = None) -> None:
        """Take out an attempt that ended; `took_s` if it was answered, and is known to have taken that."""
        del self.attempts[assigned.n]
        member, lane = assigned.member, assigned.lane
        if assigned.on_begin is not None:
            self._shares.stand_by(lane, member.number, -1)
        else:
            self._membership.end(member, assigned.size, lane, took_s)
            self._shares.begin(lane, member.number, -1)
        if assigned.supply:
            self._shipments.release(member.number, assigned.supply)
        if took_s is not None:
            self._means.add(lane, took_s)

    def choose_standby(self, lane: str) -> Member | None:
        """Return the worker that should have one more of a lane on standby, `None` if none should."""
        return self._shares.choose(lane, self._membership.usable, self._means(lane))

    def gathering_s(self, lane: str) -> float:
        """Return how long an assignment of a lane may wait for others, in seconds."""
        return gathering_s(self._means(lane))
