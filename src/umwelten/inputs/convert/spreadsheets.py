"""Conversion of .xls, .xlsb and .ods files to markdown, by python-calamine in a child process.

.xlsx files have their own reader, in this process, which holds one row at a time.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from umwelten.errors import EXHAUSTED, MachineError
from umwelten.file_types import FileType
from umwelten.inputs.content import MAX_TEXT, UnsupportedInput
from umwelten.inputs.convert.markdown_table import HIDDEN_SHEETS, sheet, too_much_text
from umwelten.inputs.convert.spreadsheet_child import STATUSES
from umwelten.inputs.convert.zip_container import damage_error

MEMORY_BYTES = 2 << 30
"""The child's limit. The largest sheet that an .xls can have, 65,536 × 256 cells, takes 1.1 GB in it."""

TIME_S = 60
"""Limit of a conversion, in wall and CPU time. An .xls of 64 MB, the largest that is read, takes 25 s."""

_FORMULA = re.compile(rb"<table:table-cell\b[^<>]*\btable:formula=[^>]*")
_SCRIPT = Path(__file__).with_name("spreadsheet_child.py")


def markdown(
    data: bytes, name: str, kind: FileType, *, time_s: float = TIME_S
) -> tuple[str, tuple[str, ...]]:
    """Return all sheets that are not empty, and warnings. Raises `UnsupportedInput`, `ImportError`."""
    try:
        # The library reports what is wrong with a file only if its name shows the format.
        with TemporaryDirectory(prefix="umwelten-", ignore_cleanup_errors=True) as folder:
            path = Path(folder) / f"spreadsheet{kind.endings[0]}"
            path.write_bytes(data)
            child = _run(path, time_s)
    except subprocess.TimeoutExpired:
        raise UnsupportedInput(
            f"{name} is {kind.word} that takes more than {time_s:g} s to read. Save it as csv."
        ) from None
    except OSError as error:
        message = f"{name} is {kind.word}; the process that reads it could not start: {error.strerror}"
        raise MachineError(message, exhausted=error.errno in EXHAUSTED) from error
    if child.returncode == STATUSES["missing"]:
        raise ImportError("python_calamine")
    if child.returncode == STATUSES["locked"]:
        raise UnsupportedInput(f"{name} is {kind.word} that needs a password. Save it without one.")
    if child.returncode == STATUSES["too large"]:
        raise too_much_text(name)
    if child.returncode != 0:
        raise damage_error(name, kind.word)
    sheets = [each for each in _sheets(child.stdout) if each.rows]
    text = "\n\n".join(sheet(each.name, each.rows, hidden=each.hidden) for each in sheets)
    return text, (HIDDEN_SHEETS,) if any(each.hidden for each in sheets) else ()


def lacks_results(content: bytes) -> bool:
    """Return whether the content of an .ods has formulas whose results are not stored."""
    return any(b"office:value" not in cell for cell in _FORMULA.findall(content))


def _run(path: Path, time_s: float) -> subprocess.CompletedProcess[bytes]:
    # -P: nothing is imported from the working directory. Ctrl-C at the terminal must reach the parent alone.
    return subprocess.run(
        [sys.executable, "-P", str(_SCRIPT), str(path), *map(str, (MEMORY_BYTES, TIME_S, MAX_TEXT))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=time_s,
        check=False,
        start_new_session=True,
    )


class _Sheet(msgspec.Struct):
    name: str
    hidden: bool
    rows: list[list[str]] = []


def _sheets(output: bytes) -> list[_Sheet]:
    """Return the sheets in the child's output."""
    sheets: list[_Sheet] = []
    for line in output.splitlines():
        value = msgspec.json.decode(line, type=_Sheet | list[str])
        if isinstance(value, _Sheet):
            sheets.append(value)
        else:
            sheets[-1].rows.append(value)
    return sheets
