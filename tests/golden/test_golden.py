"""What an evaluation's identity is, and what it sends, stay as they were written down.

A failure here means that evaluations which users have would be asked, and paid for, again, or that models
are sent something else than before. It is mended in the code and not in `golden.jsonl`: see `combinations`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from golden.combinations import COMBINATIONS
from golden.replaying import GOLDEN, difference, line_of, stage, stored_lines

GROUPS = sorted({combination.group for combination in COMBINATIONS})
SHOWN = 10
"""Differences that a failure shows in full; all are named."""


def test_every_combination_has_its_line_and_every_line_its_combination() -> None:
    names = [combination.name for combination in COMBINATIONS]
    stored = stored_lines()
    assert len(names) == len(set(names)) >= 200
    assert set(names) == set(stored), "add new ones by python -m golden.combinations --write"
    assert len(GOLDEN.read_text(encoding="utf-8").splitlines()) == len(stored)
    wires = {"/chat/completions", "enerateContent", "/v1/messages", "/api/chat"}
    assert {wire for wire in wires if any(wire in line for line in stored.values())} == wires


@pytest.mark.parametrize("group", GROUPS)
def test_settings_keys_and_requests_are_those_of_the_golden_file(group: str, tmp_path: Path) -> None:
    stored, found = stored_lines(), {}
    with stage(tmp_path) as provider:
        for combination in COMBINATIONS:
            if combination.group == group:
                found[combination.name] = line_of(combination, provider)
    wrong = [name for name in found if found[name] != stored.get(name)]
    shown = [f"{name}:\n{difference(stored.get(name, ''), found[name])}" for name in wrong[:SHOWN]]
    assert not wrong, "\n\n".join([f"not as written down: {'; '.join(wrong)}", *shown])


def test_a_difference_of_one_byte_is_shown() -> None:
    name, line = next(iter(stored_lines().items()))
    request = json.loads(line)["requests"][0][0][2]
    changed = line.replace(json.dumps(request[:20])[1:-1], json.dumps(request[:19] + "~")[1:-1])
    shown = difference(line, changed).splitlines()
    assert changed != line, name
    assert sum(row.startswith("+") for row in shown) == 2  # the heading is one
    assert any(row.startswith("+") and "~" in row for row in shown)
