"""The commands of docs/scoring.md, run as they stand there, in order, on the files of examples/scoring."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from examplekit import EXAMPLES, rules
from provider import clean_environment, provider
from umwelten.simulate.faultserver.profile import Profile

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "scoring.md"


def test_every_command_of_the_page_works_as_it_stands(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    text = PAGE.read_text(encoding="utf-8")
    for name, body in re.findall(r"```toml\n# (\w+\.toml)\n(.*?)```", text, re.DOTALL):
        written = (EXAMPLES / name).read_text().partition("\n")[2]
        assert body.strip() == written.strip(), f"{name} on the page is another one than in examples/scoring"
    commands = re.findall(r"^```sh\n(umwelten.*?)^```", text, re.DOTALL | re.MULTILINE)
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
        judged = [record for record in server.idle().records if record.model.startswith("claude")]
    outputs = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len(outputs) == 2
    shown = " ".join(printed.split())
    for line in "".join(outputs).splitlines():
        # What tokens cost changes with the price list.
        assert line.startswith("judged:") or " ".join(line.split()) in shown, line
    assert len(judged) == 100
    assert not any(name in record.prompt for record in judged for name in ("gpt-5.4", "gemma"))
    with (tmp_path / "letters.csv").open(encoding="utf-8-sig") as file:
        letters = {row["file"]: row for row in csv.DictReader(file)}
    assert float(letters["bees.md"]["score.fields.topics"]) == 0.5
    assert float(letters["harbour.md"]["score.fields"]) == 1
    assert (tmp_path / "capitals.html").stat().st_size > 50_000
