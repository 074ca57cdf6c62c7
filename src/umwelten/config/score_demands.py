"""Whether options ask for scores, and which of them mean nothing without."""

from __future__ import annotations

from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.phrases import Phrase


def wants_scores(settings: Settings) -> bool:
    """Return whether any option asks for scores."""
    return bool(settings.get("scorers") or settings.get("scorer"))


def check_unscored(settings: Settings) -> None:
    """Raise `UsageError` for an option that does nothing where no option asks for scores."""
    # What is expected also stands in prompts about earlier answers.
    names = ("fail_under", "judge", "samples", "check", *(() if settings.get("from_") else ("expected",)))
    for name in names if not wants_scores(settings) else ():
        if name in settings.given:
            raise UsageError(
                Phrase("{option:{name}} goes with {option:scorer} or {option:scorers}", name=name),
                "Add one, or leave it out.",
                argument=name,
            )
