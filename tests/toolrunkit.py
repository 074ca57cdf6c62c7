"""What the tests of runs with tools share: a file of tools, batches from the command line, stored rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from umwelten.simulate.faultserver import Behaviour, Profile, ToolTurns

ARGUMENTS = ({"city": "Rome"},)
TOOLS = '''
import os, sys, time
from pathlib import Path
import umwelten

def look(city: str) -> str:
    """See a city."""
    return f"seen {city}"

def long(city: str) -> str:
    return "x" * 8_000

def boom(city: str) -> str:
    raise ValueError("it broke")

def leave(city: str) -> str:
    sys.exit(3)

def stop(city: str) -> str:
    raise umwelten.StopCall("enough")

def keys(city: str) -> str:
    return " ".join(value for name, value in os.environ.items() if name.endswith("_KEY"))

def spill(city: str) -> str:
    raise ValueError(keys(city))

def hold(city: str, context: umwelten.ToolContext) -> str:
    """Wait until the test lets go."""
    Path(f"began-{context.input_name}").touch()
    while not Path("go").exists():
        time.sleep(0.005)
    return "held"

@umwelten.tool(once=True)
def book(city: str, context: umwelten.ToolContext) -> str:
    with open("booked", "a") as file:
        file.write(f"{context.input_name}\\n")
    if Path("crash").exists():
        Path("crash").unlink()
        os._exit(9)
    return "booked"

def crash(city: str) -> str:
    if Path("crash").exists():
        Path("crash").unlink()
        os._exit(9)
    return "survived"
'''


def calling(*, behaviour: dict[str, Any] | None = None, rules: tuple[Any, ...] = (), **turns: Any) -> Profile:
    """Models that call tools in this way, about Rome."""
    use = ToolTurns(**{"arguments": ARGUMENTS, **turns})
    default = Behaviour(tool_turns=use, **(behaviour or {}))
    return Profile(default=default, rules=rules, keep_bodies=True)


def write(root: Path, files: int = 2) -> None:
    """The tools in `t.py`, and small files in `in`."""
    (root / "t.py").write_text(TOOLS)
    (root / "in").mkdir()
    for n in range(files):
        (root / "in" / f"{n}.txt").write_text(f"mark:{n}")


def write_marks(root: Path, marks: Iterable[str]) -> None:
    """A file in `in` for each mark, in place of those that are there."""
    for path in (root / "in").iterdir():
        path.unlink()
    for mark in marks:
        (root / "in" / f"{mark}.txt").write_text(f"mark:{mark}")


def batch(
    cli: Any, server: Any, tool: str, *more: str, models: str = "openai:gpt-4o-mini", id: str = "s"
) -> tuple[int, str]:
    """Status and stderr of a batch over the files."""
    asks = ("eval", "batch", "-p", "go", "-m", models, "--directory", "in", "-i", id, "--tools", tool)
    code, _, err = cli(*asks, *more, env=server if isinstance(server, dict) else server.env())
    return code, " ".join(err.split())


def rows(root: Path, query: str, id: str = "s") -> list[tuple[Any, ...]]:
    """What a query finds in the evaluation."""
    with closing(sqlite3.connect(root / "output" / id / "evaluation.db")) as connection:
        return connection.execute(query).fetchall()


def called(root: Path, id: str = "s") -> list[tuple[Any, ...]]:
    """State and result of every call of a tool, by call, step and place."""
    return rows(root, "SELECT state, result FROM tool_calls ORDER BY call_id, step, place", id)
