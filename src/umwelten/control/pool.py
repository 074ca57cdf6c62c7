"""All calls that may start, over all lanes: which one is next, and when.

Theory of operation. The grid inputs × models × repeats is one pool. Each model has a short queue of
ready calls, refilled from the store in windows; calls that wait for a retry lie in a heap and hold no
slot. A free slot goes to the model with the fewest calls in flight among those whose lane may start
one: that splits the slots evenly over the models that have work, and lends what one cannot use to the
others. In an ordered lane, only one model's calls start until it has no more, so that the server
does not swap models.

Nothing here acts or looks at a clock: `next(now)` answers `Start`, `WaitUntil` or `Idle`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from umwelten.control.ends import Ends
from umwelten.control.halts import Halts
from umwelten.control.lane import Lane
from umwelten.control.lineup import Lineup
from umwelten.control.model_state import ModelState
from umwelten.control.retry import RetryPolicy
from umwelten.control.scheduled_call import ScheduledCall
from umwelten.control.slots import Slots
from umwelten.control.starts import Starts
from umwelten.control.steps import Lease, Step
from umwelten.control.stop import CostCap
from umwelten.types import Call, Failure


class Pool:
    """See the module's text. `lanes`: by model, the one or those that may make its calls; models have all of
    them in common, or none. `max_in_flight` None: only the lanes' own limits hold.

    `states`: the states of the models by number, where several numbers are prompts of one model.
    """

    def __init__(
        self,
        lanes: Mapping[int, Lane | Sequence[Lane]],
        *,
        policy: RetryPolicy,
        max_in_flight: int | None = None,
        group_caps: dict[str, int] | None = None,
        max_bytes: int | None = None,
        cap: CostCap | None = None,
        states: Mapping[int, ModelState] = MappingProxyType({}),
    ) -> None:
        self.cap = cap or CostCap()
        self.slots = Slots(max_in_flight, max_bytes)
        serving = {model: (of,) if isinstance(of, Lane) else tuple(of) for model, of in lanes.items()}
        self._lineup = Lineup(serving, states, self.cap, group_caps or {})
        self._queues = self._lineup.queues
        self._lanes = [member.lane for member in self._lineup.members.values()]
        self._halts = Halts(self._lineup, self.slots)
        self._starts = Starts(self._lineup, self.slots, self._halts, self.cap)
        self._ends = Ends(self._lineup, self.slots, self.cap, policy)
        self.on_end = self._ends.on_end
        """Decides what follows an attempt that ended."""

    @property
    def policy(self) -> RetryPolicy:
        """What follows a failure."""
        return self._ends.policy

    @policy.setter
    def policy(self, policy: RetryPolicy) -> None:
        self._ends.policy = policy

    @property
    def max_in_flight(self) -> int | None:
        """How many calls may be in flight over all lanes; `None`: any number."""
        return self.slots.max_in_flight

    @max_in_flight.setter
    def max_in_flight(self, most: int | None) -> None:
        self.slots.max_in_flight = most

    @property
    def max_bytes(self) -> int | None:
        """How many bytes calls may hold that are under way; `None`: any number."""
        return self.slots.max_bytes

    @property
    def closed(self) -> bool:
        """Whether no call starts any more."""
        return self.slots.closed

    @closed.setter
    def closed(self, closed: bool) -> None:
        self.slots.closed = closed

    # --- filling ---------------------------------------------------------------------------

    def models_to_refill(self) -> Iterable[int]:
        """Models whose queue runs low and may have more in the store."""
        return () if self.slots.closed else self._lineup.running_low

    def add_calls(self, model: int, scheduled: Sequence[ScheduledCall], *, drained: bool) -> None:
        """More calls of a model, in order. `drained`: the store has no further ones."""
        queue = self._queues[model]
        if scheduled or drained is not queue.drained:
            queue.put_last(scheduled)
            queue.drained = drained
            self._lineup.note(queue)

    def put_back(self, model: int, scheduled: Sequence[ScheduledCall]) -> None:
        """Have calls ready again that were given up; where the model is stopped, they stay as they are."""
        queue = self._queues[model]
        if not self.slots.closed and not queue.stopped:
            queue.put_last(scheduled)
            self._lineup.note(queue)

    def touch(self, lane: Lane) -> None:
        """Ask a lane again, which was told something by others than this pool."""
        self._lineup.touch(self._lineup.members[id(lane)])

    def touch_all(self) -> None:
        """Ask every lane again."""
        self._lineup.touch_members()

    def wake_early(self, lane: Lane, now: float, *, refused: bool) -> None:
        """What a lane's calls wait for is over, those that were refused or the others."""
        self._lineup.wake_early(self._lineup.members[id(lane)].route, now, refused=refused)

    def on_connected(self, lane: Lane, now: float, took_s: float) -> None:
        """Tell a lane how long a connection took."""
        lane.on_connected(now, took_s)
        self.touch(lane)

    # --- changes from outside --------------------------------------------------------------

    def pause(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Start no calls in these lanes, nor of these models, until `resume`; what is in flight ends."""
        self._halts.pause(lanes, models, now)

    def resume(self, lanes: Iterable[Lane], models: Iterable[int], now: float) -> None:
        """Let calls start again."""
        self._halts.resume(lanes, models, now)

    def hold(self, now: float) -> None:
        """Start nothing until `release`: nobody is there to make attempts. Pauses are kept apart."""
        self._halts.hold(now)

    def release(self, now: float) -> None:
        """Let calls start again."""
        self._halts.release(now)

    def set_group_cap(self, group: str, cap: int | None) -> None:
        """Let so many calls of a provider be in flight at most; `None`: any number."""
        in_flight = sum(lane.own_in_flight for lane in self._lanes if lane.group == group)
        self._lineup.groups.set_cap(group, cap, in_flight)

    def set_cost_cap(
        self, cap: int | None, estimate: Callable[[ScheduledCall], None], in_flight: Iterable[Lease] = ()
    ) -> None:
        """Keep another cap of costs, in nano-USD; `estimate` sets what a call takes under it.

        It is over the attempts `in_flight` too, for which nothing was held while there was none.
        """
        self.cap.cap = cap
        for lease in in_flight:
            scheduled = lease.scheduled
            if scheduled.reserve is None:
                estimate(scheduled)
            if not lease.held and scheduled.reserve:
                msgspec.structs.force_setattr(lease, "held", self.cap.reserve(scheduled.reserve))
        for queue in self._queues.values():
            for scheduled in queue.in_memory():
                estimate(scheduled)
            self._lineup.note(queue)
            self._lineup.touch_all(queue.route)

    # --- deciding --------------------------------------------------------------------------

    def next(self, now: float) -> Step:
        """What to do at `now`. Never names a time that has passed."""
        return self._starts.next(now)

    def startable(self, lane: Lane, most: int) -> list[tuple[int, int | None]]:
        """Return the tokens of up to so many calls that would start now if their lane let them."""
        return self._starts.startable(lane, most)

    def hedge(self, lease: Lease, now: float) -> Lease | None:
        """Start a second attempt of a call that is under way, if one more call could start now."""
        return self._starts.hedge(lease, now)

    def may_stand_by(self, lane: Lane, now: float) -> bool:
        """Return whether calls of a lane may be on standby: it starts none only because of its own limit.

        Such a call starts unseen in place of one of the lane's that is answered.
        """
        return self._starts.may_stand_by(lane, now)

    def standby(self, lane: Lane, now: float, wanted: Callable[[Call], bool]) -> Lease | None:
        """Take the next call of a lane that `may_stand_by`, if it is `wanted` for that.

        Its lease is none to make an attempt: either `begin_standby` or `drop_standby` follows.
        """
        return self._starts.standby(lane, now, wanted)

    def begin_standby(self, lease: Lease, now: float) -> Lease:
        """Count a call that went out in place of one that was answered; returns its lease."""
        return self._starts.begin_standby(lease, now)

    def drop_standby(self, lease: Lease) -> None:
        """Have a call ready again, before all others, that nothing was sent for."""
        self._starts.drop_standby(lease)

    def account(self, now: float) -> None:
        """Count the time of every lane up to now."""
        self._lineup.account(now)

    # --- learning --------------------------------------------------------------------------

    def correct_cost(
        self, scheduled: ScheduledCall, counted_nusd: int, said: int | None, cost: int | None
    ) -> None:
        """Count what an attempt cost that was said to be lost, where that is known now."""
        if cost is not None:
            self.cap.correct(counted_nusd, cost)
            scheduled.correct_cost(said, cost)

    def withdraw(self, lease: Lease) -> None:
        """Make a call no more that is not in flight: this attempt of it, which was lost, was answered."""
        self._ends.withdraw(lease)

    def park(self, scheduled: ScheduledCall) -> None:
        """Keep a call that is not among the ready ones until `unpark`."""
        self._lineup.park(scheduled)

    def unpark(self, scheduled: ScheduledCall, *, goes_on: bool = True) -> None:
        """Let a parked call go on with its `turns` as they are now, or let go of it."""
        self._ends.unpark(scheduled, goes_on=goes_on)

    def adopt(self, scheduled: ScheduledCall, served_by: str | None) -> None:
        """Bind a call whose conversation began in an earlier run to its lane; without it, it starts over.

        Where one of several accounts is left, it may be another one. What may not begin anew goes on there.
        """
        self._ends.adopt(scheduled, served_by)

    def stop_lane(self, lane: Lane, failure: Failure) -> bool:
        """The lane takes no more calls. True if it was open until now."""
        return self._ends.stop_lane(lane, failure)

    # --- looking ---------------------------------------------------------------------------

    @property
    def in_flight(self) -> int:
        """How many calls are in flight."""
        return self.slots.in_flight

    @property
    def peak_in_flight(self) -> int:
        """How many were at most."""
        return self.slots.peak_in_flight

    @property
    def standing_by(self) -> int:
        """How many are on standby."""
        return self.slots.standing_by

    @property
    def held_since(self) -> float | None:
        """Since when nothing starts because nobody is there to make attempts, if so."""
        return self.slots.held_since

    @property
    def finished(self) -> bool:
        """Nothing in flight and nothing that could still start."""
        return not self.slots.in_flight and (self.slots.closed or not self._lineup.has_work)

    @property
    def lanes(self) -> list[Lane]:
        """The lanes, each once, in the order of their first model."""
        return self._lanes

    def lane(self, model: int) -> Lane:
        """The lane of a model, the first one of several."""
        return self._queues[model].route.members[0].lane

    def paused_since(self, lane: Lane) -> float | None:
        """When a lane was paused, if it is."""
        return self._lineup.members[id(lane)].paused_at

    def is_paused(self, model: int) -> bool:
        """Whether a model is paused, itself or in all of its lanes."""
        return self._halts.is_paused(model)

    def stopped_lanes(self) -> list[Lane]:
        """The lanes that take no more calls and left some that no other lane can take."""
        return [
            member.lane
            for member in self._lineup.members.values()
            if member.route.stopped or any(member.number in q.stranded for q in member.route.queues)
        ]

    def stopped_models(self) -> dict[int, Failure]:
        """Why models take no more calls although their lanes do, by the number of each one's first prompt."""
        return self._ends.stopped_models()

    def is_stopped(self, model: int) -> bool:
        """Whether a model takes no more calls, or its lanes do not."""
        return self._queues[model].stopped

    def model_failure(self, model: int) -> Failure | None:
        """Why a model takes no more calls; `None` while it does."""
        return self._queues[model].state.stopped

    def why_stopped(self, lane: Lane) -> Failure | None:
        """Why a lane takes no more calls, itself or each of its models; `None` while it does."""
        queues = self._lineup.members[id(lane)].route.queues
        return lane.stopped or (queues[0].state.stopped if all(q.stopped for q in queues) else None)

    def queued(self, lane: Lane) -> tuple[int, int]:
        """Ready and waiting calls of a lane that are held in memory."""
        queues = self._lineup.members[id(lane)].route.queues
        waiting = sum(q.waiting + q.parked for q in queues)
        return sum(q.held_in_memory for q in queues) - waiting, waiting

    def in_flight_of(self, model: int) -> int:
        """How many calls of a model are in flight."""
        return self._queues[model].in_flight

    def in_flight_by_model(self, lane: Lane) -> dict[int, int]:
        """The models of a lane, each with its calls in flight over all of their lanes."""
        return {q.model: q.in_flight for q in self._lineup.members[id(lane)].route.queues}

    def parked(self, lane: Lane) -> int:
        """How many calls of a lane have their tools run; they are among the waiting ones."""
        return sum(q.parked for q in self._lineup.members[id(lane)].route.queues)

    def held(self, lane: Lane) -> bool:
        """Whether a model of the lane is held until its calls in flight have ended."""
        return any(q.state.held for q in self._lineup.members[id(lane)].route.queues)

    def wakes_at(self, lane: Lane) -> float | None:
        """When the first of a lane's waiting calls may go again."""
        waiting = self._lineup.members[id(lane)].route.waiting
        return waiting[0][0] if waiting else None
