"""What the functions come to at the ends: nothing, one file, one cluster, equal values, ties, NaN."""

from __future__ import annotations

import doctest
import importlib
import itertools
import math
import pkgutil
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten import statistics
from umwelten.statistics import (
    clustered_mean,
    clustered_rate,
    cohens_kappa,
    detectable_difference,
    files_needed,
    holm,
    krippendorffs_alpha,
    mcnemar,
    mean_pass_all_k,
    mean_pass_at_k,
    paired_difference,
    pass_all_k,
    pass_at_k,
    spearman,
    wilson,
)
from umwelten.statistics.ranks import mid_ranks

NAN = math.nan
SCORES = st.lists(st.floats(0, 1), min_size=2, max_size=12)


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(statistics.__path__)] + [""])
def test_the_examples_of_the_docstrings(name: str) -> None:
    module = importlib.import_module(f"umwelten.statistics.{name}".rstrip("."))
    assert doctest.testmod(module).failed == 0


def test_no_files_tell_nothing() -> None:
    for found in (clustered_mean([]), clustered_rate([]), mean_pass_at_k([], 2).estimate):
        assert (found.mean, found.se, found.low, found.high, found.files) == (None, None, None, None, 0)
        assert found.clusters == 0
    none = paired_difference([], [])
    assert (none.mean, none.p, none.test, none.detectable, none.p_against(0.1)) == (None,) * 5
    assert cohens_kappa([], []).agreement is None
    assert krippendorffs_alpha([]) is None
    assert krippendorffs_alpha([[], []]) is None
    assert spearman([], []) is None
    assert holm([]) == []


def test_one_file_or_one_cluster_has_no_error() -> None:
    for found in (
        clustered_mean([0.3]),
        clustered_mean([0.2, 0.4], ["a", "a"]),
        clustered_rate([[True, False, True]]),
        clustered_rate([[True], [False]], ["a", "a"]),
    ):
        assert found.mean is not None
        assert (found.se, found.low, found.high, found.clusters) == (None, None, None, 1)
    one = paired_difference([0.9], [0.4])
    assert (one.mean, one.p, one.test, one.detectable, one.sd, one.df) == (0.5, None, None, None, None, None)
    assert paired_difference([1], [0]).p == 1  # one file of yes or no is a toss


def test_where_all_are_equal_a_rate_still_has_a_width() -> None:
    found = clustered_rate([[True, True]] * 20)
    assert (found.mean, found.se, found.high) == (1, 0, 1)
    assert found.low == pytest.approx(1 - 0.1611, abs=5e-5)  # of 20 files, not of 40 answers
    steady = clustered_rate([[True, False]] * 10)
    assert (steady.low, steady.high) == wilson(5, 10)


def test_the_effective_number_lies_between_files_and_answers() -> None:
    """Repeats that always agree tell as much as one; those that differ at random as much as so many files."""
    alike = clustered_rate([[True] * 3] * 12 + [[False] * 3] * 8)
    assert (alike.low, alike.high) == pytest.approx(tuple(wilson(12, 20)), rel=1e-9)
    evenly = clustered_rate([[True, True, False]] * 19 + [[True, False, False]])
    assert (evenly.low, evenly.high) == pytest.approx(tuple(wilson(39, 60)), rel=1e-9)


def test_unlike_numbers_of_repeats_weigh_each_file_alike() -> None:
    assert clustered_rate([[True] * 9, [False]]).mean == 0.5


