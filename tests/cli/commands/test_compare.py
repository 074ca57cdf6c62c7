"""`eval compare` as it is typed: what it prints and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

from comparisonkit import answers, pair, scored, went
from conftest import Cli


def test_a_regression_ends_with_status_4_and_is_written_for_ci(cli: Cli, tmp_path: Path) -> None:
    pair(tmp_path / "output", *went(76, 14, 4, 6))
    ran = cli("eval", "compare", "base", "new", "--report", "c.junit.xml", "--report", "c.md")
    assert (ran.code, ran.out.splitlines()[-1]) == (4, "regressed")
    assert "  umwelten eval show base row-77 openai:m\n  umwelten eval show new row-77 openai:m\n" in ran.out
    assert "report: c.junit.xml" in ran.err
    assert 'failures="1"' in (tmp_path / "c.junit.xml").read_text()
    shown = cli("eval", "show", "new", "row-77", "openai:m")
    assert (shown.code, "no" in shown.out) == (0, True)
    ran = cli("eval", "compare", "base", "new", "--json", "--max-drop", "20%", "--exit-zero")
    assert (ran.code, json.loads(ran.out)["outcome"]) == (0, "held")


def test_an_unclear_outcome_ends_with_0_unless_it_must_be_held(cli: Cli, tmp_path: Path) -> None:
    pair(tmp_path / "output", *went(70, 12, 10, 8))
    ran = cli("eval", "compare", "base", "new")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "unclear")
    assert cli("eval", "compare", "base", "new", "--require", "held").code == 4


def test_missing_scores_end_with_1_and_what_cannot_be_compared_with_2(cli: Cli, tmp_path: Path) -> None:
    output = tmp_path / "output"
    pair(output, [True] * 5, [True, None, True, True, True])
    ran = cli("eval", "compare", "base", "new")
    assert (ran.code, "left out: 1 no answer" in ran.out) == (1, True)
    scored(output, "other", {"openai:m": answers([True] * 5)}, scorers={"right": {"type": "contains"}})
    ran = cli("eval", "compare", "base", "other")
    assert (ran.code, ran.out) == (2, "")
    assert "'right' is exact in base and contains in other" in ran.err
    assert "umwelten eval score other --scorers FILE" in ran.err
