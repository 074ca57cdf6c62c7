"""The content of an input in the form in which it is sent to a model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from umwelten.choices import PdfMode
from umwelten.errors import InputError
from umwelten.inputs.files.names import escaped
from umwelten.providers.capabilities import Capabilities
from umwelten.types import FrozenStruct, Part

MAX_TEXT = 16_000_000
"""Characters of text from a converted file, at most: more than any model can read."""


class UnsupportedInput(InputError):
    """A file that can be read but not sent, such as an archive, a program, or one too large or damaged."""


class InputChanged(InputError):
    """What an earlier answer was asked about is not what it was then, or is gone."""


class Converted(FrozenStruct):
    """What is sent of a converted file.

    `notes` say how it was changed, after its name. `warnings` say what is not as the file shows it, alike
    for all files that it is true of.
    """

    parts: tuple[Part, ...]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


# Text has no room for more tags than nine digits number.
_FRAME_END = re.compile(r"</content(?:-([1-9][0-9]{0,8}))?>")


class Conversion(FrozenStruct):
    """A file that has to be converted for a model, which is done in a worker (`inputs.workers`).

    `step`: a document as text; a picture in another form, or only turned; a PDF as text or images, or only
    checked. `mime` is that of its `FileType`, `pdf` the mode in which it is sent.
    """

    step: Literal["document", "picture", "turn", "pdf", "check"]
    mime: str
    data: bytes
    name: str
    capabilities: Capabilities
    pdf: PdfMode = "auto"


class Content(FrozenStruct):
    """What is sent of a file, a row or an earlier answer.

    `digest` is the `identity.content_hash` of its bytes; `changed`: it differs from the scan's. `values` are
    those of placeholders, by name (`row.title`, `answer`). If `convert` is set, `parts` is empty, and the
    parts are what comes of that. `question` is what an earlier answer was asked, where that is to be sent.
    """

    digest: bytes
    parts: tuple[Part, ...]
    changed: bool = False
    values: Mapping[str, str] = msgspec.field(default_factory=dict)
    convert: Conversion | None = None
    question: Question | None = None


class Question(FrozenStruct):
    """What an earlier answer was asked: the text of its prompt, and its input by `name` and `path`.

    `names` are the placeholders that are to be filled from it (`RowUse.chained`). `content` is the input,
    read again as far as they need it; `None`: it had none, or it is not needed.
    """

    prompt: str
    name: str
    path: str
    names: tuple[str, ...] = ()
    content: Content | None = None


def frame_text(text: str, name: str) -> str:
    """Return a file's text between tags that do not occur in it, after its name."""
    number = 0
    if "</content" in text:  # hardly any text is searched
        taken = {int(match[1] or 0) for match in _FRAME_END.finditer(text)}
        number = next(number for number in range(len(taken) + 1) if number not in taken)
    tag = f"content-{number}" if number else "content"
    name = escaped(name)
    heading = name if name.isprintable() else "".join(char if char.isprintable() else " " for char in name)
    end = "" if text.endswith("\n") or not text else "\n"
    return f"File: {heading}\n<{tag}>\n{text}{end}</{tag}>"


def unframe_text(text: str) -> str:
    """Return the text that `frame_text` framed, without a newline at its end."""
    inside = text.split("\n", 2)[2]
    return inside[: inside.rfind("</")].removesuffix("\n")


def framed_pieces(text: str) -> list[str]:
    """Return what `frame_text` made in three pieces: the frame's beginning, the text inside, its end."""
    start = text.index("\n", text.index("\n") + 1) + 1
    end = text.rindex("</")
    if end > start and text[end - 1] == "\n":
        end -= 1
    return [text[:start], text[start:end], text[end:]]


def megabytes(size: int) -> str:
    """Return a size in bytes as text: `1.5 MB`."""
    if size < 100_000:
        return f"{size / 1e3:.0f} kB"
    return f"{size / 1e6:.1f} MB" if size < 10_000_000 else f"{size / 1e6:.0f} MB"
