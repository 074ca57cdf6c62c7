"""Run prompts against many language models and many files at the same time.

    results = umwelten.run("Explain tides", "ollama:gemma3:12b,google:gemini-3.5-flash").wait()

Names are loaded when they are first used, so that `import umwelten` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from umwelten.version import __version__

if TYPE_CHECKING:
    from umwelten.api import (
        Answer,
        Answers,
        Failure,
        Job,
        NeverRun,
        Results,
        Summary,
        batch,
        evaluations,
        open,
        run,
    )
    from umwelten.errors import (
        ConfigError,
        EvaluationBusy,
        EvaluationChanged,
        EvaluationExists,
        InputError,
        LocalModelError,
        StoreError,
        UmweltenError,
        UsageError,
    )
    from umwelten.events import Event
    from umwelten.types import Usage

__all__ = [
    "Answer",
    "Answers",
    "ConfigError",
    "EvaluationBusy",
    "EvaluationChanged",
    "EvaluationExists",
    "Event",
    "Failure",
    "InputError",
    "Job",
    "LocalModelError",
    "NeverRun",
    "Results",
    "StoreError",
    "Summary",
    "UmweltenError",
    "Usage",
    "UsageError",
    "__version__",
    "batch",
    "evaluations",
    "open",
    "run",
]

_HOMES = {"Event": "umwelten.events", "Usage": "umwelten.types"}
_ERRORS = "umwelten.errors"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'umwelten' has no attribute {name!r}")
    import importlib

    home = _HOMES.get(name)
    if home is None:
        ours = importlib.import_module(_ERRORS)
        home = _ERRORS if hasattr(ours, name) else "umwelten.api"
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
