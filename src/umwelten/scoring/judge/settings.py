"""The settings of a judge: what may be given, and what does not go together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

from umwelten.prompts.template import Template
from umwelten.scoring.judge.scale import PASS_FAIL, Scale, make_scale, read_labels, read_scale
from umwelten.scoring.settings import Contradiction, Setting, amount, names, one_of, switch, text
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import FrozenStruct, Parameters

Combine = Literal["majority", "mean", "median", "all", "any"]
SEEN = ("prompt", "input", "expected", "answer")
"""What a judge is shown, in this order."""
FURTHER = ("row.", "json.", "file.")
"""Beginnings of the other placeholders that the words of a judge may have."""
MAX_TOKENS = 1_024
"""Tokens of a reply: a reason of 600 characters takes 200, the rest is for models that think aloud."""
_TOKENS_OF_A_CRITERION = 256
_CRITERIA_WITHIN = 4
MOST_SAMPLES = 100
_COMBINES: tuple[Combine, ...] = ("majority", "mean", "median", "all", "any")
_CRITERION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}", re.ASCII)
_PARAMETERS = ("top_p", "seed", "stop")
_OWN_SETTINGS = ("temperature", "max_tokens")
_NOT_PARAMETERS = ("model", "messages", "system", "stream", "response_format", "tools")


def _count(value: Any, *, most: float = math.inf) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most:
        return value
    raise ValueError("must be a whole number, 1 or more" if most == math.inf else f"must be 1 to {most}")


def _temperature(value: Any) -> float:
    return float(amount(value, most=2))


def _models(value: Any) -> list[str]:
    found = [name.strip() for name in names(value)]
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise ValueError(f"has {twice[0]} twice; samples = 2 asks a judge twice")
    return found


def _sees(value: Any) -> list[str]:
    found = [one_of(SEEN, name) for name in names(value)]
    if "answer" not in found:
        raise ValueError("must have answer, which is what is judged")
    return [name for name in SEEN if name in found]


def _criteria(value: Any) -> list[list[str]]:
    if not isinstance(value, Mapping) or not value:
        raise ValueError('must be a section with a text for each criterion, such as accurate = "…"')
    for name, words in value.items():
        if not _CRITERION.fullmatch(name):
            raise ValueError(f"has {name!r:.70}; names are made of letters, digits, '_' and '-', at most 60")
        if not isinstance(words, str) or not words.strip():
            raise ValueError(f"of {name!r} must be a text in quotes")
    # Pairs: their order is part of what the judge reads, and so of the identity.
    return [[name, words] for name, words in value.items()]


def _parameters(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("must be a section, such as {top_p = 0.5}")
    for name, given in value.items():
        if name in _OWN_SETTINGS:
            raise ValueError(f"has {name}, which is a setting of its own")
        if name in _NOT_PARAMETERS:
            raise ValueError(f"has {name}, which the judge decides itself")
        if not _is_json(given):
            raise ValueError(
                f"of {name!r} must be a text, a number, true, false, or a list or section of them"
            )
    if "top_p" in value:
        _within("top_p", partial(amount, most=1), value["top_p"])
    if "seed" in value and (isinstance(value["seed"], bool) or not isinstance(value["seed"], int)):
        raise ValueError("of 'seed' must be a whole number")
    if "stop" in value:
        _within("stop", names, value["stop"])
    return dict(value)


def _within(name: str, read: Any, value: Any) -> None:
    try:
        read(value)
    except ValueError as error:
        raise ValueError(f"of {name!r} {error}") from None


def _is_json(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_json, value))
    if isinstance(value, Mapping):
        return all(map(_is_json, value.values()))
    return isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


SETTINGS: Mapping[str, Setting] = {
    "ask": Setting(text),
    "model": Setting(_models, []),
    "scale": Setting(read_scale, PASS_FAIL),
    "labels": Setting(read_labels),
    "criteria": Setting(_criteria),
    "each": Setting(switch, False),
    "sees": Setting(_sees, list(SEEN)),
    "unsure": Setting(switch, True),
    "samples": Setting(partial(_count, most=MOST_SAMPLES), 1),
    "combine": Setting(partial(one_of, _COMBINES)),
    "max_tokens": Setting(_count),
    "temperature": Setting(_temperature),
    "parameters": Setting(_parameters, {}),
}


class JudgeSettings(FrozenStruct):
    """The settings of a judge with their defaults.

    `ask` is "" where only criteria are given; `criteria` are (name, words); `models` is empty where the
    definition names none. `placeholders` are those of the words; with any, nothing but them is shown.
    """

    ask: str
    models: tuple[str, ...]
    scale: Scale
    criteria: tuple[tuple[str, str], ...]
    each: bool
    sees: tuple[str, ...]
    unsure: bool
    samples: int
    combine: Combine
    parameters: Parameters
    placeholders: tuple[str, ...]


def judge_settings(settings: Mapping[str, Any]) -> JudgeSettings:
    """Return the settings of a definition of type `judge`, which has been checked."""
    given = {name: settings.get(name, setting.default) for name, setting in SETTINGS.items()}
    scale = make_scale(given["scale"], given["labels"])
    criteria = tuple((name, words) for name, words in given["criteria"] or ())
    combine: Combine = given["combine"] or ("mean" if scale.graded else "majority")
    return JudgeSettings(
        ask=given["ask"] or "",
        models=tuple(given["model"]),
        scale=scale,
        criteria=criteria,
        each=given["each"],
        sees=tuple(given["sees"]),
        unsure=given["unsure"],
        samples=given["samples"],
        combine=combine,
        parameters=_request_parameters(given, 1 if given["each"] else len(criteria)),
        placeholders=_placeholders(given),
    )


def check_judge(settings: Mapping[str, Any]) -> None:
    """Raise `Contradiction` for settings that do not go together."""
    if not settings.get("ask") and not settings.get("criteria"):
        raise Contradiction("ask", 'needs ask, such as ask = "Is the reply polite?", or criteria')
    if settings.get("labels") and settings.get("scale", PASS_FAIL) != PASS_FAIL:
        raise Contradiction("labels", "has both scale and labels; labels are a scale of their own")
    if settings.get("each") and not settings.get("criteria"):
        raise Contradiction("each", "has each = true, a call for each criterion, but no criteria")
    _check_placeholders(settings)


def check_threshold(settings: Mapping[str, Any], given: Any) -> float | None:
    """Return the share from which an answer passes, given on the judge's own scale; `None`: nothing passes.

    Pass/fail has 1 unless it is averaged: then the shares lie between, and what passes must be said. Errors:
    `ValueError`.
    """
    read = judge_settings(settings)
    if given is not None:
        return read.scale.from_raw(given)
    return None if read.scale.graded or read.combine == "mean" else 1.0


def _request_parameters(given: Mapping[str, Any], criteria: int) -> Parameters:
    others = given["parameters"]
    stop = others.get("stop")
    temperature = given["temperature"]
    if temperature is None and given["samples"] == 1:
        temperature = 0.0  # several samples of 0 would say nothing about how sure a judge is
    return Parameters(
        temperature=temperature,
        max_tokens=given["max_tokens"]
        or MAX_TOKENS + _TOKENS_OF_A_CRITERION * max(0, criteria - _CRITERIA_WITHIN),
        top_p=None if others.get("top_p") is None else float(others["top_p"]),
        seed=others.get("seed"),
        stop=None if stop is None else tuple(names(stop)),
        extra={name: value for name, value in others.items() if name not in _PARAMETERS},
    )


def _placeholders(settings: Mapping[str, Any]) -> tuple[str, ...]:
    words = [settings.get("ask") or "", *(words for _, words in settings.get("criteria") or ())]
    return tuple(dict.fromkeys(name for each in words for name in Template(each).names))


def _questions(settings: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return the placeholders of each question."""
    if not settings.get("each"):
        return [_placeholders(settings)]
    return [_placeholders({**settings, "criteria": [one]}) for one in settings["criteria"]]


def _check_placeholders(settings: Mapping[str, Any]) -> None:
    found = _placeholders(settings)
    for name in found:
        if name not in SEEN and not name.startswith(FURTHER):
            known = (*SEEN, *(f"{beginning}…" for beginning in FURTHER))
            listed = ", ".join(f"{{{{{each}}}}}" for each in known)
            near = did_you_mean_clause(closest(name, SEEN, ignore_case=True), "{{{{{}}}}}")
            raise Contradiction(
                "ask", f"has {{{{{name}}}}}, which is not known{near or '.'} Known are {listed}"
            )
    if not found:
        return
    if "sees" in settings:
        raise Contradiction("sees", "has sees and placeholders; with placeholders, a judge sees only those")
    for question in _questions(settings):
        if not any(name == "answer" or name.startswith("json.") for name in question):
            raise Contradiction(
                "criteria" if settings.get("each") else "ask",
                "has placeholders, but a question without {{answer}} or {{json.…}}: there, the judge would "
                "not see what it judges",
            )
