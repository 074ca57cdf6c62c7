"""The commands of docs/tools.md, run as they stand there, in order, on the files of examples/tools."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

from conftest import Cli
from provider import provider
from umwelten.simulate.faultserver import Behaviour, Profile, Rule, ToolTurns

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tools.md"
EXAMPLES = ROOT / "examples" / "tools"

TOTALS = {
    "Harbour Crane": ("GBP", "(2 * 640 + 9 * 48.5) * 1.15", "1973.975"),
    "Lime & Wash": ("USD", "(14 * 23.9 + 3 * 11.25) * 0.95 * 0.86", "300.94195"),
    "Night Bakery": ("EUR", "120 * 0.85 + 40 * 3.6 + 12", "258"),
    "Reed Boats": ("GBP", "6 * 3 * 55 * 1.15", "1138.5"),
}
"""Of each invoice a word in it, its currency, and what comes to its total."""


def turns(*arguments: dict[str, Any], tools: tuple[str, ...]) -> ToolTurns:
    return ToolTurns(turns=len(arguments), tools=tools, arguments=arguments)


def rules() -> list[Rule]:
    """Models that ask for a rate, calculate, and answer with what they were told last."""
    found = [
        Rule(
            prompt=word,
            behaviour=Behaviour(
                text="{results}",
                tool_turns=turns({"currency": currency}, {"expression": sum_}, tools=("rate", "calculator")),
            ),
        )
        for word, (currency, sum_, _) in TOTALS.items()
    ]
    clock = turns({"timezone": "Asia/Tokyo"}, tools=("time__get_current_time",))
    found.append(Rule(prompt="Tokyo", behaviour=Behaviour(text="It is {results}.", tool_turns=clock)))
    return found


def test_every_command_of_the_page_works_as_it_stands(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    rates = re.search(r"```python\n# rates.py\n(.*?)```", text, re.DOTALL)
    assert rates is not None
    for part in rates[1].strip().split("\n\n\n"):
        assert part in (EXAMPLES / "rates.py").read_text(), "rates.py on the page is another one"
    commands = re.findall(r"^```sh\n(umwelten.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert len(commands) == 5
    printed = []
    with provider(Profile(rules=tuple(rules()))) as server:
        bin_ = str(Path(sys.executable).parent)
        environ = server.env() | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
        for command in commands:
            if "mcp:" in command:
                environ |= {"UMWELTEN_TRUST": "1"}
            _, *words = shlex.split(command.replace("\\\n", " "))
            done = cli(*words, env=environ, timeout=90)
            assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
            printed.append(done.out)
        assert server.idle().verdicts == []
    _, shown, tested, clock, searched = printed
    answers = [path.read_text() for path in (tmp_path / "output" / "totals").glob("*.txt")]
    for _, _, total in TOTALS.values():
        assert sum(total in answer for answer in answers) == 2, (total, sorted(answers))
    assert "6 * 3 * 55 * 1.15" in shown and "1138.5" in shown
    assert tested == "12500\n"
    assert "Asia/Tokyo" in clock
    assert searched.startswith("claude-sonnet-5-5 says ")
