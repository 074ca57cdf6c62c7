"""Providers that ended: their names stay known, so that who uses one is told what to do."""

from __future__ import annotations

from collections.abc import Mapping

RETIRED: Mapping[str, tuple[str, str]] = {
    "github-models": ("30 July 2026", "Use openai: or openrouter: with the same models."),
}
"""When each ended, and what replaces it; as in its announcement."""


def retirement(name: str) -> tuple[str, str] | None:
    """Return the message and the hint for a provider that ended, `None` for any other name."""
    if name not in RETIRED:
        return None
    date, instead = RETIRED[name]
    return f"{name} ended on {date}", instead
