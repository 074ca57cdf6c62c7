"""Conversion of Excel workbooks to markdown: a table for each sheet, read row by row.

A cell gives its value: formulas their stored results, numbers without rounding, and those in a date format
dates. Programs that do not calculate store formulas without results, or with 0 and the wish to be calculated
when the workbook is opened: of these cells the formula is sent.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import partial
from xml.etree.ElementTree import Element

from umwelten.inputs.content import MAX_TEXT
from umwelten.inputs.convert.markdown_table import FORMULAS, HIDDEN_SHEETS, sheet, too_much_text
from umwelten.inputs.convert.xlsx_parts import TRUE, Rows, Strings, unescaped
from umwelten.inputs.convert.zip_container import Archive
from umwelten.types import FrozenStruct

HIDDEN_CELLS = "hidden rows and columns are sent like others"

_BUILT_IN_PERCENTS = frozenset((9, 10))
_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *(45, 47), *range(50, 59)))
# The parts of a number format that are not codes: literals, colours, conditions, padding.
_NO_CODE = re.compile(r'"[^"]*"|\[[^\]]*(?:\]|\Z)|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_MEMBER = "xl/workbook.xml"


class _Book(FrozenStruct):
    """What all sheets refer to.

    `dates` and `percents`: indices of the cell styles that show those; `first` is day 0; `recalculated`: the
    program that wrote it wants formulas calculated when it is opened. `warnings` grow while cells are read.
    """

    strings: list[str]
    dates: frozenset[int]
    percents: frozenset[int]
    first: datetime
    recalculated: bool
    warnings: dict[str, None]


def markdown(archive: Archive, name: str) -> tuple[str, tuple[str, ...]]:
    """Return all sheets that are not empty, and warnings. Raises `UnsupportedInput`, and any if damaged."""
    root = archive.xml(_MEMBER)
    targets = _targets(archive, _MEMBER)
    read = {member for kind, member in targets.values() if kind in ("worksheet", "sharedStrings")}
    archive.check_read(read & archive.names)
    book = _book(archive, root, targets)
    texts: list[str] = []
    for node in _elements(root, "sheet"):
        id = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
        kind, member = targets.get(id, ("", ""))
        if kind == "worksheet" and member in archive.names:
            rows = list(_limit_text(_rows(archive, member, book), MAX_TEXT - sum(map(len, texts)), name))
            comments = list(_comments(archive, member))
            if rows or comments:
                hidden = node.attrib.get("state", "visible") != "visible"
                texts.append(sheet(node.attrib.get("name", ""), rows, comments, hidden=hidden))
                book.warnings.update({HIDDEN_SHEETS: None} if hidden else {})
    return "\n\n".join(texts), tuple(book.warnings)


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


def _rows(archive: Archive, member: str, book: _Book) -> Iterator[list[str]]:
    reading = Rows(partial(_value, book))
    for _ in archive.read_xml(member, reading):
        yield from reading.found
        reading.found.clear()
    yield from reading.found
    if reading.has_hidden:
        book.warnings[HIDDEN_CELLS] = None


def _value(book: _Book, cell: dict[str, str], stored: str | None, formula: str | None) -> str:
    kind = cell.get("t", "n")
    if formula and not _is_result(stored, kind, book):
        book.warnings[FORMULAS] = None
        return formula.strip()
    return _stored(stored, kind, cell, book) if stored else ""


def _is_result(stored: str | None, kind: str, book: _Book) -> bool:
    if not stored:
        return stored is not None and kind == "str"  # a text that is empty
    return not (book.recalculated and stored.strip() in ("0", "0.0"))


def _stored(text: str, kind: str, cell: dict[str, str], book: _Book) -> str:
    if kind == "n":
        return _number(text, int(cell.get("s", "0")), book)
    if kind == "s":
        return book.strings[int(text)]
    if kind == "b":
        return "TRUE" if text.strip() == "1" else "FALSE"
    return (unescaped(text) if kind == "str" else text).strip()


def _number(text: str, style: int, book: _Book) -> str:
    number = float(text)
    if style in book.dates and 0 <= number < 2_958_466:  # the last day of the year 9999
        return _date(number, book.first)
    if style in book.percents:
        return f"{number * 100:.15g}%"
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


def _comments(archive: Archive, sheet_member: str) -> Iterator[tuple[str, str]]:
    """Yield the comments on a sheet's cells: cell and text."""
    members = dict(_targets(archive, sheet_member).values())
    # Of a conversation, the older kind has only a copy, after an explanation.
    member = members.get("threadedComment", members.get("comments", ""))
    if member in archive.names:
        for node in archive.xml(member).iter():
            if node.tag.endswith(("}comment", "}threadedComment")):
                text = "".join(part.text or "" for part in node.iter() if part.tag.endswith(("}t", "}text")))
                if text.strip():
                    yield node.attrib.get("ref", ""), unescaped(text).strip()


