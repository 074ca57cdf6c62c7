"""A real Chromium for tests of HTML reports: headless, with an empty profile, on files alone."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from umwelten.report.render.html import render_html
from umwelten.store.reader import Reader

# Read before the fixtures take umwelten's own variables out of the environment.
REQUIRED = os.environ.get("UMWELTEN_TEST_BROWSER") == "required"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,1000",
)
HOSTILE = (
    "<script>window.pwned = 1</script>",
    "</script><script>window.pwned = 2</script>",
    "<!-- <script> <img src=x onerror='window.pwned = 3'>",
    "[click](javascript:window.pwned=4) ![x](http://127.0.0.1:9/pixel.png) <http://127.0.0.1:9/auto>",
    '"><svg onload=window.pwned=5><iframe src="http://127.0.0.1:9/frame"></iframe>',
    "\x1b[31mred\x1b[0m \u202eoverride",
    "=cmd|' /C calc'!A0\n\n<style>body{display:none}</style><base href=\"http://127.0.0.1:9/\">",
    "<form action=http://127.0.0.1:9/><math><mtext><table><mglyph><style><img src=x onerror=window.pwned=6>",
)
WATCH = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.violations.push(event.violatedDirective + " " + event.blockedURI);
});
"""


def written(tmp_path: Path, *folders: Path, **options: Any) -> Path:
    """A report of the evaluations as a file."""
    out = io.StringIO()
    readers = [Reader.open(folder) for folder in folders]
    try:
        render_html(readers, out, **options)
    finally:
        for reader in readers:
            reader.close()
    path = tmp_path / "report.html"
    path.write_text(out.getvalue(), "utf-8")
    return path


def data(text: str, name: str) -> Any:
    """What is embedded in a page under that name."""
    return json.loads(re.search(f'id="{name}">(.*?)</script>', text, re.DOTALL)[1])


def missing() -> str | None:
    """What a test with a browser lacks here, in words; `None` if nothing."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not installed (Debian: apt-get install chromium chromium-driver)"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed"
    return None


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """The driver. Skips the test where there is no browser, or fails it if one is required."""
    lacking = missing()
    if lacking is not None:
        (pytest.fail if REQUIRED else pytest.skip)(lacking)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.binary_location = shutil.which("chromium")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    try:
        yield driver
    finally:
        driver.quit()


class Page:
    """A report in the browser, and what a reader does with it."""

    def __init__(self, driver: Any, path: Path) -> None:
        self.driver = driver
        driver.get_log("browser"), driver.get_log("performance")
        driver.get(path.as_uri())
        self.url = path.as_uri()
        self.until(lambda: self.js("return document.documentElement.dataset.ready") == "yes")

    def js(self, code: str, *values: object) -> Any:
        return self.driver.execute_script(code, *values)

    def all(self, selector: str) -> list[Any]:
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        return self.js(
            "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent.trim())", selector
        )

    def click(self, selector: str) -> None:
        self.js("document.querySelector(arguments[0]).scrollIntoView({block: 'center'})", selector)
        self.one(selector).click()

    def choose(self, selector: str, title: str) -> None:
        self.js(
            """const s = document.querySelector(arguments[0]);
            s.value = [...s.options].find((o) => o.text === arguments[1]).value;
            s.dispatchEvent(new Event("change"));""",
            selector,
            title,
        )

    def search(self, words: str) -> None:
        field = self.one("#search")
        field.clear()
        field.send_keys(words or " ")
        time.sleep(0.4)

    def until(self, holds: Callable[[], bool], timeout_s: float = 15.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not holds():
            assert time.monotonic() < deadline, "the page did not get there"
            time.sleep(0.02)

    def media(self, *, scheme: str | None = None, kind: str = "") -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}] if scheme else []
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": features})

    def size(self, width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def requests(self) -> list[str]:
        """What the page asked for since it was opened, but itself and what it holds."""
        events = (json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance"))
        asked = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
        return [url for url in asked if url != self.url and not url.startswith("data:")]

    def complaints(self) -> list[str]:
        """Errors in the console, and what the page's policy had to stop."""
        return [entry["message"] for entry in self.driver.get_log("browser")] + self.js(
            "return window.violations"
        )
