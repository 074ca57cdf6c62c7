"""How a run finds its role in a shared lane: alone, owner or guest, and from one to another."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import msgspec

from umwelten import version
from umwelten.control.circuit import NEVER
from umwelten.control.lane import Lane
from umwelten.sharing.channel import Channel, is_own_peer
from umwelten.sharing.folder import Claim, FileId, SocketFolder
from umwelten.sharing.guest import GuestDesk
from umwelten.sharing.handover import adopt
from umwelten.sharing.messages import Beat, Bye, FromOwner, Hello, Learnt, Size, Welcome
from umwelten.sharing.owner import OwnerDesk
from umwelten.sharing.reception import Reception
from umwelten.sharing.shared_lane import SharedLane

BEAT_S = 0.4
"""Between signs of life."""

SILENT_S = 1.2
"""An owner that gave none for so long is replaced: three beats, and another takes over within two seconds."""

LEASE_S = 1.0
"""For so long an owner need not look whether it still is one: less than its silence is borne."""

SETTLE_S = 0.1
"""A new owner waits for the others to come, with the calls that they have in flight."""

_RETRY_S = 0.01
"""Until the lock of the folder is tried again."""

_LONGEST_LOCK_S = 1.0
"""Whoever holds it for that long has been stopped."""

_MOST_LOSSES = 10
"""Owners lost in a row, none of which stayed for `SILENT_S` or said goodbye: it does not work here."""


@dataclass(frozen=True, slots=True)
class RunHooks:
    """What sharing needs of its run: `wake` has it look for calls to start in a lane.

    `touch` has the lane asked again the next time. `ready` lists up to so many calls that would start now.
    `wake_early` ends the wait of calls that were refused, or of those that failed. `note` tells the user why
    a run goes on alone.
    """

    wake: Callable[[SharedLane], None]
    touch: Callable[[SharedLane], None]
    ready: Callable[[SharedLane, int], Sequence[Size]]
    wake_early: Callable[[SharedLane, bool], None]
    note: Callable[[str, str], None]


@dataclass(slots=True, eq=False)
class _Owner:
    """The owner that this run is connected to."""

    channel: Channel
    file: FileId
    since: float
    welcome: bool = False


_from_owner = msgspec.json.Decoder(list[FromOwner])
_welcome = msgspec.json.Decoder(list[Welcome])


@dataclass(eq=False)
class LaneShare:
    """See the module's text. All in the thread of the loop."""

    name: str
    lane: SharedLane
    folder: SocketFolder
    hooks: RunHooks
    loop: asyncio.AbstractEventLoop
    closed: bool = False
    _reception: Reception | None = None
    _owner: _Owner | None = None
    _silent: FileId | None = None
    _looking_since: float | None = None
    _losses: int = 0
    _learnt: Learnt | None = None
    _shared: bool = False
    _lease_until: float = -NEVER
    _poked: bool = False
    _wake: bool = False
    _timer: asyncio.TimerHandle | None = None
    _retry: asyncio.TimerHandle | None = None
    _as_guest: GuestDesk = field(init=False)

    def __post_init__(self) -> None:
        limit = self.lane.limit
        self._own_ceiling, self._start, self._fixed = limit.ceiling, limit.slots, not limit.slow_start
        self._as_guest = GuestDesk(self.lane, poke=self._poke, changed=self._changed)
        self.lane.on_stop = self.leave
        self.lane.on_retune, self.lane.on_halt = self._retune, self._halt

    @property
    def role(self) -> str:
        """Return "owner", "guest", "looking" or "alone"."""
        if self.closed:
            return "alone"
        if self._reception is not None:
            return "owner"
        return "guest" if self._owner is not None and self._owner.welcome else "looking"

    # --- finding a role --------------------------------------------------------------------

    def look(self) -> None:
        """Find out who owns the lane; if nobody does, it is this run."""
        if self.closed:
            return
        now = self.loop.time()
        if self._looking_since is None:
            self._looking_since = now
        self.lane.desk = self._as_guest
        stuck = now - self._looking_since > _LONGEST_LOCK_S
        if stuck:
            # Nor does whoever listens there take in anybody.
            self._silent = self.folder.file(self.name)
        try:
            claim = self.folder.claim(self.name, self._silent, break_lock=stuck)
        except OSError as error:
            self.go_alone("folder", f"{self.folder.path}: {error.strerror or error}")
            return
        if stuck:
            self._looking_since = now
        if claim is None:
            self._retry = self.loop.call_later(_RETRY_S, self.look)
        elif claim.owned:
            self._own(claim, now)
        else:
            self._join(claim, now)

    def go_alone(self, why: str, detail: str = "") -> None:
        """Share no longer in this run, and say so."""
        self.leave()
        self.hooks.note(why, detail)
        self.hooks.wake(self.lane)

    def leave(self) -> None:
        """Share no longer: others take over what this run owned."""
        if self.closed:
            return
        self.closed = True
        reception, owner = self._reception, self._owner
        self._owner = None
        if reception is not None:
            reception.say_goodbye()
            self._resign(reception)
            self.folder.give_up(self.name, reception.claim.file)
        if owner is not None:
            owner.channel.flush()
            owner.channel.close()
        if reception is None:
            self._take_over_state()
        for timer in (self._timer, self._retry):
            if timer is not None:
                timer.cancel()
        self.lane.desk = None
        self.lane.limit.value = max(1.0, min(self.lane.limit.value, float(self._own_ceiling)))

    def _retune(self, ceiling: int, fixed: bool, start: int) -> None:
        """Have this run's user name other bounds. An owner is greeted again, with what is in flight."""
        same = (ceiling, fixed) == (self._own_ceiling, self._fixed)
        self._own_ceiling, self._fixed, self._start = ceiling, fixed, ceiling if fixed else start
        if self._reception is not None:
            self._reception.desk.retune(ceiling, fixed=fixed, start=start)
            return
        Lane.retune(self.lane, ceiling, fixed=fixed, start=start)
        if self._owner is not None and not same:
            self._losses -= 1
            self._lose_owner()

    def _halt(self) -> None:
        """Leave to others what this run was granted, and will not use while it is paused."""
        if self._reception is None and self._owner is not None:
            self._as_guest.give_back(self.loop.time())

    def tick(self, now: float, *, late: bool) -> None:
        """Give a sign of life, and look whether the others did. `late`: this run itself was stopped."""
        if self.closed:
            return
        if self._reception is not None:
            if self._renew(now):
                self._reception.tick(now, late=late)
        elif self._owner is not None:
            channel = self._owner.channel
            if late:
                channel.heard_at = now
            if now - channel.heard_at > SILENT_S:
                self._silent = self._owner.file
                self._lose_owner()
            elif self._owner.welcome:
                channel.send(Beat())
                if now - self._owner.since > SILENT_S:
                    self._losses = 0

    # --- as owner --------------------------------------------------------------------------

    def _own(self, claim: Claim, now: float) -> None:
        self._silent, self._looking_since, self._losses = None, None, 0
        self._lease_until = now + LEASE_S
        self._take_over_state()
        desk = OwnerDesk(
            self.lane,
            owns=self._owns,
            poke=self._poke,
            changed=self._changed,
            series=random.getrandbits(30),
        )
        if self._shared:
            desk.hold_until = now + SETTLE_S
        self.lane.desk = desk
        self._reception = Reception(claim, self.lane, desk, self._owns, self.loop)
        self.hooks.wake(self.lane)

    def _take_over_state(self) -> None:
        """Have the lane go on from what the last owner knew."""
        if self._learnt is not None:
            with suppress(ValueError):
                adopt(self.lane, self._learnt.state)
                self.lane.adopted_at = self.loop.time()
                self.lane.lose_calls(self.lane.adopted_at)
            self._learnt = None
        self.lane.set_ceiling(self._own_ceiling)

    def _owns(self, now: float) -> bool:
        return now <= self._lease_until or self._renew(now)

    def _renew(self, now: float) -> bool:
        """Look whether this run is the owner still; if it was replaced, become a guest."""
        reception = self._reception
        if reception is None:
            return False
        if self.folder.file(self.name) == reception.claim.file:
            self._lease_until = now + LEASE_S
            return True
        self._lease_until = -NEVER
        self.loop.call_soon(self._give_way, reception)
        return False

    def _give_way(self, reception: Reception) -> None:
        if self._reception is reception:
            self._resign(reception)
            self.look()

    def _resign(self, reception: Reception) -> None:
        """Own the lane no longer. What is in flight of this run goes on."""
        self._shared = self._shared or reception.met
        self._reception = None
        reception.close()
        self.lane.in_flight -= self.lane.others
        self.lane.others = 0
        self.lane.set_ceiling(self._own_ceiling)

    # --- as guest -------------------------------------------------------------------------

    def _join(self, claim: Claim, now: float) -> None:
        self._looking_since = None
        if not is_own_peer(claim.sock, os.geteuid()):
            claim.sock.close()
            self.go_alone("folder", f"{self.folder.path}: another user's process listens there")
            return
        channel = Channel(self.loop, claim.sock, self._on_owner, self._lose_owner)
        self._owner = _Owner(channel, claim.file, now)
        self._as_guest.greet()
        channel.send(
            Hello(
                version=version.__version__,
                clock=now,
                in_flight=self.lane.in_flight,
                ceiling=self._own_ceiling,
                start=self._start,
                fixed=self._fixed,
            )
        )
        channel.flush()

    def _on_owner(self, body: bytes) -> None:
        owner = self._owner
        if owner is None:
            return
        if not owner.welcome:
            self._on_welcome(owner, _welcome.decode(body))
            return
        for message in _from_owner.decode(body):
            if isinstance(message, Learnt):
                self._learnt = message
            elif isinstance(message, Bye):
                self._losses = 0
                self._lose_owner()
                return
            else:
                self._as_guest.take(message)

    def _on_welcome(self, owner: _Owner, welcomes: Sequence[Welcome]) -> None:
        if len(welcomes) != 1:
            raise msgspec.DecodeError("no greeting")
        welcome = welcomes[0]
        if welcome.refused:
            other = "" if welcome.version == version.__version__ else welcome.version
            self.go_alone(welcome.refused, other)
            return
        owner.welcome, owner.since, self._shared = True, self.loop.time(), True
        self._silent = None
        self._as_guest.begin(owner.channel.send)
        self._poke(True)

    def _lose_owner(self) -> None:
        """The owner is gone, or does not answer: look for another, or be it."""
        if self.closed:
            return
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.channel.close()
        self._as_guest.lose()
        self._losses += 1
        if self._losses > _MOST_LOSSES:
            self.go_alone("owner")
        else:
            self.look()

    # --- both ------------------------------------------------------------------------------

    def _changed(self, refused: bool) -> None:
        self.hooks.wake_early(self.lane, refused)

    def _poke(self, wake: bool) -> None:
        self._wake = self._wake or wake
        if not self._poked and not self.closed:
            self._poked = True
            self.loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Start what may start in this run, then see to the others, or ask the owner."""
        self._poked, wake, self._wake = False, self._wake, False
        if self.closed:
            return
        if wake:
            self.hooks.wake(self.lane)
        now = self.loop.time()
        if self._reception is not None:
            self._serve(self._reception.desk, now)
        elif self._owner is not None and (most := self._as_guest.most):
            self._as_guest.ask(self.hooks.ready(self.lane, most), now)

    def _serve(self, desk: OwnerDesk, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        before = self.lane.others
        at = desk.serve(now)
        if self.lane.others != before:
            self.hooks.touch(self.lane)
        if at < NEVER:
            self._timer = self.loop.call_at(at, self._poke, True)
