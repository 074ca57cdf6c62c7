"""Whether a function does the same as before: a hash of its code, without what only people read.

Its code is its own source and whatever of its module that uses, directly or not: functions, classes and
assignments. Comments, docstrings, layout and the decorator `tool` do not count, nor does the version of
Python. What other modules do is not looked at; `tool(version=…)` says it.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_WITHOUT_MEANING = frozenset(("type_comment", "type_ignores", "kind", "ctx", "lineno", "col_offset"))


def code_fingerprint(function: Callable[..., Any]) -> str:
    """Return the hash of what a function or class does, 32 hex digits."""
    bound, inner = _bound(function)
    return _hash("\n".join((_source(inner) or _bytecode(inner), *bound)))


def version_fingerprint(name: str, version: str) -> str:
    """Return the hash of a version that its author states."""
    return _hash(f"{name} {version}")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]


_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def _bound(function: Any) -> tuple[list[str], Any]:
    """Return what a function is bound to, by `functools.partial` or as a closure, and the function itself."""
    parts: list[str] = []
    while isinstance(function, functools.partial):
        parts += [_value(each) for each in function.args]
        parts += [f"{name}={_value(each)}" for name, each in sorted(function.keywords.items())]
        function = function.func
    if not isinstance(function, type) and not inspect.isroutine(function):
        function = type(function)
    for cell in getattr(function, "__closure__", None) or ():
        try:
            parts.append(_value(cell.cell_contents))
        except ValueError:  # not yet filled
            continue
    return parts, function


def _value(value: Any) -> str:
    """Return a value that is told by its text; of others only the type is known to stay the same."""
    if type(value) in (tuple, list):
        return f"[{','.join(map(_value, value))}]"
    if type(value) is dict:
        return f"{{{','.join(f'{_value(key)}:{_value(each)}' for key, each in value.items())}}}"
    return repr(value) if type(value) in _PLAIN else type(value).__qualname__


def _source(function: Callable[..., Any]) -> str | None:
    """Return the code with what it uses of its module, `None` where there is no source."""
    try:
        own = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, ValueError, IndexError, RecursionError):
        return None
    parts = {"": _dump(own)}
    module = _module_names(function)
    waiting = [own]
    while waiting:
        for name in _names(waiting.pop()):
            if name in parts or name not in module or name == getattr(own, "name", None):
                continue
            parts[name] = " ".join(map(_dump, module[name]))
            waiting += module[name]
    return "\n".join(f"{name}: {parts[name]}" for name in sorted(parts))


def _module_names(function: Callable[..., Any]) -> dict[str, list[ast.stmt]]:
    """Return the statements at the top of the function's module by the names that they define."""
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    if module is None or not getattr(module, "__file__", None):
        return {}  # a notebook: each cell is a source of its own
    try:
        return _parsed(inspect.getsource(module))
    except (OSError, TypeError, SyntaxError, ValueError, RecursionError):
        return {}


@functools.lru_cache(maxsize=4)  # a file may have many tools
def _parsed(source: str) -> dict[str, list[ast.stmt]]:
    found: dict[str, list[ast.stmt]] = {}
    for statement in ast.parse(source).body:
        for name in _defined(statement):
            found.setdefault(name, []).append(statement)
    return found


def _defined(statement: ast.stmt) -> Iterator[str]:
    """Yield the names that a statement defines; of one with others inside, such as `if`, rather too many."""
    if isinstance(statement, _DEFINITIONS):
        yield statement.name
    elif not isinstance(statement, ast.Import | ast.ImportFrom | ast.Expr):
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                yield node.id
            elif isinstance(node, _DEFINITIONS):
                yield node.name


def _names(statement: ast.AST) -> Iterator[str]:
    yield from (node.id for node in ast.walk(statement) if isinstance(node, ast.Name))


def _dump(node: Any) -> str:
    """Return the tree as text. `ast.dump` writes it differently from one version of Python to the next."""
    if isinstance(node, list):
        return f"[{','.join(map(_dump, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if isinstance(node, _DEFINITIONS):
            if name == "body":
                value = _without_docstring(value)
            elif name == "decorator_list":
                value = [each for each in value if not _is_tool(each)]
        if name in _WITHOUT_MEANING or (value in (None, []) and not isinstance(node, ast.Constant)):
            continue
        fields.append(f"{name}={_dump(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_text and isinstance(first.value.value, str) else body  # type: ignore[union-attr]


def _is_tool(decorator: ast.expr) -> bool:
    named = decorator.func if isinstance(decorator, ast.Call) else decorator
    return (isinstance(named, ast.Name) and named.id == "tool") or (
        isinstance(named, ast.Attribute) and named.attr == "tool"
    )


def _bytecode(function: Callable[..., Any]) -> str:
    """Return what is left where there is no source; another version of Python gives another."""
    if isinstance(function, type):
        methods = {name: each for name, each in vars(function).items() if inspect.isfunction(each)}
        return f"{function.__qualname__} {[(name, _bytecode(methods[name])) for name in sorted(methods)]}"
    code = getattr(inspect.unwrap(function), "__code__", None)
    return _code_text(code) if isinstance(code, CodeType) else repr(type(function))


def _code_text(code: CodeType) -> str:
    constants = [_code_text(each) if isinstance(each, CodeType) else repr(each) for each in code.co_consts]
    return f"{code.co_code!r} {code.co_names} {code.co_varnames} {constants}"
