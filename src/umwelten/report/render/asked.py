"""What a call asked, as text for a terminal."""

from __future__ import annotations

from typing import IO

import msgspec

from umwelten.report.queries.calls import CallDetail
from umwelten.store.asked import AskedSource
from umwelten.text.sanitize import json_safe, one_line, safe

_LINE = 400
"""Characters of a line of a text that is cut; a value of a row on its line has as many."""

_SOURCES = {
    AskedSource.NOT_KEPT: "what was sent is not kept",
    AskedSource.CHANGED: "what was sent is not kept, and the input has changed since",
    AskedSource.READ: "read from the input, which is as it was",
}


def render_asked(call: CallDetail, out: IO[str], most_lines: int | None, whole: str) -> None:
    """Write the message as it was sent, with the row or the earlier answer that it was about.

    `most_lines`: of each text at most so many lines, with `whole` for how to get all of them. Where it is not
    known, the prompt's own text is written.
    """
    asked = call.asked
    source = _SOURCES.get(AskedSource(asked.source))
    if asked.text is None:
        _write(out, "PROMPT", call.prompt, most_lines, whole)
    else:
        _write(out, "PROMPT AS SENT", asked.text, most_lines, whole)
    if source is not None and call.attempts:
        out.write(f"({one_line(': '.join(filter(None, (source, asked.note))), 400)})\n")
    if asked.row is not None:
        out.write("\nROW\n")
        for name, value in asked.row.items():
            words = value if isinstance(value, str) else json_safe(msgspec.json.encode(value).decode())
            out.write(
                f"{one_line(name, 40):<14} {one_line(words, _LINE if most_lines else len(words) + 1)}\n"
            )
    for title, text in (
        ("INPUT", asked.input_text),
        ("EARLIER ANSWER", asked.earlier_answer),
        ("FIRST ANSWER", asked.first_answer),
        ("SECOND ANSWER", asked.second_answer),
        ("RECALLED", asked.memory),
    ):
        if text and text not in (asked.text or ""):
            _write(out, title, text, most_lines, whole)
    for one in asked.media:
        size = f", {one.size:,} bytes" if one.size else ""
        kind = f", {one.type}" if one.type else ""
        out.write(f"\nSENT FILE\n{one_line(one.name, 200)}{one_line(kind, 80)}{size}\n")
        if one.path:
            out.write(f"{one_line(one.path, 500)}\n")


def _write(out: IO[str], title: str, text: str, most_lines: int | None, whole: str) -> None:
    out.write(f"\n{title}\n{cut_text(text, most_lines, whole)}\n")


def cut_text(text: str, most_lines: int | None, how: str) -> str:
    """Return a text that a terminal can show, of at most so many lines; `how` tells where the rest is."""
    lines = safe(text).rstrip().split("\n")
    if most_lines is None:
        return "\n".join(lines)
    shown = [line if len(line) <= _LINE else f"{line[:_LINE]}…" for line in lines[:most_lines]]
    if shown != lines:
        shown.append(f"… of {len(lines):,} lines, {len(text):,} characters: {how}")
    return "\n".join(shown)
