"""The view in a real Chromium: by keyboard, with hostile names and answers, while an evaluation grows."""

from __future__ import annotations

import pytest

from accessibility import accessibility_faults
from report.browser import HOSTILE, Page
from report.making import FLASH, Done, answer, change, failure, spec, work
from report.test_workers import WORKER
from umwelten.types import FailureKind, ModelRef

EVIL = "<img src=x onerror=window.pwned=9>"


class View(Page):
    """A view of the server's, opened by the printed address."""

    def __init__(self, driver, asked):
        self.driver, self.base = driver, f"http://{asked.host}"
        driver.get(asked.server.url())
        self.ready("home")

    def ready(self, view):
        self.until(lambda: self.js("return document.documentElement.dataset.ready") == view)

    def open(self, path, view):
        self.driver.get(self.base + path)
        self.ready(view)

    def keys(self, text):
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(text).perform()

    def path(self):
        return self.js("return location.pathname + location.search")


def hostile(folder, files=30):
    def end(call):
        number = call.input.id
        if number % 7 == 0:
            return Done(failure(HOSTILE[0], FailureKind.SERVER), cost=None)
        return Done(answer(f"{HOSTILE[number % len(HOSTILE)]}\r\n\r\nanswer {number}"))

    work(folder, spec(models=(ModelRef("ollama", EVIL), FLASH)), [f"{n:03}{EVIL}" for n in range(files)], end)


@pytest.fixture
def view(driver, tmp_path, serve):
    hostile(tmp_path / "demo")
    change(tmp_path / "demo", WORKER, (1, EVIL, "10.0.0.1", 1_800_000_009.0, EVIL))
    page = View(driver, serve(tmp_path))
    yield page
    page.js("localStorage.clear()")
    assert page.js("return window.pwned") is None
    assert page.complaints() == []
    driver.get("about:blank")  # before the server ends, of which it would complain


def test_by_keyboard_alone_through_every_view(view, tmp_path):
    view.keys("j")
    view.until(lambda: view.js("return document.activeElement.dataset.row") == "demo")
    view.keys("\ue007")
    view.ready("evaluation")
    view.until(lambda: view.texts("#figure-answered") == ["52of 60 calls"])
    view.until(lambda: view.texts("#failed") == ["Failed calls"])
    view.keys("gc")
    view.ready("calls")
    view.keys("/answer 15\ue00c")
    view.until(lambda: view.path() == "/e/demo/calls?q=answer+15")
    view.until(lambda: len(view.all("#list [data-row]")) == 2)
    view.keys("j\ue007")
    view.ready("call")
    assert EVIL in view.texts("h1")[0] and "answer 15" in view.texts(".prose")[0]
    assert "\\u000d" not in view.texts(".prose")[0]
    view.keys("4")
    view.until(lambda: view.texts("#said") == ["Kept."])
    assert (tmp_path / "demo" / "ratings.db").exists()
    view.keys("j")
    view.until(lambda: str(FLASH) in view.texts(".facts")[0])
    view.keys("\ue00c")
    view.until(lambda: view.path() == "/e/demo/calls?q=answer+15")
    view.driver.back()
    view.driver.back()
    view.ready("call")
    view.keys("gr")
    view.ready("ratings")
    assert view.texts("#rated") == ["1 answer rated or commented on"]
    view.open("/e/demo/ratings?q=answer+15", "ratings")
    assert str(FLASH) in view.texts(".facts")[0]  # the other answer, as the first one is rated
    view.keys("3")
    view.until(lambda: view.texts("#rated") == ["2 answers rated or commented on"])
    view.keys("u")
    view.until(lambda: view.texts("#said") == ["Every answer here has a rating."])
    view.keys("k")
    view.until(lambda: str(FLASH) not in view.texts(".facts")[0])
    view.keys("x")
    view.until(lambda: view.texts("#rated") == ["1 answer rated or commented on"])
    view.keys("j")
    view.until(lambda: str(FLASH) in view.texts(".facts")[0])
    view.keys("u")  # it begins again with those passed over
    view.until(lambda: str(FLASH) not in view.texts(".facts")[0])
    view.keys("gm")
    view.ready("compare")
    assert len(view.all("#rows article")) == 10
    view.keys("?")
    assert view.js("return document.getElementById('help').open") is True


def test_pages_turn_both_ways_and_jump(view):
    view.open("/e/demo/calls?limit=10", "calls")
    first = view.texts("#list th a")

    def rows():
        return view.texts("#list th a")

    view.keys("]")
    view.until(lambda: rows() != first)
    assert rows()[0].startswith("005")
    view.driver.back()
    view.until(lambda: rows() == first)
    view.open("/e/demo/calls?limit=10&at=0.5", "calls")
    assert rows()[0].startswith(("014", "015"))
    view.keys("[")
    view.until(lambda: not rows()[0].startswith(("014", "015")))


def test_figures_of_an_evaluation_move_by_themselves(view, tmp_path):
    view.open("/e/demo", "evaluation")
    view.until(lambda: view.texts("#figure-answered") == ["52of 60 calls"])
    assert [cell.endswith(" +?") for cell in view.texts("#by-model + .scroll td:last-child")] == [True] * 2
    hostile(tmp_path / "demo", files=36)
    view.until(lambda: view.texts("#figure-answered") == ["62of 72 calls"])
    view.until(lambda: view.texts("#workers + .scroll tbody th") == [EVIL])
    assert view.js("return performance.getEntriesByType('navigation').length") == 1


def test_nothing_overflows_a_phone(view):
    view.size(360, 740)
    for path, name in (("/", "home"), ("/e/demo", "evaluation"), ("/e/demo/calls", "calls")):
        view.open(path, name)
        assert view.js("return document.documentElement.scrollWidth") <= 360
    view.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_no_page_shuts_anybody_out(view):
    view.open("/e/demo/calls", "calls")
    call = view.js("return document.querySelector('#list [data-row]').dataset.row")
    pages = {
        "/": "home",
        "/e/demo": "evaluation",
        "/e/demo/calls": "calls",
        f"/e/demo/calls/{call}": "call",
        "/e/demo/compare": "compare",
        "/e/demo/ratings": "ratings",
        "/e/demo/control": "control",
    }
    faults = {}
    for path, name in pages.items():
        view.open(path, name)
        faults[path] = accessibility_faults(view.driver)
    assert faults == {key: [] for key in pages}
