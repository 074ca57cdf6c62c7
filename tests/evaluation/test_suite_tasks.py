"""What is stored of the tasks of a suite."""

from __future__ import annotations

from pathlib import Path

from store.judged import evaluate, judge, rank
from umwelten.evaluation.suite.stored_tasks import judges_of


def test_rankings_of_its_answers_and_other_names_are_no_judges_of_a_task(tmp_path: Path) -> None:
    task, other = tmp_path / "suite.task", tmp_path / "suite.task.other"
    evaluate(task)
    evaluate(other)
    rank(task)
    polite = judge(task, "polite")
    judge(other, "fair")
    assert list(judges_of(task)) == [polite]
