"""JUnit: valid, summed up right, and nothing that an answer holds can break it."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from tests.scoredkit import evaluate, score, write_table

from umwelten.errors import UsageError
from umwelten.report.output_files import check_report_path, write_report
from umwelten.report.render.junit import render_junit
from umwelten.scoring.repeats import OfRepeats, enough, read_of_repeats
from umwelten.store.reader import Reader

SCHEMA = etree.XMLSchema(etree.parse(Path(__file__).with_name("junit-10.xsd")))
HOSTILE = "Oslo ]]> \x00 \x1b[31m </failure> & \ufffe " + "é" * 9000


def junit_of(*folders: Path) -> Any:
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    try:
        render_junit(readers, out)
    finally:
        for reader in readers:
            reader.close()
    root = etree.fromstring(out.getvalue().encode())
    SCHEMA.assertValid(root)
    check_sums(root)
    return root


def check_sums(root: Any) -> None:
    """The sums of each suite, and of all, are those of its cases."""
    everything = [0, 0, 0]
    for suite in root:
        counted = [len(suite.findall(path)) for path in ("testcase", "testcase/failure", "testcase/error")]
        assert counted == [int(suite.get(name)) for name in ("tests", "failures", "errors")]
        assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped"))
        everything = [a + b for a, b in zip(everything, counted, strict=True)]
    assert everything == [int(root.get(name)) for name in ("tests", "failures", "errors")]


def outcomes(suite: Any) -> list[tuple[str, str, str]]:
    """Of each case its name, what it is and the type."""
    return [
        (case.get("name"), case[0].tag if len(case) else "passed", case[0].get("type") if len(case) else "")
        for case in suite
    ]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris"},
        {"n": "2", "want": "Rome", "a": "Rome", "b": HOSTILE.replace("\x00", "")},
        {"n": "3", "want": "", "a": "Berlin", "b": ""},
    ]
    return write_table(tmp_path / "q.csv", rows)


def test_a_suite_a_model_and_one_of_the_gates(table: Path, tmp_path: Path) -> None:
    folder = evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path)
    score(folder, "right=contains", "f1", gates=["right >= 0.9", "scored >= 0.1", "f1 >= 0.4"])
    root = junit_of(folder)
    assert [suite.get("name") for suite in root] == ["x p:a", "x p:b", "x gates"]
    assert outcomes(root[0]) == [
        ("row-1", "passed", ""),
        ("row-2", "passed", ""),
        ("row-3", "skipped", "no_reference"),
    ]
    assert outcomes(root[1]) == [
        ("row-1", "passed", ""),
        ("row-2", "failure", "right"),
        ("row-3", "error", "no_answer"),
    ]
    assert outcomes(root[2]) == [
        ("right >= 0.9", "failure", "missed"),
        ("scored >= 0.1", "passed", ""),
        ("f1 >= 0.4", "error", "undecided"),
    ]
    assert {case.get("classname") for case in root[1]} == {"x.p:b"}
    assert "f1: 0.000" in root[1][1][0].text, "all scorers are in the text"
    assert root[0].get("time") == "1.500"


def test_texts_are_cut_and_hold_nothing_that_xml_or_a_terminal_reads(table: Path, tmp_path: Path) -> None:
    folder = evaluate(table, {"p:b": "b"}, output=tmp_path)
    score(folder, "right=contains")
    path = tmp_path / "x.junit.xml"
    write_report(folder, path)
    raw = path.read_bytes()
    assert not set(raw) & {0, 0x1B}
    text = junit_of(folder)[0][1][0].text
    assert "]]> " in text
    assert "\\x1b[31m </failure> &" in text
    assert len(text.encode()) <= 8192
    assert text.endswith("… cut")


def test_a_nul_in_an_answer_is_shown(tmp_path: Path) -> None:
    # csv has no NUL: the answer is made here.
    table = write_table(tmp_path / "q.csv", [{"n": "1", "want": "x", "a": "A"}])
    folder = evaluate(table, {"p:a": "a"}, output=tmp_path)
    score(folder, "right=exact")
    connection = sqlite3.connect(folder / "evaluation.db")
    with connection:
        connection.execute("UPDATE answers SET text = ?", ("A\x00B\x08",))
    connection.close()
    assert "A\\x00B\\x08" in junit_of(folder)[0][0][0].text


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ("most", ["passed", "failure", "failure", "error"]),
        ("all", ["failure", "failure", "failure", "error"]),
        ("any", ["passed", "passed", "failure", "passed"]),
        (0.3, ["passed", "passed", "failure", "passed"]),
    ],
)
def test_of_several_repeats_most_must_pass(tmp_path: Path, rule: OfRepeats, wanted: list[str]) -> None:
    answers = ["yes|no|yes", "yes|no|no", "no|no|no", "yes||"]
    rows = [{"n": str(n), "want": "yes", "a": text} for n, text in enumerate(answers)]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a"}, output=tmp_path, repeats=3)
    score(folder, "right=exact", of_repeats=rule)
    suite = junit_of(folder)[0]
    assert [outcome for _, outcome, _ in outcomes(suite)] == wanted
    third = suite[2][0]
    assert third.get("message").startswith("0 of 3 pass: right: 0.000")
    assert third.text.count("repeat ") == 3


def test_calls_that_have_not_ended_are_errors(table: Path, tmp_path: Path) -> None:
    folder = evaluate(table, {"p:a": "a"}, output=tmp_path)
    score(folder, "right=contains")
    connection = sqlite3.connect(folder / "evaluation.db")
    with connection:
        connection.execute("DELETE FROM calls WHERE id = (SELECT min(id) FROM calls)")
    connection.close()
    assert outcomes(junit_of(folder)[0])[0] == ("row-1", "error", "pending")


def test_several_evaluations_stand_beside_each_other(table: Path, tmp_path: Path) -> None:
    folders = [evaluate(table, {"p:a": "a"}, id=id_, output=tmp_path) for id_ in ("one", "two")]
    for folder in folders:
        score(folder, "right=contains")
    assert [suite.get("name") for suite in junit_of(*folders)] == ["one p:a", "two p:a"]


def test_junitparser_reads_it(table: Path, tmp_path: Path) -> None:
    junitparser = pytest.importorskip("junitparser")
    folder = evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path)
    score(folder, "right=contains", gates=["right >= 0.9"])
    path = tmp_path / "x.junit.xml"
    write_report(folder, path)
    found = junitparser.JUnitXml.fromfile(str(path))
    assert (found.tests, found.failures, found.errors) == (7, 2, 1)
    found.update_statistics()
    assert (found.tests, found.failures, found.errors, found.skipped) == (7, 2, 1, 1)


def test_what_was_never_scored_has_none(table: Path, tmp_path: Path) -> None:
    folder = evaluate(table, {"p:a": "a"}, output=tmp_path)
    with pytest.raises(UsageError, match="'x' has no scores"):
        junit_of(folder)
    check_report_path(tmp_path / "x.junit.xml")
    with pytest.raises(UsageError, match="extension"):
        check_report_path(tmp_path / "x.xml")


def test_the_rule_of_repeats_is_checked() -> None:
    assert [enough(7, 10, 0.7), enough(1, 2, "most"), enough(0, 0, "any")] == [True, False, False]
    for value in (0, 1.5, True, "half", float("nan")):
        with pytest.raises(ValueError, match="must be"):
            read_of_repeats(value)
