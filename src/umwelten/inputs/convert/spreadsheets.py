"""Conversion of .xls, .xlsb and .ods files to markdown, by python-calamine.

The library holds each sheet as the full rectangle between its outermost cells, so a small file with two
cells far apart needs hundreds of gigabytes, and the library then aborts its process
(https://github.com/tafia/calamine/issues/693): that of a worker, which has a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date, datetime, time, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile

from umwelten.errors import EXHAUSTED, MachineError
from umwelten.file_types import FileType
from umwelten.inputs.content import MAX_TEXT, UnsupportedInput
from umwelten.inputs.convert import steps
from umwelten.inputs.convert.markdown_table import HIDDEN_SHEETS, sheet, too_much_text
from umwelten.inputs.convert.zip_container import damage_error

_FORMULA = re.compile(rb"<table:table-cell\b[^<>]*\btable:formula=[^>]*")


def markdown(data: bytes, name: str, kind: FileType) -> tuple[str, tuple[str, ...]]:
    """Return all sheets that are not empty, and warnings. Raises any error."""
    import python_calamine

    try:
        # The library reports what is wrong with a file only if its name shows the format.
        with _file(data, kind.endings[0]) as path, steps.limited(steps.STEP_S):
            return _sheets(path, name)
    except python_calamine.PasswordError:
        raise UnsupportedInput(f"{name} is {kind.word} that needs a password. Save it without one.") from None
    except OSError as error:
        message = f"{name} is {kind.word}; it needs a temporary file to be read: {error.strerror}"
        raise MachineError(message, exhausted=error.errno in EXHAUSTED) from error
    except BaseException as error:
        # The library panics over some damage, which is no `Exception`, and can't be imported.
        if type(error).__name__ == "PanicException":
            raise damage_error(name, kind.word) from error
        raise


@contextmanager
def _file(data: bytes, ending: str) -> Iterator[str]:
    """Yield the path of a closed copy: Windows lets nobody else read one that is open."""
    with NamedTemporaryFile(prefix="umwelten-", suffix=ending, delete=False) as file:
        path = Path(file.name)
    try:
        path.write_bytes(data)
        yield file.name
    finally:
        with suppress(OSError):
            path.unlink()


def lacks_results(content: bytes) -> bool:
    """Return whether the content of an .ods has formulas whose results are not stored."""
    return any(b"office:value" not in cell for cell in _FORMULA.findall(content))


def _sheets(path: str, name: str) -> tuple[str, tuple[str, ...]]:
    import python_calamine

    sheets: list[str] = []
    any_hidden, left = False, MAX_TEXT
    with python_calamine.load_workbook(path) as book:
        for found in book.sheets_metadata:
            if found.typ is not python_calamine.SheetTypeEnum.WorkSheet:
                continue
            steps.begin(steps.STEP_S)
            hidden = found.visible is not python_calamine.SheetVisibleEnum.Visible
            any_hidden = any_hidden or hidden
            rows, size = _texts(book.get_sheet_by_name(found.name).iter_rows(), left, name)
            left -= size
            if rows:
                sheets.append(sheet(found.name, rows, hidden=hidden))
    return "\n\n".join(sheets), (HIDDEN_SHEETS,) if any_hidden else ()


def _texts(rows: Iterable[Sequence[object]], most: int, name: str) -> tuple[list[list[str]], int]:
    """Return the rows that are not empty, and about how many characters they take. Raises above `most`."""
    texts: list[list[str]] = []
    size = 0
    for row in rows:
        if row.count("") == len(row):  # most of the rectangle, where two cells are far apart
            continue
        cells = [_text(value).strip() for value in row]
        characters = sum(map(len, cells))
        if characters:
            size += characters + 3 * len(cells)
            if size > most:
                raise too_much_text(name)
            texts.append(cells)
    return texts, size


def _text(value: object) -> str:
    """Return a cell's value as text, the same as for an .xlsx."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.15g}"
        case datetime():
            return value.isoformat(" ", "seconds").removesuffix(" 00:00:00")
        case time():
            return value.isoformat("seconds")
        case timedelta():
            return f"{value / timedelta(days=1):.15g}"
        case date():
            return value.isoformat()
    return str(value)
