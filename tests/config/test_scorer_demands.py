"""What scorers demand that a stranger's folder names."""

from __future__ import annotations

from pathlib import Path

from umwelten.config.project_files import Place, project_file
from umwelten.config.scorer_demands import scorer_demands
from umwelten.scoring.definition import NamedPlace, read_short_form


def test_code_is_asked_about_and_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "umwelten.toml").write_text("")
    (tmp_path / "checks.py").write_text("def f(answer): ...")
    (tmp_path / "check").write_text("#!/bin/sh")
    place = Place(file=project_file(tmp_path / "umwelten.toml", tmp_path, 0))
    named = ["a=python:checks.py:f", "b=command:./check --strict", "c=exact", "d=table:labels.csv", "e=math"]
    definitions = [read_short_form(text, NamedPlace("x")) for text in named]

    def demands() -> dict[str, str]:
        return {str(demand): demand.digest for demand in scorer_demands(definitions, place, tmp_path)}

    first = demands()
    assert [text.rpartition(" file ")[2] for text in first] == [
        f"{tmp_path / 'checks.py'} (scorer a)",
        "umwelten.toml: this project's file runs the command ./check --strict (scorer b)".rpartition(
            " file "
        )[2],
    ]
    (tmp_path / "checks.py").write_text("def f(answer): return 1")
    second = demands()
    (tmp_path / "check").write_text("#!/bin/sh\nrm")
    third = demands()
    assert [first[text] == second[text] for text in first] == [False, True]
    assert [second[text] == third[text] for text in first] == [True, False]
