"""The settings of a run that can be changed while it goes on, as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypedDict


class LiveSettings(TypedDict, total=False):
    """The arguments of `Job.set`, each as in `umwelten.run`; `None` takes away a cap or a rate."""

    max_concurrency: int | Literal["auto"]
    provider_concurrency: Mapping[str, int | None]
    rate: Mapping[str, str | float | None]
    max_cost: float | None
    max_errors: int | None
    timeout_s: float
    retries: int
