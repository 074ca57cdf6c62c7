"""Make the manual of every command from its own help: docs/man/*.md and docs/man/man1/*.1.

python scripts/command_docs.py            write the pages, remove those of commands that are gone
python scripts/command_docs.py --check    exit 1 if a page is not what would be written; writes nothing
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from umwelten.cli.app import cli
from umwelten.config.options import OPTIONS
from umwelten.providers.vendors import VENDORS

MAN = Path(__file__).parent.parent / "docs" / "man"
NOTE = "Made by scripts/command_docs.py from the command's help; change it there."
Rows = list[tuple[str, str]]
Sections = dict[str, "list[str] | Rows"]
"""A section is paragraphs (those that begin with four blanks are shown as they are) or terms."""


class Page(NamedTuple):
    """The manual page of a command, `umwelten eval run`."""

    command: str
    sections: Sections

    @property
    def name(self) -> str:
        """As a file: `umwelten-eval-run`."""
        return self.command.replace(" ", "-")


RUNS = ("umwelten eval run", "umwelten eval batch")
STORED = ("umwelten eval report", "umwelten eval list", "umwelten eval show")
EXIT_STATUS: Mapping[bool, Rows] = {
    True: [
        ("0", "all calls succeeded"),
        ("1", "some calls failed; the others are kept"),
        ("2", "a flag or a setting cannot be used, and nothing was started"),
        ("3", "stopped by a rule, or calls are pending: --resume goes on"),
        ("130", "interrupted; what was answered is kept"),
    ],
    False: [
        ("0", "done"),
        ("2", "a flag, a setting or a file cannot be used"),
        ("130", "interrupted"),
    ],
}
SETTINGS_FILES: Rows = [
    ("umwelten.toml", "the project's settings, in the working directory or the nearest one above it"),
    ("~/.config/umwelten/umwelten.toml", "the user's; on macOS under ~/Library/Application Support"),
    (".env", "keys and settings, in the working directory or the nearest one above it"),
]
STORED_FILES: Rows = [
    ("OUTPUT-DIR/ID/evaluation.db", "everything about an evaluation, as an SQLite database"),
    ("OUTPUT-DIR/ID/*.txt", "the answers as text"),
]
COMPLETION_FILES: Rows = [
    ("~/.local/share/bash-completion/completions/umwelten", "what --install writes for bash"),
    ("~/.zfunc/_umwelten", "for zsh"),
    ("~/.config/fish/completions/umwelten.fish", "for fish"),
    ("~/.cache/umwelten/models.txt", "names of models; UMWELTEN_CACHE_DIR puts it elsewhere"),
]


def pages() -> Iterator[Page]:
    """The page of every command, groups first."""
    yield from _pages(cli, click.Context(cli, info_name="umwelten", **cli.context_settings))


def _pages(command: click.Command, context: click.Context) -> Iterator[Page]:
    below = _below(command, context)
    yield _page(command, context, [f"{context.command_path} {name}" for name, _ in below])
    for name, child in below:
        yield from _pages(child, click.Context(child, info_name=name, parent=context))


def _below(command: click.Command, context: click.Context) -> list[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        return []
    found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [(name, child) for name, child in found if child is not None and not child.hidden]


def _page(command: click.Command, context: click.Context, below: list[str]) -> Page:
    path = context.command_path
    words, examples = _help(command)
    usage = " ".join(command.collect_usage_pieces(context))
    commands = {"COMMANDS": _commands(command, context)} if below else {}
    sections: Sections = {
        "NAME": [f"{path} - {_first_sentence(words)}"],
        "SYNOPSIS": [f"    {path} {usage}"],
        "DESCRIPTION": words,
        **commands,
        "OPTIONS": _options(command, context),
        "EXAMPLES": examples,
        "EXIT STATUS": EXIT_STATUS[path in RUNS],
        "FILES": _files(path),
        "ENVIRONMENT": _environment(command, path),
        "SEE ALSO": [", ".join(below or _beside(context))],
    }
    return Page(path, {title: body for title, body in sections.items() if body})


def _help(command: click.Command) -> tuple[list[str], list[str]]:
    """The paragraphs of a command's help, and its blocks of examples as they stand."""
    words, examples = [], []
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        lines = paragraph.splitlines()
        if lines[0].strip() == "\b":
            examples.append("\n".join(f"    {line}" for line in lines[1:]))
        else:
            words.append(" ".join(line.strip() for line in lines))
    return words, examples


def _first_sentence(words: list[str]) -> str:
    sentence = re.split(r"(?<=\w)[.;:](?:\s|$)", words[0])[0]
    return sentence[0].lower() + sentence[1:]


def _commands(command: click.Command, context: click.Context) -> Rows:
    return [(name, _help(child)[0][0]) for name, child in _below(command, context)]


