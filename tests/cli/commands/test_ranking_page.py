"""The commands of docs/ranking.md, run as they stand there, in order, on a table of examples/scoring."""

from __future__ import annotations

import csv
import json
import os
import random
import re
import shutil
import subprocess
import sys
from itertools import permutations
from pathlib import Path

from provider import clean_environment, provider
from umwelten.scoring.ranking.question import framed
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "ranking.md"
TABLE = ROOT / "examples" / "scoring" / "capitals.csv"
TIPS = {
    "gpt-5.4-mini": (
        "Walk through the old town of {} in the evening, when the street musicians come out.",
        "The roof of the old library of {}: open to all, and empty before ten.",
        "See the harbour of {}.",
    ),
    "gemini-3.5-flash": (
        "Take the ferry in {} and look at the city from the water.",
        "In {}, go up the hill behind the station for the best view of the roofs and the river.",
        "The gardens of {}.",
    ),
    "gemma3:12b": ("See the market of {}.", "{} has a large museum.", "In {} there are many fine houses."),
}
WORTH = {"gpt-5.4-mini": 1.1, "gemini-3.5-flash": 0.9, "gemma3:12b": 0.0}
FIRST_SEAT = 0.25
COST = r"\$[0-9.]+"  # changes with the price list


def says(text: str, **rule: object) -> Rule:
    return Rule(behaviour=Behaviour(text=text, shaped="ignore"), **rule)  # type: ignore[arg-type]


def rules() -> list[Rule]:
    """Three models with a tip for each city, and a judge with a taste, a mood and a liking of the first."""
    found = []
    with TABLE.open(encoding="utf-8") as file:
        cities = [row["city"] for row in csv.DictReader(file)]
    for city in cities:
        luck = random.Random(city)
        tips = {model: luck.choice(texts).format(city) for model, texts in TIPS.items()}
        taste = {model: WORTH[model] + len(tips[model]) / 100 + luck.gauss(0, 0.8) for model in TIPS}
        for first, second in permutations(TIPS, 2):
            shown = framed({"first": tips[first], "second": tips[second]}, ("first", "second"))
            ahead = taste[first] - taste[second] + FIRST_SEAT + luck.gauss(0, 0.5)
            winner = "tie" if abs(ahead) < 0.1 else "first" if ahead > 0 else "second"
            verdict = json.dumps({"reason": "One tip is easier to follow.", "winner": winner})
            found.append(says(verdict, model="claude*", prompt=f"{shown['first']}\n\n{shown['second']}"))
        found += [says(tip, model=f"*{model}", prompt=f"in {city}?") for model, tip in tips.items()]
    return found


def test_the_commands_of_the_page_print_what_it_shows(tmp_path: Path) -> None:
    shutil.copy(TABLE, tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    commands = [f"umwelten {command}" for block in blocks for command in block.split("umwelten ")[1:]]
    assert len(commands) == 7
    printed = ""
    with provider(Profile(rules=tuple(rules()))) as server:
        bin_ = str(Path(sys.executable).parent)
        environ = clean_environment(server.env()) | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
        for command in (command for command in commands if not re.search("--dry-run|--pairs", command)):
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=90
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            printed += done.stdout
        judged = [record for record in server.idle().records if record.model.startswith("claude")]
    shown = " ".join(re.sub(COST, "", printed).split())
    outputs = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len(outputs) == 2
    for line in re.sub(COST, "", "".join(outputs)).splitlines():
        assert " ".join(line.split()) in shown, line
    assert len(judged) == 240
    assert not any(name in record.prompt for record in judged for name in ("gpt-5.4", "gemma", "gemini"))
    assert (tmp_path / "tips-rank.html").stat().st_size > 50_000
