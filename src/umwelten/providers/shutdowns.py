"""When vendors shut down models, as far as they announced it: a run does not ask for their lists.

As of 29 November 2026, from https://developers.openai.com/api/docs/deprecations and
https://ai.google.dev/gemini-api/docs/deprecations. `umwelten models list` shows what the lists state today.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import groupby

from umwelten.types import ModelRef

SOON_DAYS = 60
"""A date closer than this is marked: about what a vendor gives as notice, and enough to change over."""

_ANNOUNCED: Mapping[tuple[str, str], str] = {
    ("google", "2026-06-01"): """
        gemini-2.0-flash gemini-2.0-flash-001 gemini-2.0-flash-lite gemini-2.0-flash-lite-001
    """,
    ("google", "2026-12-01"): "gemini-2.5-flash gemini-2.5-pro",
    ("openai", "2026-10-23"): """
        gpt-3.5-turbo gpt-3.5-turbo-0125 gpt-4 gpt-4-0613 gpt-4-1106-preview gpt-4-turbo
        gpt-4-turbo-2024-04-09 gpt-4.1-nano gpt-4.1-nano-2025-04-14 gpt-4o-2024-05-13
        o1 o1-2024-12-17 o3-mini o3-mini-2025-01-31 o4-mini o4-mini-2025-04-16
    """,
    ("openai", "2026-12-11"): """
        gpt-5 gpt-5-2025-08-07 gpt-5-mini gpt-5-mini-2025-08-07 gpt-5-nano gpt-5-nano-2025-08-07
        o3 o3-2025-04-16
    """,
    ("openai", "2027-01-14"): """
        gpt-4.1 gpt-4.1-2025-04-14 gpt-4.1-mini gpt-4.1-mini-2025-04-14 gpt-4o gpt-4o-2024-08-06
        gpt-4o-2024-11-20 gpt-4o-mini gpt-4o-mini-2024-07-18
    """,
    ("openai", "2027-01-20"): "gpt-audio-mini gpt-audio-mini-2025-12-15",
    ("openai", "2027-04-01"): "gpt-5.1 gpt-5.1-2025-11-13 gpt-5.4-nano gpt-5.4-nano-2026-03-17",
}

SHUTDOWNS: Mapping[ModelRef, date] = {
    ModelRef(provider, name): date.fromisoformat(day)
    for (provider, day), names in _ANNOUNCED.items()
    for name in names.split()
}


def read_date(*values: object) -> date | None:
    """Return the first of a list's values that is a date, or begins with one."""
    for value in values:
        if isinstance(value, str):
            try:
                return date.fromisoformat(value[:10])
            except ValueError:
                continue
    return None


def shutdown_notes(models: Iterable[ModelRef], today: date) -> Iterator[str]:
    """Yield a line for the models of a run that are shut down, with the dates."""
    dated = sorted((SHUTDOWNS[model], str(model)) for model in models if model in SHUTDOWNS)
    parts = []
    for day, rows in groupby(dated, key=lambda row: row[0]):
        verb = "was to be shut down" if day < today else "will be shut down"
        parts.append(f"{', '.join(name for _, name in rows)} {verb} on {day:%Y-%m-%d}")
    if parts:
        yield f"{'; '.join(parts)}, as its provider announced"
