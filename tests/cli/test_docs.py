"""The pages about commands say what the commands are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from umwelten.cli.app import cli as root
from umwelten.config.options import OPTIONS
from umwelten.providers.vendors import VENDORS

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
NOT_IN_FILES = {"profile", "detach", "ui", "help"}


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its name after `umwelten`."""
    yield from _below(root, click.Context(root))


def _below(group: click.Group, context: click.Context, path: str = "") -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield path + name, command
            yield from _below(command, context, f"{path}{name} ")
        else:
            yield path + name, command


def flags(command: click.Command) -> set[str]:
    """The long flags, and the short ones that have no long form."""
    found = set()
    for param in command.params:
        if isinstance(param, click.Option):
            long = {flag for flag in (*param.opts, *param.secondary_opts) if flag.startswith("--")}
            found |= long or set(param.opts)
    return found


ALL = dict(commands())


def test_the_page_of_commands_names_every_command_and_every_flag() -> None:
    text = (DOCS / "commands.md").read_text()
    words = set(re.findall(r"--[a-z][a-z-]*", text))
    for name, command in ALL.items():
        assert name in text, f"docs/commands.md does not name {name}"
        missing = flags(command) - words
        assert not missing, f"docs/commands.md does not name {sorted(missing)} of {name}"


def test_no_page_names_a_flag_of_umwelten_that_does_not_exist() -> None:
    known = {flag for command in ALL.values() for flag in flags(command)} | {"--help", "--version"}
    for page in [PROJECT / "README.md", *DOCS.glob("*.md"), *(DOCS / "man").glob("*.md")]:
        for line in re.findall(
            r"umwelten (?:eval|models|config|simulate|completion)\b[^\n`]*", page.read_text()
        ):
            typed = line.partition(" | ")[0]
            for flag in re.findall(r"(?<![\w-])--[a-z][a-z-]*", typed):
                assert flag in known, f"{page.name} names {flag}: {line}"


def test_the_pages_of_commands_and_settings_name_no_flag_that_does_not_exist() -> None:
    known = {flag for command in ALL.values() for flag in flags(command)} | {"--help", "--version"}
    for name in ("commands.md", "configuration.md"):
        found = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", (DOCS / name).read_text()))
        assert found <= known, f"{name}: {sorted(found - known)}"


def test_the_manual_is_what_the_commands_say() -> None:
    done = subprocess.run(
        [sys.executable, str(PROJECT / "scripts" / "command_docs.py"), "--check"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_manual_that_is_out_of_date_is_found(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "command_docs.py"
    shutil.copy(PROJECT / "scripts" / "command_docs.py", script)

    def run(*arguments: str) -> tuple[int, list[str]]:
        done = subprocess.run([sys.executable, str(script), *arguments], capture_output=True, text=True)
        return done.returncode, [line.partition(" is not ")[0] for line in done.stderr.splitlines()]

    assert run() == (0, [])
    assert run("--check") == (0, [])
    pages = tmp_path / "docs" / "man"
    left_over = pages / "umwelten-gone.md"
    left_over.write_text("")
    changed, missing = pages / "umwelten-eval-run.md", pages / "umwelten-eval-batch.md"
    changed.write_text(changed.read_text() + "more")
    missing.unlink()
    code, said = run("--check")
    assert (code, sorted(said)) == (1, [str(missing), str(changed), str(left_over)])
    assert run() == (0, [])
    assert run("--check") == (0, [])


def test_every_page_of_the_manual_has_the_parts_of_one() -> None:
    pages = {path.stem for path in (DOCS / "man").glob("*.md")}
    assert {f"umwelten-{name.replace(' ', '-')}" for name in ALL} <= pages
    for name, command in ALL.items():
        text = (DOCS / "man" / f"umwelten-{name.replace(' ', '-')}.md").read_text()
        for part in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "SEE ALSO"):
            assert f"\n## {part}\n" in text, (name, part)
        for flag in flags(command):
            assert flag in text
        for linked in re.findall(r"\]\(([^)]+)\)", text):
            assert (DOCS / "man" / linked).is_file()


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_the_man_pages_are_without_a_fault() -> None:
    pages = sorted((DOCS / "man" / "man1").glob("*.1"))
    assert pages
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_flag_of_run_and_batch_may_stand_in_a_profile_and_no_other_name() -> None:
    both = {*flags(ALL["eval run"]), *flags(ALL["eval batch"])}
    named = {flag.removeprefix("--").replace("-", "_") for flag in both if not flag.startswith("--no-")}
    known = {option.key for option in OPTIONS.values() if option.place != "flag" and option.only != "rank"}
    assert named - NOT_IN_FILES - {"file", "file_limit"} <= known
    assert known <= named


def test_the_page_of_settings_names_every_setting_and_key() -> None:
    text = (DOCS / "configuration.md").read_text()
    for option in OPTIONS.values():
        assert option.place == "flag" or f"`{option.key}`" in text, option.key
    for vendor in ("google", "openrouter", "openai", "anthropic", "ollama", "lmstudio"):
        for name in (*VENDORS[vendor].key_env, *VENDORS[vendor].base_url_env):
            assert f"`{name}`" in text
