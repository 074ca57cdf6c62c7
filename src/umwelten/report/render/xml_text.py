"""Foreign text for XML 1.0: nothing but the characters that it allows, and no escape of a terminal."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from umwelten.text.sanitize import one_line, safe

MOST_BYTES = 8192
"""Of an element's text. CI systems keep reports in memory, and people read the beginning."""
_MOST_IN_ATTRIBUTE = 300  # characters of names and messages
_CUT = "\n… cut"
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def attribute(text: str) -> str:
    """Return a quoted value on one line."""
    return quoteattr(_NOT_XML.sub("\ufffd", one_line(text, _MOST_IN_ATTRIBUTE)))


def content(text: str) -> str:
    """Return the text of an element, cut; `>` is escaped too, so that none can end a section."""
    shown = _NOT_XML.sub("\ufffd", safe(text[: MOST_BYTES + 1]))
    encoded = shown.encode()
    if len(encoded) > MOST_BYTES:
        shown = encoded[: MOST_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT
    return escape(shown)
