"""Rankings as they would be stored, without a judge."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import msgspec

from report.making import Done, answer, spec, work
from umwelten.records import Derived
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import RankedContestant, RankedPair, Ranking, RankingJudgeFigures, Share
from umwelten.store.scores.store import ScoreStore
from umwelten.types import ModelRef

JUDGE = "openai:gpt-5.4-mini"


def judge(**figures: Any) -> RankingJudgeFigures:
    """A judge of 120 verdicts that can tell answers apart."""
    values: dict[str, Any] = {
        "judge": JUDGE,
        "asked": 120,
        "given": 118,
        "failed": 2,
        "pending": 0,
        "ties": 10,
        "first_seat": Share(0.52, 0.43, 0.61, 56, 108),
        "flips": Share(0.05, 0.017, 0.137, 3, 60),
        "chance_flips": 0.5,
        "longer": Share(0.61, 0.48, 0.73, 31, 51),
        "cost_usd": 0.0123,
        "able": True,
    }
    return RankingJudgeFigures(**values | figures)


def contestant(number: int, points: float, **figures: Any) -> RankedContestant:
    """A line of a board, by default of the model `p:aNUMBER`, on its own rank."""
    values: dict[str, Any] = {
        "contestant": Contestant(f"p:a{number}"),
        "rank": number,
        "best_rank": number,
        "worst_rank": number,
        "low": points - 40,
        "high": points + 40,
        "strength": (points - 1000) / 173.7,
        "se": 0.1,
        "chance": 0.5,
        "win_share": 0.5,
        "comparisons": 40,
        "wins": 15,
        "ties": 10,
        "losses": 15,
        "mean_characters": 312.0,
        "cost_usd": 0.002,
    }
    return RankedContestant(points=points, **values | figures)


def pairs(board: Sequence[RankedContestant], untold: Sequence[tuple[int, int]] = ()) -> list[RankedPair]:
    """The differences between all lines; `untold` has the ranks of those that are as good."""
    return [
        RankedPair(
            first=one.contestant,
            second=two.contestant,
            points=one.points - two.points,
            low=one.points - two.points - 60,
            high=one.points - two.points + 60,
            p=0.4 if (one.rank, two.rank) in untold else 0.0004,
            p_adjusted=0.4 if (one.rank, two.rank) in untold else 0.0012,
            comparisons=20,
            wins=12,
            ties=4,
            losses=4,
        )
        for one, two in combinations(board, 2)
    ]


def ranking(*board: RankedContestant, untold: Sequence[tuple[int, int]] = (), **values: Any) -> Ranking:
    """A ranking of 40 files; without a board one of three contestants, the first two as good."""
    if not board and "board" not in values:
        untold = ((1, 2),)
        board = (
            contestant(1, 1080, best_rank=1, worst_rank=2, win_share=0.68),
            contestant(2, 1040, best_rank=1, worst_rank=2, win_share=0.6),
            contestant(3, 880, win_share=0.22, unscored={"no_answer": 2, "judge_failed": 1}, cost_usd=None),
        )
    defaults: dict[str, Any] = {
        "id": "x.rank",
        "of": ("x",),
        "question": "Which answer serves the person who asked better?",
        "judges": (judge(),),
        "board": tuple(board),
        "compared": tuple(pairs(board, untold)),
        "all_comparisons": 60,
        "drawn": 60,
        "judged": 55,
        "equal": 2,
        "unscored": {"no_answer": 2, "judge_failed": 1},
        "files": 40,
        "clusters": 40,
    }
    return Ranking(**defaults | values)


def store_ranking(output: Path, found: Ranking | None, id: str = "x.rank") -> Path:
    """Make the evaluation of a ranking with two verdicts; returns its folder.

    `found` is the ranking; `None`: its run was interrupted before there was one.
    """
    provider, _, name = JUDGE.partition(":")
    verdict = answer('{"reason": "It is right.", "winner": "first"}')
    plan = spec(id=id, models=(ModelRef(provider, name),))
    derived = Derived(role="rank", of=id.rpartition(".")[0], scorer=id.rpartition(".")[2])
    plan = msgspec.structs.replace(plan, derived=derived)
    work(output / id, plan, ["row-1: a, b", "row-1: b, a"], lambda _: Done(verdict, took=0.5, cost=1_000))
    if found is not None:
        with ScoreStore.open(output / id) as store:
            store.write_settings({"ranking": msgspec.to_builtins(found)})
    return output / id


def damage_ranking(folder: Path) -> None:
    """Leave something in the place of a stored ranking that is none."""
    with ScoreStore.open(folder) as store:
        store.write_settings({"ranking": {"id": folder.name, "board": 3}})
