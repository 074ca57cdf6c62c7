"""Figures about few answers that do not promise more than the answers tell: intervals, tests, agreement.

Pure functions of numbers: no dependency, no dice, no clock, nothing of umwelten's own. Each docstring has the
formula and where it is from. Three rules hold for all of them:

- What cannot be known from the values given is None, never 0: the error of one file, agreement where nothing
  varies.
- A value that cannot be meant (NaN, a rate above 1, k above n) is a `ValueError` that names it.
- The unit is the *file* (a row, an input), not the answer: repeats of one file tell less than as many files.

    >>> from umwelten import statistics
    >>> low, high = statistics.wilson(81, 263)
    >>> round(low, 4), round(high, 4)
    (0.2553, 0.3662)
"""

from umwelten.statistics.agreement import Kappa, cohens_kappa, krippendorffs_alpha
from umwelten.statistics.bootstrap import bootstrap_strengths
from umwelten.statistics.comparisons import Comparison, Disconnected
from umwelten.statistics.correlation import spearman
from umwelten.statistics.intervals import Interval, wilson
from umwelten.statistics.means import Estimate, clustered_mean, clustered_rate
from umwelten.statistics.paired_likelihood import CovariateUndetermined
from umwelten.statistics.paired_tests import Difference, McNemar, holm, mcnemar, paired_difference
from umwelten.statistics.pass_rates import PassRate, mean_pass_all_k, mean_pass_at_k, pass_all_k, pass_at_k
from umwelten.statistics.power import detectable_difference, files_needed
from umwelten.statistics.strengths import (
    Strength,
    StrengthDifference,
    Strengths,
    bradley_terry,
    clustered_strengths,
)

__all__ = [
    "Comparison",
    "CovariateUndetermined",
    "Difference",
    "Disconnected",
    "Estimate",
    "Interval",
    "Kappa",
    "McNemar",
    "PassRate",
    "Strength",
    "StrengthDifference",
    "Strengths",
    "bootstrap_strengths",
    "bradley_terry",
    "clustered_mean",
    "clustered_rate",
    "clustered_strengths",
    "cohens_kappa",
    "detectable_difference",
    "files_needed",
    "holm",
    "krippendorffs_alpha",
    "mcnemar",
    "mean_pass_all_k",
    "mean_pass_at_k",
    "paired_difference",
    "pass_all_k",
    "pass_at_k",
    "spearman",
    "wilson",
]
