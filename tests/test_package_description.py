"""The description that a package index shows has no link to a file beside it."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (None, "Start here: ten minutes"),
        ("https://example.com/u/", "[ten minutes](https://example.com/u/blob/HEAD/docs/getting-started.md)"),
    ],
)
def test_no_link_of_the_description_is_relative(
    source: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface = ModuleType("hatchling.metadata.plugin.interface")  # hatchling itself is there in builds alone
    interface.MetadataHookInterface = object  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, interface.__name__, interface)
    description = runpy.run_path(str(ROOT / "hatch_build.py"))["description"]
    text = description((ROOT / "README.md").read_text(encoding="utf-8"), source)
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", text) == []
    assert said in text
    pictures = re.findall(r"!\[[^\]]*\]\(([^)]*)\)", text)
    assert len(pictures) == (0 if source is None else 2)
    assert all(picture.startswith("https://example.com/u/raw/HEAD/docs/") for picture in pictures)
    assert "## Output" in text
