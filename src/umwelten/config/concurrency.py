"""How many calls may be in flight, from the settings; and what is worth a note about it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal

from umwelten.config.layers import DEFAULT
from umwelten.config.options import MAX_CONCURRENCY
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.providers.protocol import Vendor
from umwelten.wanted import Wanted


def max_concurrency(settings: Settings, notes: list[str]) -> int | Literal["auto"]:
    """The cap over all providers. Ceilings of providers alone mean: that many, in all."""
    cap: int | Literal["auto"] = settings.get("max_concurrency")
    ceilings = settings.get("provider_concurrency")
    if ceilings and settings.source("max_concurrency") == DEFAULT:
        cap = min(sum(ceilings.values()), MAX_CONCURRENCY)
        notes.append(f"up to {cap} calls in flight, from --provider-concurrency; --max-concurrency sets it")
    return cap


def check_ceilings(settings: Settings, known: Mapping[str, Vendor]) -> None:
    """Raises `UsageError` for a ceiling of a provider that there is not."""
    for name in settings.get("provider_concurrency"):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UsageError(
                f"--provider-concurrency: {name!r} is not a known provider",
                f"Did you mean {near[0]}?" if near else f"Known are {', '.join(known)}.",
            )


def note_high_caps(wanted: Wanted, known: Mapping[str, Vendor], notes: list[str]) -> None:
    """One note where a cap lies above what suits most accounts; it is obeyed."""
    if wanted.max_concurrency == "auto":
        return
    share = -(-wanted.max_concurrency // len(wanted.models))
    for name in dict.fromkeys(model.provider for model in wanted.models):
        low, high = known[name].recommended
        models = sum(1 for model in wanted.models if model.provider == name)
        calls = wanted.provider_concurrency.get(name, share * models)
        if name != "local" and calls > high:
            notes.append(
                f"{calls} calls in flight are more than the {low}-{high} that suit most {name} "
                "accounts; it slows down by itself where that is too many"
            )
