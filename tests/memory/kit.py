"""Texts that say facts, and a model that finds them: what it answers is a function of what it is asked."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

MODEL = "openai:gpt-5.4-mini"


def says(*facts: tuple[str, ...] | str, **rule: object) -> Rule:
    """A rule that answers with these facts: (quote, text) or (quote, text, type), or a quote that is both."""
    listed = []
    for fact in facts:
        quote, text, *kind = (fact, fact) if isinstance(fact, str) else fact
        listed.append({"quote": quote, "text": text, "type": kind[0] if kind else "other"})
    return answers(json.dumps({"facts": listed}), **rule)


def answers(text: str, **rule: object) -> Rule:
    """A rule that answers requests for a record with this text."""
    return Rule(behaviour=Behaviour(text=text, shaped="ignore"), schema=True, **rule)  # type: ignore[arg-type]


ECHO = answers('{"facts": [{"quote": "{tail}", "text": "{tail}", "type": "plan"}]}')
"""The last words of the prompt are the fact."""


def profile(*rules: Rule) -> Profile:
    """What is asked about no record is echoed."""
    return Profile(rules=rules, default=Behaviour(text="echo: {prompt}"))


def table(path: Path, rows: Iterable[Sequence[str]], columns: Sequence[str] = ("user", "text")) -> Path:
    """Write a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path
