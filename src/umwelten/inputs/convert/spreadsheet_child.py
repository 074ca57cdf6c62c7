"""The process that reads a .xls, .xlsb or .ods: started by `spreadsheets.py` as a script.

The library holds each sheet as the full rectangle between its outermost cells, so a small file with two
cells far apart needs hundreds of gigabytes, and the library then aborts its process
(https://github.com/tafia/calamine/issues/693). So that process is this one, limited to `memory_bytes`. It
imports nothing of umwelten, so it starts fast.

It writes a line of JSON to stdout for each sheet, its name and whether it is hidden, followed by one for each
of its rows that is not empty, an array of texts. Exit status: 0, or one of `STATUSES`.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime, time, timedelta

STATUSES = {"missing": 3, "locked": 4, "too large": 5}
"""Exit statuses by cause; any other but 0 means a damaged file."""


def main(path: str, memory_bytes: int, cpu_s: int, most_text: int) -> int:
    """Read the file, write to stdout, and return the exit status. `most_text`: characters of all cells."""
    # On Windows Ctrl-C reaches every process at the terminal; the parent decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_resources(memory_bytes, cpu_s)
    try:
        import python_calamine
    except ImportError:
        return STATUSES["missing"]
    try:
        with python_calamine.load_workbook(path) as book:
            for sheet in book.sheets_metadata:
                if sheet.typ is python_calamine.SheetTypeEnum.WorkSheet:
                    rows = book.get_sheet_by_name(sheet.name).iter_rows()
                    hidden = sheet.visible is not python_calamine.SheetVisibleEnum.Visible
                    _print({"name": sheet.name, "hidden": hidden})
                    most_text -= _write(rows, most_text)
    except python_calamine.PasswordError:
        return STATUSES["locked"]
    except OverflowError:
        return STATUSES["too large"]
    return 0


def _limit_resources(memory_bytes: int, cpu_s: int) -> None:
    """Limit this process's resources where the system can: not on Windows, memory not on macOS."""
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_CPU: cpu_s,
        resource.RLIMIT_AS: memory_bytes,
    }
    for limit, most in limits.items():
        with suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))


def _write(rows: Iterable[Sequence[object]], most_text: int) -> int:
    """Write rows, and return the characters in their cells. Raises `OverflowError` above `most_text`."""
    size = 0
    for row in rows:
        if row.count("") == len(row):  # most of the rectangle, where two cells are far apart
            continue
        cells = [_text(value).strip() for value in row]
        text = sum(map(len, cells))
        if text:
            size += text + 3 * len(cells)
            if size > most_text:
                raise OverflowError
            _print(cells)
    return size


def _print(value: object) -> None:
    sys.stdout.buffer.write(json.dumps(value, ensure_ascii=False).encode() + b"\n")


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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], *map(int, sys.argv[2:])))
