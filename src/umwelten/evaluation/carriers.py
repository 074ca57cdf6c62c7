"""What carries messages to the workers of a run, by the kind of its engine."""

from __future__ import annotations

from collections.abc import Callable, Collection

from umwelten.evaluation.spec import EngineChoice
from umwelten.fleet.carrier import Carrier
from umwelten.fleet.ray_carrier import RayCarrier

MakeCarrier = Callable[[EngineChoice, Collection[str], Callable[[str], None]], Carrier]
"""Makes one, given the choice, the variables that workers of a cluster of this run must not have, and what
tells the user something."""


def _ray(choice: EngineChoice, hidden: Collection[str], note: Callable[[str], None]) -> Carrier:
    return RayCarrier(
        choice.address or None, choice.workers, hidden=hidden, with_pip=choice.env == "pip", note=note
    )


CARRIERS: dict[str, MakeCarrier] = {"ray": _ray}
