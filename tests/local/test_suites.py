"""A suite under examples, as far as a minute is too long for a test: two rows of one task."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

pytestmark = pytest.mark.local

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_a_task_of_a_suite_is_run_and_scored(cli, tmp_path):
    shutil.copy(EXAMPLES / "suites" / "labels.csv", tmp_path)
    text = (EXAMPLES / "suites" / "labels.toml").read_text()
    (tmp_path / "labels.toml").write_text(text.replace("[suite]\n", "[suite]\nmax_files = 2\n"))
    command = ("eval", "suite", "labels.toml", "--only", "topic", "--progress", "none", "--json")
    code, out, err = cli(*command, timeout=120)
    assert code == 0, err
    (row,) = json.loads(out)["rows"]
    value = row["tasks"]["topic"]
    assert (value["succeeded"], value["scored"], value["mean"] in (0, 0.5, 1)) == (2, 2, True)
    assert row["missing"] == ["mood"]
    assert row["mean"] is None
