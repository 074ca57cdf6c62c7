"""Excel workbooks: each sheet as a table in markdown, read row by row as it stands in the file.

Of a cell it is the value that counts: formulas give their stored results, numbers come unrounded, and those
with a date's format as dates.
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
"""As Excel has it; a cell further out is taken for damage."""

_BUILT_IN_DATES = frozenset((*range(14, 23), *range(27, 37), *(45, 47), *range(50, 59)))
# What a number format says beside colours, conditions and words of its own.
_NO_CODE = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.|_.|\*.')
_ELAPSED = re.compile(r"\[[hms]+\]", re.IGNORECASE)
_CELL = re.compile(r"([A-Z]{1,3})\d+")
_MEMBER = "xl/workbook.xml"


class _Book(FrozenStruct):
    """What all sheets refer to. `dates`: the numbers of the cell styles that show dates; `first` is day 0."""

    strings: list[str]
    dates: frozenset[int]
    first: datetime


def markdown(archive: zipfile.ZipFile, name: str) -> str:
    """All sheets that hold anything. Errors: `UnsupportedInput`, any for a damaged one."""
    root = _xml(archive, _MEMBER, name)
    targets = _targets(archive, name)
    book = _book(archive, root, targets, name)
    texts: list[str] = []
    for node in _all(root, "sheet"):
        id = next((value for key, value in node.attrib.items() if key.endswith("}id")), "")
        kind, member = targets.get(id, ("", ""))
        if kind == "worksheet" and member in archive.namelist():
            rows = list(_bounded(_rows(archive, member, book), MAX_TEXT - sum(map(len, texts)), name))
            texts += [sheet(node.attrib.get("name", ""), rows)] if rows else []
    return "\n\n".join(texts)


# --- rows -------------------------------------------------------------------------------------


def _bounded(rows: Iterator[list[str]], room: int, name: str) -> Iterator[list[str]]:
    """Rows that hold anything, as long as there is room."""
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
                node.clear()  # of a row that was read nothing is kept


def _row(node: Element, book: _Book) -> list[str]:
    row: list[str] = []
    for cell in node:
        if not cell.tag.endswith("}c"):
            continue
        at = _column(cell.attrib.get("r", ""), len(row))
        row += [""] * (at - len(row))
        row[at:] = [_value(cell, book).strip()]
    return row


def _column(place: str, following: int) -> int:
    """`C7` is column 2; a cell without a place follows the one before it."""
    found = _CELL.match(place)
    if found is None:
        return following
    at = 0
    for letter in found.group(1):
        at = at * 26 + ord(letter) - 64
    if at > MAX_COLUMNS or at <= following - 1:
        raise ValueError(place)
    return at - 1


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
    """`2024-03-01`, `2024-03-01 14:30:00` or, without a day, `14:30:00`."""
    moment = first + timedelta(seconds=round(number * 86_400))
    if number < 1:
        return moment.time().isoformat()
    if first.year == 1899 and number < 60:
        moment += timedelta(days=1)  # Excel counts a 29 February 1900 that never was
    return moment.isoformat(" ").removesuffix(" 00:00:00")


# --- what sheets refer to ---------------------------------------------------------------------


def _book(archive: zipfile.ZipFile, root: Element, targets: dict[str, tuple[str, str]], name: str) -> _Book:
    members = {kind: member for kind, member in targets.values() if member in archive.namelist()}
    since_1904 = any(node.attrib.get("date1904") in ("1", "true") for node in _all(root, "workbookPr"))
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
    """The runs of a text, without the reading aids of East Asian ones."""
    runs: list[str] = []
    for part in node:
        tag = part.tag.rpartition("}")[2]
        if tag == "t":
            runs.append(part.text or "")
        elif tag in ("r", "is"):
            runs.append(_string(part))
    return "".join(runs)


def _date_styles(root: Element) -> frozenset[int]:
    codes = {node.attrib.get("numFmtId"): node.attrib.get("formatCode", "") for node in _all(root, "numFmt")}
    styles = next(iter(_all(root, "cellXfs")), ())
    formats = [style.attrib.get("numFmtId", "0") for style in styles]
    return frozenset(at for at, format in enumerate(formats) if _is_date(format, codes.get(format)))


def _is_date(format: str, code: str | None) -> bool:
    if code is None:
        return int(format) in _BUILT_IN_DATES
    if _ELAPSED.search(code):
        return False  # hours beyond a day: the days, as a number, say more than a date
    return any(letter in "ymdhs" for letter in _NO_CODE.sub("", code).lower().replace("general", ""))


def _targets(archive: zipfile.ZipFile, name: str) -> dict[str, tuple[str, str]]:
    """By id: the kind and the place of what the workbook refers to."""
    relations = _xml(archive, "xl/_rels/workbook.xml.rels", name)
    return {
        node.attrib["Id"]: (
            node.attrib["Type"].rpartition("/")[2],
            posixpath.normpath(posixpath.join("/xl", node.attrib["Target"])).lstrip("/"),
        )
        for node in _all(relations, "Relationship")
    }


def _xml(archive: zipfile.ZipFile, member: str, name: str) -> Element:
    # expat bounds what entities expand to, and fetches nothing.
    return ElementTree.fromstring(zip_container.read(archive, member, name, XLSX.word))


def _all(root: Element, tag: str) -> list[Element]:
    return [node for node in root.iter() if node.tag.endswith(f"}}{tag}")]
