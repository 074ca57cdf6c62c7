"""The socket of a run that owns a lane, and the runs that come there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from functools import partial

import msgspec

from umwelten import version
from umwelten.sharing.channel import Channel, is_own_peer
from umwelten.sharing.folder import Claim
from umwelten.sharing.handover import learnt
from umwelten.sharing.messages import (
    LONGEST_STATE,
    PROTOCOL,
    Bye,
    FromGuest,
    Hello,
    Learnt,
    Message,
    Welcome,
)
from umwelten.sharing.owner import Guest, OwnerDesk
from umwelten.sharing.shared_lane import SharedLane

GONE_S = 3.0
"""A guest that gave no sign of life for so long is dismissed. What it has in flight still counts for the
provider, most likely, so that takes longer than with an owner, for which all wait."""

LEARNT_BEATS = 3
"""What is learnt goes round with each third beat: it takes 10 ms to write down."""

_CLOCKS_S = 3.0
"""Two that differ by more are not the same clock: a greeting is answered or given up long before."""

_MOST_GUESTS = 64
_ACCEPTED_AT_ONCE = 16
_NO_ROOM_S = 1.0
"""Until somebody is let in again where this process has no room for another open file."""

_from_guest = msgspec.json.Decoder(list[FromGuest])
_hello = msgspec.json.Decoder(list[Hello])


class _Visitor:
    """Somebody who has come; a guest once it has greeted."""

    def __init__(self, reception: Reception, sock: socket.socket, loop: asyncio.AbstractEventLoop) -> None:
        self.guest: Guest | None = None
        self.channel = Channel(loop, sock, partial(reception.on_frame, self), partial(reception.lose, self))


class Reception:
    """See the module's text. `owns` tells at a time whether this run is the owner still.

    `met`: somebody has been a guest here.
    """

    def __init__(
        self,
        claim: Claim,
        lane: SharedLane,
        desk: OwnerDesk,
        owns: Callable[[float], bool],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.claim, self.desk, self.met = claim, desk, False
        self._lane, self._owns, self._loop = lane, owns, loop
        self._visitors: list[_Visitor] = []
        self._beats = 0
        self._closed_door: asyncio.TimerHandle | None = None
        self._open_door()

    def close(self) -> None:
        """Take in nobody any more, and leave those who came to themselves."""
        if self._closed_door is not None:
            self._closed_door.cancel()
        self._loop.remove_reader(self.claim.sock.fileno())
        self.claim.sock.close()
        for visitor in self._visitors:
            visitor.channel.close()
        self._visitors.clear()

    def say_goodbye(self) -> None:
        """Tell the guests what was learnt, and that this run leaves."""
        guests = self._guests()
        news = self._news() if guests else []
        for visitor in guests:
            for message in (*news, Bye()):
                visitor.channel.send(message)
            visitor.channel.flush()

    def tick(self, now: float, *, late: bool) -> None:
        """Give a sign of life, and dismiss who gave none. `late`: this run itself was stopped."""
        for visitor in list(self._visitors):
            if late:
                visitor.channel.heard_at = now
            elif now - visitor.channel.heard_at > GONE_S:
                visitor.channel.close()
                self.lose(visitor)
        guests = self._guests()
        if not guests:
            return
        self._beats += 1
        news = [] if self._beats % LEARNT_BEATS else self._news()
        state = self.desk.state()
        for visitor in guests:
            for message in (state, *news):
                visitor.channel.send(message)

    def _guests(self) -> list[_Visitor]:
        return [visitor for visitor in self._visitors if visitor.guest is not None]

    def _news(self) -> list[Message]:
        state = learnt(self._lane)
        return [Learnt(state=state)] if len(state) <= LONGEST_STATE else []

    def _open_door(self) -> None:
        self._closed_door = None
        self._loop.add_reader(self.claim.sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                sock, _ = self.claim.sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                # It would be asked for at once again, for ever.
                self._loop.remove_reader(self.claim.sock.fileno())
                self._closed_door = self._loop.call_later(_NO_ROOM_S, self._open_door)
                return
            if not is_own_peer(sock, os.geteuid()) or len(self._visitors) >= 2 * _MOST_GUESTS:
                sock.close()
                continue
            self._visitors.append(_Visitor(self, sock, self._loop))

    def on_frame(self, visitor: _Visitor, body: bytes) -> None:
        """Take a frame of a visitor. Raises `msgspec.DecodeError` for what is none."""
        now = self._loop.time()
        if not self._owns(now):
            return
        if visitor.guest is not None:
            for message in _from_guest.decode(body):
                self.desk.take(visitor.guest, message, now)
            return
        hellos = _hello.decode(body)
        if len(hellos) != 1:
            raise msgspec.DecodeError("no greeting")
        refused = self._why_not(hellos[0], now)
        visitor.channel.send(Welcome(version=version.__version__, refused=refused))
        visitor.channel.flush()
        if visitor.channel.closed:
            return
        if refused:
            visitor.channel.close()
            self._visitors.remove(visitor)
            return
        self.met = True
        visitor.guest = self.desk.admit(hellos[0], visitor.channel.send)
        visitor.channel.send(self.desk.state())

    def _why_not(self, hello: Hello, now: float) -> str:
        """Why this owner does not share with whoever greets so, "" if it does."""
        if hello.protocol != PROTOCOL or hello.version != version.__version__:
            return "version"
        if abs(hello.clock - now) > _CLOCKS_S:
            return "clock"
        return "full" if len(self.desk.guests) >= _MOST_GUESTS else ""

    def lose(self, visitor: _Visitor) -> None:
        """A visitor is gone."""
        if visitor in self._visitors:
            self._visitors.remove(visitor)
        if visitor.guest is not None:
            self.desk.dismiss(visitor.guest, self._loop.time())
