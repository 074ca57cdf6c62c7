"""Repeats of a file: whether any of k passes, and whether all do."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

from umwelten.statistics import arguments
from umwelten.statistics.means import Estimate, clustered_mean


def pass_at_k(n: int, c: int, k: int) -> float:
    """Return the chance that at least one of `k` repeats passes, estimated from `c` of `n` that did.

    1 − C(n−c, k) / C(n, k), without bias for n ≥ k; 1 − (1 − c/n)^k would be too low.

    Source: Chen et al. 2021, arXiv:2107.03374, equation 1.

    ValueError: `n` below 1, `c` not from 0 to `n`, `k` not from 1 to `n`.

        >>> round(pass_at_k(10, 3, 5), 6)
        0.916667
    """
    _counts(n, c, k)
    return 1 - math.comb(n - c, k) / math.comb(n, k)


def pass_all_k(n: int, c: int, k: int) -> float:
    """Return the chance that all of `k` repeats pass (pass^k), estimated from `c` of `n` that did.

    C(c, k) / C(n, k), without bias for n ≥ k.

    Source: Yao et al. 2024 (τ-bench), arXiv:2406.12045.

    ValueError: `n` below 1, `c` not from 0 to `n`, `k` not from 1 to `n`.

        >>> round(pass_all_k(4, 2, 2), 6)
        0.166667
    """
    _counts(n, c, k)
    return math.comb(c, k) / math.comb(n, k)


def _counts(n: int, c: int, k: int) -> None:
    arguments.count(n, "n", 1)
    arguments.count(c, "c", 0, n)
    arguments.count(k, "k", 1, n)


@dataclass(frozen=True, slots=True)
class PassRate:
    """pass@k or pass^k over files: an estimate from 0 to 1, and how many files had fewer than `k` repeats."""

    estimate: Estimate
    k: int
    left_out: int


def mean_pass_at_k(
    files: Sequence[tuple[int, int]],
    k: int,
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> PassRate:
    """Return the mean of `pass_at_k` over files, each given as (repeats n, of which c pass).

    Files with n < k say nothing about k repeats: they are left out and counted. The interval is by Student's
    t as in `clustered_mean`, within 0–1; all figures are None where no file is left.

    ValueError: `k` below 1, `c` not from 0 to `n`, clusters that are not as many as files.

        >>> rate = mean_pass_at_k([(3, 1), (3, 3), (1, 1)], 2)
        >>> round(rate.estimate.mean, 4), rate.left_out
        (0.8333, 1)
    """
    return _mean_over_files(pass_at_k, files, k, clusters, level)


def mean_pass_all_k(
    files: Sequence[tuple[int, int]],
    k: int,
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = 0.95,
) -> PassRate:
    """Return the mean of `pass_all_k` over files; all else as in `mean_pass_at_k`.

    >>> mean_pass_all_k([(3, 1), (3, 3), (1, 1)], 2).estimate.mean
    0.5
    """
    return _mean_over_files(pass_all_k, files, k, clusters, level)


def _mean_over_files(
    figure: Callable[[int, int, int], float],
    files: Sequence[tuple[int, int]],
    k: int,
    clusters: Sequence[Hashable] | None,
    level: float,
) -> PassRate:
    arguments.count(k, "k", 1)
    kept, labels = [], []
    for place, ((n, c), label) in enumerate(
        zip(files, arguments.labels(clusters, files, "files"), strict=True)
    ):
        arguments.count(n, f"n of files[{place}]")
        arguments.count(c, f"c of files[{place}]", 0, n)
        if n >= k:
            kept.append(figure(n, c, k))
            labels.append(label)
    return PassRate(clustered_mean(kept, labels, level=level, scale=(0.0, 1.0)), k, len(files) - len(kept))
