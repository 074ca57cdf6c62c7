"""An option is declared once; the command line, the files, the library and the pages follow from it."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest

import umwelten
from umwelten.api.argument_names import as_argument
from umwelten.cli.app import cli
from umwelten.cli.eval import group as evaluations
from umwelten.cli.flag_names import as_flag
from umwelten.cli.options import TableOption
from umwelten.config.declaration import Option
from umwelten.config.options import OPTIONS
from umwelten.config.settings import load
from umwelten.errors import ConfigError, UmweltenError, UsageError

DOCS = Path(__file__).parents[2] / "docs"
ALL = list(OPTIONS.values())
COMMANDS = ("run", "batch")


def named(option: Option) -> str:
    return option.name


def of(command: str) -> list[Option]:
    return [option for option in ALL if option.only in (None, command)]


# --- every option is everywhere --------------------------------------------------------------


def shown(command: str, width: int = 80) -> str:
    context = click.Context(evaluations.commands[command], info_name=command, max_content_width=width)
    return evaluations.commands[command].get_help(context)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_shows_every_option_of_a_command_in_its_section(command: str) -> None:
    text = shown(command)
    titles = [line[:-1] for line in text.splitlines() if re.fullmatch(r"[A-Z][a-z ]+:", line)]
    assert titles == [
        "Prompt and model",
        "Inputs",
        "Tools",
        "Memory",
        "Scores",
        "Speed",
        "Cost",
        "Output",
        "Other options",
    ]
    parts = dict(zip(titles, re.split(r"\n[A-Z][a-z ]+:\n", text)[1:], strict=True))
    for option in of(command):
        there = [
            title for title, part in parts.items() if re.search(rf"^  .*{as_flag(option.name)}\b", part, re.M)
        ]
        assert there == [str(option.section)], option.name
    assert "--help" in parts["Other options"]
    assert max(map(len, text.split("Prompt and model:")[1].splitlines())) <= 80


def test_every_option_says_what_it_is_for() -> None:
    context = click.Context(evaluations.commands["batch"])
    for option in ALL:
        record = TableOption(option).get_help_record(context)
        assert record is not None
        assert len(record[1].split()) >= 2, record


def sample(option: Option) -> str:
    """A value for a TOML file."""
    if option.type.choices:
        return f'"{option.type.choices[-1]}"'
    if option.type.switch:
        return "true"
    for text in (
        '"2m"',
        '"2G"',
        "1",
        "1000",
        '"x"',
        '"ray"',
        "{ openai = 4 }",
        "{ openai = '4/s' }",
        "{ a = { seed = 4 } }",
    ):
        try:
            option.type.read(tomllib.loads(f"x = {text}")["x"])
        except ValueError:
            continue
        return text
    raise AssertionError(f"no sample for {option.name}")


@pytest.mark.parametrize("option", ALL, ids=named)
def test_an_option_may_stand_where_its_place_says(option: Option, tmp_path: Path) -> None:
    def read(section: str) -> Any:
        (tmp_path / "umwelten.toml").write_text(f"[{section}]\n{option.key} = {sample(option)}\n")
        return load(tmp_path, {}, tmp_path / "none", profile="p" if section == "profiles.p" else None)

    if option.place == "defaults":
        assert read("defaults").source(option.name) == str(tmp_path / "umwelten.toml")
        assert read("profiles.p").source(option.name).endswith("[profiles.p]")
        return
    with pytest.raises(ConfigError, match=f"{option.key!r} is not known"):
        read("defaults")
    if option.place == "profile":
        assert read("profiles.p").with_flags({}).source(option.name).endswith("[profiles.p]")
    else:
        with pytest.raises(ConfigError, match=f"{option.key!r} is not known"):
            read("profiles.p")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_an_argument_of_the_library_but_those_of_a_terminal(command: str) -> None:
    parameters = inspect.signature(getattr(umwelten, command)).parameters
    ours = {option.name: option for option in of(command) if option.in_python}
    assert parameters.keys() - {"on_event", "grace_s", "inputs", "progress"} == ours.keys()
    for name, option in ours.items():
        # Left out, `resume` is neither yes nor no.
        off = option.is_switch and name != "resume"
        assert parameters[name].default is (False if off else None), name


def test_every_option_is_in_the_pages() -> None:
    commands, manual, configuration = (
        (DOCS / page).read_text()
        for page in ("commands.md", "man/umwelten-eval-batch.md", "configuration.md")
    )
    own = {name: (DOCS / f"man/umwelten-eval-{name}.md").read_text() for name in ("score", "rank")}
    for option in ALL:
        assert as_flag(option.name) in commands
        assert as_flag(option.name) in own.get(option.only or "", manual)
        assert option.place == "flag" or f"`{option.key}`" in configuration, option.key


def test_the_shell_completes_the_words_of_a_choice() -> None:
    context = click.Context(evaluations.commands["run"])
    choices = [option for option in ALL if option.type.choices]
    named = {option.name for option in choices}
    assert named == {"api", "control_for", "keep_inputs", "pdf", "progress", "ray_env", "seats", "texts"}
    for option in choices:
        flag = TableOption(option)
        assert tuple(item.value for item in flag.shell_complete(context, "")) == option.type.choices
        first = option.type.choices[0]
        assert first in [item.value for item in flag.shell_complete(context, first[:-1])]


def test_names_keys_and_flags_are_there_once() -> None:
    flags = [
        flag
        for param in evaluations.commands["batch"].params
        for flag in (*param.opts, *param.secondary_opts)
    ]
    assert len(set(flags)) == len(flags)
    assert len({option.key for option in ALL}) == len(ALL)


def test_an_argument_that_does_not_exist_is_a_mistake_at_once() -> None:
    with pytest.raises(
        TypeError, match=r"run\(\) got an unexpected keyword argument 'temprature'.*'temperature'"
    ):
        umwelten.run("hello", "openai:a", temprature=0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"run\(\) got an unexpected keyword argument 'directory'"):
        umwelten.run("hello", "openai:a", directory="in")  # type: ignore[call-arg]


# --- one range through every door ------------------------------------------------------------

RANGES: dict[str, tuple[list[Any], list[Any]]] = {
    "temperature": ([0, 2, 0.5], [-0.1, 2.1, float("nan")]),
    "top_p": ([0, 1], [-1, 1.5]),
    "max_tokens": ([1, 10**9], [0, 10**9 + 1]),
    "seed": ([-5, 0, 2**63 - 1], [2**63]),
    "repeat": ([1, 65_535], [0, 65_536]),
    "max_concurrency": ([1, 10_000, "auto"], [0, 10_001, "many"]),
    "retries": ([0, 100], [-1, 101]),
    "max_cost": ([0.01, 5], [0, -1]),
    "max_errors": ([1], [0]),
    "max_files": ([1], [0]),
    "max_bytes_in_flight": (["1MB", "2G"], ["1KB", "lots"]),
    "timeout_s": ([1, 0.5], [0, -1]),
    "pdf": (["auto", "text"], ["pages"]),
    "provider_concurrency": ([{"openai": 1}], [{"openai": 0}, {"openai": 10_001}]),
    "rate": (
        [{"openai": "500/min"}, {"openai": "2.5/s"}, {"google": "200000tokens/min"}, {"openai": "0.0001/s"}],
        [{"openai": "0/min"}, {"openai": "500"}, {"openai": "1/y"}, {"a": "0.1/d"}, {"a": "9999999999M/s"}],
    ),
}


def typed(value: Any) -> Any:
    """A value as it stands on the command line."""
    return tuple(f"{key}={item}" for key, item in value.items()) if isinstance(value, dict) else str(value)


def in_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {in_toml(item)}" for key, item in value.items()) + " }"
    return f'"{value}"' if isinstance(value, str) else str(value)


def through_every_door(name: str, value: Any, folder: Path) -> list[Any]:
    """The value as a flag, a file, the environment and an argument give it, or the hint of the error."""
    key = OPTIONS[name].key
    empty, project = folder / "empty", folder / "project"
    for path in (empty, project):
        path.mkdir(exist_ok=True)
    (project / "umwelten.toml").write_text(f"[defaults]\n{key} = {in_toml(value)}\n")
    variable = ",".join(typed(value)) if isinstance(value, dict) else typed(value)
    doors = [
        lambda: load(empty, {}, empty).with_flags({name: typed(value)}, as_flag),
        lambda: load(project, {}, empty),
        lambda: load(empty, {f"UMWELTEN_{key.upper()}": variable}, empty),
        lambda: load(empty, {}, empty).with_flags({name: value}, as_argument, arguments=True),
    ]
    found: list[Any] = []
    for door in doors:
        try:
            found.append(door().get(name))
        except UmweltenError as error:
            assert type(error) in (UsageError, ConfigError)
            assert error.argument == name
            found.append((type(error).__mro__[1], error.hint))
    return found


@pytest.mark.parametrize("name", RANGES)
def test_a_range_is_the_same_through_every_door(name: str, tmp_path: Path) -> None:
    good, bad = RANGES[name]
    for value in good:
        first, *others = through_every_door(name, value, tmp_path)
        assert not isinstance(first, tuple), first
        assert others == [first] * 3, value
    for value in bad:
        hints = through_every_door(name, value, tmp_path)
        assert all(isinstance(hint, tuple) for hint in hints), (value, hints)
        # In Python, a time-out is in seconds and nothing else.
        assert len(set(hints[:3] if name == "timeout_s" else hints)) == 1, (value, hints)


def test_a_range_of_the_help_is_the_one_that_is_read() -> None:
    text = re.sub(r"\s+", " ", shown("batch", 400))
    assert re.search(r"--retries N .*?\[default: 6\] \[0 to 100\]", text)
    assert re.search(r"--repeat N .*?\[default: 1\] \[1 to 65,535\]", text)


# --- and it costs nothing --------------------------------------------------------------------


def test_the_help_imports_no_more_than_it_needs() -> None:
    program = (
        "import sys; from umwelten.cli.app import cli\n"
        "cli.main(['eval', 'batch', '--help'], standalone_mode=False)\n"
        "slow = {'aiohttp', 'msgspec', 'rich', 'sqlite3', 'asyncio', 'pydantic'}\n"
        "print(*sorted(slow & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ran.returncode, ran.stderr.strip()) == (0, "")
    assert "Prompt and model" in ran.stdout


def test_the_group_lists_its_commands() -> None:
    assert set(COMMANDS) <= set(evaluations.commands)
    assert cli.get_command(click.Context(cli), "eval") is evaluations
