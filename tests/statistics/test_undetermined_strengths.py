"""Strengths that comparisons cannot tell: never lost, never met, one file, ties only, useless covariates."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest

from umwelten.statistics import (
    Comparison,
    CovariateUndetermined,
    Disconnected,
    Strengths,
    bootstrap_strengths,
    bradley_terry,
    clustered_strengths,
)
from umwelten.statistics.connectivity import connected_components, dominance
from umwelten.statistics.linear_systems import Singular, factor, inverse, solve

NAN = math.nan


def _won(*pairs: str, files: int = 20, value: float = 1) -> list[Comparison[str]]:
    """The first letter of each pair wins in every file."""
    return [Comparison(one, other, value, file) for file in range(files) for one, other in pairs]


def _open(found: Strengths[str]) -> str:
    """The contestants whose interval is open, with the end that is."""
    ends = ((name, found.of(name)) for name in sorted(found.names))
    return " ".join(
        name + ("-" if each.low is None else "") + ("+" if each.high is None else "") for name, each in ends
    )


@pytest.mark.parametrize(
    ("comparisons", "undefeated", "winless", "ends"),
    [
        (_won("ab"), "a", "b", "a+ b-"),
        (_won("ab", "ac") + _won("bc", value=0.5), "a", "", "a+ b c"),
        (_won("ac", "bc") + _won("ab", value=0.75), "", "c", "a b c-"),
        (_won("ab", "ac"), "a", "bc", "a+ b- c-"),  # two that never met, but both lost to a third
        (_won("ab", "bc", "ac"), "a", "c", "a+ b-+ c-"),  # b is above c and below a without bounds
        (_won("ac", "bd") + _won("ab", "cd", value=0.5), "ab", "cd", "a+ b+ c- d-"),
        (_won("ac", "bd") + _won("ab", "cd", "de", value=0.5), "ab", "", "a+ b+ c d e"),
        (_won("ab", "az") + _won("bc", value=0.5), "a", "z", "a+ b c z-"),  # z never met b and c
        (_won("ab", value=0.9), "", "", "a b"),
    ],
)
def test_who_never_lost_or_never_won(
    comparisons: list[Comparison[str]], undefeated: str, winless: str, ends: str
) -> None:
    found = clustered_strengths(comparisons)
    assert (found.undefeated, found.winless) == (set(undefeated), set(winless))
    assert _open(found) == ends
    for one, other in itertools.product(undefeated, set(found.names) - set(undefeated)):
        apart = found.difference(one, other)
        assert apart.estimate > 0
        assert apart.high is None
        assert found.difference(other, one).low is None


def test_one_that_never_lost_is_surely_better_once_there_are_some_files() -> None:
    """The sign test has p = 0.06 for 5 of 5; Wilson's lower end is 0.72 for 10 of 10, 0.93 for 50 of 50."""
    for files, best, low in ((2, 2, 0), (5, 2, 0.27), (10, 1, 0.66), (50, 1, 0.93)):
        found = clustered_strengths(_won("ab", files=files))
        assert found.rank_ranges() == {"a": (1, best), "b": (3 - best, 2)}
        end = found.difference("a", "b").low
        assert end is not None
        assert low < 1 / (1 + math.exp(-end)) < low + 0.05


def test_two_that_never_met_and_lost_to_a_third_are_not_told_apart() -> None:
    found = clustered_strengths(_won("ab", "ac", "ab"))
    apart = found.difference("b", "c")
    assert (apart.low, apart.high, apart.p) == (None, None, None)
    assert found.rank_ranges() == {"a": (1, 1), "b": (2, 3), "c": (2, 3)}
    assert found.adjusted_p()["b", "c"] is None


def test_half_a_win_each_way_against_the_mean() -> None:
    """Two of whom one won n times: n(1−σ(d)) = σ(d/2) − ½."""
    apart = bradley_terry({("a", "b"): 10}).difference("a", "b").estimate
    assert 10 / (1 + math.exp(apart)) == pytest.approx(1 / (1 + math.exp(-apart / 2)) - 0.5, rel=1e-9)


