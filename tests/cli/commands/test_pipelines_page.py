"""The commands of docs/pipelines.md, run as they stand there, in order."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import sys
from pathlib import Path

from PIL import Image

from corpus import pdfs
from provider import clean_environment, provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

PAGE = Path(__file__).parents[3] / "docs" / "pipelines.md"


def _prepare(folder: Path) -> None:
    for name in ("scans", "papers", "texts"):
        (folder / name).mkdir()
    for n in range(3):
        Image.new("RGB", (40, 30), (n * 60, 90, 120)).save(folder / "scans" / f"page-{n}.jpg")
        (folder / "papers" / f"{n}.pdf").write_bytes(pdfs.text(["On bees.", "They dance."]))
        (folder / "texts" / f"{n}.txt").write_text(f"Text {n}.")
    (folder / "books.csv").write_text("title,author\nEmma,Austen\nUlysses,Joyce\n")
    # The second one, prompts of several messages, is tried in `test_messages`.
    prompts = re.findall(r"```toml\n(.*?)```", PAGE.read_text(), re.DOTALL)[0]
    (folder / "prompts.toml").write_text(prompts)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_every_command_of_the_page_works_as_it_stands(tmp_path):
    _prepare(tmp_path)
    commands = re.findall(r"```sh\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(commands) == 9
    sad = Rule(prompt="Who wrote this letter", behaviour=Behaviour(shaped="ignore", text=SAD))
    with provider(Profile(rules=(sad,), default=Behaviour(text="Dear Anna, it rains."))) as server:
        bin_ = str(Path(sys.executable).parent)
        environ = clean_environment(server.env()) | {"PATH": f"{bin_}{os.pathsep}{os.environ['PATH']}"}
        for command in commands:
            done = subprocess.run(
                command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=90
            )
            assert done.returncode == 0, f"{command}\n{done.stderr}"
        records = server.idle().records
    asked = [record.prompt for record in records]
    assert sum("Dear Anna, it rains." in one and "Who wrote" in one for one in asked) == 3
    checks = [record for record in records if "Which words are wrong?" in record.prompt]
    assert len(checks) == 3 and all(record.images for record in checks)
    letters = _rows(tmp_path / "letters.csv")
    assert [row["mood"] for row in letters] == ["sad"] * 3
    assert {row["file"] for row in letters} == {f"page-{n}.jpg" for n in range(3)}
    papers = _rows(tmp_path / "papers.csv")
    assert len(papers) == 3
    assert all(1900 <= int(row["year"]) <= 2100 for row in papers)
    assert (tmp_path / "output" / "genres" / "Emma.txt").exists()
    assert len(list((tmp_path / "output" / "prompts").glob("*.txt"))) == 12


SAD = '{"sender": "Ben", "date": "1912-05-03", "topics": ["rain"], "mood": "sad"}'
