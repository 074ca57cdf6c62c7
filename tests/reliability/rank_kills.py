"""Kill -9 again and again while answers are compared: `suite_kills.torture(root, of=RankJob, ...)`."""

from __future__ import annotations

from contextlib import chdir
from pathlib import Path

from tests.scoredkit import evaluate, write_table

from reliability.suite_kills import Job, judge_rules

_ENDS = ("alpha", "beta", "gamma")
# What ends with alpha wins, in whichever seat; all else is a tie.
_WINNERS = {"alpha\n</first": "first", "alpha\n</second": "second", "": "tie"}


class RankJob(Job):
    """A ranking of three models on `size` rows, in both orders."""

    command = ("rank", "x", "--judge", "openai:judge")
    evaluations = ("x.rank",)
    rules = judge_rules("winner", _WINNERS)

    def prepare(self, size: int) -> None:
        """Store the answers that are ranked."""
        self.calls = 6 * size
        rows = [
            {"n": n, **{name: f"{name} ends {_ENDS[n * (at + 1) % 3]}" for at, name in enumerate("abc")}}
            for n in range(size)
        ]
        with chdir(self.root):
            evaluate(write_table(Path("t.csv"), rows), {f"openai:{name}": name for name in "abc"})
