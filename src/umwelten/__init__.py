"""Run prompts against many language models and many files at the same time."""

from __future__ import annotations

from umwelten.about import __version__

__all__ = ["__version__"]
