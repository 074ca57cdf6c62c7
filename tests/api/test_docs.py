"""The examples of the docs run as they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from forked import FORKS
from provider import Profile, Ran, provider
from umwelten.simulate.faultserver.profile import Behaviour

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "library.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE)


def run(arguments: list[str], tmp_path: Path, behaviour: Behaviour) -> Ran:
    """Run a program where a provider answers and a folder `texts` holds three files."""
    (tmp_path / "texts").mkdir()
    for name in ("moon", "sea", "wind"):
        (tmp_path / "texts" / f"{name}.txt").write_text(f"A text about the {name}.")
    with provider(Profile(default=behaviour)) as server:
        return FORKS.run(arguments, cwd=tmp_path, env=server.env())


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_an_example_of_the_docs_runs(block: str, tmp_path: Path) -> None:
    ran = run(["-c", block], tmp_path, Behaviour(latency_s=0.02))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.strip()


def test_the_page_has_examples() -> None:
    assert len(BLOCKS) >= 8


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_an_example_program_runs(path: Path, tmp_path: Path) -> None:
    ran = run([str(path), "openai:gpt-4o-mini", "texts"], tmp_path, Behaviour(latency_s=0.02))
    assert (ran.code, ran.err) == (0, "")
    assert "3 answered" in ran.out