def test_answers_of_one_cluster_count_as_one() -> None:
    plain = clustered_mean([0.1, 0.5, 0.9])
    tripled = clustered_mean([0.1, 0.5, 0.9] * 3, ["a", "b", "c"] * 3)
    assert (tripled.mean, tripled.se) == pytest.approx((plain.mean, plain.se))
    assert (tripled.low, tripled.high) == pytest.approx((plain.low, plain.high))
    rate = clustered_rate([[True]] * 12 + [[False]] * 8, [place // 4 for place in range(20)])
    n = 4 * 20 / 19  # by the formula: (C−1) · F/(F−1)
    factor = (2.0930240544 / 2.7764451052) ** 2  # t.975 of F−1 and C−1
    alike = clustered_rate([[True]] * 20, [place // 4 for place in range(20)])
    assert (alike.low, alike.high) == pytest.approx(tuple(wilson(20 * factor, 20 * factor)), rel=1e-9)
    n *= factor
    assert (rate.low, rate.high) == pytest.approx(tuple(wilson(0.6 * n, n)), rel=1e-9)


def test_an_interval_of_scores_stays_on_their_scale() -> None:
    found = clustered_mean([0.0, 1.0, 1.0], scale=(0, 1))
    assert (found.low, found.high) == (0, 1)
    wide = clustered_mean([0.0, 1.0, 1.0])
    assert wide.low is not None
    assert wide.low < 0


def test_a_level_widens() -> None:
    assert clustered_mean([0.1, 0.2, 0.6], level=0.9).high < clustered_mean([0.1, 0.2, 0.6]).high  # type: ignore[operator]
    assert clustered_rate([[1], [0]], level=0.9).high < clustered_rate([[1], [0]]).high  # type: ignore[operator]
    assert wilson(3, 9, 0.8).low > wilson(3, 9).low
    assert cohens_kappa("aabb", "abbb", level=0.8).low > cohens_kappa("aabb", "abbb").low  # type: ignore[operator]


def test_differences_without_spread() -> None:
    same = paired_difference([0.4, 0.7, 0.1], [0.4, 0.7, 0.1])
    assert (same.mean, same.low, same.high, same.p, same.detectable) == (0, 0, 0, 1, None)
    shifted = paired_difference([0.3, 0.4, 0.5, 0.6, 0.7, 0.8], [0.2, 0.3, 0.4, 0.5, 0.6, 0.7])
    assert (shifted.test, shifted.p, shifted.t) == ("sign", 2 / 2**6, None)
    assert (shifted.p_against(0.2), shifted.p_against(0.1)) == (2 / 2**6, 1)
    rounded = paired_difference([0.1 + 0.2, 0.5, 1.0], [0.3, 0.5, 0.0])
    assert (rounded.test, rounded.p) == ("mcnemar", 1)  # one file of three differs, not two
    inside = paired_difference([0.3, 0.1, 0.3, 0.1], [0.1, 0.3, 0.1, 0.3], ["a", "a", "b", "b"])
    assert (inside.test, inside.p) == ("sign", 1)


def test_clusters_of_yes_and_no_are_tested_by_t() -> None:
    first, second = [1, 1, 1, 1, 0, 1], [0, 0, 0, 1, 0, 0]
    assert paired_difference(first, second).test == "mcnemar"
    found = paired_difference(first, second, ["a", "a", "b", "b", "c", "c"])
    assert (found.test, found.df) == ("t", 2)
    assert found.p == found.p_against(0)


def test_a_difference_is_as_far_from_another_value_as_a_shifted_one_from_zero() -> None:
    first, second = [0.9, 0.2, 0.8, 0.5], [0.5, 0.3, 0.3, 0.4]
    shifted = paired_difference([value + 0.1 for value in first], second)
    assert paired_difference(first, second).p_against(-0.1) == pytest.approx(shifted.p)


def test_what_could_have_been_seen() -> None:
    found = paired_difference([0.9, 0.2, 0.8, 0.5], [0.5, 0.3, 0.3, 0.4])
    assert found.se is not None
    assert found.sd is not None
    assert found.detectable == pytest.approx(2.8015852 * found.se)
    assert found.sd == pytest.approx(2 * found.se)
    assert files_needed(found.sd, found.detectable) == 4  # as many as there were
    assert detectable_difference(0) is None
    assert files_needed(0, 0.1) is None
    assert files_needed(0.1, 10) == 2
    assert files_needed(0.5, 0.1, level=0.9, power=0.9) == 215


def test_files_with_too_few_repeats_are_left_out_and_counted() -> None:
    files = [(3, 1), (2, 2), (1, 1), (0, 0)]
    some = mean_pass_at_k(files, 2, ["a", "b", "a", "a"])
    assert (some.estimate.mean, some.k, some.left_out, some.estimate.clusters) == (
        pytest.approx((2 / 3 + 1) / 2),
        2,
        2,
        2,
    )
    assert mean_pass_all_k(files, 2).estimate.mean == 0.5
    none = mean_pass_all_k(files, 4)
    assert (none.estimate.mean, none.left_out) == (None, 4)
    assert (none.estimate.low, none.estimate.high) == (None, None)
    wide = mean_pass_at_k([(1, 1), (1, 0)], 1).estimate
    assert (wide.low, wide.high) == (0, 1)


def test_judges_who_always_say_the_same_are_no_evidence() -> None:
    assert krippendorffs_alpha([[1, 1, 1], [1, 1, 1]]) is None
    assert krippendorffs_alpha([[0.1, 0.1], [0.1, 0.1]], "interval") is None
    assert krippendorffs_alpha([["a", None], [None, "b"]]) is None  # no unit that two judged
    constant = cohens_kappa(["pass"] * 5, ["pass"] * 5)
    assert (constant.kappa, constant.se, constant.low, constant.agreement) == (None, None, None, 1)


def test_judges_who_never_agree() -> None:
    assert krippendorffs_alpha([[0, 1, 0, 1], [1, 0, 1, 0]]) < 0  # type: ignore[operator]
    apart = cohens_kappa([0, 1] * 4, [1, 0] * 4)
    assert (apart.kappa, apart.low) == (-1, -1)
    assert apart.high is not None
    assert -1 < apart.high < 0
    assert cohens_kappa("aaa", "aab").low == -1  # the formula alone gives −1.4
    never_the_same_word = cohens_kappa(["a", "a"], ["b", "b"])
    assert (never_the_same_word.kappa, never_the_same_word.agreement) == (0, 0)


def test_twenty_labels_without_a_slip_do_not_prove_agreement() -> None:
    found = cohens_kappa([True] * 12 + [False] * 8, [True] * 12 + [False] * 8)
    assert (found.kappa, found.se, found.high) == (1, 0, 1)
    assert found.low == pytest.approx(
        1 - 0.1611 / (1 - 0.52), abs=5e-4
    )  # Wilson's 0/20, of what chance leaves


def test_labels_may_be_of_any_kind() -> None:
    assert krippendorffs_alpha([["a", (1, 2), None], ["a", (1, 2), "c"]]) == 1
    assert krippendorffs_alpha([[True, False], [True, False]], "interval") == 1


def test_equal_values_share_their_rank() -> None:
    assert mid_ranks([5, 1, 5, 3]) == [3.5, 1, 3.5, 2]
    assert spearman([1, 1, 1], [1, 2, 3]) is None
    assert spearman([1], [2]) is None


@settings(max_examples=40, deadline=None)
@given(values=SCORES)
def test_a_mean_lies_in_its_interval_and_its_values_order_does_not_matter(values: list[float]) -> None:
    found = clustered_mean(values)
    assert found.low is not None
    assert found.high is not None
    assert found.mean is not None
    assert found.low <= found.mean <= found.high
    assert min(values) <= found.mean <= max(values)
    assert clustered_mean(values[::-1]).mean == found.mean


@settings(max_examples=40, deadline=None)
@given(n=st.floats(0.5, 1e6), share=st.floats(0, 1))
def test_a_rate_lies_in_its_interval(n: float, share: float) -> None:
    low, high = wilson(min(n, share * n), n)
    assert 0 <= low <= share * (1 + 1e-9)
    assert share * (1 - 1e-9) <= high <= 1
    other = wilson(n - min(n, share * n), n)
    assert (1 - other.high, 1 - other.low) == pytest.approx((low, high), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(pairs=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=15))
def test_agreement_takes_no_side(pairs: list[tuple[str, str]]) -> None:
    first, second = [one for one, _ in pairs], [other for _, other in pairs]
    there, back = cohens_kappa(first, second), cohens_kappa(second, first)
    assert there.agreement == back.agreement
    if there.kappa is not None:
        assert (there.kappa, there.low, there.high) == pytest.approx((back.kappa, back.low, back.high))
        assert -1 <= there.low <= there.kappa + 1e-9 <= there.high + 2e-9 <= 1 + 2e-9  # type: ignore[operator]
    assert krippendorffs_alpha([first, second]) == pytest.approx(krippendorffs_alpha([second, first]))


@settings(max_examples=30, deadline=None)
@given(
    ratings=st.integers(2, 4).flatmap(
        lambda units: st.lists(
            st.lists(st.one_of(st.none(), st.integers(1, 5)), min_size=units, max_size=units),
            min_size=2,
            max_size=4,
        )
    )
)
def test_alpha_by_its_definition(ratings: list[list[int | None]]) -> None:
    """All ordered pairs gone through, with δ² as Krippendorff writes it."""
    units = [[value for value in unit if value is not None] for unit in zip(*ratings, strict=True)]
    units = [unit for unit in units if len(unit) > 1]
    given_values = [value for unit in units for value in unit]
    times = {value: given_values.count(value) for value in range(1, 6)}

    def ordinal(a: int, b: int) -> float:
        between = sum(times[value] for value in range(min(a, b), max(a, b) + 1))
        return (between - (times[a] + times[b]) / 2) ** 2

    metrics: dict[str, Callable[[int, int], float]] = {
        "nominal": lambda a, b: float(a != b),
        "ordinal": ordinal,
        "interval": lambda a, b: float((a - b) ** 2),
    }
    for metric, unlike in metrics.items():
        pairs = [[unlike(a, b) for a, b in itertools.permutations(unit, 2)] for unit in units]
        within = sum(sum(unit) / (len(values) - 1) for unit, values in zip(pairs, units, strict=True))
        among = sum(unlike(a, b) for a, b in itertools.permutations(given_values, 2))
        expected = 1 - (len(given_values) - 1) * within / among if among else None
        assert krippendorffs_alpha(ratings, metric) == (  # type: ignore[arg-type]
            None if expected is None else pytest.approx(expected, abs=1e-9)
        )


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: wilson(0, 0), "n is 0: a finite number above 0 is expected"),
        (lambda: wilson(3, 2), "successes is 3: a number from 0 to n = 2 is expected"),
        (lambda: wilson(NAN, 2), "successes is nan"),
        (lambda: wilson(1, NAN), "n is nan"),
        (lambda: wilson(1, 2, 95), "level is 95: a number between 0 and 1"),
        (lambda: clustered_mean([0.5, NAN]), r"values\[1\] is nan: a finite number is expected"),
        (lambda: clustered_mean([math.inf]), r"values\[0\] is inf"),
        (lambda: clustered_mean([None]), r"values\[0\] is None"),  # type: ignore[list-item]
        (lambda: clustered_mean(["1"]), r"values\[0\] is '1'"),  # type: ignore[list-item]
        (lambda: clustered_mean([], level=1), "level is 1"),
        (lambda: clustered_mean([1, 2], ["a"]), "clusters has 1 values, values has 2"),
        (lambda: clustered_rate([[1], []]), r"files\[1\] has no answers: leave it out"),
        (lambda: clustered_rate([[0.5]]), r"files\[0\] has 0.5: True, False, 1 or 0 is expected"),
        (lambda: clustered_rate([[NAN]]), r"files\[0\] has nan"),
        (lambda: paired_difference([1], [1, 2]), "second has 2 values, first has 1"),
        (lambda: paired_difference([1], [NAN]), r"second\[0\] is nan"),
        (lambda: paired_difference([1], [1]).p_against(NAN), r"value\[0\] is nan"),
        (lambda: mcnemar(-1, 0), "b is -1: a whole number, 0 or more, is expected"),
        (lambda: mcnemar(1, 0.5), "c is 0.5"),  # type: ignore[arg-type]
        (lambda: mcnemar(True, 0), "b is True"),
        (lambda: holm([0.5, 1.5]), r"p_values\[1\] is 1.5: a number from 0 to 1 is expected"),
        (lambda: holm([NAN]), r"p_values\[0\] is nan"),
        (lambda: pass_at_k(3, 1, 4), "k is 4: a whole number, 1 to 3, is expected"),
        (lambda: pass_at_k(3, 4, 1), "c is 4: a whole number, 0 to 3, is expected"),
        (lambda: pass_all_k(0, 0, 1), "n is 0: a whole number, 1 or more, is expected"),
        (lambda: pass_all_k(3, 1, 0), "k is 0"),
        (lambda: mean_pass_at_k([(3, 1)], 0), "k is 0"),
        (lambda: mean_pass_at_k([(3, 1), (3, 4)], 1), r"c of files\[1\] is 4"),
        (lambda: mean_pass_at_k([(3, 1)], 1, []), "clusters has 0 values, files has 1"),
        (lambda: detectable_difference(-1), "se is -1: a finite number, 0 or more, is expected"),
        (lambda: detectable_difference(NAN), "se is nan"),
        (lambda: detectable_difference(1, power=0), "power is 0"),
        (lambda: files_needed(math.inf, 1), "sd is inf"),
        (lambda: files_needed(1, 0), "difference is 0: a finite number above 0 is expected"),
        (lambda: cohens_kappa("ab", "a"), "second has 1 values, first has 2"),
        (lambda: cohens_kappa([None], ["a"]), r"first\[0\] is None: leave out units without a label"),
        (lambda: cohens_kappa(["a"], [NAN]), r"second\[0\] is nan: a label is expected"),
        (lambda: cohens_kappa([], [], level=0), "level is 0"),
        (lambda: krippendorffs_alpha([[1], [1, 2]]), r"ratings\[1\] has 2 values, ratings\[0\] has 1"),
        (lambda: krippendorffs_alpha([[1], [NAN]]), r"ratings\[1\]\[0\] is nan"),
        (
            lambda: krippendorffs_alpha([["a", 1], ["b", 1]], "interval"),
            "is 'a': a finite number is expected",
        ),
        (lambda: krippendorffs_alpha([[1], [1]], "ratio"), "metric is 'ratio': nominal, ordinal or interval"),  # type: ignore[arg-type]
        (lambda: spearman([1], [1, 2]), "second has 2 values, first has 1"),
        (lambda: spearman([1, NAN], [1, 2]), r"first\[1\] is nan"),
    ],
)
def test_what_cannot_be_meant_is_named(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_as_many_files_each_way_are_no_difference_and_not_unknown() -> None:
    same = mcnemar(3, 3)
    assert (same.p, same.chi_square) == (1.0, 0.0)
    assert mcnemar(0, 0).chi_square is None
