"""Thresholds that scores must reach, as text and as sections of a file.

`METRIC OP NUMBER [for MODEL]`, such as `right >= 0.9` or `polite.pass >= 95% for openai:gpt-5.4-mini`.
Those of a suite have a task in front of the metric, such as `capitals.right >= 0.9`, but for those of all its
tasks. Whether they are reached is said by `gate_outcomes`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from umwelten.errors import ConfigError
from umwelten.phrases import Phrase, Wording
from umwelten.scoring.definition import Definition, Place
from umwelten.scoring.figures import Figure
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

TOTAL = "total"
OF_ALL = ("answered", "scored", "cost_usd", "p95_s")
"""Metrics that are of no scorer."""

_GATE = re.compile(r"([^<>=!]*)([<>=!]+)([^<>=!]*?)(?:\sfor\s+(\S.*))?", re.DOTALL)
_METRIC = re.compile(r"([^.]+)(?:\.(pass)(?:(@|\^)([1-9]\d{0,3}))?)?(\.low)?", re.ASCII)
_NUMBER = re.compile(r"(\$)?\s*(\d{1,12}(?:\.\d{1,15})?|\.\d{1,15})\s*(%|ms|s|m)?", re.ASCII)
_PASSES: Mapping[str | None, Figure] = {None: "pass", "@": "pass_at", "^": "pass_all"}
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0}
_OPERATORS = (">=", ">", "<=", "<")
_KEYS = {"at_least": ">=", "above": ">", "at_most": "<=", "below": "<"}
SETTINGS = (*_KEYS, "sure", "for")
"""What the section of a gate may say."""
_FORM = "Write it as METRIC OP NUMBER, such as right >= 0.9 or polite.pass >= 95% for openai:gpt-5.4-mini."


class Gate(FrozenStruct):
    """A threshold. `text` is how it is written.

    `name` is a scorer, "total", or a metric of no scorer (`figure` None); `figure` and `k` say which figure
    of the scorer. It holds where the figure is `operator` `number`; if `sure`, where the end of its interval
    that lies nearer to failing is. `model` None: it must hold for every model. `place` is where it stands,
    for messages. `task` is the task of a suite that it is about; None: there is none, or all of them.
    """

    text: str
    name: str
    figure: Figure | None
    k: int
    operator: str
    number: float
    sure: bool = False
    model: str | None = None
    place: Wording = ""
    task: str | None = None

    @property
    def lower(self) -> bool:
        """Whether it is a lower limit."""
        return self.operator in (">=", ">")


def read_gate(text: str, place: Wording) -> Gate:
    """Return the gate of a text, such as `right >= 0.9`, of an option. Errors: `ConfigError`."""
    return gate_of(text, place)


def read_gates(tables: Mapping[str, Any], place: Place) -> tuple[Gate, ...]:
    """Return the gates of a section `[gates]`, by metric. Errors: `ConfigError`.

    A value is a text (`">= 0.9"`), a section (`at_least`, `above`, `at_most`, `below`; `sure`, `for`), or a
    list of them.
    """
    return tuple(
        dict.fromkeys(
            gate for metric, value in tables.items() for gate in gates_of(metric, value, place.at(metric))
        )
    )


def gates_of(metric: str, value: Any, place: str, task: str | None = None) -> Iterator[Gate]:
    """Yield the gates that a file gives a metric (of that task of a suite). Errors: `ConfigError`."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            yield gate_of(f"{metric} {one.strip()}", place, task)
        elif isinstance(one, Mapping):
            yield from _of_section(metric, one, place, task)
        else:
            raise ConfigError(
                f"{place}: gate {metric!r} is {one!r:.80}", f'Write it as {_key(metric)} = ">= 0.9".'
            )


def check_gates(
    gates: Sequence[Gate], scorers: Mapping[str, Definition], models: Collection[str], repeats: int
) -> None:
    """Raise `ConfigError` for a gate that these scorers, models and repeats cannot meet.

    Also for two that contradict. The gates of a suite: those of one task at a time.
    """
    for gate in gates:
        _check_metric(gate, scorers, repeats)
        if gate.model is not None and gate.model not in models:
            raise _refused(
                gate.place,
                f"gate {gate.text!r} is for the model {gate.model!r}, which is not among those scored",
                sentences(did_you_mean(closest(gate.model, models)), f"Models are {', '.join(models)}."),
            )
    check_contradictions(gates)


