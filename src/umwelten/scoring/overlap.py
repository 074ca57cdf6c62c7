"""How much two texts or lists have in common, each from 0 to 1."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Hashable, Sequence

from umwelten.scoring.budget import spend

_WORD = re.compile(r"[a-z0-9]+")
_BITS = 64
"""Bits that one step of a bit-parallel algorithm handles."""
_CHRF_ORDER = 6
_CHRF_BETA_2 = 4  # recall counts twice as much: chrF2


def token_f1(found: Sequence[str], expected: Sequence[str]) -> float:
    """Return F1 of two bags of words, as SQuAD counts them; 1 if both are empty."""
    if not found or not expected:
        return float(found == expected or not (found or expected))
    same = (Counter(found) & Counter(expected)).total()
    return f1(same / len(found), same / len(expected))


def set_overlap(found: Collection[Hashable], expected: Collection[Hashable], part: str = "f1") -> float:
    """Return F1, precision or recall of two lists; an item counts once. 1 if both are empty."""
    ours, theirs = set(found), set(expected)
    if not ours or not theirs:
        return float(not ours and not theirs)
    same = len(ours & theirs)
    precision, recall = same / len(ours), same / len(theirs)
    return precision if part == "precision" else recall if part == "recall" else f1(precision, recall)


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean of precision and recall, 0 if both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def rouge_tokens(text: str) -> list[str]:
    """Return the words as the package rouge-score counts them without a stemmer: of a-z and 0-9."""
    return _WORD.findall(text.lower())


def rouge_n(found: Sequence[str], expected: Sequence[str], n: int) -> float:
    """Return F1 of the n-grams of two token lists; 0 if either has none."""
    ours, theirs = (Counter(zip(*(t[i:] for i in range(n)), strict=False)) for t in (found, expected))
    if not ours or not theirs:
        return 0.0
    same = (ours & theirs).total()
    return f1(same / ours.total(), same / theirs.total())


def rouge_l(found: Sequence[str], expected: Sequence[str], limit: float = math.inf) -> float:
    """Return F1 of the longest common subsequence of two token lists. Errors: `TooCostly`."""
    if not found or not expected:
        return 0.0
    same = common_subsequence(found, expected, limit)
    return f1(same / len(found), same / len(expected))


def common_subsequence(first: Sequence[str], second: Sequence[str], limit: float = math.inf) -> int:
    """Return the length of the longest common subsequence (Hyyrö 2004, bit-parallel). Errors: `TooCostly`."""
    short, long = sorted((first, second), key=len)
    spend(len(long) * (1 + len(short) / _BITS), limit)
    places = _places(short)
    full = (1 << len(short)) - 1
    vector = full
    for item in long:
        matches = places.get(item, 0)
        kept = vector & matches
        vector = ((vector + kept) | (vector - kept)) & full
    return len(short) - vector.bit_count()


def edit_similarity(found: str, expected: str, limit: float = math.inf) -> float:
    """Return 1 − Levenshtein distance / longer length; 1 if both are empty. Errors: `TooCostly`."""
    longer = max(len(found), len(expected))
    return 1 - edit_distance(found, expected, limit) / longer if longer else 1.0


def edit_distance(first: str, second: str, limit: float = math.inf) -> int:
    """Return the Levenshtein distance (Myers 1999, Hyyrö 2003, bit-parallel). Errors: `TooCostly`."""
    if first == second:
        return 0
    short, long = sorted((first, second), key=len)
    if not short:
        return len(long)
    # Some dozen operations a column.
    spend(12 * len(long) * (1 + len(short) / _BITS), limit)
    places = _places(short)
    full = (1 << len(short)) - 1
    top = 1 << (len(short) - 1)
    distance = len(short)
    plus, minus = full, 0
    for character in long:
        matches = places.get(character, 0)
        vertical = matches | minus
        diagonal = (((matches & plus) + plus) ^ plus) | matches
        horizontal_plus = minus | (full & ~(diagonal | plus))
        horizontal_minus = plus & diagonal
        if horizontal_plus & top:
            distance += 1
        elif horizontal_minus & top:
            distance -= 1
        horizontal_plus = ((horizontal_plus << 1) | 1) & full
        horizontal_minus = (horizontal_minus << 1) & full
        plus = horizontal_minus | (full & ~(vertical | horizontal_plus))
        minus = horizontal_plus & vertical
    return distance


def _places(items: Sequence[str]) -> dict[str, int]:
    """Return a bit for each place where an item stands."""
    where: dict[str, list[int]] = {}
    for number, item in enumerate(items):
        where.setdefault(item, []).append(number)
    return {item: _bits(numbers) for item, numbers in where.items()}


def _bits(numbers: Sequence[int]) -> int:
    # One number of all bits: shifting a long number for each bit would take the square of their count.
    data = bytearray(numbers[-1] // 8 + 1)
    for number in numbers:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")


def chrf_counts(found: str, expected: str) -> list[tuple[int, int, int]]:
    """Return how many n-grams of characters each text has, and both, for n from 1 to 6 as in sacrebleu."""
    ours, theirs = "".join(found.split()), "".join(expected.split())
    counts = []
    for n in range(1, _CHRF_ORDER + 1):
        a, b = (Counter(t[i : i + n] for i in range(len(t) - n + 1)) for t in (ours, theirs))
        counts.append((a.total() if b else 0, b.total(), (a & b).total()))
    return counts


def chrf_value(counts: Sequence[tuple[int, int, int]]) -> float:
    """Return chrF2 / 100 of such counts, or of their sums over sentences."""
    used = [(same / ours, same / theirs) for ours, theirs, same in counts if ours and theirs]
    if not used:
        return 0.0
    precision = sum(p for p, _ in used) / len(used)
    recall = sum(r for _, r in used) / len(used)
    if not precision + recall:
        return 0.0
    return (1 + _CHRF_BETA_2) * precision * recall / (_CHRF_BETA_2 * precision + recall)
