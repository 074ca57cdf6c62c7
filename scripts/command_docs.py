"""Make the manual of every command from its own help: docs/man/*.md and docs/man/man1/*.1.

The tables of options in docs/commands.md and docs/configuration.md are made as well, between two comments.

python scripts/command_docs.py            write the pages, remove those of commands that are gone
python scripts/command_docs.py --check    exit 1 if a page is not what would be written; writes nothing
"""

from __future__ import annotations

import argparse
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from umwelten.cli.app import cli
from umwelten.cli.flag_names import as_flag
from umwelten.cli.options import sections
from umwelten.config.declaration import Section
from umwelten.config.options import OPTIONS, SETTINGS
from umwelten.phrases import spell
from umwelten.providers.vendors import VENDORS

DOCS = Path(__file__).parent.parent / "docs"
MAN = DOCS / "man"
NOTE = "Made by scripts/command_docs.py from the command's help; change it there."
Rows = list[tuple[str, str]]
"""Terms and what they mean; a term of its own heads those that follow."""

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


CTL = "umwelten ctl"
RUNS = ("umwelten eval run", "umwelten eval batch")
STORED = tuple(f"umwelten eval {name}" for name in ("report", "list", "show", "delete", "rename", "copy"))
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
STEERED: Rows = [
    ("0", "done, or the change is applied"),
    ("1", "the run refused, or did not answer within 5 seconds"),
    ("2", "there is no such run, or a flag cannot be used; nothing was changed"),
    ("130", "interrupted"),
]
RUN_FILES: Rows = [
    ("~/.local/state/umwelten/run/PID-ID.sock", "where a run listens; XDG_STATE_HOME puts it elsewhere"),
    ("~/.local/state/umwelten/run/PID-ID.json", "what the run is of"),
]
SETTINGS_FILES: Rows = [
    ("umwelten.toml", "the project's settings, in the working directory or the nearest one above it"),
    ("~/.config/umwelten/umwelten.toml", "the user's; on macOS under ~/Library/Application Support"),
    (".env", "keys and settings, in the working directory or the nearest one above it"),
]
TRUST_FILE = ("~/.config/umwelten/trust.json", "what is trusted")
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
        "OPTIONS": list(_options(command, context)),
        "EXAMPLES": examples,
        "EXIT STATUS": STEERED if path.startswith(CTL) else EXIT_STATUS[path in RUNS],
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


def _options(command: click.Command, context: click.Context) -> Iterator[tuple[str, str]]:
    """The options, with the title of their section as a row with no name where there are several sections."""
    parts = sections(command, context)
    for title, params in parts.items():
        if len(parts) > 1:
            yield "", title
        for names, text in filter(None, (param.get_help_record(context) for param in params)):
            yield names, re.sub(r"\s+", " ", text)


def _files(path: str) -> Rows:
    if path == "umwelten completion":
        return COMPLETION_FILES
    if path.startswith(CTL):
        return RUN_FILES
    stored = STORED_FILES if path in (*RUNS, *STORED) else []
    if path == "umwelten trust":
        return [*SETTINGS_FILES, TRUST_FILE]
    return [*(SETTINGS_FILES if path.count(" ") == 2 else []), *stored]


def _environment(command: click.Command, path: str) -> Rows:
    flags = {flag for param in command.params for flag in param.opts}
    rows = [
        (f"UMWELTEN_{key.upper()}", f"stands for {as_flag(key)}")
        for key in SETTINGS
        if as_flag(key) in flags and path in (*RUNS, *STORED)
    ]
    if path in (*RUNS, "umwelten models list", "umwelten config show", "umwelten trust"):
        rows.append(("UMWELTEN_TRUST", "1: trust whatever the project's files demand; see umwelten trust"))
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
        if isinstance(item, tuple) and not item[0]:
            yield from (*([""] if item is not body[0] else []), f"### {item[1]}", "")
        elif isinstance(item, tuple):
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
        if isinstance(item, tuple) and not item[0]:
            yield f".SS {item[1]}"
        elif isinstance(item, tuple):
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


# --- tables in other pages -------------------------------------------------------------------


def option_table() -> str:
    """The flags of `eval run` and `eval batch`, section by section."""
    lines = ["| option | |", "|---|---|"]
    for section in Section:
        lines.append(f"| **{section}** | |")
        lines += [
            f"| `{', '.join(_flags(name)).replace('|', BAR)}` | {_cell(spell(option.help, as_flag))} |"
            for name, option in OPTIONS.items()
            if option.section is section
        ]
    return "\n".join(lines)


def _flags(name: str) -> Iterator[str]:
    option = OPTIONS[name]
    metavar = "" if option.type.switch or option.type.metavar is None else f" {option.type.metavar}"
    if option.short:
        yield option.short
    yield as_flag(name) + ("" if option.aliases else metavar)
    yield from (as_flag(alias) + metavar for alias in option.aliases)
    if option.negatable:
        yield as_flag(f"no_{name}")


def _cell(text: str) -> str:
    """A text with what is typed as `code`."""
    return _inert(_TYPED.sub(r"`\g<0>`", text)).replace("|", BAR)


def _names(place: str) -> str:
    keys = [f"`{option.key}`" for option in OPTIONS.values() if option.place == place]
    return textwrap.fill(", ".join(keys), 110, break_long_words=False, break_on_hyphens=False)


BAR = "\\|"
_TYPED = re.compile(r"--[a-z][a-z-]*(?: [0-9]+)?|\{\{.*?\}\}|@[A-Z]+|(?<!\w)'[^']+'(?!\w)|(?<=: )\*.*\*\.txt")
TABLES: Mapping[str, Mapping[str, Callable[[], str]]] = {
    "commands.md": {"options": option_table},
    "configuration.md": {
        "settings": lambda: _names("defaults"),
        "profile options": lambda: _names("profile"),
    },
}


def with_tables(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """The page with what stands between `<!-- NAME -->` and `<!-- end -->` made anew."""
    for name, make in tables.items():
        before, start, rest = text.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->")
        if not end:
            raise SystemExit(f"there is no table between <!-- {name} --> and <!-- end -->")
        text = f"{before}{start}\n{make()}\n\n{end}{after}"
    return text


# --- the files -------------------------------------------------------------------------------


def made_files() -> dict[Path, str]:
    """Every file under docs/man, and the pages with tables, as they should be."""
    files: dict[Path, str] = {}
    for page in pages():
        files[MAN / f"{page.name}.md"] = markdown(page)
        files[MAN / "man1" / f"{page.name}.1"] = roff(page)
    for name, tables in TABLES.items():
        path = DOCS / name
        if path.is_file():
            files[path] = with_tables(path.read_text("utf-8"), tables)
    return files


def main() -> int:
    """0, or 1 when `--check` found a page that is not up to date."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args().check
    files = made_files()
    there = {path for pattern in ("*.md", "man1/*.1") for path in MAN.glob(pattern)}
    stale = [path for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
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
