"""The tables and files of an evaluation are known in `store/` and `report/queries/`, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import umwelten

SOURCE = Path(umwelten.__file__).parent
OURS = (SOURCE / "store", SOURCE / "report" / "queries")
SQL = re.compile(
    r"\bSELECT\b.*\bFROM\b|\bFROM\s+\w+.*\b(WHERE|JOIN)\b|\b(INSERT|REPLACE)\s+(OR\s+\w+\s+)?INTO\b"
    r"|\bUPDATE\s+\w+\s+SET\b|\bDELETE\s+FROM\b|\b(CREATE|DROP|ALTER)\s+(TEMP\s+)?(TABLE|VIEW|INDEX)\b"
    r"|\bPRAGMA\s+\w+|\bORDER\s+BY\b|\bSELECT\s+\w",
    re.DOTALL,
)
FILES = re.compile(r"\bevaluation\.(db|lock)\b")


def elsewhere() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py") if not any(map(path.is_relative_to, OURS)))


def told(source: str) -> Iterator[str]:
    """What a module should leave to the store: SQL in its strings, sqlite3, names of the store's files."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import) and any(
            alias.name.partition(".")[0] == "sqlite3" for alias in node.names
        ):
            yield "import sqlite3"
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "sqlite3":
            yield "import sqlite3"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield from (found[0] for pattern in (SQL, FILES) for found in pattern.finditer(node.value))


def test_no_other_module_has_sql_or_knows_the_files() -> None:
    modules = elsewhere()
    assert len(modules) > 150
    found = {str(path.relative_to(SOURCE)): list(told(path.read_text("utf-8"))) for path in modules}
    # The help of the command line names the file that people may open with other tools.
    assert {name: texts for name, texts in found.items() if texts} == {}


def test_the_store_itself_would_be_found() -> None:
    modules = [path for folder in OURS for path in folder.glob("*.py")]
    with_sql = [path.name for path in modules if any(told(path.read_text("utf-8")))]
    assert {"views.py", "grid.py", "database.py", "reader.py", "overviews.py", "calls.py"} <= set(with_sql)


@pytest.mark.parametrize(
    "line",
    [
        'q = "SELECT name FROM models"',
        'q = f"SELECT {columns} FROM calls WHERE id = ?"',
        'q = f"{head} FROM calls c JOIN models m"',
        'q = "UPDATE runs SET status = 1"',
        'q = "INSERT OR IGNORE INTO prompts VALUES (?)"',
        'q = "DELETE FROM answers"',
        'q = "PRAGMA user_version"',
        'q = "CREATE TEMP VIEW x AS y"',
        "import sqlite3",
        "from sqlite3 import Row",
        'path = folder / "evaluation.db"',
    ],
)
def test_such_a_line_would_be_found(line: str) -> None:
    assert list(told(f"def f():\n    {line}\n"))


@pytest.mark.parametrize(
    "line",
    ['"""SELECT a FROM b, as a docstring."""', 'method = "DELETE"', 'text = "Select a file, or update it"'],
)
def test_other_words_are_not(line: str) -> None:
    assert not list(told(f"def f():\n    {line}\n"))
