"""The leaderboard of a suite as files: each says all, and nothing in a name can act."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from lxml import html as lxml_html

from accessibility import accessibility_faults
from report.boardkit import board, make_task
from report.browser import HOSTILE
from report.test_junit import SCHEMA, check_sums, outcomes
from umwelten.errors import UsageError
from umwelten.report.comparison.comparison import compare, read_side
from umwelten.report.leaderboard_files import check_leaderboard_path, write_leaderboard
from umwelten.report.render.leaderboard_text import leaderboard_lines
from umwelten.scoring.leaderboard import Leaderboard

NAMES = [f"p:{text}" for text in HOSTILE] + ["p:" + "n" * 120]
GATES = ["total >= 0.7", "capitals.right >= 0.1", "later.total >= 0.5"]


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("suite")
    make_task(folder, "capitals", {"p:a": "r" * 12, "p:b": "rr" + "w" * 10, "p:c": "r" * 12})
    make_task(folder, "letters", {"p:b": "rw", "p:a": "r-"})
    make_task(folder, "before", dict.fromkeys(("p:a", "p:b", "p:c"), "r" * 12))
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    make_task(folder, "letters", dict.fromkeys(NAMES, "rw"))
    make_task(folder, "l" * 90, dict.fromkeys(NAMES[1:], "rr"))
    return folder


def text_of(found: Leaderboard, folder: Path, ending: str, *, compared: bool = False) -> str:
    path = folder / f"board{ending}"
    comparisons = {}
    if compared:
        sides = (read_side(f"nightly.{name}", folder) for name in ("before", "capitals"))
        comparisons = {"capitals": compare(*sides)}
    write_leaderboard(found, folder, path, comparisons)
    return path.read_text("utf-8")


def test_a_place_where_no_board_can_be_written_is_refused_before(tmp_path: Path) -> None:
    for name in ("board.pdf", "none/board.html", ".html"):
        with pytest.raises(UsageError):
            check_leaderboard_path(tmp_path / name)
    check_leaderboard_path(tmp_path / "board.junit.xml")


def test_json(suite: Path) -> None:
    found = json.loads(
        text_of(board(suite, "capitals", "letters", gates=GATES[:2]), suite, ".json", compared=True)
    )
    assert list(found) == ["suite", "level", "tasks", "rows", "gates", "comparisons", "notes"]
    best, _, lacking = found["rows"]
    assert (best["place"], best["model"], best["mean"], best["missing"]) == (1, "p:a", 1.0, [])
    assert best["tasks"]["letters"]["unscored"] == {"no_answer": 1}
    assert (lacking["place"], lacking["mean"], lacking["missing"]) == (None, None, ["letters"])
    assert [(one["task"], one["gate"], one["outcome"]) for one in found["gates"]] == [
        (None, "total >= 0.7", "missed"),
        ("capitals", "capitals.right >= 0.1", "met"),
    ]
    assert found["comparisons"]["capitals"]["outcome"] == "regressed"


def test_csv_and_parquet_have_the_same_rows(suite: Path) -> None:
    found = board(suite, "capitals", "letters")
    rows = list(csv.DictReader(io.StringIO(text_of(found, suite, ".csv").lstrip("\ufeff"))))
    assert [row["model"] for row in rows] == ["p:a", "p:b", "p:c"]
    assert rows[2]["task.letters"] == rows[2]["mean"] == rows[2]["place"] == ""
    assert (rows[2]["missing"], rows[2]["task.capitals"]) == ("letters", "1")
    assert (rows[0]["task.letters.scored"], rows[0]["task.letters.planned"]) == ("1", "2")
    parquet = pytest.importorskip("pyarrow.parquet")
    write_leaderboard(found, suite, suite / "board.parquet")
    table = parquet.read_table(suite / "board.parquet").to_pylist()
    assert list(table[0]) == list(rows[0])
    assert table[2]["mean"] is None and table[0]["mean"] == 1.0


def test_markdown(suite: Path) -> None:
    text = text_of(board(suite, "capitals", "letters", "later", gates=GATES), suite, ".md", compared=True)
    assert "| – | p:c | – | – | 1.000 | – | – |" in text
    assert "- p:c: lacks letters (not asked there), later (not begun)" in text
    assert "**undecided**" in text and "**missed**" in text
    assert "## Against the baseline" in text and "**regressed" in text


def test_junit_has_all_tasks_and_the_gates(suite: Path) -> None:
    found = board(suite, "capitals", "letters", "later", gates=GATES)
    root = etree.fromstring(text_of(found, suite, ".junit.xml", compared=True).encode())
    SCHEMA.assertValid(root)
    check_sums(root)
    assert [one.get("name") for one in root] == [
        *(f"nightly.capitals p:{name}" for name in "abc"),
        *(f"nightly.letters p:{name}" for name in "ba"),
        "nightly.later",
        "nightly gates",
        "nightly baseline",
    ]
    assert outcomes(root[5]) == [("later", "error", "not_begun")]
    assert outcomes(root[6]) == [
        ("total >= 0.7", "failure", "missed"),
        ("capitals.right >= 0.1", "passed", ""),
        ("later.total >= 0.5", "error", "undecided"),
    ]
    assert ("capitals, right, p:b", "failure", "regressed") in outcomes(root[7])


def test_names_cannot_act(hostile: Path) -> None:
    found = board(hostile, "letters", "l" * 90, gates=["total >= 0.9"])
    lines = list(leaderboard_lines(found, 80))
    assert not any(mark in "".join(lines) for mark in "\x1b\u202e\n") and max(map(len, lines)) <= 80
    for ending in (".html", ".md", ".csv", ".json", ".junit.xml"):
        text = text_of(found, hostile, ending)
        assert "\x1b" not in text and "\u202e" not in text, ending
    page = text_of(found, hostile, ".html")
    tree: Any = lxml_html.fromstring(page)
    assert not tree.xpath("//script | //img | //iframe | //form | //base | //@onload | //@onerror")
    assert not [link for link in tree.xpath("//@href") if not link.startswith(("#", "data:,"))]
    assert "script-src" not in re.search(r'Policy" content="([^"]*)"', page)[1]
    assert {link[1:] for link in tree.xpath("//th//@href")} <= set(tree.xpath("//@id"))
    root = etree.fromstring(text_of(found, hostile, ".junit.xml").encode())
    SCHEMA.assertValid(root)


def test_a_page_of_nothing_says_so(tmp_path: Path) -> None:
    page = text_of(board(tmp_path, "later", gates=["total >= 0.5"]), tmp_path, ".html")
    assert "no task was begun" in page and "It was not begun." in page and "undecided" in page
    for ending in (".md", ".csv", ".json", ".junit.xml"):
        assert text_of(board(tmp_path, "later"), tmp_path, ending)


def test_the_page_shuts_nobody_out(suite: Path, hostile: Path, driver: Any) -> None:
    text_of(board(suite, "capitals", "letters", "later", gates=GATES), suite, ".html", compared=True)
    text_of(board(hostile, "letters", "l" * 90), hostile, ".html")
    for folder, width, scheme in ((suite, 1280, "light"), (hostile, 390, "dark")):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.get((folder / "board.html").as_uri())
        assert accessibility_faults(driver) == []
        assert driver.execute_script("return document.documentElement.scrollWidth") <= width
        assert driver.execute_script("return window.violations") == []
    driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
