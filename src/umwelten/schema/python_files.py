"""Python files of users, run as modules."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import traceback
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from umwelten.errors import UsageError


class _SourceLoader(SourceFileLoader):
    """Runs the source alone: what lies in `__pycache__` may be of another source."""

    def __init__(self, name: str, path: str, code: bytes | None) -> None:
        super().__init__(name, path)
        self._code = code

    def get_code(self, fullname: str) -> CodeType:
        """Compile the source."""
        source = self.get_data(self.path) if self._code is None else self._code
        compiled: CodeType = self.source_to_code(source, self.path)
        return compiled


_RELATIVE = "The file runs by itself, not in a package: import files beside it by their names alone."


def import_file(path: Path, code: bytes | None = None) -> ModuleType:
    """Import the file under a unique module name; files beside it can be imported while it runs.

    `code` is run in place of what the file holds now. Raises `UsageError` with the line that failed.
    """
    full = path.resolve()
    name = f"umwelten_file_{hashlib.sha256(str(full).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, full, loader=_SourceLoader(name, str(full), code))
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # forward references are resolved there
    sys.path.insert(0, str(full.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise UsageError(
            f"cannot run {path}{_line(error, full)}: {type(error).__name__}: {first_line(error)}",
            _RELATIVE if isinstance(error, ImportError) and "relative import" in str(error) else None,
        ) from error
    finally:
        sys.path.remove(str(full.parent))
    return module


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, cut."""
    return (str(error).splitlines() or [""])[0][:200]


def _line(error: BaseException, path: Path) -> str:
    """Return the line of the file where it failed; a syntax error says it itself."""
    if isinstance(error, SyntaxError):
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == str(path)]
    return f", line {lines[-1]}" if lines else ""
