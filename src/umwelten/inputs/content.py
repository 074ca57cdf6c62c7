"""What becomes of a file on its way to a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from umwelten.errors import InputError
from umwelten.types import FrozenStruct, Part

MAX_TEXT = 16_000_000
"""Characters of text that a converted file may give: more than any model reads."""


class UnsupportedInput(InputError):
    """A file that can be read but not sent: an archive, a program, one that is too large or damaged."""


class Converted(FrozenStruct):
    """What is sent of a file once it was converted; `notes` say what had to be done to it."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()


Convert = Callable[[], Converted]
"""Takes from milliseconds to seconds, so it is called in a thread. Raises `InputError`."""


class Content(FrozenStruct):
    """What is sent of a file, a row or an earlier answer.

    `digest` is the `identity.content_hash` of its bytes; `changed`: not what the scan saw. `values` are what
    placeholders stand for, by name (`row.title`, `answer`). `convert`, where there is one, makes the parts;
    `parts` is then empty.
    """

    digest: bytes
    parts: tuple[Part, ...]
    changed: bool = False
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    convert: Convert | None = None


def framed(text: str, name: str) -> str:
    """A file's text with its name and marks around it, in which no text can end them itself."""
    tag, number = "content", 0
    while f"</{tag}>" in text:
        number += 1
        tag = f"content-{number}"
    heading = name if name.isprintable() else "".join(char if char.isprintable() else " " for char in name)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"File: {heading}\n<{tag}>\n{text}{end}</{tag}>"


def unframed(text: str) -> str:
    """What `framed` put a frame around, without the newline that may have been added at its end."""
    inside = text.split("\n", 2)[2]
    return inside[: inside.rfind("</")].removesuffix("\n")


def megabytes(size: int) -> str:
    """A size in words: `1.5 MB`."""
    if size < 100_000:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 10_000_000 else f"{size / 1e6:.0f} MB"
