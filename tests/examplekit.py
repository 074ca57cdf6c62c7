"""What a provider says to the examples of `examples/scoring`, for the pages about scores and suites."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from umwelten.simulate.faultserver.profile import Behaviour, Rule

EXAMPLES = Path(__file__).parents[1] / "examples" / "scoring"


def says(text: str, **rule: object) -> Rule:
    return Rule(behaviour=Behaviour(text=text, shaped="ignore"), **rule)  # type: ignore[arg-type]


def verdict(word: str) -> str:
    return json.dumps({"reason": "It names a country.", "verdict": word})


def rules() -> list[Rule]:
    """Two models that know most capitals, one that reads letters, and a judge that likes short answers."""
    found = [
        says(verdict("fail"), model="claude*", prompt="I am not sure"),
        says(verdict("pass"), model="claude*"),
    ]
    with (EXAMPLES / "capitals.csv").open(encoding="utf-8") as file:
        for number, row in enumerate(csv.DictReader(file)):
            question = f"Which country is {row['city']} the capital of?"
            right = f"It is {row['country']}."
            if number in (8, 12, 17):
                right = f"I am not sure, but I would say {row['country']}."
            if number % 5 == 0 and number > 4:
                found.append(says("It is Atlantis.", model="gemma3*", prompt=question))
            found.append(says("I cannot tell." if number in (20, 30, 40) else right, prompt=question))
    with (EXAMPLES / "labels.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            record = {"sender": row["sender"], "date": row["date"], "topics": json.loads(row["topics"])}
            if row["file"] == "bees.md":
                record["topics"] = ["bees", "garden"]
            surname = row["sender"].rpartition(" ")[2]
            found.append(says(json.dumps(record), prompt=surname))
    return found
