"""`eval show` and `eval list` with scores."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.scoredkit import evaluate, score, write_table

from umwelten.cli.report import list_evaluations
from umwelten.cli.show import show
from umwelten.errors import UsageError

HEAD = "CALL\tFILE\tMODEL\tSCORER\tVALUE\tEXPECTED\tREASON\n"
Show = Callable[..., tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris"},
        {"n": "2", "want": "Rome", "a": "Rome", "b": "Oslo\x1b[31m"},
        {"n": "3", "want": "", "a": "Berlin", "b": ""},
    ]
    table = write_table(tmp_path / "q.csv", rows)
    folder = evaluate(table, {"p:a": "a", "p:b": "b"}, output=tmp_path / "output")
    score(folder, "right=contains", "is=label", "f1")
    return folder


@pytest.fixture
def shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Show:
    """What the command prints, without a process for each: a quarter of a second."""

    def run(id_: str, *words: str, as_json: bool = False, **wanted: str) -> tuple[str, str]:
        flags: dict[str, Any] = {"failed": False, "failing": None, "unscored": None} | wanted
        show(id_=id_, words=words, as_json=as_json, output_dir=tmp_path / "output", **flags)
        return capsys.readouterr()

    return run


@pytest.fixture
def plain(folder: Path) -> None:
    evaluate(folder.parent.parent / "q.csv", {"p:a": "a"}, id="plain", output=folder.parent)


def cells(out: str) -> list[list[str]]:
    return [line.split("\t")[1:] for line in out.splitlines()[1:]]


def test_the_flags_may_name_a_scorer_or_not(folder, cli) -> None:
    code, out, err = cli("eval", "show", "x", "--failing", "--json")
    assert (code, len(out.splitlines()), err) == (0, 2, "")
    code, out, _ = cli("eval", "show", "x", "p:b", "--unscored", "right")
    assert (code, cells(out)) == (0, [["row-3", "p:b", "right", "no answer", "server"]])
    code, _, err = cli("eval", "show", "x", "--failing", "--unscored")
    assert (code, "exclude each other" in err) == (2, True)


def test_show_failing_has_what_does_not_pass(folder, shown) -> None:
    out, err = shown("x", failing="")
    assert err == ""
    assert out.startswith(HEAD)
    assert cells(out) == [
        ["row-1", "p:a", "is", "0.000", "Paris", "it is paris."],
        ["row-2", "p:b", "right", "0.000", "Rome", ""],
        ["row-2", "p:b", "is", "0.000", "Rome", "oslo\\x1b[31m"],
    ]
    assert cells(shown("x", failing="right")[0]) == [cells(out)[1]]
    assert cells(shown("x", "p:a", failing="")[0]) == [cells(out)[0]]
    (line,) = shown("x", failing="right", as_json=True)[0].splitlines()
    found = json.loads(line)
    assert (found["file"], found["model"], list(found["scores"])) == ("row-2", "p:b", ["right", "is", "f1"])


def test_show_unscored_says_why(folder, shown) -> None:
    assert cells(shown("x", unscored="right")[0]) == [
        ["row-3", "p:a", "right", "without a reference", "nothing says what the answer should be"],
        ["row-3", "p:b", "right", "no answer", "server"],
    ]
    assert len(shown("x", unscored="", as_json=True)[0].splitlines()) == 2


def test_an_empty_list_says_why_it_is_empty(folder, shown) -> None:
    out, err = shown("x", failing="f1")
    assert out == HEAD
    assert "nothing says which values of f1 pass" in err
    assert "no scored answers that do not pass by right" in shown("x", "p:a", failing="right")[1]
    assert "all answers are scored by f1" in shown("x", "row-1", unscored="f1")[1]


def test_show_refuses_what_it_cannot_list(folder, plain, shown) -> None:
    with pytest.raises(UsageError, match="no scorer 'rihgt'") as raised:
        shown("x", failing="rihgt")
    assert "Did you mean right?" in str(raised.value.hint)
    with pytest.raises(UsageError, match="'plain' has no scores"):
        shown("plain", failing="")


def test_a_call_is_shown_with_its_scores(folder, plain, shown) -> None:
    missed = "value          0.000, does not pass\nexpected       Rome\n"
    assert shown("x", "row-2", "p:b")[0].endswith(
        f"SCORE right (contains)\n{missed}\nSCORE is (label)\n{missed}read           oslo\\x1b[31m\n\n"
        "SCORE f1\nvalue          0.000, no threshold\nexpected       Rome\n"
    )
    found = json.loads(shown("x", "row-2", "p:b", as_json=True)[0])["scores"]["right"]
    assert (found["value"], found["pass"], found["type"], found["expected"]) == (
        0.0,
        False,
        "contains",
        "Rome",
    )
    assert "unscored, no answer: server" in shown("x", "row-3", "p:b")[0]
    assert "scores" not in json.loads(shown("plain", "row-1", as_json=True)[0])


def test_parts_are_shown(tmp_path: Path, shown) -> None:
    row = {"n": "1", "want": '{"year": 1999, "by": "Ann"}', "a": '{"year": 1999}'}
    folder = evaluate(
        write_table(tmp_path / "q.csv", [row]), {"p:a": "a"}, output=tmp_path / "output", records_too=True
    )
    score(folder, "fields")
    out, _ = shown("x", "row-1")
    assert 'expected       {"year": 1999, "by": "Ann"}' in out
    assert "year           1.000, 1999" in out


def test_the_list_has_the_mean_by_the_first_scorer(folder, plain, capsys) -> None:
    list_evaluations(as_json=True, details=True, output_dir=folder.parent)
    found = {row["id"]: row for row in json.loads(capsys.readouterr().out)}
    assert found["x"]["details"]["score"] == {"scorer": "right", "mean": 0.75}
    assert "score" not in found["plain"]["details"]
    list_evaluations(as_json=False, details=True, output_dir=folder.parent)
    head, *lines = capsys.readouterr().out.splitlines()
    assert "SCORE" in head
    assert sum("right 0.750" in line for line in lines) == 1


def test_an_evaluation_whose_scores_are_damaged_is_listed_without_them(folder, capsys) -> None:
    (folder / "scores.db").write_bytes(b"no database" * 1000)
    list_evaluations(as_json=True, details=True, output_dir=folder.parent)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["status"], row["done"], "score" in row["details"]) == ("failed", 5, False)
