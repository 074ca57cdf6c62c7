"""Damage to the bytes of a file, whatever its type."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

_LIES = (
    b"\xff\xff\xff\xff",
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\0\0\0\0",
    b"\x80\0\0\0",
    b"\0\0\1\0",
)
_MOST = 2_000_000


def flipped(data: bytes, random: Random) -> bytes:
    """A few bits are others."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 2, 5, 20, 100))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def cut(data: bytes, random: Random) -> bytes:
    """The end is missing, or the beginning of the second half."""
    at = random.randrange(1, len(data) + 1)
    return data[:at] if random.random() < 0.7 else data[: at // 2] + data[at:]


def repeated(data: bytes, random: Random) -> bytes:
    """A block is there many times."""
    start = random.randrange(len(data))
    block = data[start : start + random.choice((1, 4, 30, 200, 2000))]
    times = min(random.choice((2, 10, 1000, 20_000)), _MOST // max(len(block), 1))
    return data[:start] + block * times + data[start:]


def lied(data: bytes, random: Random) -> bytes:
    """Numbers, such as lengths, are far too large, or 0."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 3, 10))):
        lie = random.choice(_LIES)[: random.choice((1, 2, 4))]
        at = random.randrange(min(len(changed), random.choice((64, 512, len(changed)))))
        changed[at : at + len(lie)] = lie
    return bytes(changed)


def counted(data: bytes, random: Random) -> bytes:
    """Numbers written in digits are others."""
    digits = [at for at in range(len(data)) if 48 <= data[at] < 58]
    changed = data
    for at in sorted(random.sample(digits, min(len(digits), 3)), reverse=True):
        lie = random.choice((b"0", b"-1", b"999999999", b"2147483648", b"9" * 400, b"1e308"))
        changed = changed[:at] + lie + changed[at + 1 :]
    return changed


def blanked(data: bytes, random: Random) -> bytes:
    """A block is nothing but zeros, or noise."""
    start, size = random.randrange(len(data)), random.choice((4, 64, 1000))
    return (
        data[:start]
        + (bytes(size) if random.random() < 0.5 else random.randbytes(size))
        + data[start + size :]
    )


def spliced(data: bytes, random: Random, other: bytes) -> bytes:
    """The beginning of one file and the end of another."""
    return data[: random.randrange(1, len(data) + 1)] + other[random.randrange(len(other)) :]


DAMAGES: tuple[Callable[[bytes, Random], bytes], ...] = (flipped, cut, repeated, lied, counted, blanked)
