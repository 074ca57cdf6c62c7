"""Whether a function is the same as before, so that its scores still count.

What it does is its bytecode, its defaults, what it closes over, and the functions and plain values of its
module that it uses. Where it uses something else that may differ from run to run, such as a client or a
model, nothing can be said: its scores are computed anew each time. Modules that it imports count by name.
"""

from __future__ import annotations

import builtins
import functools
import inspect
from collections.abc import Callable, Mapping
from hashlib import blake2b
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_MOST = 1_000
"""Functions and values that are looked at. A function that uses more is computed anew."""


class _Unknown(Exception):
    """There is something that may differ without its looking so."""


def function_digest(function: Callable[..., Any]) -> str | None:
    """Return the hash of what a function does, 40 hex digits; `None` where that cannot be told.

    Another version of Python gives another hash.
    """
    try:
        described = _Describer().describe(function)
    except (_Unknown, RecursionError, ValueError):
        return None
    return blake2b(described.encode(errors="backslashreplace"), digest_size=20).hexdigest()


def function_place(function: Callable[..., Any]) -> str:
    """Return where a function is, as `checks.py:close`, for people to read."""
    inner = _inner(function)
    name = getattr(inner, "__qualname__", type(inner).__qualname__)
    file = function_file(function)
    return f"{Path(file).name if file else getattr(inner, '__module__', 'python')}:{name}"


def function_file(function: Callable[..., Any]) -> str:
    """Return the file that a function is written in, "" where it is in none."""
    code = getattr(_inner(function), "__code__", None)
    return code.co_filename if code is not None else ""


def _inner(function: Callable[..., Any]) -> Any:
    return inspect.unwrap(getattr(function, "func", function))


class _Describer:
    """Writes values as texts that are equal only where the values are. Errors: `_Unknown`."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}
        self._kept: list[object] = []

    def describe(self, value: Any) -> str:
        if value is None or isinstance(value, bool | int | float | complex | str | bytes | type(...)):
            if type(value).__module__ != "builtins":
                raise _Unknown
            return f"{type(value).__name__} {value!r}"
        if type(value) in (tuple, list):
            return f"{type(value).__name__}({', '.join(map(self.describe, value))})"
        if type(value) in (set, frozenset):
            return f"set({', '.join(sorted(map(self.describe, value)))})"
        if type(value) is dict:
            return f"dict({', '.join(f'{self.describe(k)}: {self.describe(v)}' for k, v in value.items())})"
        if isinstance(value, ModuleType):
            return f"module {value.__name__} {getattr(value, '__version__', '')}"
        return self._once(value)

    def _once(self, value: Any) -> str:
        """What may hold itself is described where it occurs first."""
        if id(value) in self._seen:
            return f"seen {self._seen[id(value)]}"
        if len(self._seen) == _MOST:
            raise _Unknown
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)  # so that no other gets its id
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, functools.partial):
            return f"partial {self.describe([value.func, value.args, value.keywords])}"
        if isinstance(value, MethodType):
            return f"method {self.describe([value.__func__, value.__self__])}"
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, ModuleType | None):
            return f"builtin {value.__module__}.{value.__qualname__}"
        if isinstance(value, type):
            return self._class(value)
        if type(value).__module__ == "re" and hasattr(value, "pattern"):
            return f"pattern {value.pattern!r} {value.flags}"
        raise _Unknown

    def _function(self, function: FunctionType) -> str:
        parts = [
            self._code(function.__code__),
            self.describe(function.__defaults__),
            self.describe(function.__kwdefaults__),
            self.describe([_content(cell) for cell in function.__closure__ or ()]),
        ]
        names = _names_of(function.__code__)
        space: Mapping[str, Any] = function.__globals__
        for name in sorted(names & space.keys()):
            parts.append(f"{name} = {self._used(space[name], function)}")
        if (wrapped := getattr(function, "__wrapped__", None)) is not None:
            parts.append(self.describe(wrapped))
        return f"function({'; '.join(parts)})"

    def _used(self, value: Any, by: FunctionType) -> str:
        """A function or class of another module is known by its name, as that module is."""
        module = getattr(value, "__module__", None)
        if isinstance(value, FunctionType | type) and module not in (by.__module__, None):
            return f"name {module}.{value.__qualname__}"
        return self.describe(value)

    def _class(self, value: type) -> str:
        if value.__module__ == "builtins" or vars(builtins).get(value.__name__) is value:
            return f"class {value.__qualname__}"
        members = {
            name: member
            for name, member in vars(value).items()
            if isinstance(member, FunctionType) or type(member) in (str, int, float, bool)
        }
        written = "; ".join(f"{name}: {self.describe(member)}" for name, member in sorted(members.items()))
        return f"class {value.__module__}.{value.__qualname__}({written})"

    def _code(self, code: CodeType) -> str:
        """All that decides what it does: not its file, its lines and its name."""
        facts = (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
        return f"code {facts!r} {counts} {self.describe(code.co_consts)}"


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not yet filled
        return None


def _names_of(code: CodeType) -> set[str]:
    """The names that a code and those in it use, some of which are global."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found |= _names_of(constant)
    return found
