"""What an owner and its guests say to each other.

A frame is four bytes of length and a JSON array of messages. The first frame of each side is a greeting; its
fields `protocol` and `version` stay as they are in every version. Times are of the machine's monotonic clock,
which both read.
"""

from __future__ import annotations

import msgspec

from umwelten.control.limit import LimitChange
from umwelten.types import AttemptOutcome, Failure, FailureKind, RateLimitHints, Reply, Usage

PROTOCOL = 1
"""Raised with each change of a message."""

LONGEST_FRAME = 1 << 20
"""Bytes. A batch of a hundred ends takes 30,000; what a lane has learnt, packed, about as much."""

LONGEST_STATE = LONGEST_FRAME // 2
"""Bytes of what a lane has learnt: base64 makes a third more of them."""

Size = tuple[int, int | None]
"""Input tokens of a call as estimated, and the most output tokens, `None` if not known."""


class Message(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="is", tag=str.lower):
    """Base of all messages."""


class Hello(Message, frozen=True):
    """A guest's greeting. It has `in_flight` calls under way, may have `ceiling`, and begins with `start`.

    `fixed`: its user named a number of calls, and nothing is to be found out.
    """

    protocol: int = PROTOCOL
    version: str = ""
    clock: float = 0.0
    in_flight: int = 0
    ceiling: int = 1
    start: int = 1
    fixed: bool = False


class Welcome(Message, frozen=True):
    """The owner's answer. `refused`: why the two don't share ("version", "clock" or "full")."""

    protocol: int = PROTOCOL
    version: str = ""
    refused: str = ""


class Want(Message, frozen=True):
    """The calls that a guest would start now, beyond the first `seen` grants of this connection."""

    seen: int
    sizes: tuple[Size, ...] = ()


class Grant(Message, frozen=True):
    """Leave to start so many calls now, those that were wanted first. Their numbers begin with `number`."""

    number: int
    at: float
    count: int = 1


class Resize(Message, frozen=True):
    """A granted call takes other tokens than was said."""

    number: int
    size: Size


class Return(Message, frozen=True):
    """A grant was not used."""

    number: int


class End(Message, frozen=True):
    """A call ended. `number` is that of its grant, or of no known one: granted before the owner changed.

    `kind` None: answered, with `usage`. `cancelled`: it says nothing.
    """

    number: int
    started_at: float
    cancelled: bool = False
    kind: FailureKind | None = None
    status: int | None = None
    usage: Usage | None = None
    hints: RateLimitHints | None = None


class Error(Message, frozen=True):
    """A call that started then met an error and will be retried."""

    started_at: float


class Beat(Message, frozen=True):
    """Still here."""


class State(Message, frozen=True):
    """The owner's lane, as far as it matters to guests: see `Lane`. `opens` is when more may start."""

    limit: float
    wait_reason: str
    opens: float = 0.0
    answered: bool = False
    throttled_since: float | None = None
    waiting_why: FailureKind | None = None
    outage_since: float | None = None
    overstated: bool = False
    proven: bool = False
    change: LimitChange | None = None


class Learnt(Message, frozen=True):
    """What the owner's lane has learnt, for whoever takes over."""

    state: bytes


class Bye(Message, frozen=True):
    """The owner leaves."""


FromGuest = Want | Resize | Return | End | Error | Beat
FromOwner = Grant | State | Learnt | Beat | Bye


_encoder = msgspec.json.Encoder()


def frame(messages: list[Message]) -> bytes:
    """Return a frame of messages."""
    body = _encoder.encode(messages)
    return len(body).to_bytes(4, "big") + body


def ended(number: int, started_at: float, outcome: AttemptOutcome | None) -> End:
    """Return what an owner has to know of how a call ended; `None`: it was cancelled."""
    if outcome is None:
        return End(number=number, started_at=started_at, cancelled=True)
    failure = outcome if isinstance(outcome, Failure) else None
    return End(
        number=number,
        started_at=started_at,
        kind=failure.kind if failure else None,
        status=failure.status if failure else None,
        usage=outcome.usage,
        hints=outcome.hints,
    )


def outcome(end: End) -> AttemptOutcome | None:
    """Return the outcome that an end tells of, without its texts."""
    if end.cancelled:
        return None
    usage, hints = end.usage or Usage(), end.hints or RateLimitHints()
    if end.kind is None:
        return Reply(text="", usage=usage, hints=hints)
    return Failure(kind=end.kind, message="", status=end.status, usage=usage, hints=hints)
