"""The workers of a run: which one makes the next attempt, which are silent, and which are gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from hashlib import blake2b

from umwelten.fleet.carrier import WorkerPlace

AWAY_S = 1.0
"""Silence after which a worker's attempts say nothing about their provider. They show signs of life every
0.5 s."""

SUSPECT_S = 3.0
"""Silence after which a worker gets no further attempts. Ray takes 1.7 s to notice a process that was killed
and 13.5 s for a machine, during which whatever goes there stands still."""

LOST_S = 15.0
"""Silence after which a worker's attempts are made elsewhere: they may be charged twice, so not sooner than
Ray itself would notice."""

_ECHO_S = 1.0
"""How long what a worker hears may take to show in what it says: it gets a sign of life every second."""

LOOK_S = 0.5
"""How often to `look`."""

_BYTES = 100_000
"""Bytes of input that take a worker about as much processor time as one more call."""

_MOST_CALLS = 20.0
"""The weight of a call at most, in calls: a worker must not stand still while a large file is answered."""

_SLOW = 1.1
"""Below that ratio of its answer times to all workers', a worker is as fast as the others."""

_SLOWEST = 10.0
"""The ratio at most, so that a slow worker still gets calls by which it can show that it recovered."""

_NEW_WORKER, _NEW_LANE = 1 / 50, 1 / 200
"""The weight of a new answer time in a worker's and a lane's mean."""

_RUNS = 8
"""Attempts in a row that get the same worker are an eighth of a worker's share at most: what it then has more
than others is soon answered."""

_NEW_ROUND_TRIP = 1 / 4
"""The weight of a new round trip in a worker's mean; there is one a second."""

_LATE_S = 0.1
"""A loop that is so late counts as half as fast. One that is well used is 10 to 20 ms late."""


class Standing(StrEnum):
    """What a worker may be used for."""

    JOINING = "joining"
    """It did not introduce itself yet."""
    USABLE = "usable"
    SUSPECT = "suspect"
    """It was silent for a while: it gets no further attempts until it is heard."""
    LOST = "lost"
    """It was silent for so long that its attempts were given up."""
    RETURNING = "returning"
    """It was lost, and old frames of it arrive; whether it hears this process is not known yet."""
    UNFIT = "unfit"
    """It cannot make the attempts of this run."""
    GONE = "gone"


class Member:
    """A worker of a run. Times are those of the caller's clock.

    `heard_at`: when its latest frame came; `echoed_at`: when what it had heard last by then was sent.

    `held` are its attempts under way, `weight` what their inputs count, in calls; `calls` those that ended.
    What was under way before `away_before` was so while the worker was silent. `returned_at`: when a lost
    one was heard again. `why` says why it is lost or gone. `round_trip_s`: how long a
    message to it and the answer take, 0 while not known.
    """

    __slots__ = (
        "away_before",
        "calls",
        "cpu_s",
        "echoed_at",
        "heard_at",
        "held",
        "late_s",
        "number",
        "place",
        "ratio",
        "returned_at",
        "room",
        "round_trip_s",
        "score",
        "standing",
        "weight",
        "why",
    )

    def __init__(self, number: int, place: WorkerPlace, now: float) -> None:
        self.number, self.place = number, place
        self.heard_at = self.echoed_at = now
        self.standing = Standing.JOINING
        self.room = self.held = self.calls = 0
        self.weight = self.late_s = self.round_trip_s = 0.0
        self.ratio, self.score = 1.0, 1.0
        self.away_before = self.returned_at = -1.0
        self.cpu_s: float | None = None
        self.why = ""

    def silent_s(self, now: float) -> float:
        """Return for how long nothing shows that it is there and hears what is sent to it."""
        return now - min(self.heard_at, self.echoed_at + _ECHO_S)

    def rate(self) -> None:
        """Set the score: what it has to do with one call more, by how fast it is."""
        ratio = self.ratio if self.ratio > _SLOW else 1.0
        self.score = (1 + self.held + self.weight) * ratio * (1 + self.late_s / _LATE_S)


