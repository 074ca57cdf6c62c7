"""Evaluations that an earlier umwelten wrote are read, and gone on with, as if it had been this one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from golden.stored import EVALUATIONS, FOLDER, Evaluation, as_text, keys, read, reported, resumed, unpacked

each = pytest.mark.parametrize("evaluation", EVALUATIONS, ids=lambda one: one.name)


def expected(evaluation: Evaluation) -> dict[str, Any]:
    """What was read and asked when the archive was made."""
    return dict(json.loads(evaluation.expected.read_text(encoding="utf-8")))


@each
def test_what_is_stored_is_read_as_it_was(evaluation: Evaluation, tmp_path: Path) -> None:
    with unpacked(tmp_path, evaluation):
        found = read(evaluation)
    assert as_text(found) == as_text(expected(evaluation)["read"])


@each
def test_a_resume_asks_what_has_no_answer_and_nothing_else(evaluation: Evaluation, tmp_path: Path) -> None:
    before = expected(evaluation)
    with unpacked(tmp_path, evaluation) as provider:
        asked = resumed(evaluation, provider)
        again = resumed(evaluation, provider) if asked else []
        now = {id_: keys(id_) for id_ in evaluation.ids}
    assert asked == before["asked"]
    assert again == []
    for id_ in evaluation.ids:
        then = before["read"][id_]["keys"]
        assert now[id_]["settings"] == then["settings"]
        assert now[id_]["application_id"] == then["application_id"]
        assert [call for call in then["calls"] if call not in now[id_]["calls"]] == []
    assert bool(asked) == (evaluation.name in ("unfinished", "misfits"))


def test_the_command_line_reports_them_as_it_did(tmp_path: Path) -> None:
    reports = {id_: of["report"] for one in EVALUATIONS for id_, of in expected(one)["read"].items()}
    with unpacked(tmp_path, *EVALUATIONS):
        found = reported(reports)
    assert as_text(found["evaluations"]) == as_text(list(reports.values()))


def test_every_archive_belongs_to_an_evaluation_and_all_are_small() -> None:
    there = list(FOLDER.iterdir())
    assert {path.name for path in there} == {
        p.name for one in EVALUATIONS for p in (one.archive, one.expected)
    }
    assert sum(path.stat().st_size for path in there) < 300_000
