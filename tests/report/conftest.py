from __future__ import annotations

from pathlib import Path

import pytest

from report.browser import Page, written


@pytest.fixture
def open_page(driver, tmp_path):
    pages = []

    def opened(*folders: Path, short: bool = False) -> Page:
        page = Page(driver, written(tmp_path, *folders, short=short))
        pages.append(page)
        return page

    yield opened
    for page in pages:
        page.js("try { localStorage.clear() } catch {}")
        page.media()
        assert page.complaints() == []
        assert page.requests() == []
