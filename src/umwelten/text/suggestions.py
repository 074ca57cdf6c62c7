"""Suggestions for names that do not exist, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


def closest(word: str, names: Iterable[str], *, ignore_case: bool = False) -> str | None:
    """Return the one of `names` whose spelling is closest to `word`, or `None` if none is similar."""
    spellings = {name.casefold() if ignore_case else name: name for name in names}
    matches = get_close_matches(word.casefold() if ignore_case else word, spellings, n=1)
    return spellings[matches[0]] if matches else None


def did_you_mean(name: object | None, form: str = "{}") -> str:
    """Return `Did you mean NAME?`, or "" without a name. `form` formats it, such as `{!r}`."""
    return "" if name is None else f"Did you mean {form.format(name)}?"


def did_you_mean_clause(name: object | None, form: str = "{}") -> str:
    """Return `; did you mean NAME?` for the end of a sentence, or ""."""
    return "" if name is None else f"; did you mean {form.format(name)}?"


def sentences(*parts: str) -> str | None:
    """Return the parts that are not empty as one text, such as a hint; `None` if all are empty."""
    return " ".join(filter(None, parts)) or None
