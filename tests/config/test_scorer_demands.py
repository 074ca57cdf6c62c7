"""What scorers demand that a stranger's folder names."""

from __future__ import annotations

from pathlib import Path

from umwelten.config.layers import Value
from umwelten.config.option_demands import option_demands
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


def test_files_elsewhere_are_asked_about(tmp_path: Path) -> None:
    (tmp_path / "umwelten.toml").write_text("")
    place = Place(file=project_file(tmp_path / "umwelten.toml", tmp_path, 0))
    scorers = """
        [scorers.a]
        type = "exact"
        expected = "@/etc/hostname"
        [scorers.b]
        type = "table"
        value = "../labels.csv"
        [scorers.c]
        type = "judge"
        ask = "polite?"
        check = "~/people.csv"
        [scorers.d]
        type = "exact"
        expected = "@../{{file.stem}}"
        [scorers.e]
        type = "exact"
        expected = "=@/etc/hostname"
        [scorers.f]
        type = "exact"
        expected = "@{{file.stem}}.txt"
    """
    (tmp_path / "s.toml").write_text('expected = "@.env"\n' + scorers)
    values = {"scorers": Value(tmp_path / "s.toml", "p", place=place)}
    texts = [str(demand) for demand in option_demands(values, Path("output"))]
    assert [text.rpartition("(")[2].partition(")")[0] for text in texts] == [
        "scorer a",
        "scorer b",
        "scorer c",
        "scorer d",
        "expected",
    ]
    assert texts[-1].endswith("it is hidden")
    profile = {"expected": Value("@/etc/hostname", "p", place=place)}
    assert len(list(option_demands(profile, Path("output")))) == 1