def test_errors_where_half_a_win_is_added() -> None:
    """One that never lost to two equals: b = −t, c = −t, a = 2t; information along t, and along b − c."""
    found = bradley_terry({("a", "b"): 10, ("a", "c"): 10, ("b", "c"): 5, ("c", "b"): 5})
    t = found.of("a").strength / 2
    spread, added = ((p := 1 / (1 + math.exp(-odds))) * (1 - p) for odds in (3 * t, 2 * t))
    along, across = 20 * 9 * spread + 4 * added, 10 + 20 * spread
    assert found.difference("a", "b").se == pytest.approx(math.sqrt(9 / along + 1 / across), rel=1e-9)
    assert found.of("a").se == pytest.approx(2 / math.sqrt(along), rel=1e-9)


def test_groups_that_never_met_get_no_common_strengths() -> None:
    comparisons = _won("de") + _won("ab", "bc", value=0.5)
    for fails in (
        lambda: clustered_strengths(comparisons),
        lambda: bootstrap_strengths(comparisons, 10, "seed"),
        lambda: bradley_terry({("d", "e"): 1, ("a", "b"): 2, ("b", "c"): 1, ("a", "d"): 0}),
    ):
        with pytest.raises(Disconnected, match="a, b, c; d, e") as caught:
            fails()
        assert sorted(map(sorted, caught.value.groups)) == [["a", "b", "c"], ["d", "e"]]
    assert connected_components(5, [(3, 4), (0, 4)]) == [[0, 3, 4], [1], [2]]


def test_one_file_has_no_errors() -> None:
    given = (("ab", 1), ("ba", 0.5), ("bc", 1), ("ca", 0.5))
    one = [Comparison(*pair, value, "file") for pair, value in given]
    found = clustered_strengths(one)
    assert (found.clusters, found.df, found.covariance) == (1, 0, None)
    each, apart = found.of("a"), found.difference("a", "b")
    assert (each.se, each.low, each.high) == (None, None, None)
    assert (apart.se, apart.low, apart.high, apart.p) == (None, None, None, None)
    assert each.strength > 0
    assert found.rank_ranges() == dict.fromkeys("abc", (1, 3))
    assert bootstrap_strengths(one, 10, "seed") == dict.fromkeys("abc", (None, None))
    covariates = [Comparison(*"ab", value, 0, x) for value, x in ((1, 1), (0.5, 1), (0, 0.5), (1, 0.5))]
    slope = clustered_strengths(covariates, control=True)
    assert slope.covariate is not None
    assert slope.covariate[1] is slope.covariate_interval() is None


def test_no_comparisons_rank_nobody() -> None:
    for found in (clustered_strengths([]), clustered_strengths([], control=True), bradley_terry({})):
        assert (found.names, found.strengths, found.rank_ranges(), found.adjusted_p()) == ((), (), {}, {})
    assert bootstrap_strengths([], 10, "seed") == {}


def test_ties_only_are_equal_but_not_for_sure() -> None:
    """No spread among files is no proof: errors are those of as many independent comparisons."""
    found = clustered_strengths(_won("ab", files=16, value=0.5))
    apart = found.difference("a", "b")
    assert (apart.estimate, apart.se, apart.p) == (0, 0.5, 1)
    assert found.rank_ranges() == {"a": (1, 2), "b": (1, 2)}
    assert found.of("a").se == pytest.approx(0.25)


def test_a_comparison_without_a_cluster_is_one_by_itself() -> None:
    values = [1, 0, 1, 0.5, 1, 0]
    alone = clustered_strengths(Comparison("a", "b", value) for value in values)
    numbered = clustered_strengths(Comparison("a", "b", value, place) for place, value in enumerate(values))
    assert alone == numbered
    assert alone.clusters == 6


def test_strengths_far_apart_are_found() -> None:
    """A win in a million each; a share below a billionth is none."""
    far = bradley_terry({("a", "b"): 1e6, ("b", "a"): 1, ("b", "c"): 1e6, ("c", "b"): 1})
    assert far.difference("a", "c").estimate == pytest.approx(2 * math.log(1e6), rel=1e-9)
    assert not far.undefeated
    assert bradley_terry({("a", "b"): 1e6, ("b", "a"): 1e-6}).undefeated == {"a"}


