"""Scores from a table: which row is about which answer, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.errors import InputError
from umwelten.evaluation.scoring.table_scores import AnswerName, TableScores
from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.score import Score, Unscored


def table(path: Path, text: str, **more: str) -> TableScores:
    path.write_text(text)
    return TableScores(
        read_scorer("people", {"type": "table", "value": path.name} | more, NamedPlace("x")), path.parent
    )


def test_the_row_that_names_most_counts(tmp_path: Path) -> None:
    scores = table(
        tmp_path / "labels.csv",
        "file,model,repeat,value,reason\n"
        "a.txt,,,0.5,all alike\n"
        "a.txt,p:m,,pass,\n"
        "a.txt,p:m,2,FAIL,second\n"
        "b.txt,,,,\n",
    )
    assert scores.score(AnswerName(file="a.txt", model="p:n")) == Score(value=0.5, reason="all alike")
    assert scores.score(AnswerName(file="a.txt", model="p:m")) == Score(value=1, passed=True)
    assert scores.score(AnswerName(file="a.txt", model="p:m", repeat=2)) == Score(
        value=0, passed=False, reason="second"
    )
    for file, says in (("b.txt", "labels.csv, line 5: no value"), ("c.txt", "no row of the table")):
        found = scores.score(AnswerName(file=file, model="p:m"))
        assert isinstance(found, Unscored)
        assert found.kind == "no_reference"
        assert says in found.message
    assert scores.reference(AnswerName(file="c.txt", model="p:m")) == {}
    assert scores.reference(AnswerName(file="a.txt", model="x"))["value"] == 0.5


def test_other_formats_and_columns(tmp_path: Path) -> None:
    scores = table(
        tmp_path / "labels.jsonl",
        '{"file": "a", "quality": 1, "prompt": "short"}\n\n'
        '{"file": "a", "quality": true, "prompt": "long"}\n',
        column="quality",
    )
    assert scores.score(AnswerName(file="a", model="m", prompt="short")) == Score(value=1)
    assert scores.score(AnswerName(file="a", model="m", prompt="long")) == Score(value=1, passed=True)
    assert isinstance(scores.score(AnswerName(file="a", model="m")), Unscored)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name,value\na,1\n", "has no column 'file'"),
        ("file,valu\na,1\n", "has no column 'value'"),
        ("file,value\na,1\nb,1\na,0\n", "line 4: there is a score of a already, in labels.csv, line 2"),
        ("file,value\na,7\n", "line 2: '7' is no score"),
        ("file,value\na,good\n", "a number from 0 to 1, or one of pass, fail"),
        ("file,value\na,inf\n", "'inf' is no score"),
        ("file,value\n,1\n", "line 2: the column 'file' is empty"),
        ("file,value\n", "has no rows"),
    ],
)
def test_what_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(InputError) as caught:
        table(tmp_path / "labels.csv", text)
    assert says in str(caught.value)


def test_rows_about_no_answer_are_told(tmp_path: Path) -> None:
    scores = table(tmp_path / "labels.csv", "file,model,value\na,p:one,1\nb,p:on,1\nz,,1\n")
    answers = [AnswerName(file=file, model="p:one") for file in ("a", "b")]
    notes = list(scores.check(answers))
    assert notes == [
        "labels.csv: no answer is by model p:on. Did you mean p:one?",
        "labels.csv: 2 of 3 rows are about no answer: 'b (p:on)', 'z'",
    ]
    with pytest.raises(InputError) as caught:
        list(scores.check(AnswerName(file=f"f{number}", model="p:one") for number in range(9)))
    assert "It has 'a (p:one)', 'b (p:on)', 'z'; the answers are 'f0 (p:one)', 'f1 (p:one)'" in str(
        caught.value
    )
    assert str(caught.value).endswith("and 6 more.")
