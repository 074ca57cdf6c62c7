"""What carries messages to the workers of a run, by the kind of its engine."""

from __future__ import annotations

from collections.abc import Callable, Collection

from umwelten.evaluation.spec import EngineChoice
from umwelten.fleet.carrier import Carrier
from umwelten.fleet.ray_carrier import RayCarrier

Tell = Callable[[str], None]

MakeCarrier = Callable[[EngineChoice, Collection[str], Tell, Tell], Carrier]
"""Makes one, given the choice, the variables that workers of a cluster of this run must not have, what tells
the user something, and what is told why there will be no more workers."""


def _ray(choice: EngineChoice, hidden: Collection[str], note: Tell, on_gone: Tell) -> Carrier:
    return RayCarrier(
        choice.address or None,
        choice.workers,
        hidden=hidden,
        with_pip=choice.env == "pip",
        note=note,
        on_gone=on_gone,
    )


CARRIERS: dict[str, MakeCarrier] = {"ray": _ray}
