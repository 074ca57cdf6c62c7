"""Sanitizing of text from models, providers and file names, which must not control the terminal."""

from __future__ import annotations

import re
from typing import Any

# C0 but \t and \n, DEL, C1; bidirectional overrides and isolates; lone surrogates (no encoding has them).
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# And what many programs take for the end of a line.
_JSON_RAW = re.compile("[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe(text: str) -> str:
    r"""Return the text with control characters as visible escapes such as `\x1b`; `\r\n` becomes `\n`."""
    return _HARMFUL.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str, width: int) -> str:
    """Return the text on one safe line of at most `width` characters, cut with `…`."""
    # Cut first: splitting a text of megabytes for eighty characters would waste time.
    line = safe(" ".join(text[: width * 8 + 64].split()))
    return line if len(line) <= width else line[: max(width - 1, 0)].rstrip() + "…"


def json_safe(encoded: str) -> str:
    r"""Return equivalent JSON with DEL, C1, line separators and bidirectional controls as `\uXXXX`.

    JSON encoders escape only C0; the rest would reach the terminal raw.
    """
    if encoded.isascii() and "\x7f" not in encoded:
        return encoded  # nearly always; the search would take longer than the encoding did
    return _JSON_RAW.sub(lambda match: f"\\u{ord(match.group()):04x}", encoded)


def encodable(value: Any) -> Any:
    """Return a value of plain types with its texts made visible, so that JSON can hold them."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, dict):
        return {key: encodable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encodable(item) for item in value]
    return value


__all__ = ["one_line", "safe"]
