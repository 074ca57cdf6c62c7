"""Spreadsheets in older and open formats, written byte by byte: .xls (BIFF8), .xlsb (BIFF12) and .ods.

Sources of the layouts: Microsoft's [MS-CFB], [MS-XLS] and [MS-XLSB], OASIS's OpenDocument 1.3.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping, Sequence
from xml.sax.saxutils import escape

from corpus.office import SAID, zipped

XLS = "application/vnd.ms-excel"
XLSB = "application/vnd.ms-excel.sheet.binary"
ODS = "application/vnd.oasis.opendocument.spreadsheet"

Cell = str | float | bool | tuple[str, float] | None
"""`("date", days since the end of 1899)`, `("error", code)`; `None` is an empty cell."""
Sheets = Mapping[str, Mapping[tuple[int, int], Cell]]
"""By name of the sheet: by row and column, from 0, what is in a cell."""

YIELD: Sheets = {
    "Yield": {(0, 0): "Year", (0, 1): "Said", (1, 0): 1912, (1, 1): SAID},
    "B": {(2, 1): "a|b", (2, 3): ("date", 4383), (8, 1): 0.1, (8, 3): True},
}
_NOT_AVAILABLE = 0x2A
_SECTOR = 512


def xls(sheets: Sheets = YIELD) -> bytes:
    """A workbook of Excel 97 to 2003."""
    parts = [_biff_sheet(cells) for cells in sheets.values()]
    start = len(_biff_globals(sheets, [0] * len(parts)))
    offsets = [start + sum(map(len, parts[:at])) for at in range(len(parts))]
    return compound("Workbook", _biff_globals(sheets, offsets) + b"".join(parts))


def xlsb(sheets: Sheets = YIELD, *, hidden: Collection[str] = ()) -> bytes:
    """A binary workbook of Excel 2007 and later. It has no styles, so dates in it are numbers."""
    names = [f"sheet{at}.bin" for at in range(1, len(sheets) + 1)]
    bundle = b"".join(
        _record12(0x9C, struct.pack("<II", name in hidden, at) + _wide(f"r{at}") + _wide(name))
        for at, name in enumerate(sheets, 1)
    )
    relations = "".join(
        f'<Relationship Id="r{at}" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        f'worksheet" Target="worksheets/{name}"/>'
        for at, name in enumerate(names, 1)
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    return zipped(
        {
            "[Content_Types].xml": "<Types/>",
            "xl/workbook.bin": _record12(0x83) + _record12(0x8F) + bundle + _record12(0x90) + _record12(0x84),
            "xl/_rels/workbook.bin.rels": f'<Relationships xmlns="{package}">{relations}</Relationships>',
            **{
                f"xl/worksheets/{name}": _biff12_sheet(cells)
                for name, cells in zip(names, sheets.values(), strict=True)
            },
        }
    )


_UNSEEN = (
    '<office:automatic-styles><style:style style:name="unseen" style:family="table">'
    '<style:table-properties table:display="false"/></style:style></office:automatic-styles>'
)


def ods(sheets: Sheets = YIELD, *, rows: str = "", hidden: Collection[str] = ()) -> bytes:
    """An OpenDocument spreadsheet. `rows`: XML of further rows of each sheet."""
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text", "style")
    )
    tables = "".join(
        f'<table:table table:name="{escape(name)}" table:style-name="{style}">{_ods_rows(cells)}{rows}'
        "</table:table>"
        for name, cells in sheets.items()
        for style in ["unseen" if name in hidden else "usual"]
    )
    return zipped(
        {
            "mimetype": ODS,
            "content.xml": f"<office:document-content {spaces}>{_UNSEEN}<office:body><office:spreadsheet>"
            f"{tables}</office:spreadsheet></office:body></office:document-content>",
            "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:'
            'xmlns:manifest:1.0"/>',
        },
        stored=("mimetype",),
    )


# --- .xls ------------------------------------------------------------------------------------


def compound(name: str, stream: bytes) -> bytes:
    """An OLE compound file with one stream."""
    # A stream of less than 4,096 bytes would have to be among the small ones.
    stream = stream.ljust(max(4096, -(-len(stream) // _SECTOR) * _SECTOR), b"\0")
    sectors = len(stream) // _SECTOR
    chain = [*range(3, 2 + sectors), -2]
    assert 2 + sectors <= _SECTOR // 4, "one sector of the allocation table has to do"
    table = struct.pack(f"<{2 + sectors}i", -3, -2, *chain).ljust(_SECTOR, b"\xff")
    header = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(16)
    header += struct.pack("<HHHHH6xIIiIIiIiI", 0x3E, 3, 0xFFFE, 9, 6, 0, 1, 1, 0, 4096, -2, 0, -2, 0)
    header += struct.pack("<i", 0).ljust(_SECTOR - len(header), b"\xff")
    directory = _entry("Root Entry", 5, child=1, start=-2, size=0)
    directory += _entry(name, 2, child=-1, start=2, size=len(stream))
    return header + table + directory.ljust(_SECTOR, b"\0") + stream


def _entry(name: str, kind: int, *, child: int, start: int, size: int) -> bytes:
    letters = f"{name}\0".encode("utf-16-le")
    head = struct.pack("<64sHBBiii", letters, len(letters), kind, 1, -1, -1, child)
    return (head + bytes(36) + struct.pack("<iI", start, size)).ljust(128, b"\0")


def _biff_globals(sheets: Sheets, offsets: Sequence[int]) -> bytes:
    bound = b"".join(
        _record(0x85, struct.pack("<IBBBB", offset, 0, 0, len(name), 0) + name.encode("latin-1"))
        for name, offset in zip(sheets, offsets, strict=True)
    )
    formats = b"".join(_record(0xE0, struct.pack("<HH", 0, code).ljust(20, b"\0")) for code in (0, 14))
    return _begin(5) + _record(0x42, struct.pack("<H", 1200)) + formats + bound + _record(0x0A)


def _biff_sheet(cells: Mapping[tuple[int, int], Cell]) -> bytes:
    rows, columns = ({place[axis] for place in cells} or {0} for axis in (0, 1))
    size = struct.pack("<IIHHH", min(rows), max(rows) + 1, min(columns), max(columns) + 1, 0)
    body = b"".join(_biff_cell(*place, cell) for place, cell in cells.items())
    return _begin(0x10) + _record(0x200, size) + body + _record(0x0A)


def _biff_cell(row: int, column: int, cell: Cell) -> bytes:
    match cell:
        case None:
            return b""
        case bool():
            return _record(0x205, struct.pack("<HHHBB", row, column, 0, cell, 0))
        case str():
            letters = cell.encode("utf-16-le")
            return _record(0x204, struct.pack("<HHHHB", row, column, 0, len(letters) // 2, 1) + letters)
        case ("error", code):
            return _record(0x205, struct.pack("<HHHBB", row, column, 0, int(code), 1))
        case ("date", days):
            return _record(0x203, struct.pack("<HHHd", row, column, 1, days))
    assert isinstance(cell, int | float)
    return _record(0x203, struct.pack("<HHHd", row, column, 0, cell))


def _begin(kind: int) -> bytes:
    return _record(0x809, struct.pack("<HHHHII", 0x600, kind, 0x0DBB, 1997, 0, 6))


def _record(kind: int, data: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(data)) + data


# --- .xlsb -----------------------------------------------------------------------------------


def _biff12_sheet(cells: Mapping[tuple[int, int], Cell]) -> bytes:
    rows, columns = ({place[axis] for place in cells} or {0} for axis in (0, 1))
    size = struct.pack("<IIII", min(rows), max(rows), min(columns), max(columns))
    body, before = b"", -1
    for (row, column), cell in sorted(cells.items()):
        body += _record12(0, struct.pack("<I", row).ljust(17, b"\0")) if row != before else b""
        body += _biff12_cell(column, cell)
        before = row
    return (
        _record12(0x81) + _record12(0x94, size) + _record12(0x91) + body + _record12(0x92) + _record12(0x82)
    )


def _biff12_cell(column: int, cell: Cell) -> bytes:
    head = struct.pack("<II", column, 0)
    match cell:
        case None:
            return _record12(1, head)
        case bool():
            return _record12(4, head + bytes((cell,)))
        case str():
            return _record12(6, head + _wide(cell))
        case ("error", code):
            return _record12(3, head + bytes((int(code),)))
        case (_, days):
            return _record12(5, head + struct.pack("<d", days))
    assert isinstance(cell, int | float)
    return _record12(5, head + struct.pack("<d", cell))


def _record12(kind: int, data: bytes = b"") -> bytes:
    number = bytes((kind,)) if kind < 0x80 else bytes((kind & 0x7F | 0x80, kind >> 7))
    size, left = b"", len(data)
    while left >= 0x80:
        size, left = size + bytes((left & 0x7F | 0x80,)), left >> 7
    return number + size + bytes((left,)) + data


def _wide(text: str) -> bytes:
    return struct.pack("<I", len(text.encode("utf-16-le")) // 2) + text.encode("utf-16-le")


# --- .ods ------------------------------------------------------------------------------------


def _ods_rows(cells: Mapping[tuple[int, int], Cell]) -> str:
    rows, before = "", -1
    for row in sorted({place[0] for place in cells}):
        if gap := row - before - 1:
            rows += (
                f'<table:table-row table:number-rows-repeated="{gap}"><table:table-cell/></table:table-row>'
            )
        rows += f"<table:table-row>{_ods_cells({c: v for (r, c), v in cells.items() if r == row})}"
        rows += "</table:table-row>"
        before = row
    return rows


def _ods_cells(cells: Mapping[int, Cell]) -> str:
    row, before = "", -1
    for column, cell in sorted(cells.items()):
        if gap := column - before - 1:
            row += f'<table:table-cell table:number-columns-repeated="{gap}"/>'
        row += _ods_cell(cell)
        before = column
    return row


def _ods_cell(cell: Cell) -> str:
    match cell:
        case None:
            return "<table:table-cell/>"
        case bool():
            value = f'office:value-type="boolean" office:boolean-value="{str(cell).lower()}"'
            return f"<table:table-cell {value}><text:p>{cell}</text:p></table:table-cell>"
        case str():
            text = escape(cell)
            return f'<table:table-cell office:value-type="string"><text:p>{text}</text:p></table:table-cell>'
        case ("error", _):
            return '<table:table-cell office:value-type="string"><text:p>#N/A</text:p></table:table-cell>'
        case (_, days):
            from datetime import date, timedelta

            day = date(1899, 12, 30) + timedelta(days=days)
            value = f'office:value-type="date" office:date-value="{day.isoformat()}"'
            return f"<table:table-cell {value}><text:p>{day}</text:p></table:table-cell>"
    value = f'office:value-type="float" office:value="{cell}"'
    return f"<table:table-cell {value}><text:p>{cell}</text:p></table:table-cell>"
