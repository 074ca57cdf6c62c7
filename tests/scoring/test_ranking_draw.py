"""The draw of comparisons: even at every size, larger shares begin with smaller ones, no order matters."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import PairShare, Row, comparisons, drawn, seat


def contestants(count: int) -> list[Contestant]:
    return [Contestant(model=f"p:m{n:02}") for n in range(count)]


def rows(files: int, prompts: int = 1, repeats: int = 1) -> list[Row]:
    return [
        Row(file=f"f{n}", prompt=f"q{prompt}", repeat=repeat + 1)
        for n in range(files)
        for prompt in range(prompts)
        for repeat in range(repeats)
    ]


class Evenly:
    """Counts, each of which may be one more than the least."""

    def __init__(self, size: int) -> None:
        self.counts, self.size, self.total = Counter[object](), size, 0

    def add(self, *drawn: object) -> None:
        self.counts.update(drawn)
        self.total += len(drawn)
        least, more = divmod(self.total, self.size)
        assert all(least <= self.counts[each] <= least + (more > 0) for each in drawn)


@settings(deadline=None, max_examples=60)
@given(
    files=st.integers(1, 9),
    prompts=st.integers(1, 3),
    repeats=st.integers(1, 3),
    models=st.integers(2, 11),
    seed=st.text(max_size=3),
)
def test_every_beginning_is_even(files: int, prompts: int, repeats: int, models: int, seed: str) -> None:
    asked, ranked = rows(files, prompts, repeats), contestants(models)
    pairs = list(combinations(ranked, 2))
    by_row, by_file, by_pair = Evenly(len(asked)), Evenly(files), Evenly(len(pairs))
    by_model = dict.fromkeys(ranked, 0)
    seen = set()
    for row, a, b in drawn(asked, ranked, seed=seed):
        seen.add((row, a, b))
        by_row.add(row)
        by_file.add(row.file)
        by_pair.add((a, b))
        by_model[a] += 1
        by_model[b] += 1
        assert max(by_model.values()) - min(by_model.values()) <= 1
    assert seen == {(row, *pair) for row in asked for pair in pairs}
    assert by_row.total == comparisons(len(asked), models)


@settings(deadline=None, max_examples=30)
@given(files=st.integers(1, 12), models=st.integers(2, 9), which=st.integers(0, 8))
def test_against_one(files: int, models: int, which: int) -> None:
    ranked = contestants(models)
    one = ranked[which % models]
    by_file, by_other = Evenly(files), Evenly(models - 1)
    for row, a, b in drawn(rows(files), ranked, seed="x", against=one):
        assert one in (a, b)
        by_file.add(row.file)
        by_other.add(b if a == one else a)
    assert by_file.total == comparisons(files, models, against=True)


def test_prompts_and_repeats_come_round_before_a_quarter_is_drawn() -> None:
    found = list(drawn(rows(20, 3, 2), contestants(4), seed="x", share=PairShare.parse("25%")))
    counts = Counter((row.prompt, row.repeat) for row, _, _ in found)
    assert len(counts) == 6
    assert set(counts.values()) <= {29, 30, 31}
    assert len(set(found)) == 180


@pytest.mark.parametrize("seed", ["x", "y"])
def test_a_larger_share_begins_with_a_smaller_one(seed: str) -> None:
    all_of = [
        list(drawn(rows(30), contestants(5), seed=seed, share=PairShare.parse(share)))
        for share in ("1", "10%", "25%", "50%", "200", "100%", "all", "1000000")
    ]
    assert [len(each) for each in all_of] == [1, 30, 75, 150, 200, 300, 300, 300]
    for smaller, larger in pairwise(all_of):
        assert larger[: len(smaller)] == smaller


def test_the_seed_alone_decides() -> None:
    forward = list(drawn(rows(30, 2), contestants(5), seed="x"))
    assert list(drawn(rows(30, 2)[::-1], contestants(5)[::-1], seed="x")) == forward
    other = list(drawn(rows(30, 2), contestants(5), seed="y"))
    assert other != forward
    assert set(other) == set(forward)
    assert {a for _, a, _ in forward[:10]} != {contestants(5)[0]}


def test_rows_that_lack_a_repeat() -> None:
    asked = [row for row in rows(9, 1, 3) if row.file != "f3" or row.repeat == 2]
    counts = Counter(row for row, _, _ in drawn(asked, contestants(3), seed="x", share=PairShare(number=38)))
    assert len(counts) == 25
    assert set(counts.values()) == {1, 2}


@pytest.mark.parametrize("text", ["0", "0%", "100.1%", "-5", "2.5", "1e3", "", "half", "nan", "25 %%", "٣"])
def test_a_share_that_cannot_be_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(ValueError, match=r"above 0% up to 100%.*number from 1 on"):
        PairShare.parse(text)


def test_a_small_share_is_not_none() -> None:
    assert PairShare.parse("0.1%").of(10) == 1
    assert PairShare.parse(" 33.3% ").of(1000) == 333
    assert PairShare.parse("ALL").of(7) == 7
    assert PairShare.parse("25%").of(0) == 0


def test_who_cannot_be_drawn() -> None:
    for wrong in (contestants(1), contestants(2) + contestants(1)):
        with pytest.raises(ValueError, match="two or more"):
            drawn(rows(1), wrong, seed="x")
    with pytest.raises(ValueError, match="p:m07 is none of the contestants: p:m00, p:m01"):
        drawn(rows(1), contestants(2), seed="x", against=contestants(8)[7])
    assert list(drawn([], contestants(2), seed="x")) == []


def test_one_seat_is_half_of_all_and_the_same_whoever_is_named_first() -> None:
    a, b = contestants(2)
    seats = [seat(row, a, b, "x") for row in rows(200, 2, 3)]
    assert 540 < sum(seats) < 660
    assert [seat(row, b, a, "x") for row in rows(200, 2, 3)] == [not each for each in seats]
    assert [seat(row, a, b, "y") for row in rows(200, 2, 3)] != seats
