"""Foreign text made harmless: what a model, provider or file name says must not steer a terminal."""

from __future__ import annotations

import re

# C0 but \t and \n, DEL, C1; bidirectional overrides and isolates; lone surrogates (no encoding has them).
_HARMFUL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_JSON_RAW = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def safe(text: str) -> str:
    r"""The text with control characters as visible escapes such as `\x1b`; `\r\n` becomes `\n`."""
    return _HARMFUL.sub(_visible, text.replace("\r\n", "\n"))


def one_line(text: str, width: int) -> str:
    """The text on one safe line of at most `width` characters, cut with `…`."""
    # Cut before and after: a text of megabytes is not worth splitting for eighty characters.
    line = safe(" ".join(text[: width * 8 + 64].split()))
    return line if len(line) <= width else line[: max(width - 1, 0)].rstrip() + "…"


def json_safe(encoded: str) -> str:
    r"""JSON that means the same, with DEL, C1 and bidirectional controls as `\uXXXX`.

    JSON escapes only C0 by itself; the rest would reach the terminal raw.
    """
    if encoded.isascii() and "\x7f" not in encoded:
        return encoded  # nearly always, and to search it takes longer than to make it
    return _JSON_RAW.sub(lambda match: f"\\u{ord(match.group()):04x}", encoded)


__all__ = ["one_line", "safe"]