class Membership:
    """The workers by number. The caller tells what happens and asks; it has a clock, this has none.

    `changed` is told of a worker whose standing is another now, and what that was before.
    """

    def __init__(self, changed: Callable[[Member, Standing], None] = lambda member, before: None) -> None:
        self._changed = changed
        self._members: dict[int, Member] = {}
        self._usable: list[Member] = []
        self._means: dict[str, float] = {}
        self._looked_at: float | None = None
        self._latest: Member | None = None
        self._held = self._in_a_row = 0

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def get(self, number: int) -> Member | None:
        """Return a worker by its number."""
        return self._members.get(number)

    @property
    def usable(self) -> list[Member]:
        """The workers that may get attempts."""
        return self._usable

    @property
    def room(self) -> int:
        """How many attempts the open files of the usable workers allow together."""
        return sum(member.room for member in self._usable)

    # --- what happens ----------------------------------------------------------------------

    def join(self, number: int, place: WorkerPlace, now: float) -> Member:
        """Note a worker that is there; it is usable once it was greeted."""
        member = self._members[number] = Member(number, place, now)
        return member

    def greet(self, member: Member, room: int) -> None:
        """Note a worker that introduced itself and can make the attempts of this run."""
        member.room = room
        self._set(member, Standing.USABLE)

    def leave_out(self, member: Member) -> None:
        """Note a worker that cannot make the attempts of this run."""
        self._set(member, Standing.UNFIT)

    def leave(self, member: Member, why: str = "") -> None:
        """Note a worker that is certainly gone."""
        member.why = why
        self._set(member, Standing.GONE)

    def hear(self, member: Member, now: float) -> None:
        """Note a frame of a worker."""
        if now - member.heard_at > AWAY_S:
            member.away_before = now
        member.heard_at = now
        if member.standing is Standing.LOST:
            member.returned_at = now
            self._set(member, Standing.RETURNING)
        else:
            self._recover(member, now)

    def load(self, member: Member, cpu_s: float, late_s: float, heard_at: float) -> None:
        """Note how a worker does. `heard_at`: when what it heard last was sent."""
        member.cpu_s, member.late_s = cpu_s, late_s
        took_s = max(0.0, member.heard_at - heard_at)
        known_s = member.round_trip_s
        member.round_trip_s = known_s + (took_s - known_s) * _NEW_ROUND_TRIP if known_s else took_s
        member.echoed_at = max(member.echoed_at, heard_at)
        member.rate()
        self._recover(member, member.heard_at)
        if member.standing is Standing.RETURNING and heard_at >= member.returned_at:
            self._set(member, Standing.USABLE)

    def look(self, now: float) -> list[Member]:
        """Return the workers that have now been silent for too long; call it every `LOOK_S`."""
        stood_still = 0.0 if self._looked_at is None else now - self._looked_at - LOOK_S
        self._looked_at = now
        lost = []
        for member in self._members.values():
            if stood_still > LOOK_S:
                # This process heard nobody meanwhile; what was sent to it is still to be read.
                member.heard_at = min(now, member.heard_at + stood_still)
                member.echoed_at = min(now, member.echoed_at + stood_still)
            silent = member.silent_s(now)
            if member.standing is Standing.USABLE and silent > SUSPECT_S:
                self._set(member, Standing.SUSPECT)
            elif member.standing is Standing.SUSPECT and silent > LOST_S:
                member.why = f"was silent for {silent:.0f} s"
                self._set(member, Standing.LOST)
                lost.append(member)
            elif member.standing is Standing.RETURNING and silent > LOST_S:
                self._set(member, Standing.LOST)
        return lost

    def _recover(self, member: Member, now: float) -> None:
        if member.standing is Standing.SUSPECT and member.silent_s(now) <= SUSPECT_S:
            self._set(member, Standing.USABLE)

    def _set(self, member: Member, standing: Standing) -> None:
        before = member.standing
        if before is Standing.GONE:
            return
        member.standing = standing
        member.rate()
        self._usable = [each for each in self._members.values() if each.standing is Standing.USABLE]
        self._changed(member, before)

    # --- attempts --------------------------------------------------------------------------

    def choose(self, sticky: str | None = None) -> Member | None:
        """Return the worker for the next attempt, `None` if none is usable.

        Where many are under way, some in a row get the same one: they share a frame, and so do many of their
        answers. Attempts with the same `sticky` get the same one as long as it is there.
        """
        usable = self._usable
        if sticky is not None and usable:
            return max(usable, key=lambda member: _rank(member, sticky))
        best, least = None, float("inf")
        for member in usable:
            score = member.score if member.held < member.room else member.score + _FULL
            if score < least:
                best, least = member, score
        latest, most = self._latest, self._held // (_RUNS * max(1, len(usable)))
        if (
            latest is not None
            and self._in_a_row < most
            and latest.standing is Standing.USABLE
            and latest.held < latest.room
            and latest.score < least + most
        ):
            self._in_a_row += 1
            return latest
        self._latest, self._in_a_row = best, 1
        return best

    def begin(self, member: Member, size: int) -> None:
        """Note an attempt given to a worker, with the bytes of its input."""
        member.held += 1
        self._held += 1
        if size > _BYTES:
            member.weight += min(_MOST_CALLS, size / _BYTES)
        member.rate()

    def end(self, member: Member, size: int, lane: str = "", took_s: float | None = None) -> None:
        """Note that an attempt ended; `took_s` if it was answered."""
        member.held -= 1
        self._held -= 1
        member.calls += 1
        if size > _BYTES:
            member.weight -= min(_MOST_CALLS, size / _BYTES)
        if took_s is not None:
            mean = self._means.get(lane, took_s)
            self._means[lane] = mean = mean + (took_s - mean) * _NEW_LANE
            if mean > 0:
                ratio = min(took_s / mean, _SLOWEST)
                member.ratio += (ratio - member.ratio) * _NEW_WORKER
        member.rate()


_FULL = 1e9
"""Added to the score of a worker without room: it gets attempts only where all are full."""


def _rank(member: Member, sticky: str) -> bytes:
    """Return the worker's rank for a text, which no other worker that comes or goes changes."""
    return blake2b(f"{member.number} {sticky}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
