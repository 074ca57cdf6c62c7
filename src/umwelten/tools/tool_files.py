"""The functions of a Python file as tools: `rates.py`, or `rates.py:rate` for one of them."""

from __future__ import annotations

import builtins
import contextlib
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from umwelten.errors import UsageError
from umwelten.schema.python_files import import_file
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.tools.functions import FunctionTool
from umwelten.tools.tool import OPTIONS_ATTRIBUTE, Tool
from umwelten.user_folders import expand_home


class ToolFiles:
    """Files of tools, each of which is run once however often it is named."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._modules: dict[Path, ModuleType] = {}

    def tools(self, path: str, name: str | None = None) -> tuple[Tool, ...]:
        """Return the tools of a file: its own public functions, or the one that is named.

        Raises `UsageError` with the file, its line and the parameter at fault.
        """
        found = expand_home(Path(path))
        if self._folder is not None:
            found = self._folder / found
        module = self._module(found, path)
        functions = _own_functions(module)
        if name is not None:
            function = getattr(module, name, None) if name.isidentifier() else None
            if function is None or not callable(function):
                raise UsageError(f"{path} has no function {name!r}", _hint(name, functions), argument="tools")
            return (FunctionTool(function, source=found.name, path=path),)
        if not functions:
            raise UsageError(
                f"{path} has no functions of its own",
                "Its tools are the functions in it with type hints whose names do not begin with _.",
                argument="tools",
            )
        return tuple(FunctionTool(function, source=found.name, path=path) for function in functions.values())

    def _module(self, path: Path, shown: str) -> ModuleType:
        if not path.is_file():
            raise UsageError(
                f"no such file: {shown}",
                "Write FILE.py or FILE.py:name, with a path relative to the working directory.",
                argument="tools",
            )
        full = path.resolve()
        if full not in self._modules:
            with contextlib.redirect_stdout(sys.stderr):
                module = self._modules[full] = import_file(path)
            # Results go to stdout. A redirection would be for all threads, this is for the file alone.
            vars(module).setdefault("print", _print_to_stderr)
            if str(full.parent) not in sys.path:  # last, for what a function imports while it is at work
                sys.path.append(str(full.parent))
        return self._modules[full]


def _print_to_stderr(*values: object, **options: Any) -> None:
    """As `print`, whose words would be among the answers."""
    options.setdefault("file", sys.stderr)
    builtins.print(*values, **options)  # noqa: T201  it stands in for the users' own


def _own_functions(module: ModuleType) -> dict[str, Any]:
    """Return what the file itself defines: not what it imports, nor what begins with an underscore."""
    return {
        name: value
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", None) == module.__name__
        and _is_tool(value)
    }


def _is_tool(value: Any) -> bool:
    if isinstance(value, type):  # a class is one only where it says so: most are types of parameters
        return OPTIONS_ATTRIBUTE in vars(value) or "__call__" in vars(value)
    return inspect.isfunction(inspect.unwrap(value)) if callable(value) else False


def _hint(name: str, functions: dict[str, Any]) -> str | None:
    listed = f"Functions there: {', '.join(functions)}." if functions else "It has no functions of its own."
    return sentences(did_you_mean(closest(name, functions)), listed)
