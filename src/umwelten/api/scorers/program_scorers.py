"""What a program names as scorers, read: scorers, their short form, functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from umwelten.api.scorers.others import Function
from umwelten.api.scorers.scorer import PLACE, Scorer
from umwelten.errors import ConfigError, UsageError
from umwelten.scoring.definition import Definition, check_name, read_short_form
from umwelten.text.suggestions import closest, did_you_mean

ScorerLike = Scorer | str | Callable[..., Any]
"""A scorer, its short form such as "contains:Paris", or a function."""


def read_program_scorers(
    named: Mapping[str, Any], arguments: Collection[str]
) -> dict[str, tuple[Definition, Callable[..., Any] | None]]:
    """Return each scorer's definition, and the function where it is one. Errors: `UsageError`, `ConfigError`.

    `arguments` are names that stand for something else than a scorer.
    """
    found: dict[str, tuple[Definition, Callable[..., Any] | None]] = {}
    for name, given in named.items():
        if not isinstance(name, str):
            raise UsageError(f"scorers: {name!r} cannot be the name of a scorer", "Names are texts.")
        if given is None:
            continue
        scorer = _scorer(name, given, arguments)
        if isinstance(scorer, Definition):
            found[name] = (scorer, None)
        else:
            function = scorer.function if isinstance(scorer, Function) else None
            found[name] = (scorer._definition(name), function)
    return found


def _scorer(name: str, given: Any, arguments: Collection[str]) -> Scorer | Definition:
    near = closest(name, arguments)
    hint = did_you_mean(f"{near}=") if near else None
    if isinstance(given, Scorer):
        return given
    if isinstance(given, str):
        check_name(name, PLACE.name)
        try:
            return read_short_form(f"{name}={given}", PLACE)
        except ConfigError as error:
            raise ConfigError(error.wording, hint or error.hint_wording) from None
    if isinstance(given, type) and issubclass(given, Scorer):
        try:
            return given()
        except TypeError as error:
            raise UsageError(f"scorer {name!r}: {given.__name__} {error}") from None
    if callable(given) and not isinstance(given, type):
        return Function(given)
    raise UsageError(
        f"scorer {name!r} is {given!r:.80}",
        hint or 'Give a scorer such as umwelten.Exact(…), a text such as "contains:Paris", or a function.',
    )
