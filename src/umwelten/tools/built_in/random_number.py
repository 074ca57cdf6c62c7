"""The tool `random_number`: drawn from the call's own seed, so that it is the same when a call is resumed."""

from __future__ import annotations

import hashlib
import math
from random import Random
from typing import Annotated

from umwelten.tools.tool import ToolContext, ToolError, tool

_LARGEST_WHOLE = 2**53
"""A float holds every whole number up to this one exactly, and so do the JSON readers of other programs."""


@tool(version="1", read_only=True)
def random_number(
    context: ToolContext,
    min: Annotated[float, "The smallest number that may be drawn."] = 1,
    max: Annotated[float, "The largest number that may be drawn."] = 100,
    integer: Annotated[bool, "Whether it must be a whole number."] = True,
) -> str:
    """Draw a random number between two others, which may be drawn too."""
    if not (math.isfinite(min) and math.isfinite(max)) or min > max:
        raise ToolError(f"min must not be above max: {min:g}, {max:g}")
    seed = f"{context.seed}\0{context.call_key}\0{context.step}\0{context.place}"
    dice = Random(hashlib.sha256(seed.encode()).digest())  # the same in every version of Python
    if not integer:
        if math.isinf(max - min):
            share = dice.random()
            return repr(min * (1 - share) + max * share)
        return repr(dice.uniform(min, max))
    low, high = math.ceil(min), math.floor(max)
    if low > high:
        raise ToolError(f"there is no whole number from {min:g} to {max:g}")
    if abs(low) > _LARGEST_WHOLE or abs(high) > _LARGEST_WHOLE:
        raise ToolError(f"whole numbers are drawn up to {_LARGEST_WHOLE}")
    return str(dice.randint(low, high))
