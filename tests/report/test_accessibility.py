"""What axe-core finds in HTML reports: nothing, light and dark, on a desktop and on a phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from accessibility import accessibility_faults
from report.browser import Page
from report.making import books
from report.test_html import several_models
from report.test_html_rankings import many
from report.test_html_scores import scored

OPEN_ALL = "document.querySelectorAll('tr.call .opener').forEach((one, n) => { if (n < 3) one.click(); })"
CHOOSE = (
    "[...document.querySelectorAll('.bar-of button')].find((b) => b.textContent === arguments[0])?.click()"
)


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, ...]]:
    """Folders by name of the page: of scores, of evaluations with models and failures, of a ranking."""
    root = tmp_path_factory.mktemp("pages")
    several_models(root / "models", 12)
    books(root / "books")
    folder = scored(root / "scored")
    return {
        "scores": (folder,),
        "several": (root / "models", root / "books"),
        "ranking": (many(root / "ranked", 7),),
    }


@pytest.mark.parametrize("name", ["scores", "several", "ranking"])
def test_a_report_shuts_nobody_out(name: str, reports: dict[str, tuple[Path, ...]], open_page) -> None:
    page: Page = open_page(*reports[name])
    page.js(OPEN_ALL)
    faults = {"with open calls": accessibility_faults(page.driver)}
    page.js(CHOOSE, "Side by side")
    page.media(scheme="dark")
    page.size(390, 800)
    faults["side by side, dark, on a phone"] = accessibility_faults(page.driver)
    page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert faults == {key: [] for key in faults}
