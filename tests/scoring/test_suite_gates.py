"""Gates of a suite: of a task, and of all tasks together."""

from __future__ import annotations

from typing import Any

import pytest

from umwelten.errors import ConfigError
from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.suite_gates import GatedTask, check_suite_gates, read_suite_gate, read_suite_gates

PLACE = NamedPlace(name="nightly.toml")
TASKS = ("capitals", "letters", "letters-long")
EXACT = read_scorer("right", {"type": "exact"}, PLACE)


def read(tables: dict[str, Any]) -> list[tuple[str | None, str, str]]:
    return [(gate.task, gate.name, gate.text) for gate in read_suite_gates(tables, PLACE, TASKS)]


def test_a_metric_is_written_with_or_without_quotes() -> None:
    expected = [("capitals", "right", "capitals.right >= 0.9")]
    assert read({"capitals.right": ">= 0.9"}) == expected
    assert read({"capitals": {"right": ">= 0.9"}}) == expected
    assert read({"capitals": {"right": {"at_least": 0.9}}}) == expected
    assert read({"capitals": {"right": {"pass": ">= 90%"}}})[0][2] == "capitals.right.pass >= 90%"
    assert read({"letters": {"total": {"at_least": 0.8, "sure": True}}})[0][:2] == ("letters", "total")
    assert read({"total": ">= 0.8", "cost_usd": "<= 0.5", "letters-long.answered": ">= 1"}) == [
        (None, "total", "total >= 0.8"),
        (None, "cost_usd", "cost_usd <= 0.5"),
        ("letters-long", "answered", "letters-long.answered >= 1"),
    ]
    assert read_suite_gate("capitals.right.pass@2 >= 0.5 for p:a", "--gate", TASKS).task == "capitals"


@pytest.mark.parametrize(
    ("tables", "message", "hint"),
    [
        ({"capital.right": ">= 0.9"}, "'capital' is no task", "Did you mean capitals?"),
        ({"right": ">= 0.9"}, "'right' is no metric of a suite", "Write TASK.right; tasks are capitals"),
        ({"capitals": {"right": {"at_lest": 0.9}}}, "'at_lest' is no setting", "Did you mean at_least?"),
        ({"capitals": 0.9}, "'capitals' is no metric of a suite", "Write capitals.total, or"),
        ({"cost": "<= 1"}, "'cost' is no metric of a suite", "Did you mean cost_usd? Of all tasks there are"),
        ({"total": 0.9}, "gate 'total' is 0.9", 'total = ">= 0.9"'),
        ({"capitals.right": ">= 90"}, "capitals.right >= 90", "90%"),
    ],
)
def test_what_is_wrong_is_named(tables: dict[str, Any], message: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        read(tables)
    assert "nightly.toml" in str(caught.value.message)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("gate", "message"),
    [
        ("capitals.rihgt >= 0.9", "no scorer or metric 'rihgt'"),
        ("capitals.right.pass@3 >= 0.9", "3 repeats"),
        ("total.pass >= 0.9", "the total does not pass"),
        ("total >= 0.9 for p:c", "which no task asks"),
        ("capitals.total >= 0.9 for p:b", "not among those scored"),
    ],
)
def test_gates_that_the_tasks_cannot_meet(gate: str, message: str) -> None:
    tasks = {
        "capitals": GatedTask(scorers={"right": EXACT}, models=["p:a"]),
        "letters": GatedTask(scorers={"right": EXACT}, models=["p:a", "p:b"]),
    }
    with pytest.raises(ConfigError, match=message):
        check_suite_gates([read_suite_gate(gate, "here", TASKS)], tasks)


def test_a_mean_that_no_task_is_part_of_meets_no_gate() -> None:
    task = GatedTask(scorers={"right": EXACT}, models=["p:a"], weight=0)
    check_suite_gates([read_suite_gate("answered >= 1", "here", TASKS)], {"capitals": task})
    with pytest.raises(ConfigError, match="no task has a weight"):
        check_suite_gates([read_suite_gate("total >= 0.9", "here", TASKS)], {"capitals": task})


def test_gates_of_different_tasks_do_not_contradict() -> None:
    one, other = (
        read_suite_gate(text, "here", TASKS) for text in ("capitals.total >= 0.9", "letters.total <= 0.5")
    )
    task = GatedTask(scorers={"right": EXACT}, models=["p:a"])
    check_suite_gates([one, other], {"capitals": task, "letters": task})
    low = read_suite_gate("capitals.total <= 0.5", "here", TASKS)
    with pytest.raises(ConfigError, match="contradict"):
        check_suite_gates([one, low], {"capitals": task})
