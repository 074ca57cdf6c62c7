"""The files of the page, from the package: named one by one, so that no address leads to another file."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
VENDORED = ("uplot.js", "uplot.css", "dompurify.js", "markdown-it.js", "diff.js")
PARTS = ("view", "shared")
"""Folders of which every file is served."""
INDEX = "index.html"


class Assets:
    """All of them in memory: some 300 kB."""

    def __init__(self) -> None:
        root = files("umwelten.report").joinpath("assets")
        own = [f"{part}/{entry.name}" for part in PARTS for entry in root.joinpath(part).iterdir()]
        names = [
            *(name for name in own if name.rpartition(".")[2] in _TYPES),
            *(f"vendor/{name}" for name in VENDORED),
        ]
        self._files = {name: root.joinpath(name).read_bytes() for name in names}

    async def file(self, request: web.Request) -> web.Response:
        """One of the files."""
        return self._response(request.match_info["name"])

    async def index(self, request: web.Request) -> web.Response:
        """The page; its script reads from the address what to show."""
        return self._response(f"view/{INDEX}")

    def _response(self, name: str) -> web.Response:
        content = self._files.get(name)
        if content is None:
            raise web.HTTPNotFound(reason="no such file")
        kind = _TYPES[name.rpartition(".")[2]]
        return web.Response(body=content, content_type=kind, charset="utf-8")