def _book(archive: Archive, root: Element, targets: dict[str, tuple[str, str]]) -> _Book:
    members = {kind: member for kind, member in targets.values() if member in archive.names}
    since_1904 = any(node.attrib.get("date1904") in TRUE for node in _elements(root, "workbookPr"))
    dates, percents = (
        _styles(archive.xml(members["styles"])) if "styles" in members else (frozenset[int](),) * 2
    )
    return _Book(
        strings=_strings(archive, members["sharedStrings"]) if "sharedStrings" in members else [],
        dates=dates,
        percents=percents,
        first=datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30),
        recalculated=any(node.attrib.get("fullCalcOnLoad") in TRUE for node in _elements(root, "calcPr")),
        warnings={},
    )


def _strings(archive: Archive, member: str) -> list[str]:
    reading = Strings()
    for _ in archive.read_xml(member, reading):
        pass
    return reading.found


def _styles(root: Element) -> tuple[frozenset[int], frozenset[int]]:
    """Return the indices of the cell styles that show dates, and of those that show percents."""
    codes = {
        node.attrib.get("numFmtId"): node.attrib.get("formatCode", "") for node in _elements(root, "numFmt")
    }
    styles = next(iter(_elements(root, "cellXfs")), ())
    formats = [style.attrib.get("numFmtId", "0") for style in styles]
    # Many styles may have one format, which may be long.
    date = {format for format in set(formats) if _is_date(format, codes.get(format))}
    percent = {format for format in set(formats) if _is_percent(format, codes.get(format))}
    dates = frozenset(number for number, format in enumerate(formats) if format in date)
    percents = frozenset(number for number, format in enumerate(formats) if format in percent)
    return dates, percents - dates


def _is_date(format: str, code: str | None) -> bool:
    if code is None:
        return int(format) in _BUILT_IN_DATES
    if _ELAPSED.search(code):
        return False  # a duration: its number of days says more than a date
    return any(letter in "ymdhs" for letter in _NO_CODE.sub("", code).lower().replace("general", ""))


def _is_percent(format: str, code: str | None) -> bool:
    return int(format) in _BUILT_IN_PERCENTS if code is None else "%" in _NO_CODE.sub("", code)


def _targets(archive: Archive, member: str) -> dict[str, tuple[str, str]]:
    """Return what a part refers to, by id: its type and its path."""
    folder, file = posixpath.split(member)
    relations = f"{folder}/_rels/{file}.rels"
    if relations not in archive.names:
        return {}
    return {
        node.attrib["Id"]: (
            node.attrib["Type"].rpartition("/")[2],
            posixpath.normpath(posixpath.join("/", folder, node.attrib["Target"])).lstrip("/"),
        )
        for node in _elements(archive.xml(relations), "Relationship")
    }


def _elements(root: Element, tag: str) -> list[Element]:
    return [node for node in root.iter() if node.tag.endswith(f"}}{tag}")]
