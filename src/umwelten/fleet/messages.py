"""What the coordinator and its workers say to each other: frames of msgpack, each a list of messages.

The coordinator is the process of the run; its engine, lanes and store are those of a run on one machine. It
sends assignments; a worker makes their attempts and says how they ended. Both ends have the same release
(`Hello`), so messages need no further compatibility; `PROTOCOL` changes with their meaning all the same.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

import msgspec

from umwelten.events import NoteLevel
from umwelten.fleet.escaping import escape, unescape
from umwelten.fleet.packing import pack_hook, unpack_hook
from umwelten.fleet.wire_turns import WireTurn, pack_turns, unpack_turns
from umwelten.types import (
    AttemptOutcome,
    Call,
    Continue,
    Failure,
    FrozenStruct,
    Reply,
    Timing,
    ToolStep,
)

PROTOCOL = 1
"""Changes whenever a message means something else."""

LARGEST_FRAME = 90_000
"""Bytes of a frame, as far as its messages allow. Ray puts what is larger than 100 kB into its object store,
which takes three times as long."""


class _Tagged(FrozenStruct, omit_defaults=True, tag=True, tag_field="t"):
    pass


# --- to a worker ------------------------------------------------------------------------------


class Setup(_Tagged):
    """What the attempts of a run need, as `worker_setup` packs it. The first message. It has no keys."""

    payload: bytes


class Keys(_Tagged):
    """API keys by the names of their variables; only where the user lets them be sent."""

    values: dict[str, str]

    def __repr__(self) -> str:
        return f"Keys({len(self.values)} keys)"


class Assignment(_Tagged):
    """An attempt to make. `n` numbers the assignments of a run.

    `about`: what the call's conversation is about so far, as `AttemptResult.content`; `None`: it begins.
    `supply`: where its input is found if not at its path: the key of a `Supply`. `texts`: pieces of the
    answer are told. `standby`: it begins once another attempt of the lane is answered, or is `Expired`.
    """

    n: int
    call: Call
    lane: str
    turns: tuple[WireTurn, ...] = ()
    about: bytes | None = None
    supply: str = ""
    texts: bool = False
    standby: bool = False


class Supply(_Tagged):
    """An input that workers cannot read by themselves: the bytes of a file, or a content that was read.

    `form`: "file" for the bytes of a file whose stamp is that of the call's input, "changed" of one that has
    another stamp now, "content" for a content and "error" for an error as `packed_content` has them,
    "missing" for a text that says why there is nothing. It is kept until `Forget`.
    """

    key: str
    form: str
    data: bytes


class Forget(_Tagged):
    """Supplies that no assignment names any more."""

    keys: tuple[str, ...]


class Supplied(_Tagged):
    """The input of an assignment is in the `Supply` of this key: the answer to `Wanted`."""

    n: int
    key: str


class Cancel(_Tagged):
    """Break off an attempt; nothing is said of it any more."""

    n: int


class TakeBack(_Tagged):
    """Do not begin an attempt that is on standby: it is `Expired` then. One that has begun goes on."""

    n: int


class Refused(_Tagged):
    """Optional fields that a model refused at an address: they are left out. Said in both directions."""

    model: str
    address: str
    fields: tuple[str, ...]


class Limits(_Tagged):
    """The limits of attempts as they are now: they may be changed while a run goes on."""

    timeout_s: float


class Ping(_Tagged):
    """The coordinator was there at `sent_at` by its own clock, which is compared with nothing but itself.

    Every frame to a worker begins with one.
    """

    sent_at: float


class Leave(_Tagged):
    """The run has ended: release what is held at providers, then end."""


class Escaped(_Tagged):
    """A message with text that is not Unicode, such as the name of a file may be: see `escaping`."""

    data: bytes


ToWorker = (
    Setup
    | Keys
    | Assignment
    | Supply
    | Supplied
    | Forget
    | Cancel
    | TakeBack
    | Refused
    | Limits
    | Ping
    | Leave
    | Escaped
)


# --- from a worker ----------------------------------------------------------------------------


class Hello(_Tagged):
    """A worker that is there. `room`: attempts that its open files allow. `missing`: variables of keys
    that it does not have. `problem`: why it cannot make attempts, "" if it can.
    """

    protocol: int
    version: str
    python: str
    node: str
    address: str
    pid: int
    room: int
    missing: tuple[str, ...] = ()
    problem: str = ""


class Completion(_Tagged):
    """An attempt that ended. One of `reply` and `failure`; with `turns`, the call goes on.

    A reply with `turns` is a `ToolStep`, a failure with `turns` a `Continue`. `held_s` is how long the worker
    had the assignment. `began` is the attempt on standby that began in its place, 0 for none. The rest is as
    in `AttemptResult`.
    """

    n: int
    timing: Timing
    held_s: float
    key: str = ""
    content: bytes = b""
    cost_nusd: int | None = None
    reply: Reply | None = None
    failure: Failure | None = None
    turns: tuple[WireTurn, ...] | None = None
    step: int = 1
    kept: bytes = b""
    began: int = 0


class Expired(_Tagged):
    """Nothing was sent for an assignment: the coordinator had not been heard of for too long, or it was on
    standby for too long or taken back."""

    n: int


class Wanted(_Tagged):
    """An input that the worker cannot read at its path as the coordinator saw it; it waits for a `Supply`."""

    n: int


class Pieces(_Tagged):
    """Text of a streamed answer that has arrived."""

    n: int
    text: str


class Contents(_Tagged):
    """Texts that are to be kept (`store.contents`), each as hash and bytes; before what names them."""

    contents: tuple[tuple[bytes, bytes], ...]


class Said(_Tagged):
    """A note for the user."""

    text: str
    level: NoteLevel


class Connected(_Tagged):
    """How long a new connection took, by the name of a lane at that address."""

    lane: str
    took_s: float


class Load(_Tagged):
    """How a worker does: its processor time so far, and how late its event loop is.

    It answers a `Ping`: `heard_at` is the latest `sent_at`.
    """

    cpu_s: float
    late_s: float
    heard_at: float


class Garbled(_Tagged):
    """A frame could not be understood; what was under way is broken off."""

    why: str


FromWorker = (
    Hello
    | Completion
    | Expired
    | Wanted
    | Pieces
    | Contents
    | Said
    | Connected
    | Refused
    | Load
    | Garbled
    | Escaped
)

# --- frames -----------------------------------------------------------------------------------


_ENCODER = msgspec.msgpack.Encoder(enc_hook=pack_hook)
_TO_WORKER = msgspec.msgpack.Decoder(list[ToWorker], dec_hook=unpack_hook)
_FROM_WORKER = msgspec.msgpack.Decoder(list[FromWorker], dec_hook=unpack_hook)
_MANY = struct.Struct(">BI")


def encode_message(message: ToWorker | FromWorker) -> bytes:
    """Return a message as it stands in a frame. Raises `TypeError` and `OverflowError`."""
    try:
        return _ENCODER.encode(message)
    except (UnicodeEncodeError, OverflowError):
        plain = msgspec.to_builtins(message, builtin_types=(bytes,), enc_hook=pack_hook)
        return _ENCODER.encode(Escaped(data=escape(plain)))


def frame_of(messages: list[bytes]) -> bytes:
    """Return a frame of messages that `encode_message` returned."""
    return _MANY.pack(0xDD, len(messages)) + b"".join(messages)


def encode(messages: Iterable[ToWorker] | Iterable[FromWorker]) -> bytes:
    """Return a frame of these messages."""
    return frame_of(list(map(encode_message, messages)))


def decode_to_worker(frame: bytes) -> list[ToWorker]:
    """Return the messages of a frame. Raises `msgspec.MsgspecError`, also where it makes no sense."""
    messages = _TO_WORKER.decode(frame)
    return [_unescape(each, ToWorker) if type(each) is Escaped else each for each in messages]


def decode_from_worker(frame: bytes) -> list[FromWorker]:
    """Return the messages of a frame. Raises `msgspec.MsgspecError`, also where it makes no sense."""
    messages = _FROM_WORKER.decode(frame)
    return [_unescape(each, FromWorker) if type(each) is Escaped else each for each in messages]


def _unescape(message: Escaped, kinds: Any) -> Any:
    try:
        return msgspec.convert(unescape(message.data), kinds, dec_hook=unpack_hook, builtin_types=(bytes,))
    except (UnicodeDecodeError, TypeError, ValueError) as error:
        if isinstance(error, msgspec.MsgspecError):
            raise
        raise msgspec.DecodeError(str(error)) from error


# --- values of several types ------------------------------------------------------------------


def outcome_of(message: Completion) -> AttemptOutcome:
    """Return what the attempt came to."""
    turns = None if message.turns is None else unpack_turns(message.turns)
    if message.reply is not None:
        return message.reply if turns is None else ToolStep(turns=turns, reply=message.reply)
    if message.failure is None:
        raise msgspec.ValidationError("a completion without an outcome")
    return message.failure if turns is None else Continue(turns=turns, failure=message.failure)


def completion_of(outcome: AttemptOutcome, **rest: Any) -> Completion:
    """Return the message of an attempt's outcome; the `rest` are fields of `Completion`."""
    turns, ended = None, outcome
    if isinstance(outcome, ToolStep):
        turns, ended = pack_turns(outcome.turns), outcome.reply
    elif isinstance(outcome, Continue):
        turns, ended = pack_turns(outcome.turns), outcome.failure
    return Completion(
        reply=ended if isinstance(ended, Reply) else None,
        failure=ended if isinstance(ended, Failure) else None,
        turns=turns,
        **rest,
    )
