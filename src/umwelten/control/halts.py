"""Pauses of lanes and of models, and the hold of all: no call starts until they are taken back."""

from __future__ import annotations

from collections.abc import Iterable

from umwelten.control.lane import Lane
from umwelten.control.lineup import Lineup
from umwelten.control.slots import Slots


class Halts:
    """See the module's text; `Pool` has the same methods."""

    def __init__(self, lineup: Lineup, slots: Slots) -> None:
        self._lineup, self._slots = lineup, slots

    def pause(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Start no calls in these lanes, nor of these models, until `resume`; what is in flight ends."""
        for lane in lanes:
            member = self._lineup.members[id(lane)]
            if member.paused_at is None:
                self._lineup.set_pause(member, now)
        self._set_paused(models, paused=True)
        self._note(now)

    def resume(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Let calls start again."""
        for lane in lanes:
            member = self._lineup.members[id(lane)]
            if member.paused_at is not None:
                self._lineup.set_pause(member, None)
        self._set_paused(models, paused=False)
        self._note(now)

    def hold(self, now: float) -> None:
        """Start nothing until `release`: nobody is there to make attempts. Pauses are kept apart."""
        if self._slots.held_since is None:
            self._slots.held_since = now
            self._lineup.label_all()
            self._note(now)

    def release(self, now: float) -> None:
        """Let calls start again."""
        if self._slots.held_since is not None:
            self._slots.held_since = None
            self._lineup.touch_members()
            self._note(now)

    def is_paused(self, model: int) -> bool:
        """Whether a model is paused, itself or in all of its lanes."""
        queue = self._lineup.queues[model]
        return queue.paused or all(member.paused_at is not None for member in queue.route.members)

    def _set_paused(self, models: Iterable[int], *, paused: bool) -> None:
        for model in models:
            self._lineup.queues[model].paused = paused
            self._lineup.note(self._lineup.queues[model])
            self._lineup.touch_all(self._lineup.queues[model].route)

    def _note(self, now: float) -> None:
        """Tell the lanes that a pause of theirs, of all of their models, or of all, has begun or is over."""
        for member in self._lineup.members.values():
            halted = self._slots.held_since is not None or member.is_halted
            if halted and member.halted_at is None:
                member.halted_at = now
                member.lane.halt()
            elif not halted and member.halted_at is not None:
                member.lane.skip_pause(member.halted_at, now)
                member.halted_at = None
