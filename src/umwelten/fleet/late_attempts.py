"""Attempts that the coordinator gave up as lost or cancelled, of which their workers may still tell."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from umwelten.engine.interfaces import AttemptResult
from umwelten.engine.lost_attempts import remember
from umwelten.events import NoteLevel
from umwelten.fleet.assigned_attempt import AssignedAttempt
from umwelten.fleet.handshake import worker_name
from umwelten.fleet.interfaces import OutcomeCheck
from umwelten.fleet.membership import Member


class LateAttempts:
    """See the module's text. `on_late` is told how one ended that was given up, once `check` has seen it."""

    def __init__(
        self,
        check: OutcomeCheck | None,
        on_late: Callable[[int, AttemptResult], None],
        say: Callable[[str, NoteLevel], None],
    ) -> None:
        self._check, self._on_late, self._say = check, on_late, say
        self._loop = asyncio.get_running_loop()
        self.given_up: dict[int, AssignedAttempt] = {}
        """By their numbers; without those that were cancelled."""
        self._cancelled: dict[int, None] = {}
        self._checks: set[asyncio.Task[None]] = set()

    def give_up(self, assigned: AssignedAttempt) -> None:
        """Remember one that was given up as lost."""
        remember(self.given_up, assigned.n, assigned)

    def cancel(self, n: int) -> None:
        """Remember one that nobody waits for."""
        remember(self._cancelled, n, None)

    def take(self, member: Member, n: int) -> AssignedAttempt | None:
        """Return the attempt that was given up and has now ended; `None` for one that nobody waits for."""
        assigned = self.given_up.get(n)
        if assigned is not None and assigned.member is member:
            return self.given_up.pop(n)
        if n not in self._cancelled:
            name = worker_name(member.number, member.place)
            self._say(f"{name} told of an attempt that it was not to make", NoteLevel.WARNING)
        return None

    def tell_unsent(self, assigned: AssignedAttempt, result: AttemptResult) -> None:
        """Say that nothing was sent of one."""
        self._on_late(assigned.n, result)

    def tell(self, assigned: AssignedAttempt, result: AttemptResult) -> None:
        """Say how one ended, after the check."""
        check = self._check
        if check is None:
            self._on_late(assigned.n, result)
            return

        async def tell() -> None:
            self._on_late(assigned.n, await check(assigned.call, assigned.turns, result, late=True))

        task = self._loop.create_task(tell())
        self._checks.add(task)
        task.add_done_callback(self._checks.discard)

    def close(self) -> None:
        """Break off the checks."""
        for task in self._checks:
            task.cancel()
