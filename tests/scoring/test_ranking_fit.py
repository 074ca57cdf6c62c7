"""From verdicts to the board."""

from __future__ import annotations

import math
import os
import random
from itertools import combinations
from typing import Any

import pytest

from comparedkit import JUDGE, always_first, better, contestants, of_judge, ranking, separated, unit, units
from umwelten.scoring.ranking.comparison import Unit, Vote
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import Row
from umwelten.scoring.ranking.length import Controlled, controlled
from umwelten.statistics import Comparison

ABC = contestants(*"abc")


def test_a_judge_that_always_takes_the_first_seat_ranks_nobody() -> None:
    found = ranking(units(ABC, 20, always_first), ABC)
    assert [line.points for line in found.board] == [1000.0] * 3
    assert [(line.rank, line.best_rank, line.worst_rank) for line in found.board] == [(1, 1, 3)] * 3
    judge = of_judge(found)
    assert (judge.flips.count, judge.flips.of) == (60, 60)
    assert (judge.first_seat.count, judge.first_seat.of) == (120, 120)
    assert judge.chance_flips == 1
    assert judge.verdict == "flipped on 60 of 60: this judge cannot tell these answers apart"
    assert judge.able is False
    assert found.judged == found.all_comparisons == 60
    backwards = ranking(units(ABC[::-1], 20, always_first), ABC[::-1])
    assert [line.contestant for line in backwards.board] == [line.contestant for line in found.board] == ABC
    assert backwards.board == found.board


def test_the_same_board_whatever_the_order_of_models() -> None:
    def says(file: str, first: Contestant, second: Contestant) -> str:
        return random.Random(f"{file}{min(first, second)}").choice(("first", "second"))

    def seen(order: list[Contestant]) -> list[Any]:
        made = []
        for file in range(20):
            for a, b in combinations(ABC, 2):
                made.append(unit(f"f{file}", a, b, says))
        board = ranking(made, order).board
        return [(line.contestant, line.points, line.se, line.wins, line.worst_rank) for line in board]

    assert seen(ABC) == seen(ABC[::-1])


@pytest.mark.parametrize("agreed", [1.0, 0.9])
def test_a_judge_that_prefers_longer_answers_ranks_nobody_at_equal_length(agreed: float) -> None:
    dice = random.Random("lengths")
    lengths = {
        (f"f{n}", each): dice.randrange(10, 100) * (3 if each == ABC[0] else 1)
        for n in range(60)
        for each in ABC
    }

    def says(file: str, first: Contestant, second: Contestant) -> str:
        longer = lengths[file, first] > lengths[file, second]
        return "first" if longer == (dice.random() < agreed) else "second"

    made = units(ABC, 60, says, length=lambda file, of: lengths[file, of])
    plain = ranking(made, ABC)
    assert of_judge(plain).longer.share == (1 if agreed == 1 else pytest.approx(0.98, abs=0.03))
    assert plain.board[0].contestant == ABC[0]
    assert plain.board[0].worst_rank == 1
    equal = ranking(made, ABC, control="length")
    assert equal.control == "length"
    assert equal.length is not None
    assert equal.length.low is not None
    assert equal.length.points > equal.length.low > 0
    assert sorted(equal.length.before) == sorted(line.points for line in plain.board)
    assert all(pair.low < 0 < pair.high for pair in equal.compared)  # type: ignore[operator]
    assert all(line.worst_rank - line.best_rank == 2 for line in equal.board)
    assert ("length alone" in " ".join(equal.notes)) == (equal.length.high is None) == (agreed == 1)


def test_where_length_decides_a_few_files_tell_no_equals_apart() -> None:
    dice = random.Random("few files")
    told = 0
    for _ in range(40):
        lengths = {
            (f"f{n}", each): dice.lognormvariate(5 - 0.7 * k, 0.5)
            for n in range(5)
            for k, each in enumerate(ABC)
        }

        def says(file: str, first: Contestant, second: Contestant, lengths: Any = lengths) -> str:
            return "first" if lengths[file, first] > lengths[file, second] else "second"

        made = units(ABC, 5, says, length=lambda file, of, lengths=lengths: round(1000 * lengths[file, of]))
        found = ranking(made, ABC, control="length")
        assert found.length is not None and found.length.high is None and found.length.points > 0
        told += any(line.best_rank > 1 for line in found.board)
    assert told == 0


