"""A tool's fingerprint: the same as long as it does the same."""

from __future__ import annotations

import ast
import functools
import linecache
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from umwelten.tools.fingerprints import _dump
from umwelten.tools.functions import FunctionTool
from umwelten.tools.tool_files import ToolFiles

_BASE = '''
import umwelten

try:
    RATES = {"USD": 0.9}
except OSError:
    RATES = {}

def _of(currency: str) -> float:
    return RATES[currency]

@umwelten.tool(timeout_s=5)
def rate(currency: str) -> float:
    """EUR for one unit."""
    return _of(currency)

def other(currency: str) -> float:
    return 0.0
'''


@pytest.fixture
def fingerprint(tmp_path: Path) -> Iterator[object]:
    def of(text: str) -> str:
        path = tmp_path / "rates.py"
        path.write_text(text)
        linecache.clearcache()
        return ToolFiles().tools(str(path), "rate")[0].fingerprint

    yield of
    for name in [name for name in sys.modules if name.startswith("umwelten_file_")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("old", "new", "is_same"),
    [
        ("EUR for one unit.", "What a unit costs.", True),
        ("timeout_s=5", "timeout_s=6", True),
        ("    return _of(currency)", "    # a remark\n\n    return _of( currency )", True),
        ("    return 0.0", "    return 1.0", True),
        ("    return _of(currency)", "    return _of(currency) * 2", False),
        ("return RATES[currency]", "return RATES[currency] + 1", False),
        ('"USD": 0.9', '"USD": 0.8', False),
        ("@umwelten.tool(timeout_s=5)", '@umwelten.tool(version="2")', False),
    ],
)
def test_a_fingerprint_changes_with_the_code_and_what_it_uses(
    fingerprint: object, old: str, new: str, is_same: bool
) -> None:
    assert callable(fingerprint)
    assert old in _BASE
    assert (fingerprint(_BASE) == fingerprint(_BASE.replace(old, new))) is is_same


def test_a_version_stands_for_the_code(fingerprint: object) -> None:
    assert callable(fingerprint)
    one = _BASE.replace("timeout_s=5", 'version="1"')
    assert fingerprint(one) == fingerprint(one.replace("return _of(currency)", "return 2.0"))


def test_the_hash_does_not_depend_on_the_version_of_python() -> None:
    """Empty fields, which versions of Python differ in, are not part of it."""
    tree = ast.parse("def f(a: int = 1) -> str:\n    return g(a, *[], b=None)").body[0]
    assert _dump(tree) == (
        "FunctionDef(name='f',args=arguments(args=[arg(arg='a',annotation=Name(id='int'))],"
        "defaults=[Constant(value=1)]),body=[Return(value=Call(func=Name(id='g'),"
        "args=[Name(id='a'),Starred(value=List())],keywords=[keyword(arg='b',value=Constant(value=None))]))],"
        "returns=Name(id='str'))"
    )


def test_what_a_function_is_bound_to_is_part_of_it() -> None:
    def convert(amount: float, rate: float = 1.0) -> float:
        return amount * rate

    def bound(rate: float) -> str:
        def inner(amount: float) -> float:
            return amount * rate

        return FunctionTool(inner).fingerprint

    def partial(rate: float) -> str:
        return FunctionTool(functools.partial(convert, rate=rate)).fingerprint

    assert bound(1.0) == bound(1.0) != bound(2.0)
    assert partial(1.0) == partial(1.0) != partial(2.0)


def test_classes_without_source_differ_by_their_methods() -> None:
    def made(text: str) -> str:
        scope: dict[str, Any] = {"msgspec": msgspec}
        exec(f"class Add(msgspec.Struct):\n a: int\n def __call__(self) -> int:\n  return {text}", scope)
        return FunctionTool(scope["Add"]).fingerprint

    assert made("self.a") == made("self.a") != made("self.a + 1")


def test_functions_of_one_line_differ_by_what_they_return() -> None:
    def one() -> int: return 1  # fmt: skip

    def two() -> int: return 2  # fmt: skip

    assert FunctionTool(one).fingerprint != FunctionTool(two).fingerprint
