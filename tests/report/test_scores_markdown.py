"""Scores in the Markdown report, and what single scores say together."""

from __future__ import annotations

import io
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.scoredkit import evaluate, score, write_table

from umwelten.report.queries.call_scores import open_scores
from umwelten.report.queries.score_details import ScoreDetails, score_details
from umwelten.report.render.markdown import render_markdown
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.confusion import Confusion
from umwelten.scoring.judge.diagnostics import JudgeFigures, JuryFigures
from umwelten.store.reader import Reader

A, B = ColumnName(model="p:a"), ColumnName(model="p:b")
HOSTILE = "_x_ <b>`[z](http://e.x)\x1b[31m\n# y"


def markdown_of(folder: Path, *, short: bool = False) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render_markdown(reader, out, short=short)
    return out.getvalue()


def details_of(folder: Path, worst: int = 10) -> ScoreDetails:
    with Reader.open(folder) as reader, open_scores(reader) as scores:
        assert scores is not None
        return score_details(reader, scores, worst=worst)


def section(text: str) -> str:
    return text[text.index("## Scores") : text.index("## Results") if "## Results" in text else None]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {"n": "1", "want": "Paris", "a": "It is Paris.", "b": "Paris"},
        {"n": "2", "want": "Rome", "a": "Rome", "b": HOSTILE},
        {"n": "3", "want": "", "a": "Berlin", "b": ""},
    ]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a", "p:b": "b"}, output=tmp_path)
    score(folder, "right=contains", "is_it=label", gates=["right >= 0.9"])
    return folder


def test_the_section_stands_after_the_models(folder: Path) -> None:
    text = markdown_of(folder)
    assert text.index("## Models") < text.index("## Scores") < text.index("## Results")
    found = section(text)
    assert "### right (contains)" in found
    assert (
        "| p:a | 3 | 2 | 1.000 | 0.342 – 1.000 | 1.000 | 1 unscored (1 without a reference): 0.667 – 1.000 |"
        in found
    )
    assert "- p:a − p:b: +0.500" in found
    assert "best by total" in found
    assert "| right &gt;= 0.9 | missed | p:a | undecided, 1" in found
    assert (
        "### Lowest by total: p:b\n\n| file | total | because |\n| --- | --- | --- |\n| row-2 | 0.000 |"
        in found
    )


def test_a_short_report_has_no_single_files(folder: Path) -> None:
    found = section(markdown_of(folder, short=True))
    assert "Lowest by" not in found
    assert "### Gates" in found


def test_foreign_text_is_inert(folder: Path) -> None:
    found = section(markdown_of(folder))
    assert "\x1b" not in found
    assert "<b>" not in found
    assert "### is_it (label)" in found
    assert r"\_x\_ &lt;b&gt;\`\[z\](http://e.x)" in found


def test_what_was_never_scored_has_no_section(folder: Path, tmp_path: Path) -> None:
    plain = evaluate(tmp_path / "q.csv", {"p:a": "a"}, id="plain", output=tmp_path)
    assert "Scores" not in markdown_of(plain)


def test_labels_are_counted_by_what_they_should_have_been(tmp_path: Path) -> None:
    said = ["Good", "good ", "bad", "BAD", "awful", ""]
    want = ["good", "bad", "bad", "Bad", "good", "good"]
    rows = [{"n": str(n), "want": w, "a": s} for n, (w, s) in enumerate(zip(want, said, strict=True))]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a"}, output=tmp_path)
    score(folder, "mood=label")
    table = details_of(folder).confusions["mood"]
    assert table is not None
    assert table[A].labels == ("bad", "good")
    assert table[A].counts == {("good", "good"): 1, ("bad", "good"): 1, ("bad", "bad"): 2, ("good", None): 1}
    text = section(markdown_of(folder))
    assert (
        "|  | bad | good | other |\n| --- | ---: | ---: | ---: |\n| bad | 2 | 1 | 0 |\n| good | 0 | 1 | 1 |"
        in text
    )
    assert "| p:a | 5 | 0.600 | 0.650 |" in text


def test_figures_of_labels_are_those_of_scikit_learns_documentation() -> None:
    f1, kappa = Confusion("012"), Confusion("012")
    for wanted, said in zip("012012", "021001", strict=True):
        f1.add(wanted, said)
    for wanted, said in zip("202201", "002202", strict=True):
        kappa.add(wanted, said)
    assert f1.macro_f1 == pytest.approx(0.26666, abs=1e-5)
    assert kappa.kappa().kappa == pytest.approx(0.428571, abs=1e-6)
    assert Confusion(["a"]).macro_f1 is None
    with pytest.raises(ValueError, match="no label"):
        f1.add("3", "0")


def test_texts_are_no_labels(tmp_path: Path) -> None:
    rows = [{"n": str(n), "want": f"text {n}", "a": "x"} for n in range(250)]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a"}, output=tmp_path)
    score(folder, "same=label")
    assert details_of(folder).confusions == {"same": None}
    assert "More than 200 labels" in markdown_of(folder)


def test_choices_that_were_not_made_are_counted(tmp_path: Path) -> None:
    rows = [{"n": str(n), "want": "A", "a": text} for n, text in enumerate(["Answer: A", "(B)", "who knows"])]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a"}, output=tmp_path)
    score(folder, "choice")
    assert details_of(folder).no_choice == {"choice": {A: 1}}
    assert "| no choice |" in markdown_of(folder)


def test_the_worst_files_are_the_lowest_in_the_order_of_the_files(tmp_path: Path) -> None:
    texts = ["no|no", "yes|yes", "yes|no", "no|no", "yes|no", "|no", "|"]
    rows = [{"n": str(n), "want": "yes", "a": text} for n, text in enumerate(texts, 1)]
    folder = evaluate(write_table(tmp_path / "q.csv", rows), {"p:a": "a"}, output=tmp_path, repeats=2)
    score(folder, "exact")
    worst = details_of(folder, worst=4).worst[A]
    assert [(file.file, file.value) for file in worst] == [
        ("row-1", 0.0),
        ("row-4", 0.0),
        ("row-6", 0.0),
        ("row-3", 0.5),
    ]
    assert details_of(folder, worst=0).worst == {A: ()}


def test_what_is_known_of_judges_is_told(folder: Path) -> None:
    judge = JudgeFigures(
        judge="p:j_x*",
        asked=6,
        given=5,
        failed=1,
        declined=0,
        pass_share=0.5,
        repeated=0,
        contradicted=0,
        contradiction_share=None,
        spread=None,
        agreement=None,
        distance=None,
        length_correlation=None,
        own=0,
    )
    figures = JuryFigures(judges=(judge,), alpha=None, metric="nominal", answers=6)
    kept = {"right": {"cost_nusd": 2_000_000, "unpriced": 0, "pending": 0, "figures": figures}}
    with closing(sqlite3.connect(folder / "scores.db")) as scores, scores:
        scores.execute("UPDATE scorers SET judge = 'x.right' WHERE name = 'right'")
        scores.execute("INSERT INTO settings VALUES ('judges', ?)", (msgspec.json.encode(kept).decode(),))
    found = section(markdown_of(folder))
    assert "- judge p:j_x\\*: 6 verdicts, 1 failed, 50" in found
    assert "- judged: \\$0.002" in found
