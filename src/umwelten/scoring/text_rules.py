"""Rules that compare texts."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from umwelten.scoring.budget import spend
from umwelten.scoring.choices import ChoiceReader
from umwelten.scoring.folding import Fold, fold
from umwelten.scoring.numbers import as_text, take_number, within
from umwelten.scoring.overlap import (
    chrf_counts,
    chrf_value,
    edit_similarity,
    rouge_l,
    rouge_n,
    rouge_tokens,
    token_f1,
)
from umwelten.scoring.pattern_cost import compile_pattern
from umwelten.scoring.rule import CannotScore, Found, Rule, Settings, shown
from umwelten.scoring.score import Answer

_CHRF_STEPS = 120
"""Steps a character: six counts of pieces of text, each a new string."""
_COMPARED = 1_000
"""Characters that are compared in a step, where the machine's own comparison does it."""

_fold_reference = lru_cache(maxsize=256)(fold)
"""A reference is compared with the answers of all models. Only short ones are kept: `_folded`."""
_fold_answer = lru_cache(maxsize=4)(fold)
"""An answer is compared with several references, by several scorers."""


def _folded(reference: str, how: Fold) -> str:
    return _fold_reference(reference, how) if len(reference) <= 10_000 else fold(reference, how)


def exact(settings: Settings) -> Rule:
    """1 if the texts are equal after folding."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        return Found(float(_fold_answer(text, how) == _folded(reference, how)))

    return rule


def label(settings: Settings) -> Rule:
    """1 if the labels are equal after folding; the label is the reference's where they are."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        said, wanted = _fold_answer(text, how), _folded(reference, how)
        return Found(1.0, reference) if said == wanted else Found(0.0, shown(said))

    return rule


def find(where: str) -> Callable[[Settings], Rule]:
    """Rules of `contains` (`where` is "in"), "starts" and "ends"."""

    def make(settings: Settings) -> Rule:
        holds = _holds(where, settings)
        how: Fold = settings["fold"]

        def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
            return Found(float(holds(_fold_answer(text, how), reference, limit)))

        return rule

    return make


def find_several(enough: Callable[[Any], bool], says: str) -> Callable[[Settings], Rule]:
    """Rules of `contains-all` and `contains-any`, whose reference is the whole list."""

    def make(settings: Settings) -> Rule:
        holds = _holds("in", settings)
        how: Fold = settings["fold"]

        def rule(answer: Answer, text: str, reference: list[str], limit: float) -> Found:
            folded = _fold_answer(text, how)
            missing = [word for word in reference if not holds(folded, word, limit)]
            found = enough(word not in missing for word in reference)
            names = ", ".join(shown(word) for word in missing[:5])
            return Found(float(found), reason=None if found else f"{says}: {names}")

        return rule

    return make


def _holds(where: str, settings: Settings) -> Callable[[str, str, float], bool]:
    how: Fold = settings["fold"]
    whole = bool(settings["words"])

    def holds(text: str, reference: str, limit: float) -> bool:
        wanted = _folded(reference, how)
        if not wanted:
            raise CannotScore("no_reference", f"nothing is left of {shown(reference)!r} to look for")
        if where == "starts":
            return text.startswith(wanted) and (not whole or _ends_word(text, len(wanted)))
        if where == "ends":
            return text.endswith(wanted) and (not whole or _ends_word(text, len(text) - len(wanted)))
        if not whole:
            return wanted in text
        spend(len(text) * (1 + len(wanted) / _COMPARED), limit)
        place = text.find(wanted)
        while place >= 0:
            if _ends_word(text, place) and _ends_word(text, place + len(wanted)):
                return True
            place = text.find(wanted, place + 1)
        return False

    return holds


def _ends_word(text: str, place: int) -> bool:
    """Return whether no word goes on over this place."""
    return not (0 < place < len(text) and _in_word(text[place - 1]) and _in_word(text[place]))


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def regex(settings: Settings) -> Rule:
    """Found or not; with a group, the first match's group is compared with the reference."""
    pattern, cost = compile_pattern(settings["value"])
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str | None, limit: float) -> Found:
        spend(cost.steps(text, limit), limit)
        match = pattern.search(text)
        if match is None:
            return Found(0.0, reason="not found")
        if not pattern.groups:
            return Found(1.0, shown(match[0]))
        group = match[1] or ""
        return Found(float(fold(group, how) == _folded(reference or "", how)), shown(group))

    return rule


def choice(settings: Settings) -> Rule:
    """1 if the letter that the answer chooses is the reference's."""
    reader = ChoiceReader(settings["letters"])
    letters = {letter.casefold(): letter for letter in settings["letters"]}

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        wanted = letters.get(reference.strip(" ().:").casefold())
        if wanted is None:
            message = f"the reference {shown(reference)!r} is none of {settings['letters']}"
            raise CannotScore("no_reference", message)
        chosen = reader.read(text)
        if chosen is None and text.strip(" \n\t*_$().").casefold() == wanted.casefold():
            chosen = wanted
        return Found(float(chosen == wanted), chosen, "no choice" if chosen is None else None)

    return rule


def number(settings: Settings) -> Rule:
    """1 if the answer's number is the reference's."""

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        expected = take_number(reference, "only", percent=settings["percent"])
        if expected is None:
            raise CannotScore("no_reference", f"the reference {shown(reference)!r} is no number")
        said = take_number(text, settings["take"], percent=settings["percent"])
        if said is None:
            return Found(0.0, reason="no number")
        close = within(said, expected, settings["tolerance"], settings["within"])
        return Found(float(close), shown(as_text(said)))

    return rule


def bag_of_words(settings: Settings) -> Rule:
    """F1 of the words."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        return Found(token_f1(_fold_answer(text, how).split(), _folded(reference, how).split()))

    return rule


def rouge(n: int | None) -> Callable[[Settings], Rule]:
    """F1 of n-grams; without `n`, of the longest common subsequence."""

    def make(settings: Settings) -> Rule:
        def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
            expected = rouge_tokens(fold(reference, settings["fold"]))
            if len(expected) < (n or 1):
                raise CannotScore(
                    "scorer_error", f"ROUGE counts words of a-z and 0-9; the reference has {len(expected)}"
                )
            found = rouge_tokens(_fold_answer(text, settings["fold"]))
            return Found(rouge_l(found, expected, limit) if n is None else rouge_n(found, expected, n))

        return rule

    return make


def chrf(settings: Settings) -> Rule:
    """chrF2 / 100."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        spend(_CHRF_STEPS * (len(text) + len(reference)), limit)
        return Found(min(1.0, chrf_value(chrf_counts(_fold_answer(text, how), _folded(reference, how)))))

    return rule


def edit(settings: Settings) -> Rule:
    """1 − edit distance / longer length."""
    how: Fold = settings["fold"]

    def rule(answer: Answer, text: str, reference: str, limit: float) -> Found:
        return Found(edit_similarity(_fold_answer(text, how), _folded(reference, how), limit))

    return rule


def check_pattern(pattern: str) -> None:
    """Raise `ValueError` that shows the place for a pattern that cannot be used."""
    try:
        compiled, _ = compile_pattern(pattern)
    except re.error as error:
        shown_up_to = f"\n  {pattern}\n  {' ' * (error.pos or 0)}^" if "\n" not in pattern else ""
        raise ValueError(f"is no regular expression: {error.msg}{shown_up_to}") from None
    if compiled.groups > 1:
        raise ValueError(f"has {compiled.groups} groups; write all but the one to compare as (?:…)")
