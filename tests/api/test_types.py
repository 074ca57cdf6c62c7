"""A type checker sees what a program gets from the library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy", exc_type=ImportError)

PROGRAM = """
import umwelten
from pydantic import BaseModel

class Paper(BaseModel):
    title: str

async def main() -> None:
    reveal_type(await umwelten.run("hello", "openai:a"))
    reveal_type(await umwelten.run("hello", "openai:a", schema="title"))
    reveal_type(await umwelten.run("hello", "openai:a", schema=Paper))
    async for answer in umwelten.batch("hello", ["openai:a"], directory="in", schema=Paper):
        reveal_type(answer.record)
        reveal_type(answer.text)
    for record in umwelten.open("id", schema=Paper):
        reveal_type(record.record.title)
    scores = umwelten.open("id", schema=Paper).score(
        right=umwelten.Number("{{row.n}}", within=0.01), own=lambda answer: True, short="length:1..5 words"
    ).wait()
    reveal_type(scores)
    reveal_type(scores["right"]["openai:a"].mean)
    for score in scores:
        reveal_type(score.answer.record)
    reveal_type(umwelten.statistics.wilson(1, 2).low)
    reveal_type(await umwelten.rank(["x", umwelten.open("y")], "openai:a", pairs=0.25, control="length"))
    reveal_type(umwelten.open("x").rank("openai:a").wait().board[0].points)
    reveal_type(umwelten.suite({"tasks": {}}, only="a").wait()["openai:a"].mean)
    umwelten.run("hello", "openai:a", temprature=0)
    umwelten.run("hello", "openai:a", pdf="pages")
    umwelten.Number("5", take="lst")
    umwelten.run([{"role": "user", "content": "hello"}], "openai:a")
    few: list[umwelten.Message] = [{"role": "user", "content": "hello"}]
    umwelten.batch(few, "openai:a", prompts={"few": few, "one": "hello"})
    umwelten.rank("x", seats="two")
    umwelten.run([{"role": "usr", "content": "hello"}], "openai:a")
"""
REVEALED = [
    "umwelten.api.results.Results[Any]",
    "umwelten.api.results.Results[Any]",
    "umwelten.api.results.Results[program.Paper]",
    "program.Paper",
    "str | None",
    "str",
    "umwelten.api.scores.Scores[program.Paper]",
    "float | None",
    "program.Paper",
    "float",
    "umwelten.api.rankings.Ranking",
    "float",
    "float | None",
]


def test_a_type_checker_sees_answers_records_and_mistakes(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", "program.py"]
    environment = {**os.environ, "MYPYPATH": ""}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    lines = ran.stdout.splitlines()
    revealed = [line.split('"')[1] for line in lines if "Revealed type" in line]
    assert revealed == REVEALED, ran.stdout
    errors = [line for line in lines if ": error:" in line]
    assert len(errors) == 5, ran.stdout
    assert "temprature" in errors[0]
    assert "pages" in errors[1]
    assert "lst" in errors[2]
    assert "two" in errors[3]
    assert "usr" in errors[4] or "role" in errors[4]
