"""Thresholds that the tasks of a suite must reach, and all of them together.

`TASK.METRIC OP NUMBER` is about one task, with all metrics that gates have (`capitals.right >= 0.9`,
`capitals.total`, `capitals.answered`). Without a task, `total` is the mean of the tasks, and `answered`,
`scored`, `cost_usd` and `p95_s` are of the answers to all tasks. Each must hold for every model.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from umwelten.errors import ConfigError
from umwelten.phrases import Phrase, Wording
from umwelten.scoring.definition import Definition, Place
from umwelten.scoring.gates import (
    OF_ALL,
    SETTINGS,
    TOTAL,
    Gate,
    check_contradictions,
    check_gates,
    gate_of,
    gates_of,
)
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

OF_SUITE = (TOTAL, *OF_ALL)
"""Metrics that need no task in front."""


class GatedTask(FrozenStruct):
    """What gates can be about in a task: its scorers, the models it asks, how often, its part in the mean."""

    scorers: Mapping[str, Definition]
    models: Collection[str]
    repeats: int = 1
    weight: float = 1.0


def read_suite_gate(text: str, place: Wording, tasks: Collection[str]) -> Gate:
    """Return the gate of a text, such as `capitals.right >= 0.9`. Errors: `ConfigError`."""
    task, rest = _split(text.strip(), place, tasks)
    return gate_of(rest, place, task)


def read_suite_gates(tables: Mapping[str, Any], place: Place, tasks: Collection[str]) -> tuple[Gate, ...]:
    """Return the gates of a section `[gates]` of a suite's file. Errors: `ConfigError`.

    Metrics may be written in quotes (`"capitals.right" = ">= 0.9"`), without (`capitals.right = ">= 0.9"`),
    or as a section a task.
    """
    found: list[Gate] = []
    for keys, value in _flat(tables, ()):
        where = place.at(*keys)
        task, metric = _split(".".join(keys), where, tasks)
        found += gates_of(metric, value, where, task)
    return tuple(dict.fromkeys(found))


def check_suite_gates(gates: Sequence[Gate], tasks: Mapping[str, GatedTask]) -> None:
    """Raise `ConfigError` for a gate that these tasks cannot meet, and for two that contradict."""
    for name, task in tasks.items():
        own = [gate for gate in gates if gate.task == name]
        check_gates(own, task.scorers, task.models, task.repeats)
    models = list(dict.fromkeys(model for task in tasks.values() for model in task.models))
    of_all = [gate for gate in gates if gate.task is None]
    weighs = any(task.weight > 0 for task in tasks.values())
    for gate in of_all:
        if gate.name == TOTAL and not weighs:
            raise _refused(
                gate.place,
                f"gate {gate.text!r}: no task has a weight, so there is no mean",
                "Give one a weight above 0.",
            )
        if gate.name == TOTAL and gate.figure != "mean":
            raise _refused(
                gate.place, f"gate {gate.text!r}: the total does not pass or fail", "Write total >= 0.9."
            )
        if gate.model is not None and gate.model not in models:
            raise _refused(
                gate.place,
                f"gate {gate.text!r} is for the model {gate.model!r}, which no task asks",
                sentences(did_you_mean(closest(gate.model, models)), f"Models are {', '.join(models)}."),
            )
    check_contradictions(of_all)


def _flat(tables: Mapping[str, Any], above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The gates of a table by the keys that lead to them: TOML reads a dot without quotes as a table."""
    for key, value in tables.items():
        keys = (*above, key)
        # A table of tables, or of texts under names that no gate has for settings, is a level above gates.
        nested = isinstance(value, Mapping) and not set(value) & set(SETTINGS)
        if nested and value and all(isinstance(one, str | list | Mapping) for one in value.values()):
            yield from _flat(value, keys)
        else:
            yield keys, value


def _split(metric: str, place: Wording, tasks: Collection[str]) -> tuple[str | None, str]:
    """The task that a metric begins with, None for one of the suite, and the rest."""
    task, dot, rest = metric.partition(".")  # names of tasks have no dot
    if dot and task in tasks:
        return task, rest
    before = re.split("[<>=]", metric, maxsplit=1)[0].strip()
    first, dot, _ = before.partition(".")
    if first in OF_SUITE:
        return None, metric
    dotted = bool(dot)
    what = f"{first!r} is no task" if dotted else f"{first!r} is no metric of a suite"
    near = None if first in tasks else closest(first, tasks if dotted else OF_SUITE)
    if first in tasks:
        way = f"Write {first}.total, or another metric of that task."
    elif not dotted and near is not None:
        way = ""  # what was meant is said
    else:
        way = f"Write TASK.{'METRIC' if dotted else first}; tasks are {', '.join(tasks)}."
    of_all = f"Of all tasks there are {', '.join(OF_SUITE)}."
    raise _refused(place, f"gate {metric!r}: {what}", sentences(did_you_mean(near), way, of_all))


def _refused(place: Wording, message: str, hint: Wording | None) -> ConfigError:
    return ConfigError(Phrase("{place}: {message}", place=place, message=message), hint)