def _options(command: click.Command, context: click.Context) -> Rows:
    records = (param.get_help_record(context) for param in command.get_params(context))
    return [(names, re.sub(r"\s+", " ", text)) for names, text in filter(None, records)]


def _files(path: str) -> Rows:
    if path == "umwelten completion":
        return COMPLETION_FILES
    stored = STORED_FILES if path in (*RUNS, *STORED) else []
    return [*(SETTINGS_FILES if path.count(" ") == 2 else []), *stored]


def _environment(command: click.Command, path: str) -> Rows:
    flags = {flag for param in command.params for flag in param.opts}
    rows = [
        (f"UMWELTEN_{option.key.upper()}", f"stands for --{option.key.replace('_', '-')}")
        for option in OPTIONS
        if f"--{option.key.replace('_', '-')}" in flags and path in (*RUNS, *STORED)
    ]
    if path in (*RUNS, "umwelten models list", "umwelten config show"):
        rows += [
            (name, f"the key of {vendor.name}") for vendor in VENDORS.values() for name in vendor.key_env
        ]
        rows += [(env, f"the address of {v.name}") for v in VENDORS.values() for env in v.base_url_env]
    return rows


def _beside(context: click.Context) -> list[str]:
    parent = context.parent
    if parent is None:
        return []
    names = [name for name, _ in _below(parent.command, parent) if name != context.info_name]
    return [parent.command_path, *(f"{parent.command_path} {name}" for name in names)]


# --- markdown --------------------------------------------------------------------------------


def markdown(page: Page) -> str:
    """The page as markdown, with links to the others."""
    lines = [f"<!-- {NOTE} -->", "", f"# {page.command}", ""]
    for title, body in page.sections.items():
        lines += [f"## {title}", "", *_markdown(title, body)]
    return "\n".join(lines).rstrip() + "\n"


def _markdown(title: str, body: list[str] | Rows) -> Iterator[str]:
    for item in body:
        if isinstance(item, tuple):
            yield f"- `{item[0]}`" + (f"  \n  {_inert(item[1])}" if item[1] else "")
        elif item.startswith("    "):
            yield from ("```sh", re.sub(r"^    ", "", item, flags=re.MULTILINE), "```")
        elif title == "SEE ALSO":
            yield ", ".join(f"[{name}]({name.replace(' ', '-')}.md)" for name in item.split(", "))
        else:
            yield _inert(item)
        if not isinstance(item, tuple):
            yield ""
    if body and isinstance(body[0], tuple):
        yield ""


def _inert(text: str) -> str:
    """Signs that markdown would take for its own, outside of `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([*_<\[\]])", r"\\\1", part) for part in parts)


# --- roff ------------------------------------------------------------------------------------


def roff(page: Page) -> str:
    """The page for `man`."""
    lines = [f'.\\" {NOTE}', f'.TH "{page.name.upper()}" "1" "" "umwelten" "umwelten"', ".nh"]
    for title, body in page.sections.items():
        lines += [f".SH {title}", *_roff(title, body)]
    return "\n".join(lines) + "\n"


def _roff(title: str, body: list[str] | Rows) -> Iterator[str]:
    for item in body:
        if isinstance(item, tuple):
            yield from (".TP", f"\\fB{_plain(item[0])}\\fR", _plain(item[1]))
        elif item.startswith("    "):
            yield from (".PP", ".nf", _plain(re.sub(r"^    ", "", item, flags=re.MULTILINE)), ".fi")
        elif title == "SEE ALSO":
            names = (name.replace(" ", "-") for name in item.split(", "))
            yield from (".PP", ", ".join(f"\\fB{_plain(name)}\\fR(1)" for name in names))
        else:
            yield from (".PP", _plain(item))


def _plain(text: str) -> str:
    """A text in which nothing is a request, a minus is a minus, and other signs are roff's names for them."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "").replace("'", "\\(aq")
    text = "".join(sign if ord(sign) < 128 else f"\\[u{ord(sign):04X}]" for sign in text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


# --- the files -------------------------------------------------------------------------------


def wanted() -> dict[Path, str]:
    """Every file under docs/man, as it should be."""
    files: dict[Path, str] = {}
    for page in pages():
        files[MAN / f"{page.name}.md"] = markdown(page)
        files[MAN / "man1" / f"{page.name}.1"] = roff(page)
    return files


def main() -> int:
    """0, or 1 when `--check` found a page that is not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    files = wanted()
    there = {path for pattern in ("*.md", "man1/*.1") for path in MAN.glob(pattern)}
    stale = [path for path, text in files.items() if path not in there or path.read_text("utf-8") != text]
    gone = sorted(there - set(files))
    if check:
        for path in (*stale, *gone):
            sys.stderr.write(f"{path} is not up to date: run python scripts/command_docs.py\n")
        return 1 if stale or gone else 0
    (MAN / "man1").mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(files[path], "utf-8")
    for path in gone:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