def test_counts_of_journals_give_the_published_strengths() -> None:
    """Agresti 2002, page 448: relative to Biometrika."""
    wins = {"BC": 730, "CB": 33, "BJ": 498, "JB": 320, "BR": 221, "RB": 284, "CJ": 68, "JC": 813}
    wins |= {"CR": 17, "RC": 276, "JR": 142, "RJ": 325}
    journals = {name: Contestant(model=f"p:{name}") for name in "BCJR"}
    made = []
    for (one, other), times in wins.items():
        for n in range(times):
            vote = Vote(judge=JUDGE, sample=1, swapped=False, winner="first")
            row = Row(file=f"{one}{other}{n}")
            made.append(Unit(row=row, a=journals[one], b=journals[other], votes=(vote,)))
    found = ranking(made, list(journals.values()), seats="one")
    strengths = {line.contestant.model[2:]: line.strength for line in found.board}
    for name, expected in {"C": -2.94907, "J": -0.47957, "R": 0.26895}.items():
        assert strengths[name] - strengths["B"] == pytest.approx(expected, abs=5e-6)
    assert [line.contestant.model for line in found.board] == ["p:R", "p:B", "p:J", "p:C"]
    assert found.board[0].wins == 284 + 276 + 325
    first = next(
        pair for pair in found.compared if (pair.first, pair.second) == (journals["B"], journals["J"])
    )
    assert first.points == pytest.approx(0.47957 * 400 / math.log(10), abs=1e-3)
    assert (first.wins, first.ties, first.losses) == (498, 0, 320)
    assert (found.compared[0].wins, found.compared[0].losses) == (284, 221)


def test_one_that_never_lost_has_finite_points_and_an_open_end() -> None:
    found = ranking(units(ABC, 10, better), ABC)
    best, middle, worst = found.board
    assert [line.rank for line in found.board] == [1, 2, 3]
    assert best.undefeated
    assert best.high is None
    assert best.low is not None
    assert 1000 < best.low < best.points < math.inf
    assert worst.winless
    assert worst.low is None
    assert not middle.undefeated
    assert (best.win_share, middle.win_share, worst.win_share) == (1, 0.5, 0)
    assert of_judge(found).able is True
    assert of_judge(found).verdict == ""
    assert found.cycles is not None
    assert (found.cycles.count, found.cycles.triples) == (0, 10)


def test_two_groups_that_never_met_have_no_common_ranking() -> None:
    four = contestants(*"abcd")
    made = [unit(f"f{n}", *pair, better) for n in range(5) for pair in (four[:2], four[2:])]
    found = ranking(made, four)
    assert found.board == ()
    assert found.compared == ()
    assert {frozenset(group) for group in found.groups} == {frozenset(four[:2]), frozenset(four[2:])}
    assert found.cycles is None


def test_one_without_a_value_is_named_and_the_others_are_ranked() -> None:
    made = units(ABC[:2], 6, better)
    made += [unit(f"f{n}", each, ABC[2], better, state="no_answer") for n in range(6) for each in ABC[:2]]
    found = ranking(made, ABC)
    assert [line.contestant for line in found.board] == ABC[:2]
    assert found.groups == ()
    assert found.notes == ("p:c is not ranked: none of its 12 comparisons has a value",)
    assert found.unscored == {"no_answer": 12}
    assert found.board[0].unscored == {"no_answer": 6}
    assert (found.drawn, found.judged, found.equal) == (18, 6, 0)


def test_no_value_at_all() -> None:
    found = ranking(units(ABC, 3, lambda *_: None), ABC)
    assert found.board == ()
    assert found.groups == ()
    assert found.unscored == {"judge_failed": 9}
    assert len(found.notes) == 3
    assert of_judge(found).verdict == "gave no usable verdict: all 18 failed"
    assert of_judge(found).able is None
    nothing = ranking([], ABC)
    assert (nothing.drawn, nothing.files, nothing.board) == (0, 0, ())
    assert of_judge(nothing).verdict == ""


def test_equal_answers_are_ties_without_a_judge_and_failures_are_neither() -> None:
    a, b = ABC[:2]
    made = [unit(f"e{n}", a, b, better, state="equal") for n in range(4)]
    made += [unit(f"f{n}", a, b, better, lengths=(2, 1)) for n in range(3)]
    half = lambda file, first, second: "second" if first == a else None  # noqa: E731
    made += [unit("g1", a, b, half, lengths=(2, 1))]
    made += [unit("g2", a, b, lambda file, first, second: "first" if first == a else "")]
    made += [unit("g3", a, b, better, state="input_changed")]
    found = ranking(made, ABC[:2])
    assert (found.judged, found.equal) == (3, 4)
    assert found.unscored == {"judge_failed": 1, "pending": 1, "input_changed": 1}
    line = found.board[0]
    assert (line.wins, line.ties, line.losses, line.comparisons) == (3, 4, 0, 7)
    assert line.win_share == 5 / 7
    assert (found.files, found.clusters, found.drawn) == (7, 7, 10)
    judge = of_judge(found)
    assert (judge.asked, judge.given, judge.failed, judge.pending) == (10, 8, 1, 1)
    assert (judge.flips.of, judge.longer.of) == (3, 3)


