"""How much of a document is read: bounds that hold for the whole of it, whatever its parts are called.

A conversion may take half a minute and 1 GB. What it costs follows from the elements of its XML or HTML
rather than from its bytes: 400,000, as a Word document of a thousand pages has, take 15 s and 500 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from umwelten.inputs.content import MAX_TEXT, UnsupportedInput, megabytes

MAX_RATIO = 200
"""The unpacked size of texts as a multiple of the file's size, at most; spreadsheets reach 50."""

SMALL = 4_000_000
"""Bytes that any container may unpack to."""

MAX_ELEMENTS = 400_000
"""Elements of all XML of a document, at most."""

MAX_PAGE_ELEMENTS = 150_000
"""Elements of an HTML page, at most: they take 5 s and 300 MB, as each is an object with a dozen fields."""

MAX_READ = 6_000_000
"""Elements of a workbook's sheets and shared texts, which make no tree: a row has one, a cell with a value
two, a shared text two. So many take up to 15 s; Excel's most rows, a million of one column, are half."""

SHORTEST_ELEMENT = 4
"""Bytes, as of `<c/>`."""

SMALL_ELEMENTS = 100_000
ELEMENTS_A_BYTE = 4
"""Elements for each byte of a packed file that has more than `SMALL_ELEMENTS`: most have less than one."""

MAX_DEPTH = 200
"""Elements within each other, at most; a table in a text box in a table reaches 60."""


class TooMuchText(Exception):
    """A document's text would be longer than any model can read. Never leaves `documents`."""


def too_large(name: str, word: str) -> UnsupportedInput:
    """Return the error for a container that is made to be large."""
    return UnsupportedInput(f"{name} is {word} that unpacks to far more than it should, so it is not read.")


def too_deep(name: str, word: str) -> UnsupportedInput:
    """Return the error for a document that no program could show."""
    return UnsupportedInput(f"{name} is {word} nested too deeply to be read. Save it as plain text.")


class Room:
    """What may still be read of a document, in bytes of its parts, elements of its XML, and characters.

    `most` bytes are those of its largest text; each part may be read twice, to look into it and to copy it.
    """

    def __init__(self, name: str, word: str, *, packed: int, most: int) -> None:
        self.name, self.word = name, word
        self._most = most
        self._bytes = 2 * min(most, max(SMALL, packed * MAX_RATIO))
        self._elements = min(MAX_ELEMENTS, max(SMALL_ELEMENTS, packed * ELEMENTS_A_BYTE))
        self._read = MAX_READ
        self._text = MAX_TEXT

    def take_bytes(self, size: int) -> None:
        """Count a part that is about to be unpacked. Raises `UnsupportedInput`."""
        self._bytes -= size
        if self._bytes < 0:
            raise too_large(self.name, self.word)

    def take_elements(self, count: int) -> None:
        """Count the elements of a part that is about to be parsed. Raises `UnsupportedInput`."""
        self._elements -= count
        if self._elements < 0:
            raise too_many_elements(self.name, self.word)

    def take_read(self, count: int) -> None:
        """Count elements that are read without making a tree of them. Raises `UnsupportedInput`."""
        self.check_read(count)
        self._read -= count

    def check_read(self, count: int) -> None:
        """Raise `UnsupportedInput` if so many elements can't be read any more."""
        if count > self._read:
            raise too_many_elements(self.name, self.word, MAX_READ)

    def take_texts(self, texts: Iterable[str]) -> Iterator[str]:
        """Yield the texts, and count them. Raises `TooMuchText`."""
        for text in texts:
            self._text -= len(text)
            if self._text < 0:
                raise TooMuchText
            yield text


def too_many_elements(name: str, word: str, most: int = MAX_ELEMENTS) -> UnsupportedInput:
    """Return the error for a document whose conversion would take minutes."""
    small = ", and of small files fewer" if most == MAX_ELEMENTS else ""
    return UnsupportedInput(
        f"{name} is {word} of too many elements to be converted: up to {most:,} are{small}. Split it, or "
        "save it as plain text."
    )


def unpacks_to(name: str, word: str, total: int, most: int) -> UnsupportedInput:
    """Return the error for a document that is larger than is read."""
    return UnsupportedInput(
        f"{name} is {word} of {megabytes(total)} when unpacked: up to {megabytes(most)} are read. "
        "Split it, or save it as plain text."
    )
