"""Options in texts: spelled by the front ends alone, and never looked for in what a user wrote."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import umwelten
from umwelten.api.argument_names import as_argument
from umwelten.cli.flag_names import as_flag
from umwelten.config.options import OPTIONS
from umwelten.errors import InputError
from umwelten.phrases import Named, Phrase, by_name

SOURCE = Path(umwelten.__file__).parent
FLAG = re.compile(r"--[a-z]")
OF_OTHERS = re.compile(r"\b(ray start|uv run)( --[a-z]+( \d+)?)+")
"""Commands of other programs, as a user is to write them, with the flags of those."""
OWN_COMMAND_LINES = ("cli", "simulate/faultserver")
PIP = "local/pull.py"
"""It calls pip with pip's flags, and names that command."""


@pytest.mark.parametrize(
    ("option", "flag", "argument", "name"),
    [
        ("max_cost", "--max-cost", "max_cost", "max_cost"),
        ("max_cost=0.5", "--max-cost 0.5", "max_cost=0.5", "max_cost='0.5'"),
        ("pdf=text", "--pdf text", 'pdf="text"', "pdf='text'"),
        ("file_pattern=*.txt", "--file-pattern '*.txt'", 'file_pattern="*.txt"', "file_pattern='*.txt'"),
        ("timeout_s", "--timeout", "timeout_s", "timeout_s"),
        ("timeout", "--timeout", "timeout_s", "timeout"),
        ("params", "--param", "params", "params"),
        ("from=x=y", "--from x=y", 'from_="x=y"', "from='x=y'"),
        ("resume", "--resume", "resume=True", "resume"),
        ("share_limits=no", "--no-share-limits", "share_limits=False", "share_limits='no'"),
    ],
)
def test_each_front_end_spells_an_option_in_its_own_way(
    option: str, flag: str, argument: str, name: str
) -> None:
    phrase = Phrase("say {option:{option_name}}.", option_name=option)
    assert phrase.spell(as_flag) == f"say {flag}."
    assert phrase.spell(as_argument) == f"say {argument}."
    assert phrase.spell(by_name) == str(phrase) == f"say {name}."


@pytest.mark.parametrize("text", ["run--final", "{option:resume}", "{0}", "{", "--max-cost", "{{x}}"])
def test_a_value_is_shown_as_it_is(text: str) -> None:
    inner = Phrase("no {path} ({option:rows})", path=text)
    outer = Phrase("{option:from={text}}; {inner}", text=text, inner=inner)
    assert inner.spell(as_argument) == f"no {text} (rows)"
    assert outer.spell(lambda name, value: f"<{name}|{value}>") == f"<from|{text}>; no {text} (<rows|None>)"


def test_finished_pieces_are_never_parsed() -> None:
    text = "{option:resume} {x.__class__} {0!r:>999999999}"
    phrase = Phrase.of((text, Named("pdf", "{value}"), Named("rows")))
    assert str(phrase) == text + "pdf='{value}'rows"
    assert str(Phrase("so: {inner}", inner=phrase)) == f"so: {phrase}"


def test_an_error_is_spelled_anew_for_whoever_shows_it() -> None:
    error = InputError(
        Phrase("no {path}", path="a--b"), Phrase("Add {option:recursive}."), argument="directory"
    )
    assert str(error) == "no a--b\nAdd recursive."
    assert str(error.spell(as_flag)) == "no a--b\nAdd --recursive."
    assert str(error.spell(as_argument)) == "no a--b\nAdd recursive=True."
    assert (error.message, error.hint, error.argument) == ("no a--b", "Add recursive=True.", "directory")
    assert error.args == ("no a--b",)


def test_only_the_command_line_spells_flags() -> None:
    spelled = [
        f"{path.relative_to(SOURCE)}:{text.lineno}: {text.value!r}"
        for path, tree in _modules()
        for text in _texts(tree)
        if FLAG.search(OF_OTHERS.sub("", text.value))
    ]
    assert spelled == []


def test_a_template_is_a_literal_that_names_known_options() -> None:
    # An argument of the library alone, and flags of `umwelten view`.
    known = {*OPTIONS, "inputs", "host", "origin", "port", "token_file"}
    for path, tree in _modules():
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Phrase":
                template = ast.literal_eval(call.args[0])  # raises for anything but a literal
                options, fields = _fields(template)
                assert options <= known, (path, template)
                assert fields == {keyword.arg for keyword in call.keywords}, (path, template)


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        name = path.relative_to(SOURCE).as_posix()
        if not name.startswith(OWN_COMMAND_LINES) and name not in (PIP, "phrases.py"):
            yield path, ast.parse(path.read_text("utf-8"))


def _texts(tree: ast.Module) -> Iterator[ast.Constant]:
    """The string literals, without docstrings: those that are statements."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node


def _fields(template: str) -> tuple[set[str], set[str]]:
    """The options that a template names, and the fields that its values fill in."""
    options, fields = set(), set()
    for _, field, spec, _ in string.Formatter().parse(template):
        if field is not None and field != "option":
            fields.add(field)
        if spec:
            fields |= {inner for _, inner, _, _ in string.Formatter().parse(spec) if inner}
        if field == "option" and spec and not spec.startswith("{"):
            options.add(spec.partition("=")[0])
    return options, fields
