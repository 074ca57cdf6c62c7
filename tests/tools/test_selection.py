"""What `--tools` names: built-in tools, files, lists, servers; and the names by which models know them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolkit import result
from umwelten.errors import UsageError
from umwelten.tools.entries import BUILT_IN, is_built_in, used_lists
from umwelten.tools.functions import FunctionTool
from umwelten.tools.names import MOST_TOOLS, unique_tools, wire_name
from umwelten.tools.rules import ToolRules
from umwelten.tools.selection import select_tools
from umwelten.tools.tool import Tool, tool
from umwelten.tools.toolbox import Toolbox


def rate(currency: str) -> float:
    """EUR for one unit."""
    return 1.5


def renamed(name: str) -> Tool:
    # With a version, as its source is read for a fingerprint otherwise, which takes a while for 129 of them.
    return FunctionTool(tool(name=name, version="1")(lambda: "x"), source=name)


def refused(*entries: object, **options: object) -> UsageError:
    with pytest.raises(UsageError) as caught:
        select_tools(entries, **options)  # type: ignore[arg-type]
    assert caught.value.argument == "tools"
    return caught.value


@pytest.fixture(autouse=True)
def _no_modules_left() -> Iterator[None]:
    yield
    for name in [name for name in sys.modules if name.startswith("umwelten_file_")]:
        del sys.modules[name]


def test_tools_are_named_and_given() -> None:
    found = select_tools(["calculator", "randomNumber", rate, "calculator", rate, renamed("x")])
    assert [each.name for each in found] == ["calculator", "random_number", "rate", "x"]
    assert [each.source for each in found] == ["built-in", "built-in", "test_selection.py", "x"]
    assert all(is_built_in(name) for name in (*BUILT_IN, "randomNumber"))
    assert not any(map(is_built_in, ("calculator.py", "mcp:calculator", "@calculator", "")))


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("calculater", "Did you mean calculator?"),
        ("Calculator", "Did you mean calculator?"),
        ("@ofice", "Did you mean @office?"),
        ("shell", "Name calculator, statistics, random_number, now, FILE.py, FILE.py:name, mcp:SERVER,"),
        ("mcp:", "Servers are sections [mcp.NAME] in umwelten.toml."),
        ("mcp:git", "Servers are sections [mcp.NAME] in umwelten.toml."),
        ("", "Name calculator"),
    ],
)
def test_a_name_that_is_not_known_gets_the_nearest_one(entry: str, hint: str) -> None:
    assert hint in (refused(entry, lists={"office": ["calculator"]}).hint or "")


def test_lists_may_name_lists_but_not_themselves() -> None:
    lists = {
        "office": ["calculator", "@more"],
        "more": ["now", "mcp:git.git_log"],
        "self": ["@other"],
        "other": ["@self"],
    }
    found = select_tools(["@office"], lists=lists, mcp=lambda name: [renamed(name)])
    assert [each.name for each in found] == ["calculator", "now", "git.git_log"]
    assert used_lists(["@office", rate, "now"], lists) == ("office", "more")
    assert used_lists(["@self", "@none"], lists) == ("self", "other")
    assert (
        refused("@self", lists=lists).message
        == "the list @self of tools contains itself: self > other > self"
    )


def test_a_file_gives_its_own_public_functions(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("def imported(a: int) -> int:\n    return a\n")
    path = tmp_path / "rates.py"
    path.write_text(
        "import dataclasses, functools, json\nfrom math import sqrt\nfrom beside import imported\n"
        "import msgspec\nLIMIT = 3\nTYPE = dict[str, int]\n"
        "class Point(msgspec.Struct):\n    x: int\n"
        "class Add(msgspec.Struct):\n    a: int\n    def __call__(self) -> int:\n        return self.a\n"
        "def _helper(x):\n    return x\n"
        "def rate(currency: str) -> float:\n    'EUR for one unit.'\n    return _helper(1.5)\n"
        "@functools.cache\ndef convert(amount: float) -> float:\n    return amount\n"
        "async def book(seat: int) -> str:\n    return 'booked'\n"
    )
    assert [each.name for each in select_tools([str(path)])] == ["Add", "rate", "convert", "book"]
    assert [each.source for each in select_tools([f"{path}:rate"])] == ["rates.py"]
    assert [each.name for each in select_tools(["rates.py:imported"], folder=tmp_path)] == ["imported"]


def test_a_file_is_run_once(tmp_path: Path) -> None:
    path = tmp_path / "counted.py"
    path.write_text(
        "from pathlib import Path\nfile = Path(__file__).with_suffix('.runs')\n"
        "file.write_text((file.read_text() if file.exists() else '') + 'x')\n"
        "def a() -> str:\n    return ''\ndef b() -> str:\n    return ''\n"
    )
    select_tools([f"{path}:a", f"{path}:b", str(path)])
    assert path.with_suffix(".runs").read_text() == "x"


def test_what_a_file_prints_goes_to_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "loud.py"
    path.write_text("print('while it is read')\ndef f() -> str:\n    print('at work')\n    return 'x'\n")
    (made,) = select_tools([str(path)])
    assert result(made).text == "x"
    assert capsys.readouterr() == ("", "while it is read\nat work\n")


def test_a_function_imports_files_beside_its_own_while_it_is_at_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "beside_late.py").write_text("X = 5")
    path = tmp_path / "late.py"
    path.write_text("def f() -> int:\n    import beside_late\n    return beside_late.X\n")
    assert result(select_tools([str(path)])[0]).text == "5"


@pytest.mark.parametrize(
    ("code", "entry", "said"),
    [
        ("def f(:\n", "t.py", "cannot run t.py: SyntaxError: invalid syntax (t.py, line 1)"),
        ("\nimport none_such\n", "t.py", "cannot run t.py, line 2: ModuleNotFoundError"),
        ("\n\n1 / 0\n", "t.py", "cannot run t.py, line 3: ZeroDivisionError: division by zero"),
        ("from . import a\n", "t.py", "cannot run t.py, line 1: ImportError: attempted relative import"),
        ("exit(3)\n", "t.py", "cannot run t.py, line 1: SystemExit: 3"),
        ("x = 1\n", "t.py", "t.py has no functions of its own"),
        ("from math import sqrt\n", "t.py", "t.py has no functions of its own"),
        ("\ndef f(a) -> int:\n    return a\n", "t.py", "t.py:2: f: the parameter 'a' has no type hint"),
        ("def f(a: int) -> int:\n    return a\n", "t.py:g", "t.py has no function 'g'"),
        ("def f(a: int) -> int:\n    return a\n", "t.py:", "t.py has no function ''"),
        ("x = 1\n", "t.py:x", "t.py has no function 'x'"),
        ("", "none.py", "no such file: none.py"),
        ("def calculator(a: int) -> int:\n    return a\n", "t.py", "two tools would be called calculator"),
    ],
)
def test_a_file_that_cannot_be_used_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, entry: str, said: str
) -> None:
    (tmp_path / "t.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        select_tools(["calculator", entry])
    assert caught.value.message.startswith(said)
    assert ("names of helpers begin with _" in (caught.value.hint or "")) == ("type hint" in said)
    assert ("by their names alone" in (caught.value.hint or "")) == ("relative" in said)


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("calculator", "calculator"),
        ("git.git_log", "git__git_log"),
        ("a b/c", "a_b_c"),
        ("2nd", "_2nd"),
        ("-x", "_-x"),
        ("über", "_ber"),
        ("", "_"),
        ("x" * 64, "x" * 64),
        ("x" * 65, "x" * 55 + "_9537c5fd"),
    ],
)
def test_names_are_mapped_to_those_that_every_provider_takes(name: str, wire: str) -> None:
    assert wire_name(name) == wire


def test_two_tools_of_one_name_are_refused_by_both() -> None:
    with pytest.raises(UsageError) as caught:
        unique_tools([renamed("git.log"), renamed("git__log")])
    assert caught.value.message == (
        "two tools would be called git__log: git.log (git.log) and git__log (git__log)"
    )


def test_files_of_one_name_are_told_apart_by_their_paths(tmp_path: Path) -> None:
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "t.py").write_text(f"def book() -> int:\n    return {value}\n")
    with pytest.raises(UsageError) as caught:
        select_tools(["a/t.py", "b/t.py"], folder=tmp_path)
    assert caught.value.message == "two tools would be called book: book (a/t.py) and book (b/t.py)"


def test_too_many_tools_are_refused() -> None:
    tools = [renamed(f"t{n}") for n in range(MOST_TOOLS + 1)]
    assert len(unique_tools(tools[:-1])) == MOST_TOOLS
    with pytest.raises(UsageError, match="129 tools are too many"):
        unique_tools(tools)


def test_what_is_denied_stays_denied_where_it_is_allowed() -> None:
    rules = ToolRules(allow=["git.*"], deny=["*.git_commit"])
    assert rules.allows("git.git_log") and not rules.allows("git.git_commit") and not rules.allows("fs.read")
    assert rules.denied(renamed("git.git_log")) is None
    assert rules.denied(renamed("git.git_commit")) == "denied: the user does not allow *.git_commit"


@pytest.mark.parametrize("pattern", ["git.git_commit", "mcp:git.git_commit", "git_commit", "git__git_commit"])
def test_a_tool_is_denied_by_any_name_that_users_know_and_what_denies_nothing_is_told(pattern: str) -> None:
    rules = ToolRules(allow=["mcp:git.*"], deny=[pattern, "git.git_comit"])
    assert rules.denied(renamed("git.git_commit")) == f"denied: the user does not allow {pattern}"
    assert rules.allows("git.git_log") and not rules.allows("git.git_commit")
    assert not ToolRules(allow=["git_log"]).allows("git.git_log")
    assert rules.idle([]) == ("git.git_comit",)  # the other one is why it is not offered
    assert ToolRules(deny=[pattern]).idle([renamed("git.git_commit")]) == ()
    assert ToolRules(deny=[pattern]).idle([]) == (pattern,)


def test_a_toolbox_says_what_calls_are_offered_and_closes_its_servers() -> None:
    closed = []

    class Server:
        def __init__(self, name: str) -> None:
            self.name = name

        def close(self) -> None:
            closed.append(self.name)
            if self.name == "b":
                raise OSError("gone")

    box = Toolbox((*select_tools(["calculator"]), renamed("git.log")), [Server("a"), Server("b")])
    settings = box.settings("git.log", 7)
    assert (settings.choice, settings.max_steps) == ("git__log", 7)
    assert [each.name for each in settings.tools] == ["calculator", "git.log"]
    assert box.settings("auto", 5).choice == "auto"
    assert box.find("git__log") is box.find("git.log") is not None
    with pytest.raises(UsageError) as caught:
        box.settings("calculater", 5)
    assert caught.value.argument == "tool_choice"
    assert caught.value.hint == "Did you mean calculator? Choose one of auto, any, none, calculator, git.log."
    with pytest.raises(OSError, match="gone"):
        box.close()
    box.close()
    assert sorted(closed) == ["a", "b"]


def test_a_toolbox_of_tools_that_clash_closes_its_servers() -> None:
    closed = []

    class Server:
        def close(self) -> None:
            closed.append(1)

    with pytest.raises(UsageError, match="two tools would be called x_y"):
        Toolbox([renamed("x y"), renamed("x_y")], [Server()])
    assert closed == [1]
