"""Rankings in an HTML report: readable without a script, drawn without lying, on phones too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.rankingkit import contestant, judge, ranking, store_ranking

from report.browser import HOSTILE, written
from report.making import two_models
from umwelten.report.render.ranking_drawing import PointsScale, rank_slots
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import Cycles, LengthEffect

LONG = "long-name-" * 11 + "\x1b\u202eend"


def section(html: str) -> str:
    """The section of rankings, without tags."""
    found = re.search(r'<section id="ranking">(.*?)</section>', html, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])) if found else ""


def many(tmp_path: Path, contestants: int = 20) -> Path:
    """Contestants with long and hostile names, an open end, an interval that says nothing."""
    odd = [LONG, *HOSTILE, "p:שלום עולם"]
    board = []
    for n in range(1, contestants + 1):
        name = Contestant(odd[n - 1] if n <= len(odd) else f"p:a{n}", prompt="short" if n % 2 else "long")
        figures = {"contestant": name, "best_rank": max(1, n - 2), "worst_rank": min(contestants, n + 3)}
        figures |= {1: {"high": None, "undefeated": True}, 20: {"low": None, "winless": True}}.get(n, {})
        figures |= {"low": -4e3, "high": 5e3} if n == 7 else {}
        board.append(contestant(n, 1420 - 40 * n, bootstrap_low=1300.0, bootstrap_high=1400.0, **figures))
    effect = LengthEffect(35, 12, 58, tuple(1400.0 - 30 * n for n in range(contestants)))
    found = ranking(
        *board,
        bootstrap=1000,
        control="length",
        length=effect,
        cycles=Cycles(4, 120, 3.2),
        question=HOSTILE[0],
        judges=(judge(), judge(judge=HOSTILE[2], verdict=HOSTILE[3], able=False)),
        notes=tuple(HOSTILE),
    )
    return store_ranking(tmp_path, found)


def test_the_page_of_a_ranking_leads_with_it(tmp_path: Path) -> None:
    html = written(tmp_path, store_ranking(tmp_path, ranking()), short=True).read_text("utf-8")
    assert html.index('id="ranking"') < html.index('id="models"') < html.index("wall time")
    assert "cheapest" not in html[: html.index('id="words"')], "of the judges"
    words = section(html)
    assert words.index("p:a1 ranks first; p:a2 cannot be told apart") < words.index("flipped on 3 of 60")
    for said in ("which cost $0.0123", "2 no answer, 1 judge failed", "1 – 2", "1,040 – 1,120", "70.0%"):
        assert said in words
    assert "NaN" not in html[: html.index("<script")]
    assert 'href="#ranking"' in html
    assert "Bradley–Terry" in html


def test_the_page_of_answers_names_their_ranking(tmp_path: Path) -> None:
    two_models(tmp_path / "x")
    assert section(written(tmp_path, tmp_path / "x").read_text("utf-8")) == ""
    store_ranking(tmp_path, ranking())
    words = section(written(tmp_path, tmp_path / "x").read_text("utf-8"))
    assert "p:a1 ranks first" in words
    assert "are in the report of x.rank" in words
    assert "Differences p:a1" not in words


def test_several_rankings_on_a_page(tmp_path: Path) -> None:
    first = store_ranking(tmp_path, ranking(question="Which is shorter?"), id="A.rank")
    second = store_ranking(tmp_path, None, id="B.rank")
    words = section(written(tmp_path, first, second).read_text("utf-8"))
    assert words.index("A.rank") < words.index("p:a1 ranks first") < words.index("B.rank")
    assert "No ranking yet" in words


def test_groups_that_never_met_have_no_board(tmp_path: Path) -> None:
    groups = ((Contestant("p:a1"),), (Contestant("p:a2"),))
    folder = store_ranking(tmp_path, ranking(board=(), compared=(), groups=groups))
    words = section(written(tmp_path, folder).read_text("utf-8"))
    assert "No common ranking: these groups were never compared with each other: p:a1; p:a2." in words
    assert "1,000 points are the mean" not in words


def arrows(drawn: str) -> int:
    return drawn.count('class="open"')


def test_intervals_are_drawn_on_one_scale_and_go_on_where_they_are_open() -> None:
    board = [
        contestant(1, 1200, high=None, undefeated=True),
        contestant(2, 1000, low=None, high=None, se=None),
        contestant(3, 800, low=-9e9, high=9e9),
    ]
    scale = PointsScale(board)
    drawn = [scale.drawn(row) for row in board]
    assert scale.title == "from 400 to 1,600 points", "no further than 400 beyond all points"
    assert [arrows(one) for one in drawn] == [1, 0, 2]
    assert ["<rect" in one for one in drawn] == [True, False, True], "unknown is not drawn"
    dots = [float(re.search(r'cx="([\d.]+)"', one)[1]) for one in drawn]
    assert dots[0] - dots[1] == pytest.approx(dots[1] - dots[2], abs=0.11)
    assert dots[1] == pytest.approx(230 / 2)
    alike = PointsScale([contestant(1, 1000, low=1000, high=1000)])
    assert alike.title == "from 975 to 1,025 points"


def test_ranks_that_cannot_be_ruled_out_are_filled() -> None:
    drawn = rank_slots(contestant(2, 1000, best_rank=2, worst_rank=3), 4)
    assert drawn.count("<circle") == 4
    left, width = re.search(r'<rect x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', drawn).groups()
    assert (float(left), float(width)) == (9.0, 16.2)


# --- in a browser ---


def test_twenty_contestants_of_any_name_fit_a_phone(open_page, tmp_path: Path) -> None:
    page = open_page(many(tmp_path))
    assert page.all("#ranking :is(a, script, iframe, form, style, img, [onerror], [onload])") == []
    assert page.js("return window.pwned") is None
    assert len(page.all("#ranking .scroll:first-of-type tbody tr")) >= 20
    order = page.texts('#ranking [aria-label^="Board"] tbody th bdi')
    page.js("""[...document.querySelectorAll('#ranking [aria-label^="Board"] thead button')]
        .find((one) => one.textContent.startsWith("points")).click()""")
    assert page.texts('#ranking [aria-label^="Board"] tbody th bdi') == order[::-1]
    page.size(390, 844)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    page.size(1280, 1000)
