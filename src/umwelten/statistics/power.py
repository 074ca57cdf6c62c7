"""What difference a run could have found, and how many files would find a smaller one."""

from __future__ import annotations

import math

from umwelten.statistics import arguments
from umwelten.statistics.distributions import normal_quantile, two_sided_z


def detectable_difference(se: float, *, level: float = 0.95, power: float = 0.8) -> float | None:
    """Return the true difference that a share `power` of such runs would call significant.

    (z.975 + z.80) · se for the default level and power: 2.8 standard errors. None where `se` is 0: that no
    spread was seen does not mean that any difference would have been.

    Source: Miller 2024, arXiv:2411.00640; Cohen 1988, chapter 2.

    ValueError: `se` below 0 or not finite, `level` or `power` not between 0 and 1.

        >>> round(detectable_difference(0.036), 3)
        0.101
    """
    if not (math.isfinite(se) and se >= 0):
        raise ValueError(f"se is {se!r}: a finite number, 0 or more, is expected")
    reach = _reach(level, power)
    return reach * se if se else None


def files_needed(sd: float, difference: float, *, level: float = 0.95, power: float = 0.8) -> int | None:
    """Return how many files would find a true difference of that size in a share `power` of runs.

    ⌈((z.975 + z.80) · sd / difference)²⌉, 2 at least, because one has no error. `sd` is the standard
    deviation of the files' differences, such as `Difference.sd`. None where it is 0: what was not seen to
    vary tells no number.

    Source: Miller 2024, arXiv:2411.00640, equation 9.

    ValueError: `sd` below 0 or not finite, `difference` not above 0, `level` or `power` not between 0 and 1.

        >>> files_needed(1 / 3, 0.03)
        969
    """
    if not (math.isfinite(sd) and sd >= 0):
        raise ValueError(f"sd is {sd!r}: a finite number, 0 or more, is expected")
    ratio = _reach(level, power) * sd / arguments.above_zero(difference, "difference")
    # A number that is whole but for rounding is not raised to the next.
    return max(2, math.ceil(ratio * ratio * (1 - 1e-12))) if sd else None


def _reach(level: float, power: float) -> float:
    return two_sided_z(level) + normal_quantile(arguments.share(power, "power"))
