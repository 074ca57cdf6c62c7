"""The suite of docs/suites.md, run as it stands there, on the files of examples/scoring."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from examplekit import EXAMPLES, rules
from provider import clean_environment, provider
from umwelten.simulate.faultserver.profile import Profile

PAGE = Path(__file__).parents[3] / "docs" / "suites.md"
CHANGES = r"\$[0-9.]+|[0-9.]+ m?s\b|(?<=\S) +cost +p50"
"""What costs with the price list, and times with the machine."""


def shown(text: str) -> str:
    return " ".join(re.sub(CHANGES, "", text).split())


def test_the_boards_of_the_page_are_what_the_commands_print(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    [suite] = re.findall(r"```toml\n# nightly\.toml\n(.*?)```", text, re.DOTALL)
    assert suite.strip() == (EXAMPLES / "nightly.toml").read_text().partition("\n")[2].strip()
    commands = [
        line for line in re.findall(r"^umwelten eval suite .*", text, re.MULTILINE) if "nightly.toml" in line
    ]
    assert len(commands) == 4
    printed = ""
    with provider(Profile(rules=tuple(rules()))) as server:
        bin_ = str(Path(sys.executable).parent)
        environ = clean_environment(server.env()) | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
        for command in commands:
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=90
            )
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
            printed += done.stdout
    _, *outputs = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len(outputs) == 2
    for line in "".join(outputs).splitlines():
        assert shown(line) in shown(printed), line
