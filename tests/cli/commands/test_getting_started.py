"""The commands of docs/getting-started.md, run as they stand there, print what the page shows."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from conftest import Cli
from provider import provider
from umwelten.simulate.faultserver import Behaviour, Profile, Rule

ROOT = Path(__file__).parents[3]
RECORDS = {
    "Halden": ("Halden H2 headphones", 2),
    "gooseneck": ("Brightwater gooseneck kettle", 4),
    "rain jacket": ("Fellstride rain jacket", 3),
    "Paper Lantern": ("The Paper Lantern", 5),
    "Old Mill": ("The Old Mill", 2),
}
SEA = "Rivers carry dissolved salts from rocks to the sea, where they stay behind as water evaporates."


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def test_every_command_of_the_page_prints_what_the_page_shows(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "examples" / "reviews", tmp_path / "examples" / "reviews")
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    labels, script = re.findall(r"```(?:csv|python)\n(.*?)```", text, re.DOTALL)
    (tmp_path / "labels.csv").write_text(labels)
    rules = tuple(
        Rule(
            prompt=word,
            behaviour=Behaviour(text=json.dumps({"product": product, "stars": stars}), shaped="ignore"),
        )
        for word, (product, stars) in RECORDS.items()
    )
    commands = 0
    printed = ""
    with provider(Profile(rules=rules, default=Behaviour(text=SEA))) as server:
        for kind, block in re.findall(r"```(sh|text)\n(.*?)```", text, re.DOTALL):
            if kind == "text":
                for line in block.splitlines():
                    assert plain(line).strip() in printed, f"{line}\n\n{printed}"
                printed = ""
                continue
            for command in block.replace("\\\n", " ").splitlines():
                done = cli(*shlex.split(command)[1:], env=server.env())
                assert done.code == 0, f"{command}\n{done.out}\n{done.err}"
                printed += plain(done.out + done.err)
                commands += 1
        asked = len(server.idle().records)
        monkeypatch.chdir(tmp_path)
        for name, value in server.env().items():
            monkeypatch.setenv(name, value)
        exec(script, {})
        assert "Brightwater gooseneck kettle" in capsys.readouterr().out
        assert len(server.idle().records) == asked == 6
    assert commands == 9
    assert "kettle.txt" in (tmp_path / "stars.csv").read_text(encoding="utf-8-sig")
    assert (tmp_path / "stars.html").stat().st_size > 10_000
