"""The description of a package for an index, whose pages have no place that relative links could lead to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n+", re.MULTILINE)
_PICTURE = re.compile(r"(!\[[^\]]*\])\((?!https?:)([^)]*)\)")
_OF_IMAGES = re.compile(r"^\*Both pictures .*?\*\n+", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])+)\]\((?!https?:|#)([^)]*)\)")
"""The text of a link may hold brackets: [`[variants.cool]`](docs/configuration.md)."""


class DescriptionHook(MetadataHookInterface):
    """Makes the description from README.md.

    Its links lead to the address of the source where [project.urls] in pyproject.toml has one as `Source`;
    without one, they are plain text, and pictures are left out.
    """

    PLUGIN_NAME = "custom"

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the description."""
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, source)}


def description(readme: str, source: str | None) -> str:
    """Return README.md for a page that knows nothing of the files beside it."""
    if source is None:
        return _LINK.sub(r"\1", _OF_IMAGES.sub("", _IMAGE.sub("", readme)))
    base = source.rstrip("/")
    # A picture is shown from the file itself, not from the page about it.
    pictures = _PICTURE.sub(rf"\1({base}/raw/HEAD/\2)", readme)
    return _LINK.sub(rf"[\1]({base}/blob/HEAD/\2)", pictures)
