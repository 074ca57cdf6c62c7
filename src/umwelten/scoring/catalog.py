"""The types of scorers, a row each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from umwelten.scoring import math_rules, measure_rules, record_rules, text_rules
from umwelten.scoring import settings as s
from umwelten.scoring.judge import settings as judge_settings
from umwelten.scoring.judge.wording import WORDING
from umwelten.scoring.rule import MakeRule
from umwelten.scoring.settings import Setting

Needs = Literal["each", "list", "set", "fields", "group", "nothing"]
"""The reference that a rule takes: each of several in turn, of which the best counts; all of them as a list;
a list in any form; a mapping; one only if the pattern has a group; none."""

Runs = Literal["rule", "calls", "child", "table"]
"""How answers are scored: by the rule, in this process or, where that is too costly, in a child; by calls of
models; by what only a child can run; by looking them up in a table."""


@dataclass(frozen=True)
class ScorerType:
    """A type of scorer. `graded`: its values lie between 0 and 1, so nothing passes without a threshold.

    `version` is part of the identity of its scores: raise it when the same settings give other values. So
    is what a file holds if `has_content`, which must be read first (`Definition.content`). `make` is `None`
    where no rule does (`runs`): a judge is asked, a process is run, a table is read. `short` is the setting
    that the short form sets, `check` raises `Contradiction` for settings that do not go together, and
    `threshold` returns `at_least` as a share of 1, given the settings and what was written (`None`: nothing),
    where it is on a scale of the scorer's own.
    """

    make: MakeRule | None
    settings: Mapping[str, Setting]
    needs: Needs = "each"
    graded: bool = False
    version: int = 1
    short: str = "value"
    check: Callable[[Mapping[str, Any]], None] | None = None
    threshold: Callable[[Mapping[str, Any], Any], float | None] | None = None
    runs: Runs = "rule"
    has_content: bool = False


_FOUND = s.compared("case", yes_no=True) | s.WORDS
CATALOG: Mapping[str, ScorerType] = {
    "exact": ScorerType(text_rules.exact, s.compared("case", yes_no=True)),
    "contains": ScorerType(text_rules.find("in"), _FOUND),
    "contains-all": ScorerType(text_rules.find_several(all, "lacks"), _FOUND, "list"),
    "contains-any": ScorerType(text_rules.find_several(any, "has none of"), _FOUND, "list"),
    "starts": ScorerType(text_rules.find("starts"), _FOUND),
    "ends": ScorerType(text_rules.find("ends"), _FOUND),
    "regex": ScorerType(
        text_rules.regex, s.OF | s.SEVERAL | s.folded("case") | s.NOT | s.PATTERN, needs="group"
    ),
    "choice": ScorerType(text_rules.choice, s.OF | s.SEVERAL | s.VALUE | s.NOT | s.LETTERS),
    "number": ScorerType(text_rules.number, s.OF | s.SEVERAL | s.VALUE | s.NOT | s.TAKE | s.CLOSE),
    "f1": ScorerType(text_rules.bag_of_words, s.compared("words", yes_no=False), graded=True),
    "rouge-1": ScorerType(text_rules.rouge(1), s.compared("none", yes_no=False), graded=True),
    "rouge-2": ScorerType(text_rules.rouge(2), s.compared("none", yes_no=False), graded=True),
    "rouge-l": ScorerType(text_rules.rouge(None), s.compared("none", yes_no=False), graded=True),
    "chrf": ScorerType(text_rules.chrf, s.compared("none", yes_no=False), graded=True),
    "edit": ScorerType(text_rules.edit, s.compared("case", yes_no=False), graded=True),
    "set": ScorerType(
        record_rules.lists, s.compared("case", yes_no=False) | s.PART, needs="set", graded=True
    ),
    "label": ScorerType(text_rules.label, s.compared("case", yes_no=True)),
    "fields": ScorerType(
        record_rules.fields, s.FIELDS | s.CLOSE | s.folded("case"), needs="fields", graded=True
    ),
    "json": ScorerType(measure_rules.json_form, s.OF | s.NOT | s.SCHEMA, needs="nothing"),
    "length": ScorerType(measure_rules.length, s.OF | s.NOT | s.RANGE, needs="nothing"),
    "finish": ScorerType(measure_rules.finish, s.NOT | s.FINISH, needs="nothing"),
    "cost": ScorerType(
        measure_rules.bounded("cost", measure_rules.cost),
        s.NOT | s.bound("<= 0.001"),
        needs="nothing",
    ),
    "latency": ScorerType(
        measure_rules.bounded("time", lambda answer: answer.latency_s),
        s.NOT | s.bound("<= 2s", units=True),
        needs="nothing",
    ),
    "tokens": ScorerType(
        measure_rules.bounded("number of tokens", lambda answer: answer.tokens),
        s.NOT | s.bound("<= 500"),
        needs="nothing",
    ),
    "judge": ScorerType(
        None,
        judge_settings.SETTINGS,
        needs="nothing",
        graded=True,
        version=WORDING,
        short="ask",
        check=judge_settings.check_judge,
        threshold=judge_settings.check_threshold,
        runs="calls",
    ),
    "math": ScorerType(math_rules.mathematics, s.OF | s.SEVERAL | s.VALUE | s.NOT | s.TIMEOUT, runs="child"),
    "python": ScorerType(
        None,
        s.FUNCTION | s.TIMEOUT,
        needs="nothing",
        graded=True,
        runs="child",
        has_content=True,
    ),
    "command": ScorerType(None, s.COMMAND | s.TIMEOUT, needs="nothing", graded=True, runs="child"),
    "table": ScorerType(None, s.VALUES, needs="nothing", graded=True, runs="table"),
}
