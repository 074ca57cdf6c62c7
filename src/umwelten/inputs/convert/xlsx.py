"""Conversion of Excel workbooks to markdown: a table for each sheet, read row by row.

A cell gives its value: formulas their stored results, numbers without rounding, and those in a date format
dates.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from umwelten.file_types import XLSX
from umwelten.inputs.content import MAX_TEXT
from umwelten.inputs.convert import zip_container
from umwelten.inputs.convert.markdown_table import sheet, too_much_text
from umwelten.types import FrozenStruct

MAX_COLUMNS = 16_384
"""Excel's own limit; a cell beyond it means a damaged file."""

_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *(45, 47), *range(50, 59)))
# The parts of a number format that are not codes: literals, colours, conditions, padding.
_NO_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_CELL = re.compile(r"([A-Z]{1,3})\d+")
_MEMBER = "xl/workbook.xml"


class _Book(FrozenStruct):
    """What all sheets refer to. `dates`: indices of the cell styles that show dates; `first` is day 0."""

    strings: list[str]
    dates: frozenset[int]
    first: datetime


def markdown(archive: zipfile.ZipFile, name: str) -> str:
    """Return all sheets that are not empty. Raises `UnsupportedInput`, and any error if damaged."""
    root = _xml(archive, _MEMBER, name)
    targets = _targets(archive, name)
    book = _book(archive, root, targets, name)
    texts: list[str] = []
    for node in _elements(root, "sheet"):
        id = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
        kind, member = targets.get(id, ("", ""))
        if kind == "worksheet" and member in archive.namelist():
            rows = list(_limit_text(_rows(archive, member, book), MAX_TEXT - sum(map(len, texts)), name))
            texts += [sheet(node.attrib.get("name", ""), rows)] if rows else []
    return "\n\n".join(texts)


# --- rows -------------------------------------------------------------------------------------


def _limit_text(rows: Iterator[list[str]], room: int, name: str) -> Iterator[list[str]]:
    """Yield the rows that are not empty. Raises `UnsupportedInput` for more than `room` characters."""
    for row in rows:
        size = sum(map(len, row))
        if size:
            room -= size + 3 * len(row)
            if room < 0:
                raise too_much_text(name)
            yield row


def _rows(archive: zipfile.ZipFile, member: str, book: _Book) -> Iterator[list[str]]:
    with archive.open(member) as file:
        for _, node in ElementTree.iterparse(file):
            if node.tag.endswith("}row"):
                yield _row(node, book)
                node.clear()  # frees the memory of the row


def _row(node: Element, book: _Book) -> list[str]:
    row: list[str] = []
    for cell in node:
        if not cell.tag.endswith("}c"):
            continue
        column = _column(cell.attrib.get("r", ""), len(row))
        row += [""] * (column - len(row))
        row[column:] = [_value(cell, book).strip()]
    return row


def _column(reference: str, following: int) -> int:
    """Return a cell's column: 2 for `C7`; `following` if it has no reference."""
    match = _CELL.match(reference)
    if match is None:
        return following
    column = 0
    for letter in match.group(1):
        column = column * 26 + ord(letter) - 64
    if column > MAX_COLUMNS or column <= following - 1:
        raise ValueError(reference)
    return column - 1


def _value(cell: Element, book: _Book) -> str:
    kind = cell.attrib.get("t", "n")
    if kind == "inlineStr":
        return _string(cell)
    text = next((node.text or "" for node in cell if node.tag.endswith("}v")), "")
    if not text:
        return ""
    match kind:
        case "s":
            return book.strings[int(text)]
        case "b":
            return "TRUE" if text.strip() == "1" else "FALSE"
        case "n":
            return _number(text, int(cell.attrib.get("s", "0")) in book.dates, book.first)
    return text


def _number(text: str, date: bool, first: datetime) -> str:
    number = float(text)
    if date and 0 <= number < 2_958_466:  # the last day of the year 9999
        return _date(number, first)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else f"{number:.15g}"


def _date(number: float, first: datetime) -> str:
    """Return `2024-03-01`, `2024-03-01 14:30:00` or, without a day, `14:30:00`."""
    moment = first + timedelta(seconds=round(number * 86_400))
    if number < 1:
        return moment.time().isoformat()
    if first.year == 1899 and number < 60:
        moment += timedelta(days=1)  # Excel counts a 29 February 1900 that never was
    return moment.isoformat(" ").removesuffix(" 00:00:00")


# --- shared parts -----------------------------------------------------------------------------


def _book(archive: zipfile.ZipFile, root: Element, targets: dict[str, tuple[str, str]], name: str) -> _Book:
    members = {kind: member for kind, member in targets.values() if member in archive.namelist()}
    since_1904 = any(node.attrib.get("date1904") in ("1", "true") for node in _elements(root, "workbookPr"))
    return _Book(
        strings=_strings(archive, members["sharedStrings"]) if "sharedStrings" in members else [],
        dates=_date_styles(_xml(archive, members["styles"], name)) if "styles" in members else frozenset(),
        first=datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30),
    )


def _strings(archive: zipfile.ZipFile, member: str) -> list[str]:
    strings: list[str] = []
    with archive.open(member) as file:
        for _, node in ElementTree.iterparse(file):
            if node.tag.endswith("}si"):
                strings.append(_string(node))
                node.clear()
    return strings


def _string(node: Element) -> str:
    """Return a text's runs, joined, without the phonetic guides of East Asian text."""
    runs: list[str] = []
    for part in node:
        tag = part.tag.rpartition("}")[2]
        if tag == "t":
            runs.append(part.text or "")
        elif tag in ("r", "is"):
            runs.append(_string(part))
    return "".join(runs)


def _date_styles(root: Element) -> frozenset[int]:
    codes = {
        node.attrib.get("numFmtId"): node.attrib.get("formatCode", "") for node in _elements(root, "numFmt")
    }
    styles = next(iter(_elements(root, "cellXfs")), ())
    formats = [style.attrib.get("numFmtId", "0") for style in styles]
    return frozenset(number for number, format in enumerate(formats) if _is_date(format, codes.get(format)))


def _is_date(format: str, code: str | None) -> bool:
    if code is None:
        return int(format) in _BUILT_IN_DATES
    if _ELAPSED.search(code):
        return False  # a duration: its number of days says more than a date
    return any(letter in "ymdhs" for letter in _NO_CODE.sub("", code).lower().replace("general", ""))


def _targets(archive: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """Return what the workbook refers to, by id: its type and its path."""
    relations = _xml(archive, "xl/_rels/workbook.xml.rels", name)
    return {
        node.attrib["Id"]: (
            node.attrib["Type"].rpartition("/")[2],
            posixpath.normpath(posixpath.join("/xl", node.attrib["Target"])).lstrip("/"),
        )
        for node in _elements(relations, "Relationship")
    }


def _xml(archive: zipfile.ZipFile, member: str, name: str) -> Element:
    # expat bounds what entities expand to, and fetches nothing.
    return ElementTree.fromstring(zip_container.read(archive, member, name, XLSX.word))


def _elements(root: Element, tag: str) -> list[Element]:
    return [node for node in root.iter() if node.tag.endswith(f"}}{tag}")]
