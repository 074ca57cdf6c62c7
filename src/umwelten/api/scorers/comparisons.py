"""Scorers that compare an answer with what it should be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal

from umwelten.api.scorers.scorer import Expected, Referenced, Scorer
from umwelten.scoring.folding import Fold


class _Compared(Referenced, frozen=True, kw_only=True):
    value: Expected | None = None
    of: str | None = None
    several: str | None = None


class _YesNo(_Compared, frozen=True, kw_only=True):
    fold: Fold = "case"
    not_: bool = False


class _Found(_YesNo, frozen=True, kw_only=True):
    words: bool = False


class Exact(_YesNo, frozen=True, kw_only=True):
    """Yes if the answer equals `expected` after folding.

    `fold`: "case" (case and outer blanks do not count), "none", or "words" (nor do punctuation and articles).
    `of`: a path in the answer's record in place of the text; `several`: what parts several expected answers
    in one text; `not_` turns the result round.

    >>> umwelten.Exact("{{row.answer}}", fold="words").fold
    'words'
    """

    _type: ClassVar[str] = "exact"


class Contains(_Found, frozen=True, kw_only=True):
    """Yes if the answer contains `expected`; with `words=True` as whole words."""

    _type: ClassVar[str] = "contains"


class ContainsAll(_Found, frozen=True, kw_only=True):
    """Yes if the answer contains all of the list `expected`."""

    _type: ClassVar[str] = "contains-all"


class ContainsAny(_Found, frozen=True, kw_only=True):
    """Yes if the answer contains any of the list `expected`."""

    _type: ClassVar[str] = "contains-any"


class Starts(_Found, frozen=True, kw_only=True):
    """Yes if the answer starts with `expected`."""

    _type: ClassVar[str] = "starts"


class Ends(_Found, frozen=True, kw_only=True):
    """Yes if the answer ends with `expected`."""

    _type: ClassVar[str] = "ends"


class Label(_YesNo, frozen=True, kw_only=True):
    """Yes if the answer is the class `expected`; reports add the agreement over all classes."""

    _type: ClassVar[str] = "label"


class _Pattern(Scorer, frozen=True, kw_only=False):
    value: str


class Regex(_Pattern, frozen=True, kw_only=True):
    """Yes if the regular expression `value` is found; with one group, if the group equals `expected`."""

    _type: ClassVar[str] = "regex"

    expected: str | Path | None = None
    of: str | None = None
    several: str | None = None
    fold: Fold = "case"
    not_: bool = False


class Choice(_Compared, frozen=True, kw_only=True):
    """Yes if the letter chosen (the last of `Answer: B`, `(B)` or `B.` alone on a line) is `expected`."""

    _type: ClassVar[str] = "choice"

    letters: str = "ABCD"
    not_: bool = False


class Number(_Compared, frozen=True, kw_only=True):
    """Yes if the answer's number equals `expected`.

    `tolerance` is absolute, `within` relative (`0.01` or `"1%"`); `take`: which of several numbers;
    `percent=True`: 60% is 0.6.

    >>> umwelten.Number("{{row.answer}}", within=0.01).within
    0.01
    """

    _type: ClassVar[str] = "number"

    tolerance: float = 0
    within: float | str = 0
    take: Literal["last", "first", "only"] = "last"
    percent: bool = False
    not_: bool = False


class Math(_Compared, frozen=True, kw_only=True):
    """Yes if the answer's expression equals `expected` (needs `umwelten[math]`); in a process of its own.

    `timeout` is that of one answer: seconds or "10s".
    """

    _type: ClassVar[str] = "math"

    timeout: float | str = 10.0
    not_: bool = False


class _OfWords(_Compared, frozen=True, kw_only=True):
    fold: Fold = "words"


class _AsItIs(_Compared, frozen=True, kw_only=True):
    fold: Fold = "none"


class _Folded(_Compared, frozen=True, kw_only=True):
    fold: Fold = "case"


class F1(_OfWords, frozen=True, kw_only=True):
    """From 0 to 1: the F1 of the words that the answer and `expected` have in common, as SQuAD has it."""

    _type: ClassVar[str] = "f1"


class Rouge1(_AsItIs, frozen=True, kw_only=True):
    """From 0 to 1: ROUGE-1, the F1 of words."""

    _type: ClassVar[str] = "rouge-1"


class Rouge2(_AsItIs, frozen=True, kw_only=True):
    """From 0 to 1: ROUGE-2, the F1 of pairs of words."""

    _type: ClassVar[str] = "rouge-2"


class RougeL(_AsItIs, frozen=True, kw_only=True):
    """From 0 to 1: ROUGE-L, the F1 of the longest common subsequence."""

    _type: ClassVar[str] = "rouge-l"


class Chrf(_AsItIs, frozen=True, kw_only=True):
    """From 0 to 1: chrF2 of one sentence, as sacrebleu has it, divided by 100."""

    _type: ClassVar[str] = "chrf"


class Edit(_Folded, frozen=True, kw_only=True):
    """From 0 to 1: 1 minus the Levenshtein distance by the length of the longer text."""

    _type: ClassVar[str] = "edit"


class Set(_Folded, frozen=True, kw_only=True):
    """From 0 to 1: the F1 of two lists (the record's array, or lines), or another `part` of it."""

    _type: ClassVar[str] = "set"

    part: Literal["f1", "precision", "recall"] = "f1"


class Fields(Referenced, frozen=True, kw_only=True):
    """From 0 to 1: the mean over the fields of the reference, each of them a part with its own score.

    `types` says how a field is compared: "exact", "edit", "edit >= 0.8", "number", "date" or "set".
    `weights` are the fields' shares, `ignore` names fields that do not count; `tolerance` and `within` are
    for numbers.
    """

    _type: ClassVar[str] = "fields"

    ignore: Sequence[str] = ()
    weights: Mapping[str, float] = {}
    types: Mapping[str, str] = {}
    tolerance: float = 0
    within: float | str = 0
    fold: Fold = "case"
