"""Facts as values, and what tells two of them apart."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, get_args

from umwelten.errors import UsageError
from umwelten.store.rows import clean
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

FactType = Literal["preference", "plan", "professional", "health", "activity", "person", "other"]
FACT_TYPES: tuple[str, ...] = get_args(FactType)

MAX_FACT = 1_000
"""Characters of a fact or a quote. A longer one is no single fact, and would crowd out the others."""

MAX_SCOPE = 300
"""Characters of a scope: it is a name. A longer one is an input's text, put there by mistake."""

_ENDS = " \t\r\n.,;:!?…。！？"


class Fact(FrozenStruct):
    """A fact of a store. `seq` is the number of the change that added it, `at` when that was (Unix seconds).

    `source_eval`, `source_call` and `source_name` say which call about which input it was learnt from, and
    `quote` the words there; `None` for one that was added by hand. `ended` says why it is not known any more:
    "updated" and "changed" (another fact took its place, `superseded_by`, or its input no longer says it), or
    "deleted"; `None`: it is known. `inputs` is the number of inputs that say it.
    """

    id: int
    scope: str
    type: str
    text: str
    seq: int
    at: float
    source_eval: str | None = None
    source_call: str | None = None
    source_name: str | None = None
    quote: str | None = None
    ended: str | None = None
    ended_at: float | None = None
    superseded_by: int | None = None
    inputs: int = 0


class NewFact(FrozenStruct):
    """A fact that is to be added. One from another store has its time and its source from there."""

    type: str
    text: str
    quote: str | None = None
    at: float | None = None
    source_eval: str | None = None
    source_call: str | None = None
    source_name: str | None = None


class LearntInput(FrozenStruct):
    """What was learnt from an input. `call` is the key of its call in `evaluation`.

    `found` is how many facts the model named, of which `unquoted` were left out and `cut` were shortened.
    """

    evaluation: str
    name: str
    call: str
    scope: str
    facts: tuple[NewFact, ...]
    found: int
    unquoted: int = 0
    cut: int = 0


def scope_form(scope: str) -> str:
    """Return a scope as it is stored and looked for: é is one character, and blanks around it go."""
    return " ".join(unicodedata.normalize("NFC", clean(scope)).split())


def check_fact(scope: str, fact: NewFact) -> tuple[str, NewFact]:
    """Return a fact that may be added by hand, with the scope's form. Raises `UsageError`."""
    form = scope_form(scope)
    if not form:
        raise UsageError(f"the fact {fact.text[:60]!r} has no scope", "Say whose it is.")
    if len(form) > MAX_SCOPE:
        raise UsageError(
            f"the scope {form[:40]!r}… has {len(form):,} characters", f"At most {MAX_SCOPE} are a name."
        )
    check_type(fact.type)
    if not norm(fact.text):
        raise UsageError(f"a fact of {form[:60]!r} is empty", "A fact is a sentence, such as 'Likes tea'.")
    return form, fact


def check_type(type: str) -> None:
    """Raise `UsageError` for a type that there is not."""
    if type not in FACT_TYPES:
        near = did_you_mean(closest(type, FACT_TYPES))
        raise UsageError(
            f"there is no type {type[:60]!r}", sentences(near, f"Types are {', '.join(FACT_TYPES)}.")
        )


def norm(text: str) -> str:
    """Return a fact as it is compared: without case, further blanks and final punctuation."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(_ENDS)


_QUOTES = {ord(char): "'" for char in '‘’‚‛“”„‟«»"`´'}
_DASHES = {ord(char): "-" for char in "‐‑‒–—−"}


def flat(text: str) -> str:
    """Return a text in which a quote is looked for: without case, further blanks and forms of quotes."""
    shaped = unicodedata.normalize("NFKC", text).translate(_QUOTES | _DASHES)
    return " ".join(shaped.casefold().split())


def is_quoted(quote: str, flat_text: str) -> bool:
    """Return whether a quote occurs in a text (`flat`): its words as they stand, or several parts with … ."""
    parts = [part for part in (flat(piece).strip(" '") for piece in re.split(r"\.\.\.|…", quote)) if part]
    at = 0
    for part in parts:
        found = flat_text.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return bool(parts)
