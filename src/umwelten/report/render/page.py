"""What every HTML report carries: style, script and licences, and the policy that lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from importlib.resources import files

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="umwelten">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
"""
"""Of every page, up to what is shown."""
STYLES = ("vendor/uplot.css", "shared/base.css", "page/page.css", "page/scores.css", "page/ranking.css")
SCRIPTS = (
    "vendor/uplot.js",
    "vendor/dompurify.js",
    "vendor/markdown-it.js",
    "vendor/diff.js",
    "vendor/table-core.js",
)
# One after the other inside one function, so that nothing of ours is global.
PAGE = (
    "shared/wording.js",
    "shared/markdown.js",
    "page/data.js",
    "page/fields.js",
    "page/answers.js",
    "page/scores.js",
    "page/plots.js",
    "page/calls.js",
    "page/panel.js",
    "page/compare.js",
    "page/matrix.js",
    "page/export.js",
    "page/address.js",
    "page/static.js",
    "page/keyboard.js",
    "page/theme.js",
    "page/main.js",
)
LICENCES = "vendor/LICENSES.txt"


def style(names: Sequence[str] = STYLES) -> str:
    """The content of the one style element."""
    return "\n".join(map(_read, names))


def script() -> str:
    """The content of the one script element."""
    ours = "\n".join(map(_read, PAGE))
    return "\n".join([*map(_read, SCRIPTS), f'(() => {{\n"use strict";\n{ours}\n}})();\n'])


def fragment(name: str) -> str:
    """A piece of the body that the script fills: "plots" or "answers"."""
    return _read(f"page/{name}.html")


def licences() -> str:
    """Those of the libraries in `script`."""
    return _read(LICENCES)


def policy(*, style: str, script: str | None = None) -> str:
    """A Content-Security-Policy: this script or none, this style, pictures of the file; no connection."""
    scripts = "" if script is None else f"script-src '{_hash(script)}'; "
    return (
        f"default-src 'none'; {scripts}style-src '{_hash(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _read(name: str) -> str:
    return files("umwelten.report").joinpath("assets", name).read_text("utf-8")