def check_contradictions(gates: Sequence[Gate]) -> None:
    """Raise `ConfigError` for two gates, of one task, that no value meets."""
    for one, other in combinations(gates, 2):
        if _contradict(one, other):
            raise _refused(
                other.place,
                f"gates {one.text!r} and {other.text!r} contradict each other",
                "No value can meet both: change or remove one.",
            )


def gate_of(text: str, place: Wording, task: str | None = None) -> Gate:
    """Return the gate of a text, without the task that it is about. Errors: `ConfigError`."""
    match = _GATE.fullmatch(text.strip())
    if match is None or not match[1].strip():
        raise _refused(place, f"{text!r} is no gate", _FORM)
    metric, operator, number, model = (part and part.strip() for part in match.groups())
    return _make(metric, operator, number, model, False, place, task)


def _of_section(metric: str, table: Mapping[str, Any], place: str, task: str | None) -> Iterator[Gate]:
    for key in table:
        if key not in SETTINGS:
            dotted = f'Write the metric in quotes: "{metric}.{key}" = ….' if "." not in metric else ""
            raise ConfigError(
                f"{place}: {key!r} is no setting of the gate {metric!r}",
                sentences(
                    did_you_mean(closest(key, SETTINGS)), f"Settings are {', '.join(SETTINGS)}.", dotted
                ),
            )
    sure, model = table.get("sure", False), table.get("for")
    if not isinstance(sure, bool):
        raise ConfigError(f"{place}: sure of the gate {metric!r} is {sure!r:.80}; it must be true or false")
    if model is not None and not (isinstance(model, str) and model.strip()):
        raise ConfigError(f"{place}: for of the gate {metric!r} is {model!r:.80}; it must be a model's name")
    limits = [key for key in _KEYS if key in table]
    if not limits:
        raise ConfigError(
            f"{place}: the gate {metric!r} has no number", f"Give it one of {', '.join(_KEYS)}."
        )
    for key in limits:
        given = table[key]
        number = "" if isinstance(given, bool) or not isinstance(given, str | int | float) else str(given)
        yield _make(metric, _KEYS[key], number, model and model.strip(), sure, place, task)


def _make(
    metric: str, operator: str, number: str, model: str | None, sure: bool, place: Wording, task: str | None
) -> Gate:
    of_task = "" if task is None else f"{task}."
    text = (
        f"{of_task}{metric} {operator} {number}{' for ' + model if model else ''}{' (sure)' if sure else ''}"
    )
    if operator not in _OPERATORS:
        raise _refused(
            place, f"gate {text!r} compares by {operator!r}", f"Use one of {', '.join(_OPERATORS)}."
        )
    match = _METRIC.fullmatch(metric)
    if match is None:
        raise _refused(place, f"gate {text!r}: {metric!r} is no metric", _metrics_of("NAME"))
    name, passes, of_repeats, k, low = match.groups()
    figure: Figure | None = _PASSES[of_repeats] if passes else "mean"
    if name in OF_ALL:
        if metric != name:
            raise _refused(place, f"gate {text!r}: {name} has no {metric[len(name) :]}", f"Write {name}.")
        if sure:
            raise _refused(place, f"gate {text!r}: {name} is known, not estimated", "Leave out sure.")
        figure = None
    if low and operator not in (">=", ">"):
        raise _refused(
            place,
            f"gate {text!r}: the lower end of an interval is asked to stay below a limit",
            "Write it in a file of scorers with at_most and sure = true: that asks the upper end.",
        )
    return Gate(
        text=text,
        name=name,
        figure=figure,
        k=int(k or 1),
        operator=operator,
        number=_number(text, name, operator, number, place),
        sure=sure or bool(low),
        model=model,
        place=place,
        task=task,
    )


