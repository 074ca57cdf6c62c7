"""What a docstring says of a function and of its parameters, in Google's, NumPy's and Sphinx's style."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable

_SECTIONS = (
    *("args", "arguments", "parameters", "params", "keyword args", "keyword arguments", "other parameters"),
    *("returns", "return", "yields", "raises", "examples", "example", "notes", "note", "see also"),
    *("attributes", "references", "warns", "warnings", "todo"),
)
_PARAMETERS = frozenset(_SECTIONS[:7])
_GOOGLE = re.compile(rf"(?P<name>{'|'.join(_SECTIONS)})\s*:\s*", re.IGNORECASE)
_SPHINX = re.compile(r":(?P<kind>\w+)(?:\s+(?P<type>[^:]*?\s)?\*{0,2}(?P<name>\w+))?\s*:\s*(?P<text>.*)")
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(?P<names>\w+(?:\s*,\s*\*{0,2}\w+)*)\s*(?::.*)?")


def read_docstring(text: str | None) -> tuple[str, dict[str, str]]:
    """Return the description without its sections, and the description of each parameter."""
    lines = inspect.cleandoc(text or "").splitlines()
    described: dict[str, list[str]] = {}
    kept: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        section = _section(lines, at)
        if section is not None:
            name, at, indented = section
            end = _end(lines, at, indented=indented)
            if name in _PARAMETERS:
                _read_entries(lines[at:end], described)
            at = end
        elif match := _SPHINX.fullmatch(line):
            end = at + 1
            while end < len(lines) and lines[end][:1].isspace():
                end += 1
            if match["kind"] in ("param", "parameter", "arg", "argument", "key", "keyword") and match["name"]:
                described[match["name"]] = [match["text"], *lines[at + 1 : end]]
            at = end
        else:
            kept.append(line)
            at += 1
    texts = {name: text for name, parts in described.items() if (text := _joined(parts))}
    return "\n".join(kept).strip(), texts


def _section(lines: list[str], at: int) -> tuple[str, int, bool] | None:
    """Return the name of the section that begins here, where its text does, and whether that is indented."""
    line = lines[at].rstrip()
    after = lines[at + 1] if at + 1 < len(lines) else ""
    if line.lower() in _SECTIONS and re.fullmatch(r"\s*-{3,}\s*", after):
        return line.lower(), at + 2, False
    if (match := _GOOGLE.fullmatch(line)) and (not after.strip() or after[:1].isspace()):
        return match["name"].lower(), at + 1, True
    return None


def _end(lines: list[str], start: int, *, indented: bool) -> int:
    for n in range(start, len(lines)):
        is_text_again = indented and lines[n][:1].strip()
        if is_text_again or _section(lines, n) is not None:
            return n
    return len(lines)


def _read_entries(lines: list[str], described: dict[str, list[str]]) -> None:
    """Read `name (type): text` with deeper lines that go on, or `name : type` with the text below."""
    indent = min((_indent(line) for line in lines if line.strip()), default=0)
    current: list[list[str]] = []
    for line in lines:
        if line.strip() and _indent(line) == indent:
            current = []
            if indent and (match := _ENTRY.fullmatch(line.strip())):
                current = [described.setdefault(match["name"], [match["text"]])]
            elif not indent and (match := _NUMPY_ENTRY.fullmatch(line.strip())):
                names = (name.strip().lstrip("*") for name in match["names"].split(","))
                current = [described.setdefault(name, []) for name in names]
        else:
            for parts in current:
                parts.append(line)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _joined(parts: Iterable[str]) -> str:
    return " ".join(" ".join(parts).split())
