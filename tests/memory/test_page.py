"""The commands of docs/memory.md, run as they stand there, in order, on the files of examples/memory."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

from conftest import Cli
from memory.kit import answers, profile, says
from provider import provider

ROOT = Path(__file__).parents[2]
RULES = (
    answers(
        json.dumps(
            {
                "ops": [
                    {
                        "new": 1,
                        "op": "UPDATE",
                        "old": 3,
                        "text": "Alice lives in Bergen, before that in Oslo.",
                    }
                ]
            }
        ),
        prompt="3. Alice lives in Oslo.",
    ),
    answers(
        json.dumps(
            {"ops": [{"new": 1, "op": "UPDATE", "old": 2, "text": "Bob has sold his bakery in Lyon."}]}
        ),
        prompt="2. Bob bakes bread in Lyon.",
    ),
    says(
        ("I moved to Oslo", "Alice lives in Oslo."),
        ("Black coffee only", "Alice drinks black coffee only.", "preference"),
        prompt="Black coffee",
    ),
    says(
        ("I bake bread in Lyon", "Bob bakes bread in Lyon.", "professional"),
        ("I cannot eat nuts", "Bob cannot eat nuts.", "health"),
        prompt="cannot eat nuts.",
    ),
    says(("My sister Clara", "Alice's sister is called Clara.", "person"), prompt="My sister"),
    says(("no nuts for me", "Bob cannot eat nuts", "health"), prompt="no nuts for me"),
    says(("I live in Bergen now", "Alice lives in Bergen."), prompt="Bergen now"),
    says(("I have sold the bakery", "Bob has sold his bakery.", "professional"), prompt="sold the bakery"),
    says(),
)


def test_every_command_of_the_page_works_as_it_stands(cli: Cli, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "memory", tmp_path, dirs_exist_ok=True)
    text = (ROOT / "docs" / "memory.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    commands = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    assert len(commands) == 14
    printed = ""
    with provider(profile(*RULES)) as server:
        for command in commands:
            done = cli(*shlex.split(command)[1:], env=server.env())
            assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
            printed += done.out
        asked = [record.prompt for record in server.idle().records]
    for line in "".join(re.findall(r"```text\n(.*?)```", text, re.DOTALL)).splitlines():
        assert line in printed, line
    known = "What you know of the customer: - Bob cannot eat nuts.\n- Bob bakes bread in Lyon. Answer: Which"
    assert any(prompt.startswith(known) for prompt in asked)
    assert any("(nothing yet) Answer: Do you" in prompt for prompt in asked)
    now = "- Bob has sold his bakery in Lyon.\n- Bob cannot eat nuts. Answer: Which"
    assert any(now in prompt for prompt in asked)