@pytest.mark.parametrize(
    ("covariate", "says"),
    [
        (lambda file, one, other: 0.0, "0 in every comparison"),
        (lambda file, one, other: float(ord(one) - ord(other)), "follows from who meets whom"),
        (lambda file, one, other: 1e-9 * (ord(one) - ord(other)), "follows from who meets whom"),
        (lambda file, one, other: 4.0 if (file + ord(one)) % 3 else -4.0, "decides every comparison"),
    ],
)
def test_a_covariate_whose_effect_cannot_be_told(
    covariate: Callable[[int, str, str], float], says: str
) -> None:
    comparisons = [
        Comparison(one, other, float((file + ord(one)) % 3 > 0), file, covariate(file, one, other))
        for file in range(30)
        for one, other in itertools.combinations("abc", 2)
    ]
    with pytest.raises(CovariateUndetermined, match=says):
        clustered_strengths(comparisons, control=True)
    assert clustered_strengths(comparisons).covariate is None


def test_a_covariate_takes_its_part_of_the_strength() -> None:
    """b wins by being longer only: 3 of 4 where it is longer by 1, 1 of 4 where it is shorter."""
    longer = [Comparison("b", "a", float(file % 4 > 0), file, 1000.0) for file in range(24)]
    shorter = [Comparison("a", "b", float(file % 4 > 0), file, 1000.0) for file in range(8)]
    found = clustered_strengths(longer + shorter, control=True)
    assert clustered_strengths(longer + shorter).difference("b", "a").estimate > 0.5
    assert found.difference("b", "a").estimate == pytest.approx(0, abs=1e-9)
    assert found.covariate is not None
    assert found.covariate[0] == pytest.approx(math.log(3) / 1000, rel=1e-9)  # in its own unit
    interval = found.covariate_interval()
    assert interval is not None
    assert sum(interval) / 2 == pytest.approx(found.covariate[0])


@pytest.mark.parametrize(
    ("fails", "says"),
    [
        (lambda: clustered_strengths([Comparison("a", "b", 1.5)]), r"comparison 1 has the value 1\.5"),
        (lambda: clustered_strengths([Comparison("a", "b", NAN)]), "the value nan"),
        (lambda: clustered_strengths([Comparison("a", "a", 1)]), "'a' with itself"),
        (lambda: clustered_strengths([Comparison("a", "b", 1, NAN)]), "the cluster nan"),
        (lambda: clustered_strengths([Comparison("a", "b", 1, 1, NAN)], control=True), "the covariate nan"),
        (lambda: clustered_strengths([], level=1), "level is 1"),
        (lambda: bradley_terry({("a", "b"): -1}), r"wins\['a', 'b'\] is -1"),
        (lambda: bradley_terry({("a", "b"): math.inf}), "is inf"),
        (lambda: bradley_terry({("a", "a"): 1}), "one contestant, twice"),
        (lambda: bradley_terry({("a", "b"): 1e300, ("b", "a"): 1e300, ("b", "c"): 1}), "too far apart"),
        (lambda: bootstrap_strengths([], 0, "seed"), "draws is 0"),
        (lambda: bradley_terry({("a", "b"): 1}).rank_ranges(95), "level is 95"),
    ],
)
def test_what_cannot_be_meant_is_named(fails: Callable[[], object], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        fails()


def test_bootstrap_ends_are_open_where_the_others_are() -> None:
    found = bootstrap_strengths(_won("ab", "ac") + _won("bc", value=0.5), 50, "seed")
    assert [found[name][1] is None for name in "abc"] == [True, False, False]
    assert all(low is not None for low, _ in found.values())


def test_dominance_by_way_of_others() -> None:
    ring = dominance(3, [(0, 1), (1, 2), (2, 0)])
    assert ring.complete
    assert not ring.open_low | ring.open_high
    assert not dominance(3, [(0, 1), (1, 2)]).complete


def test_systems_that_have_no_single_solution() -> None:
    lower = factor([[4.0, 2.0], [2.0, 3.0]])
    assert solve(lower, [8.0, 8.0]) == pytest.approx([1.0, 2.0])
    assert inverse(lower) == [pytest.approx([0.375, -0.25]), pytest.approx([-0.25, 0.5])]
    for matrix in ([[1.0, 1.0], [1.0, 1.0]], [[1.0, 0.0], [0.0, NAN]]):
        with pytest.raises(Singular, match="row 1") as caught:
            factor(matrix)
        assert caught.value.row == 1
