"""How many calls may be in flight, from the settings; and what is worth a note about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from umwelten.config.layers import DEFAULT
from umwelten.config.option_types import MAX_CONCURRENCY
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording
from umwelten.providers.protocol import Vendor
from umwelten.providers.retired import retirement
from umwelten.text.suggestions import closest, did_you_mean


def max_concurrency(settings: Settings, notes: list[Wording]) -> int | Literal["auto"]:
    """Return the cap over all providers. If only ceilings of providers are given, it is their sum."""
    cap: int | Literal["auto"] = settings.get("max_concurrency")
    ceilings = settings.get("provider_concurrency")
    if ceilings and settings.source("max_concurrency") == DEFAULT:
        cap = min(sum(ceilings.values()), MAX_CONCURRENCY)
        notes.append(
            Phrase(
                "up to {cap} calls in flight, from {option:provider_concurrency}; "
                "{option:max_concurrency} sets it",
                cap=cap,
            )
        )
    return cap


def check_ceilings(settings: Settings, known: Mapping[str, Vendor]) -> None:
    """Raises `UsageError` for a ceiling of a provider that there is not."""
    for name in settings.get("provider_concurrency"):
        if name not in known and (ended := retirement(name)):
            raise UsageError(*ended, argument="provider_concurrency")
        if name not in known:
            raise UsageError(
                Phrase("{option:provider_concurrency}: {name!r} is not a known provider", name=name),
                did_you_mean(closest(name, known)) or f"Known are {', '.join(known)}.",
                argument="provider_concurrency",
            )
