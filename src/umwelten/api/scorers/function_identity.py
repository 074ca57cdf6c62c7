"""Whether a function is the same as before, so that its scores still count.

What it does is its bytecode, its defaults, what it closes over, and the functions, classes and plain values
that it uses, in its own and other modules of the user's. Where it uses something else that may differ from
run to run, such as a client or a model, nothing can be said: its scores are computed anew each time.
Installed packages count by name and version.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

_MOST = 1_000
"""Functions and values that are looked at. A function that uses more is computed anew."""


_OF_EVERY_CLASS = frozenset(
    (
        *("__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__annotations__"),
        *("__firstlineno__", "__static_attributes__", "__annotations_cache__", "__annotate_func__"),
    )
)
"""What classes have that does not decide what they do, or is told otherwise."""


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
            return _version(value.__name__)
        return self._once(value)

    def _once(self, value: Any) -> str:
        """What may hold itself is described where it occurs first."""
        if id(value) in self._seen:
            return f"seen {self._seen[id(value)]}"
        if len(self._seen) == _MOST:
            raise _Unknown
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)  # so that no other gets its id
        if isinstance(value, FunctionType | type) and _is_installed(value.__module__):
            return f"{_version(value.__module__)} {value.__qualname__}"
        if isinstance(value, FunctionType):
            return self._function(value)
        if isinstance(value, CodeType):
            return self._code(value)
        if isinstance(value, type):
            return self._class(value)
        if isinstance(value, BuiltinFunctionType) and isinstance(value.__self__, ModuleType | None):
            return f"builtin {value.__module__}.{value.__qualname__}"
        if type(value).__module__ == "re" and hasattr(value, "pattern"):
            return f"pattern {value.pattern!r} {value.flags}"
        return f"{type(value).__name__} {self.describe(_parts(value))}"

    def _function(self, function: FunctionType) -> str:
        parts = [
            self._code(function.__code__),
            self.describe(function.__defaults__),
            self.describe(function.__kwdefaults__),
            self.describe([_content(cell) for cell in function.__closure__ or ()]),
        ]
        names = _names_of(function.__code__)
        for name in sorted(names & function.__globals__.keys()):
            used = function.__globals__[name]
            parts.append(f"{name} = {self.describe(used)}")
            if isinstance(used, ModuleType) and not _is_installed(used.__name__):
                inside = vars(used)
                parts += [
                    f"{name}.{each} = {self.describe(inside[each])}" for each in sorted(names & inside.keys())
                ]
        if (wrapped := getattr(function, "__wrapped__", None)) is not None:
            parts.append(self.describe(wrapped))
        return f"function({'; '.join(parts)})"

    def _class(self, value: type) -> str:
        members = {name: member for name, member in vars(value).items() if name not in _OF_EVERY_CLASS}
        written = "; ".join(f"{name}: {self.describe(member)}" for name, member in sorted(members.items()))
        return f"class {value.__qualname__}({self.describe(value.__bases__)}; {written})"

    def _code(self, code: CodeType) -> str:
        """All that decides what it does: not its file, its lines and its name."""
        facts = (code.co_code, code.co_names, code.co_varnames, code.co_freevars, code.co_flags)
        counts = (code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount)
        return f"code {facts!r} {counts} {self.describe(code.co_consts)}"


def _parts(value: Any) -> list[Any]:
    """Return what decides what a callable does that is made of others. Errors: `_Unknown`."""
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, MethodType):
        return [value.__func__, value.__self__]
    if isinstance(value, staticmethod | classmethod):
        return [value.__func__]
    if isinstance(value, property):
        return [value.fget]
    if type(value).__module__ == "functools" and hasattr(value, "__wrapped__"):
        return [value.__wrapped__]  # a cache
    raise _Unknown


def _is_installed(module: str | None) -> bool:
    """Whether a module comes with Python or a package, rather than being the user's own work."""
    if module is None:
        return False
    top = module.partition(".")[0]
    if top in sys.stdlib_module_names or top == "umwelten":
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return file is not None and not {"site-packages", "dist-packages"}.isdisjoint(Path(file).parts)


def _version(module: str) -> str:
    top = module.partition(".")[0]
    return f"module {module} {getattr(sys.modules.get(top), '__version__', '')}"


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
