"""Two stored evaluations compared: what is paired, what is left out, what comes out."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree

import pytest

import umwelten
from comparisonkit import MODEL, RIGHT, answers, pair, scored, went
from umwelten.errors import InputError, UsageError
from umwelten.report.output_files import write_comparison, write_report
from umwelten.report.render.comparison_text import comparison_lines

REGRESSED = went(76, 14, 4, 6)


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "output"


@pytest.fixture(scope="module")
def regressed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """90 of 100 against 80 of 100: 14 files broke, 4 are mended."""
    output = tmp_path_factory.mktemp("regressed") / "output"
    pair(output, *REGRESSED)
    return output


@pytest.fixture(scope="module")
def baseline(regressed: Path) -> Path:
    """The JSON report of the base, as CI would keep it."""
    path = regressed.parent / "base.json"
    write_report(regressed / "base", path)
    return path


def lines(found: umwelten.Comparison) -> list[str]:
    def show(id_: str, file: str, model: str, prompt: str | None) -> str:
        return f"show {id_} {file} {model}"

    return list(comparison_lines(found, show))


def test_90_of_100_against_80(regressed: Path) -> None:
    found = umwelten.compare("base", "new", output_dir=regressed)
    (row,) = found.rows
    assert (row.base, row.new, row.files) == (0.9, 0.8, 100)
    assert (row.difference, row.p) == (pytest.approx(-0.1), pytest.approx(0.0309, abs=5e-5))
    assert (row.outcome, found.outcome, found.doubtful) == ("regressed", "regressed", 0)
    assert row.flips.broke == tuple(f"row-{n}" for n in range(77, 91))
    assert row.flips.mended == ("row-91", "row-92", "row-93", "row-94")
    assert {one.measure: one.ratio for one in found.measures} == {
        "cost_usd": 1.0,
        "p50_s": 1.0,
        "input_tokens": 1.0,
        "output_tokens": 1.0,
    }
    assert umwelten.compare("base", "new", output_dir=regressed, max_drop=0.2).outcome == "held"


def test_the_text_fits_a_terminal_and_names_the_files(regressed: Path) -> None:
    shown = lines(umwelten.compare("base", "new", output_dir=regressed))
    assert max(map(len, shown)) <= 80
    assert any(re.search(r"0\.900  0\.800  -0\.100 .* 0\.031 +100  regressed", line) for line in shown)
    place = shown.index("right, openai:m: 14 passed and now fail")
    assert shown[place + 1 : place + 3] == ["  show base row-77 openai:m", "  show new row-77 openai:m"]
    assert shown[place + 21] == "  and 4 more"
    assert shown[-1] == "regressed"


def test_long_names_leave_room_for_the_figures(output: Path) -> None:
    long = "openrouter:someone/a-model-with-a-very-long-name-of-many-words-and-numbers-2026-11-30"
    for id_ in ("base", "new"):
        scored(output, id_, {long: ["yes", "no"]})
    assert max(map(len, lines(umwelten.compare("base", "new", output_dir=output)))) <= 80


def test_what_cannot_be_told_is_unclear(output: Path) -> None:
    pair(output, *went(70, 12, 10, 8))
    found = umwelten.compare("base", "new", output_dir=output)
    assert found.outcome == "unclear"
    assert any("would have been seen" in line for line in lines(found))


def test_changed_files_are_left_out_and_counted(output: Path) -> None:
    base, new = went(6, 2, 0, 2)
    scored(output, "base", {MODEL: answers([*base, True, True])})
    asked = [str(n) for n in range(8)] + ["other", "another"]
    scored(output, "new", {MODEL: answers(new)}, questions=asked)
    found = umwelten.compare("base", "new", output_dir=output)
    (row,) = found.rows
    assert (row.files, row.left_out, found.files) == (8, {"changed": 2}, 8)
    assert (found.changed.count, found.changed.names) == (2, ("row-9", "row-10"))
    assert (found.only_base.count, found.only_base.names) == (2, ("row-11", "row-12"))
    assert found.only_new.count == 0
    text = "\n".join(lines(found))
    assert "changed in between, left out: 2 files (row-9, row-10)" in text
    assert "only in base: 2 files (row-11, row-12)" in text


def test_prompts_that_take_other_columns_do_not_make_files_changed(output: Path) -> None:
    for id_, prompt in (("base", "{{row.n}}?"), ("new", "{{row.a0}}?")):
        scored(output, id_, {MODEL: ["yes", "no", "yes"]}, prompt=prompt)
    found = umwelten.compare("base", "new", output_dir=output)
    assert (found.rows[0].files, found.changed.count) == (3, 0)
    # But rows that are others are.
    scored(output, "third", {MODEL: ["yes", "no", "yes"]}, questions=["x", "y", "2"], prompt="{{row.a0}}?")
    found = umwelten.compare("base", "third", output_dir=output)
    assert (found.rows[0].files, found.changed.count) == (1, 2)
    scored(output, "fourth", {MODEL: ["yes"]}, questions=["x"], prompt="{{row.n}}?")
    with pytest.raises(UsageError, match="all files that both have, 1, were changed"):
        umwelten.compare("base", "fourth", output_dir=output)


def test_failed_calls_are_left_out_and_leave_doubt(output: Path) -> None:
    pair(output, [True, True, False, True], [True, None, False, True])
    found = umwelten.compare("base", "new", output_dir=output)
    (row,) = found.rows
    assert (row.files, row.left_out, found.doubtful) == (3, {"no_answer": 1}, 1)


def test_scorers_must_be_the_same(output: Path) -> None:
    texts = {MODEL: ["yes", "no"]}
    close, closer = {"type": "edit", "at_least": 0.5}, {"type": "edit", "at_least": 0.9}
    strict = {**RIGHT, "fold": "none"}
    scored(output, "base", texts, scorers={"right": RIGHT, "close": closer})
    scored(output, "new", texts, scorers={"right": strict, "close": close})
    with pytest.raises(UsageError, match=r"'right' \(exact\) has other settings in new") as caught:
        umwelten.compare("base", "new", output_dir=output)
    assert 'umwelten eval score new scorers="FILE"' in str(caught.value)
    assert 'score="close"' in str(caught.value)
    found = umwelten.compare("base", "new", score="close", output_dir=output)
    assert [row.scorer for row in found.rows] == ["close"]
    assert "passes from 0.9 in base, from 0.5 in new" in found.notes[0]
    scored(output, "third", texts)
    with pytest.raises(UsageError, match="third is not scored by 'close', base is"):
        umwelten.compare("base", "third", output_dir=output)
    with pytest.raises(UsageError, match=r"(?s)no scorer 'clos' .* mean close"):
        umwelten.compare("base", "third", score="clos", output_dir=output)


def test_models_are_paired_by_name_alone_or_as_told(output: Path) -> None:
    scored(output, "base", {"p:old": ["yes", "no"], "p:same": ["yes", "no"]})
    scored(output, "new", {"p:new": ["no", "no"], "p:same": ["yes", "yes"]})
    found = umwelten.compare("base", "new", output_dir=output)
    assert [row.model for row in found.rows] == ["p:same"]
    assert found.notes == ("only in base: p:old", "only in new: p:new")
    found = umwelten.compare("base", "new", models={"p:old": "p:new"}, output_dir=output)
    assert [(row.base_model, row.model, row.difference) for row in found.rows] == [
        ("p:old", "p:new", -0.5),
        ("p:same", "p:same", 0.5),
    ]
    found = umwelten.compare("base", "new", models={"p:old": ["p:same", "p:new"]}, output_dir=output)
    assert [(row.base_model, row.model) for row in found.rows] == [("p:old", "p:same"), ("p:old", "p:new")]
    with pytest.raises(UsageError, match=r"(?s)no model 'p:odl' in base.*mean p:old"):
        umwelten.compare("base", "new", models={"p:odl": "p:new"}, output_dir=output)


def test_the_only_models_are_paired_with_a_note(output: Path) -> None:
    scored(output, "base", {"p:old": ["yes", "no"]})
    scored(output, "new", {"p:m@cool": ["no", "no"]})
    scored(output, "two", {"p:a": ["no", "no"], "p:b": ["no", "no"]})
    found = umwelten.compare("base", "new", output_dir=output)
    assert (found.rows[0].base_model, found.rows[0].model) == ("p:old", "p:m@cool")
    assert found.notes == ("p:old in base is compared with p:m@cool in new",)
    assert any(line.startswith("p:old → p:m@cool") for line in lines(found))
    with pytest.raises(UsageError, match=r'(?s)no model in common.*models="OLD=NEW"'):
        umwelten.compare("base", "two", output_dir=output)


def test_a_report_as_base_says_the_same_as_the_evaluation(regressed: Path, baseline: Path) -> None:
    by_id = umwelten.compare("base", "new", output_dir=regressed)
    by_report = umwelten.compare(baseline, "new", output_dir=regressed)
    assert by_report.base == str(baseline)
    assert by_report.rows == by_id.rows
    assert by_report.measures == by_id.measures
    # As another program formats it.
    other = baseline.with_name("other.json")
    other.write_text(json.dumps(json.loads(baseline.read_text()), indent=1))
    assert umwelten.compare(other, "new", output_dir=regressed).rows == by_id.rows
    # Commands for what is not stored here would find nothing.
    shown = lines(by_report)
    assert "  show new row-77 openai:m" in shown
    assert not [line for line in shown if line.startswith("  show") and "base" in line]


@pytest.mark.parametrize("failed_as_zero", [False, True])
def test_a_report_as_base_knows_changed_files_and_failed_calls(output: Path, failed_as_zero: bool) -> None:
    right = [True, True, None, False, True]
    base = scored(output, "base", {MODEL: answers(right)}, failed_as_zero=failed_as_zero)
    scored(output, "new", {MODEL: answers([True] * 5)}, questions=["other", "1", "2", "3", "4"])
    with closing(sqlite3.connect(base / "evaluation.db", isolation_level=None)) as connection:
        connection.execute("UPDATE calls SET error_kind = 'schema' WHERE error_kind IS NOT NULL")
    write_report(base, output / "base.json")
    by_id = umwelten.compare("base", "new", output_dir=output)
    by_report = umwelten.compare(output / "base.json", "new", output_dir=output)
    (row,) = by_id.rows
    left_out = {"changed": 1} if failed_as_zero else {"changed": 1, "no_answer": 1}
    assert (row.left_out, row.base) == (left_out, 0.5 if failed_as_zero else pytest.approx(2 / 3))
    assert (by_report.rows, by_report.changed) == (by_id.rows, by_id.changed)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda report: report | {"results": None}, "short report"),
        (lambda report: report | {"scorers": []}, "has no scores"),
        (lambda report: {"evaluations": [report]}, "reports of several evaluations"),
        (lambda report: [report], "is not a JSON report of umwelten"),
    ],
)
def test_a_file_that_cannot_be_the_base_is_refused(
    regressed: Path, baseline: Path, tmp_path: Path, change: Callable[[object], object], message: str
) -> None:
    path = tmp_path / "other.json"
    path.write_text(json.dumps(change(json.loads(baseline.read_text()))))
    with pytest.raises((InputError, UsageError), match=message):
        umwelten.compare(path, "new", output_dir=regressed)


def test_files_in_four_formats(regressed: Path, tmp_path: Path) -> None:
    found = umwelten.compare("base", "new", output_dir=regressed)
    texts = {}
    for ending in (".md", ".json", ".csv", ".junit.xml"):
        write_comparison(found, tmp_path / f"c{ending}")
        texts[ending] = (tmp_path / f"c{ending}").read_text("utf-8-sig")
    assert "| right | openai:m | 0.900 | 0.800 | -0.100 |" in texts[".md"].replace("\\", "")
    values = json.loads(texts[".json"])
    assert (values["outcome"], values["rows"][0]["outcome"]) == ("regressed", "regressed")
    assert len(values["rows"][0]["flips"]["broke"]) == 14
    assert texts[".csv"].splitlines()[1].startswith("right,openai:m,openai:m,,0.9,0.8,")
    suite = ElementTree.fromstring(texts[".junit.xml"])[0]
    assert (suite.get("tests"), suite.get("failures")) == ("1", "1")
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "regressed: 0.900 is now 0.800 (p = 0.031)"
    with pytest.raises(UsageError, match=r"Endings: \.csv, \.json, \.junit\.xml, \.md"):
        write_comparison(found, tmp_path / "c.pdf")
