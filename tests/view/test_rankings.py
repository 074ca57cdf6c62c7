"""Rankings in the view: what the server says of them, and how the page shows hostile ones on a phone."""

from __future__ import annotations

from tests.rankingkit import damage_ranking, ranking, store_ranking

from accessibility import accessibility_faults
from report.making import two_models
from report.test_html_rankings import many
from view.test_browser import View


def test_a_ranking_is_told_in_words_and_places(tmp_path, serve):
    two_models(tmp_path / "x")
    store_ranking(tmp_path, ranking())
    store_ranking(tmp_path, None, id="x.later")
    asked = serve(tmp_path)
    own = asked.get("/api/e/x.rank/rankings").json
    (board,) = own["boards"]
    assert (own["is_ranking"], own["nothing"], board["scale"]) == (True, None, "from 840 to 1,120 points")
    assert [(row["rank"], row["ranks"], row["points"]) for row in board["rows"]] == [
        (1, "1 – 2", "1,080"), (2, "1 – 2", "1,040"), (3, "3", "880"),
    ]  # fmt: skip
    assert board["rows"][2]["drawn"]["low"] == 0
    assert [pair["told"] for pair in board["differences"]] == [False, True, True]
    of_answers = asked.get("/api/e/x/rankings").json
    assert of_answers == {"is_ranking": False, "boards": [board], "nothing": None, "unread": []}
    later = asked.get("/api/e/x.later/rankings").json
    assert later["is_ranking"] and later["boards"] == [] and "No ranking yet" in later["nothing"]


def test_a_ranking_that_cannot_be_read_is_told(tmp_path, serve):
    two_models(tmp_path / "x")
    damage_ranking(store_ranking(tmp_path, ranking()))
    asked = serve(tmp_path)
    own = asked.get("/api/e/x.rank/rankings").json
    assert own["is_ranking"] and own["boards"] == [] and "scores.db is damaged" in own["nothing"]
    (line,) = asked.get("/api/e/x/rankings").json["unread"]
    assert line.startswith("Ranking x.rank is left out, for it cannot be read")


def test_the_page_shows_a_ranking(driver, tmp_path, serve):
    many(tmp_path)
    two_models(tmp_path / "x")
    page = View(driver, serve(tmp_path))
    page.open("/e/x.rank", "evaluation")
    page.until(lambda: page.all("#ranking"))
    assert (page.texts(".kind"), page.all(".prompt")) == (["Ranking"], [])
    assert len(page.all('[aria-label^="Table: Board"] tbody tr')) == 20
    assert len(page.all('[aria-label^="Table: Board"] .open')) == 4, "two open ends, one too wide to draw"
    assert page.texts(".told-first li")[0].endswith(
        "every other contestant can be told apart from it, at 95%."
    )
    page.size(390, 844)
    assert page.js("return document.documentElement.scrollWidth") <= 390
    assert accessibility_faults(page.driver) == []
    page.open("/e/x", "evaluation")
    page.until(lambda: page.all("#ranking"))
    assert page.js("return document.querySelector('[aria-labelledby=ranking] h3 a').pathname") == "/e/x.rank"
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.js("localStorage.clear()")
    assert page.js("return window.pwned") is None
    assert page.complaints() == []
    driver.get("about:blank")
