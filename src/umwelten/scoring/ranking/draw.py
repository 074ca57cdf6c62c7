"""Which answers are compared, where that is not all of them, and who is shown first where one order is asked.

Nothing here is left to dice: the same seed draws the same, however models and files are sorted.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from hashlib import blake2b
from itertools import islice
from typing import TypeVar

from umwelten.scoring.ranking.contestants import Contestant
from umwelten.types import FrozenStruct

ALL = "all"
_SHARE = re.compile(r"\s*(\d{1,12}(?:\.\d{1,9})?)\s*(%?)\s*", re.ASCII)
_EXPECTED = "all, a share above 0% up to 100%, such as 25%, or a number from 1 on, such as 500"
_T = TypeVar("_T")


class Row(FrozenStruct):
    """A question that all contestants were asked: a file (or row of a table), a prompt, a repeat.

    `prompt` is `None` where there is one, or prompts are what is ranked.
    """

    file: str
    prompt: str | None = None
    repeat: int = 1


class PairShare(FrozenStruct):
    """How many of all comparisons are drawn: a `share` of them, or a `number`; all if neither is given."""

    share: Fraction | None = None
    number: int | None = None

    @classmethod
    def parse(cls, text: str) -> PairShare:
        """Return what `all`, `25%` or `500` stands for. Errors: `ValueError` says what may be given."""
        if text.strip().casefold() == ALL:
            return cls()
        match = _SHARE.fullmatch(text)
        if match is not None:
            amount = Fraction(match[1])
            if match[2] and 0 < amount <= 100:
                return cls(share=amount / 100)
            if not match[2] and amount >= 1 and amount.denominator == 1 and "." not in match[1]:
                return cls(number=int(amount))
        raise ValueError(f"give {_EXPECTED}")

    def of(self, total: int) -> int:
        """Return how many comparisons of `total` are drawn: at least one, where there is any, at most all."""
        if self.number is not None:
            return min(self.number, total)
        # Rounded up: a small share of few comparisons is not none.
        return total if self.share is None else math.ceil(self.share * total)


def comparisons(rows: int, contestants: int, *, against: bool = False) -> int:
    """Return how many comparisons there are in all: rows times pairs of contestants, or pairs with one."""
    return rows * (contestants - 1 if against else math.comb(contestants, 2))


def drawn(
    rows: Sequence[Row],
    contestants: Sequence[Contestant],
    *,
    seed: str,
    share: PairShare | None = None,
    against: Contestant | None = None,
) -> Iterator[tuple[Row, Contestant, Contestant]]:
    """Yield the comparisons to be judged; a larger share begins with those of a smaller one.

    `rows` are those that all contestants were asked, each once. After any number of comparisons each row,
    each pair and each contestant was drawn as often as any other, or once more; so was each file, where all
    files have the same prompts and repeats. `against`: only pairs with this contestant. The two of a
    comparison are always in the same order, which says nothing about their seats. Errors: `ValueError` for
    fewer than two contestants, one that is given twice, or `against` one that is none of them.
    """
    pairs = _pairs(contestants, seed, against)
    ordered = _ordered_rows(rows, seed)
    total = len(ordered) * len(pairs)
    count = total if share is None else share.of(total)
    return islice(((ordered[row], *pairs[pair]) for row, pair in _cells(len(ordered), len(pairs))), count)


def seat(row: Row, a: Contestant, b: Contestant, seed: str) -> bool:
    """Return whether `a` is shown first, where a comparison is asked in one order only.

    By the hash of the question and the two: half of all, whatever order they are named in.
    """
    one, other = sorted((contestant_key(a), contestant_key(b)))
    hashed = _hash(seed, row.file, row.prompt or "", str(row.repeat), *one, *other)
    return bool(hashed[0] & 1) == (contestant_key(a) == one)


def contestant_key(contestant: Contestant) -> tuple[str, str, str]:
    """Return what contestants are sorted by, which depends on nothing else."""
    return contestant.model, contestant.prompt or "", contestant.evaluation or ""


# --- order ---


def _cells(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """Yield every cell of a grid once, so that rows and columns alike come round in turn.

    Both indexes count up together, which repeats itself after lcm(rows, columns) cells; then rows go on by
    one.
    """
    if not rows or not columns:
        return
    period = math.lcm(rows, columns)
    for n in range(rows * columns):
        yield (n + n // period) % rows, n % columns


def _ordered_rows(rows: Sequence[Row], seed: str) -> list[Row]:
    """Return the rows in an order in which files come round in turn, and so do prompts and repeats."""
    files = _shuffled({row.file for row in rows}, seed, "file")
    prompts = _shuffled({row.prompt or "" for row in rows}, seed, "prompt")
    repeats = sorted({row.repeat for row in rows})
    asked = [(prompt, repeat) for repeat in repeats for prompt in prompts]
    there = {(row.file, row.prompt or "", row.repeat): row for row in rows}
    places = ((files[file], *asked[one]) for one, file in _cells(len(asked), len(files)))
    return [there[place] for place in places if place in there]


def _pairs(
    contestants: Sequence[Contestant], seed: str, against: Contestant | None
) -> list[tuple[Contestant, Contestant]]:
    """Return the pairs in an order of which every beginning has each contestant alike, or once more."""
    keys = {contestant_key(each): each for each in contestants}
    if len(keys) < len(contestants) or len(keys) < 2:
        raise ValueError(f"{len(keys)} of {len(contestants)} contestants are different: two or more must be")
    shuffled = [keys[key] for key in _shuffled(keys, seed, "contestant")]
    if against is None:
        found = [(shuffled[i], shuffled[j]) for i, j in _tournament(len(shuffled))]
    elif contestant_key(against) in keys:
        found = [(against, other) for other in shuffled if other != against]
    else:
        raise ValueError(f"{against} is none of the contestants: {', '.join(map(str, contestants))}")
    return [(a, b) if contestant_key(a) < contestant_key(b) else (b, a) for a, b in found]


def _tournament(size: int) -> Iterator[tuple[int, int]]:
    """Yield every pair of 0 … size − 1 once, each number alike or once more at any time.

    An even number: rounds in which each plays once, by the circle method (Kirkman 1847): one stays, the
    others go round. An odd number, where somebody would sit out: Walecki's cycles through all (Lucas 1892,
    Récréations mathématiques II), of each every second edge first, which meets all numbers once and one of
    them twice, and then the others.
    """
    if size % 2 == 0:
        others = size - 1
        for turn in range(others):
            yield others, turn
            for step in range(1, size // 2):
                yield (turn + step) % others, (turn - step) % others
        return
    others = size - 1
    for turn in range(others // 2):
        zigzag = [(turn + ((step + 1) // 2 if step % 2 else -(step // 2))) % others for step in range(others)]
        cycle = [others, *zigzag]
        edges = [(cycle[i], cycle[(i + 1) % size]) for i in range(size)]
        yield from edges[0::2]
        yield from edges[1::2]


def _shuffled(values: Iterable[_T], seed: str, what: str) -> list[_T]:
    """Return different values in an order that the seed decides, and not the one they are given in."""

    def key(value: _T) -> tuple[bytes, str]:
        # By what it is called where two hashes are equal.
        return _hash(seed, what, str(value)), str(value)

    return sorted(values, key=key)


def _hash(*parts: str) -> bytes:
    data = "\0".join(parts).encode(errors="surrogatepass")
    return blake2b(data, digest_size=8, person=b"umwelten.pairs").digest()
