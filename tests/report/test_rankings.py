"""Rankings in reports: in their own evaluation's, in that of the answers, in all formats."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pytest
from tests.rankingkit import contestant, damage_ranking, ranking, store_ranking

from report.making import CALL_NAMES, MODEL_NAMES, two_models
from umwelten.cli.terminal_report import plain, report_lines
from umwelten.errors import StoreError
from umwelten.providers.vendors import VENDORS
from umwelten.report.output_files import render
from umwelten.report.queries.rankings import rankings
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import LengthEffect
from umwelten.store.reader import Reader
from umwelten.store.scores.store import ScoreStore

HOSTILE = Contestant("p:<b>&|`*\x1b[31m\u202e", prompt="שלום")


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """An evaluation `x` with its ranking `x.rank`."""
    two_models(tmp_path / "x")
    store_ranking(tmp_path, ranking())
    return tmp_path


def report(format_: str, *folders: Path, short: bool = True) -> str:
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    try:
        render(format_, readers, out, short=short)
    finally:
        for reader in readers:
            reader.close()
    return out.getvalue()


def on_a_terminal(folder: Path) -> str:
    with Reader.open(folder) as reader:
        lines = report_lines(reader, width=100, style=plain, vendors=VENDORS, short=True, full=False)
        return "\n".join(lines)


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def found(folder: Path):
    with Reader.open(folder) as reader:
        return rankings(reader)


def test_a_ranking_is_found_by_its_own_evaluation_and_by_that_of_the_answers(output: Path) -> None:
    assert found(output / "x.rank") == found(output / "x") == (ranking(),)
    store_ranking(output, ranking(id="x.best"), id="x.best")
    store_ranking(output, ranking(), id="y.rank")
    store_ranking(output, ranking(), id="x.y.rank")
    assert [one.id for one in found(output / "x")] == ["x.best", "x.rank"]
    assert found(output / "y.rank")[0].id == "y.rank", "as it is called now"


def test_a_ranking_that_cannot_be_read_hides_no_answers_and_is_named(output: Path) -> None:
    store_ranking(output, ranking(id="x.best"), id="x.best")
    damage_ranking(output / "x.rank")
    assert [one.id for one in found(output / "x")] == ["x.best"]
    with pytest.raises(StoreError, match=r"scores\.db"):
        found(output / "x.rank")
    said = "Ranking x.rank is left out, for it cannot be read"
    of_answers = report("markdown", output / "x")
    assert of_answers.index("## Rankings") < of_answers.index(said) < of_answers.index("### x.best")
    assert said in report("html", output / "x")
    assert said in " ".join(on_a_terminal(output / "x").split())
    values = json.loads(report("json", output / "x"))
    assert (values["unread_rankings"], len(values["rankings"])) == (["x.rank"], 1)
    damage_ranking(output / "x.best")
    assert report("html", output / "x").count('href="#ranking"') == 1


def test_what_a_newer_version_adds_to_a_ranking_is_passed_over(output: Path) -> None:
    with ScoreStore.open(output / "x.rank") as store:
        store.write_settings({"ranking": msgspec.to_builtins(ranking()) | {"later": [1]}})
    assert found(output / "x.rank") == found(output / "x") == (ranking(),)


def test_markdown_leads_with_a_ranking_and_names_it_where_its_answers_are(output: Path) -> None:
    own = report("markdown", output / "x.rank")
    assert own.index("## Ranking") < own.index("## Settings") < own.index("## Models")
    assert "- **p:a1 ranks first; p:a2 cannot be told apart from it, at 95%.**" in own
    assert "| 3 | p:a3 | 880 | 840 – 920 | 3 |" in own
    assert "| 2 p:a2 | 30.0% | – | 70.0% |" in own
    of_answers = report("markdown", output / "x")
    assert of_answers.index("## Models") < of_answers.index("## Rankings\n\n### x.rank")
    assert "p:a1 − p:a2" not in of_answers
    assert "are in the report of x.rank." in of_answers


def test_a_terminal_shows_the_same(output: Path) -> None:
    own = on_a_terminal(output / "x.rank")
    assert "p:a1 ranks first" in own
    assert "p:a1 − p:a2" in own
    of_answers = on_a_terminal(output / "x")
    assert "Ranking x.rank" in of_answers
    assert "All of it: the report of x.rank." in of_answers
    assert "p:a1 − p:a2" not in of_answers


def test_json_has_all_of_it_and_nothing_where_there_is_none(output: Path) -> None:
    own = json.loads(report("json", output / "x.rank"))
    assert own["ranking"]["board"][2]["unscored"] == {"no_answer": 2, "judge_failed": 1}
    assert own["ranking"]["board"][2]["cost_usd"] is None
    assert "rankings" not in own
    assert json.loads(report("json", output / "x"))["rankings"] == [own["ranking"]]
    two_models(output / "z")
    assert not {"ranking", "rankings"} & json.loads(report("json", output / "z")).keys()


def test_a_table_has_a_row_for_each_contestant(output: Path) -> None:
    own = table(report("csv", output / "x.rank"))
    assert [(row["evaluation"], row["model"], row["of"], row["rank"]) for row in own] == [
        ("x.rank", f"p:a{n}", "x", str(n)) for n in (1, 2, 3)
    ]
    assert list(own[0])[:4] == ["evaluation", "model", "of", "rank"]
    assert [(row["points_low"], row["answers_cost_usd"]) for row in own] == [
        ("1040", "0.002"), ("1000", "0.002"), ("840", ""),
    ]  # fmt: skip
    both = table(report("csv", output / "x", output / "x.rank"))
    assert [row["calls"] for row in both] == ["3", "3", "", "", ""]
    assert [row["rank"] for row in both] == ["", "", "1", "2", "3"]
    assert tuple(table(report("csv", output / "x"))[0]) == MODEL_NAMES
    assert tuple(table(report("csv", output / "x.rank", short=False))[0]) == CALL_NAMES
    pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    path = output / "short.parquet"
    with path.open("w") as file, Reader.open(output / "x.rank") as reader:
        render("parquet", [reader], file, short=True)
    assert [row["points"] for row in parquet.read_table(path).to_pylist()] == [1080, 1040, 880]


def test_groups_that_never_met_keep_their_contestants(tmp_path: Path) -> None:
    groups = ((Contestant("p:a1"), Contestant("p:a2")), (Contestant("p:a3", prompt="short"),))
    folder = store_ranking(tmp_path, ranking(board=(), compared=(), groups=groups))
    rows = table(report("csv", folder))
    assert [(row["model"], row["prompt"], row["rank"]) for row in rows] == [
        ("p:a1", "", ""), ("p:a2", "", ""), ("p:a3", "short", ""),
    ]  # fmt: skip
    assert "No common ranking" in report("markdown", folder)


def test_a_ranking_that_is_not_made_yet_is_said_to_be(tmp_path: Path) -> None:
    folder = store_ranking(tmp_path, None)
    assert "No ranking yet" in report("markdown", folder)
    assert json.loads(report("json", folder))["ranking"] is None
    with Reader.open(folder) as reader:
        lines = list(report_lines(reader, width=80, style=plain, vendors=VENDORS, short=True, full=False))
    assert any("No ranking yet" in line for line in lines)


def test_names_stay_inert_and_control_is_told(tmp_path: Path) -> None:
    board = [contestant(n, 1100 - 20 * n) for n in range(1, 21)]
    board[0] = contestant(1, 1080, contestant=HOSTILE, bootstrap_low=1050.0, bootstrap_high=1101.0)
    effect = LengthEffect(points=35, low=12, high=58, before=tuple(1200.0 - n for n in range(20)))
    shown = ranking(*board, length=effect, control="length", bootstrap=1000, question="<i>|which?")
    text = report("markdown", store_ranking(tmp_path, shown))
    assert "<b>" not in text
    assert "<i>" not in text
    assert not set(text) & set("\x1b\u202e")
    line = next(line for line in text.splitlines() if line.startswith("| 1 | p:&lt;b"))
    assert "1,050 – 1,101" in line
    assert line.endswith("| 1,200 |")
    assert text.count("told apart") < 40, "of twenty contestants only the differences to the first"