def test_one_file_has_a_board_without_intervals() -> None:
    def says(file: str, first: Contestant, second: Contestant) -> str:
        return "tie" if ABC[1] in (first, second) else better(file, first, second)

    found = ranking(units(ABC, 1, says), ABC)
    assert [line.low for line in found.board] == [None] * 3
    assert [(line.best_rank, line.worst_rank) for line in found.board] == [(1, 3)] * 3
    assert "one file" in found.notes[0]
    judge = of_judge(found)
    assert judge.able is None
    assert judge.verdict == (
        "flipped on 0 of 1, in 1 file: too few to say whether this judge can tell these answers apart"
    )


def test_files_of_a_cluster_are_known_to_belong_together() -> None:
    dice = random.Random(1)

    def says(file: str, first: Contestant, second: Contestant) -> str:
        return better(file, first, second) if dice.random() < 0.8 else better(file, second, first)

    made = units(ABC, 20, says)
    together = [
        Unit(row=each.row, a=each.a, b=each.b, votes=each.votes, cluster=int(each.row.file[1:]) // 5)
        for each in made
    ]
    assert (ranking(made, ABC).clusters, ranking(together, ABC).clusters) == (20, 4)
    assert ranking(together, ABC).files == 20


def test_bootstrap_costs_and_lengths() -> None:
    dice = random.Random(2)

    def says(file: str, first: Contestant, second: Contestant) -> str:
        return better(file, first, second) if dice.random() < 0.7 else better(file, second, first)

    made = units(ABC, 30, says, length=lambda file, of: 10 if of == ABC[0] else 0)
    found = ranking(made, ABC, bootstrap=50)
    for line in found.board:
        assert line.bootstrap_low is not None
        assert line.bootstrap_high is not None
        assert line.bootstrap_low < line.points < line.bootstrap_high
    assert {line.contestant.model: line.mean_characters for line in found.board} == {
        "p:a": 10,
        "p:b": 0,
        "p:c": 0,
    }
    fixed = ranking(made, ABC, control="length")
    assert fixed.length is None
    assert fixed.notes[0].startswith("length is not controlled for: the same pair always differs")
    assert [line.points for line in fixed.board] == [line.points for line in found.board]
    alike = ranking(units(ABC, 5, says), ABC, control="length")
    assert alike.notes[0].endswith("alike in length")


def test_what_an_answer_twice_as_long_gains() -> None:
    a, b = ABC[:2]
    made = []
    for n in range(80):
        longer = a if n % 2 else b
        wins = n % 8 < 6

        def says(
            file: str, first: Contestant, second: Contestant, longer: Any = longer, wins: Any = wins
        ) -> str:
            return "first" if (first == longer) == wins else "second"

        made.append(unit(f"f{n}", a, b, says, lengths=(20, 10) if longer == a else (10, 20)))
    found = ranking(made, [a, b], control="length")
    assert found.length is not None
    assert found.length.points == pytest.approx(400 * math.log10(3))  # three of four
    assert found.length.low is not None
    assert 0 < found.length.low < found.length.points
    assert [line.points for line in found.board] == pytest.approx([1000, 1000])


def test_what_is_added_where_length_decides_makes_no_more_files_of_them() -> None:
    made = [Comparison(0, 1, float(by > 0), f"f{n}", float(by)) for n in range(4) for by in (1, -2, 3, -1.5)]
    found = controlled(made, 0.95)
    assert isinstance(found, Controlled)
    assert found.strengths.clusters == 4


# --- equals are not told apart ---

THOROUGH = "UMWELTEN_TEST_THOROUGH" in os.environ


@pytest.mark.parametrize("seats", ["both", "one"])
def test_a_judge_fond_of_a_seat_tells_no_equals_apart(seats: Any) -> None:
    draws = 1_000 if THOROUGH else 40
    shares = [separated(draws, bias, seats) for bias in (0.4, 1.2)]
    if THOROUGH:
        assert max(shares) <= 0.08
    assert sum(shares) / 2 <= 0.08


def test_it_would_if_the_same_one_were_always_first() -> None:
    assert separated(10, 1.2, "one", always_a=True) > 0.9
