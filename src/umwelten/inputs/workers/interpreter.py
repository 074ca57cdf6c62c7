"""How a process of Python is started that sees little of this one: its interpreter, modules, environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from umwelten.errors import MachineError

_PASSED_ON = (
    *("LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH"),
)
"""Where libraries are. No key is among it."""


def bare_environment() -> dict[str, str]:
    """Return what a process sees of the environment that needs none of it."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}


def import_path() -> list[str]:
    """Return where this process imports from, but not the working directory: its files may be anybody's."""
    here = Path.cwd()
    root = str(Path(__file__).resolve().parents[3])
    own = [entry for entry in sys.path if Path(entry).is_absolute() and Path(entry) != here]
    return own if root in own else [*own, root]


def find_interpreter(otherwise: str) -> str:
    """Return the path of Python, which `sys.executable` is not where Python is part of another program.

    Raises `MachineError` that begins with `otherwise` where there is none.
    """
    if getattr(sys, "frozen", False) or "py" not in Path(sys.executable or "").name.lower():
        found = Path(sys.exec_prefix, "bin", f"python{sys.version_info.major}.{sys.version_info.minor}")
        if not found.exists():
            raise MachineError(
                f"{otherwise}: this needs a Python interpreter, and {sys.executable!r} is none",
                "Install umwelten with pip or uv, or convert the files to text before.",
            )
        return str(found)
    return sys.executable