def _number(text: str, name: str, operator: str, given: str, place: Wording) -> float:
    """Return the number of a gate: a share, dollars or seconds."""
    match = _NUMBER.fullmatch(given)
    dollar, digits, unit = match.groups() if match else (None, "", None)
    if name == "cost_usd" or name == "p95_s":
        units = {"": 1.0} if name == "cost_usd" else {"": 1.0} | _SECONDS
        if not digits or (unit or "") not in units or (dollar and name != "cost_usd"):
            example = "cost_usd <= 0.5" if name == "cost_usd" else "p95_s <= 2.5"
            raise _refused(place, f"gate {text!r}: {given!r} is no number for {name}", f"Such as {example}.")
        value = float(digits) * units[unit or ""]
    else:
        if not digits or dollar or unit not in (None, "%"):
            raise _refused(place, f"gate {text!r}: {given!r} is no share", "Such as 0.9 or 90%.")
        value = float(digits) / 100 if unit else float(digits)
        if value > 1:
            percent = f"{digits}%"
            hint = f"Write {float(digits) / 100:g} or {percent}." if not unit and value <= 100 else None
            raise _refused(place, f"gate {text!r}: {given} is not from 0 to 1", hint or "Such as 0.9 or 90%.")
        if operator == ">" and value == 1:
            raise _refused(place, f"gate {text!r} can never be met", "The best value is 1.")
    if operator == "<" and value == 0:
        raise _refused(place, f"gate {text!r} can never be met", "No value is below 0.")
    return value


def _check_metric(gate: Gate, scorers: Mapping[str, Definition], repeats: int) -> None:
    if gate.figure is None:
        return
    if gate.name == TOTAL:
        if gate.figure != "mean":
            raise _refused(
                gate.place, f"gate {gate.text!r}: the total does not pass or fail", "Write total >= 0.9."
            )
        if not any(scorer.weight > 0 and scorer.part_of_total for scorer in scorers.values()):
            raise _refused(
                gate.place,
                f"gate {gate.text!r}: no scorer is part of the total",
                "Give one a weight, and part_of_total = true.",
            )
        return
    known = (*scorers, TOTAL, *OF_ALL)
    if gate.name not in scorers:
        raise _refused(
            gate.place,
            f"gate {gate.text!r}: there is no scorer or metric {gate.name!r}",
            sentences(did_you_mean(closest(gate.name, known)), f"There are {', '.join(known)}."),
        )
    if gate.figure == "mean":
        return
    if scorers[gate.name].at_least is None:
        raise _refused(
            gate.place,
            f"gate {gate.text!r}: nothing says which values of {gate.name!r} pass",
            f"Give the scorer at_least, or write {gate.name} {gate.operator} {gate.number:g}.",
        )
    if gate.k > repeats:
        raise _refused(
            gate.place,
            f"gate {gate.text!r} is about {gate.k} repeats of a file; there {_are(repeats)}",
            Phrase("Write {most}, or ask more often with {option:repeat}.", most=_up_to(repeats)),
        )


def _are(repeats: int) -> str:
    return "is 1" if repeats == 1 else f"are {repeats}"


def _up_to(repeats: int) -> str:
    return "1" if repeats == 1 else f"a number from 1 to {repeats}"


def _contradict(one: Gate, other: Gate) -> bool:
    """Whether no value meets both. Ends of intervals lie beyond the value, so they do as well."""
    if (one.name, one.figure, one.k) != (other.name, other.figure, other.k) or one.lower == other.lower:
        return False
    if None not in (one.model, other.model) and one.model != other.model:
        return False
    low, high = (one, other) if one.lower else (other, one)
    strict = low.operator == ">" or high.operator == "<"
    return low.number > high.number or (strict and low.number == high.number)


def _metrics_of(name: str) -> str:
    forms = ", ".join(f"{name}{suffix}" for suffix in ("", ".pass", ".low", ".pass@2", ".pass^3"))
    return f"Metrics are {forms}, {TOTAL}, {', '.join(OF_ALL)}."


def _key(metric: str) -> str:
    return metric if re.fullmatch(r"[A-Za-z0-9_-]+", metric) else f'"{metric}"'


def _refused(place: Wording, message: str, hint: Wording | None = None) -> ConfigError:
    return ConfigError(Phrase("{place}: {message}", place=place, message=message), hint)
