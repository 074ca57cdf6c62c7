"""A suite of two tasks whose answers are columns of a table, and the provider that gives them."""

from __future__ import annotations

from pathlib import Path

from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

SUITE = """\
[suite]
name = "nightly"
models = ["openai:a", "openai:b"]

[tasks.capitals]
rows = "data/capitals.csv"
row_name = "city"
prompt = "{{row.answer}}"
expected = "{{row.country}}"
weight = 3
scorers.right = { type = "contains" }

[tasks.letters]
rows = "data/capitals.csv"
row_name = "city"
prompt = "Dear {{row.city}}"
scorers.polite = { type = "judge", ask = "Is it polite?", model = "openai:judge" }

[gates]
"capitals.right" = ">= 0.5"
"letters.polite.pass" = ">= 0.5"
total = ">= 0.5"
"""
TABLE = """\
city,country,answer
Paris,France,It is France.
Rome,Italy,It is Italy.
Bern,Switzerland,It is Switzerland.
Oslo,Norway,It is Sweden.
"""
VERDICT = '{{"reason": "It says so.", "verdict": "{}"}}'


def write_suite(folder: Path, text: str = SUITE) -> str:
    """Write the suite and its table into `folder/suites`; returns the suite's path as seen from `folder`."""
    (folder / "suites" / "data").mkdir(parents=True, exist_ok=True)
    (folder / "suites" / "data" / "capitals.csv").write_text(TABLE)
    (folder / "suites" / "nightly.toml").write_text(text)
    return "suites/nightly.toml"


def profile(*rules: Rule, verdict: str = "pass") -> Profile:
    """Models that say what they are asked, and a judge that always says the same."""
    judged = Behaviour(text=VERDICT.format(verdict), shaped="ignore")
    rules = (*rules, Rule(model="judge", behaviour=judged))
    return Profile(default=Behaviour(text="{prompt}"), rules=rules, keep_bodies=True)
