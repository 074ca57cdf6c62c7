"""The scripts that ask umwelten what may follow, for bash, zsh and fish.

Click's own scripts take a word apart at a comma (fish) or at `:`, `=` and `@` (bash), which names of models
hold, and put a blank after `google:`. So these differ there; the questions and answers are click's.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ZshComplete,
    add_completion_class,
)

from umwelten.cli.completion import completers
from umwelten.cli.completion.words import is_plain, quoted, replacement, split_fish_line, split_line
from umwelten.text.sanitize import one_line
from umwelten.user_folders import home_folder

VARIABLE = "_UMWELTEN_COMPLETE"
_OPEN = (":", "/", "=", ",")  # more is to follow, so no blank
_HELP_WIDTH = 200  # characters; shells cut it to the terminal's width

_BASH = """\
# Completion of %(prog_name)s for bash 4.4 and newer.
%(complete_func)s() {
    local IFS=$'\\n' response line
    # Bash replaces $2. What is sent back is quoted for that place already, one word a line.
    response=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_REPLACED="$2" %(complete_var)s=bash_complete \\
"$1" 2>/dev/null)
    COMPREPLY=()
    while read -r line; do
        case $line in
            dir,*) compopt -o dirnames ;;
            file,*) compopt -o default ;;
            open,*) compopt -o nospace; COMPREPLY+=("${line#*,}") ;;
            plain,*) COMPREPLY+=("${line#*,}") ;;
        esac
    done <<< "$response"
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_ZSH = """\
#compdef %(prog_name)s
# Completion of %(prog_name)s for zsh.
%(complete_func)s() {
    local -a whole open described response
    local type key descr
    setopt local_options extended_glob
    (( ! $+commands[%(prog_name)s] )) && return 1
    # Of --models=x the shell shall replace the x.
    [[ $PREFIX == -*=* ]] && compset -P '[^=]#='
    # Words come quoted, one a line.
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) COMP_QUOTED=1 \\
%(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for type key descr in ${response}; do
        key=${(Q)key}
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            open) open+=("$key") ;;
            plain)
                if [[ $descr == _ ]]; then whole+=("$key")
                else described+=("${key//(#m)[\\\\:]/\\\\$MATCH}:$descr")
                fi ;;
        esac
    done
    (( $#described )) && _describe -V unsorted described -U -i "$IPREFIX"
    (( $#whole )) && compadd -U -i "$IPREFIX" -V unsorted -a whole
    (( $#open )) && compadd -U -i "$IPREFIX" -V unsorted -S '' -a open
    return 0
}
# A file of this name on fpath is the function itself, at every call; otherwise it is sourced once.
if [[ $funcstack[1] == _%(prog_name)s ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""

_FISH = """\
# Completion of %(prog_name)s for fish.
function %(complete_func)s
    set -l line (commandline -cp | string collect)
    set -l token (commandline -ct | string collect)
    # Kinds and words by turns, a NUL behind each, as words may hold anything else.
    set -l response (env %(complete_var)s=fish_complete COMP_QUOTED=1 COMP_WORDS="$line" \\
%(prog_name)s 2>/dev/null | string split0)
    # Of --models=x the shell replaces all.
    set -l front (string match -r -- '^-[^=]*=' "$token")
    for at in (seq 1 2 (count $response))
        set -l value $response[(math $at + 1)]
        if contains $response[$at] plain open
            printf '%%s\\0' "$front$value"
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s | string split0)"
"""


def _kind(item: CompletionItem[Any]) -> str:
    return "open" if item.type == "plain" and str(item.value).endswith(_OPEN) else item.type


class Bash(BashComplete):
    """Reads the line up to the cursor itself; answers with what bash shall put in place of its end.

    A script of an earlier version does not state that end, and quotes blanks alone.
    """

    source_template = _BASH
    _typed = split_line("", 0)
    _replaced: str | None = None
    _option = ""

    @staticmethod
    def _check_version() -> None:
        """Nothing: the script says which bash it needs, and may be made for another machine."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front of the cursor's, and that one as far as it goes."""
        line, self._replaced = os.environ["COMP_WORDS"], os.environ.get("COMP_REPLACED")
        end = self._replaced or ""
        self._typed = split_line(line, len(line) - len(end) if line.endswith(end) else len(line))
        words, last = self._typed.words[1:], self._typed.last
        if last.startswith("-") and "=" in last:
            self._option = last[: last.index("=") + 1]
        return words, last

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Click's, without those that would not become the same word."""
        offered = []
        for item in super().get_completions(args, incomplete):
            value = str(item.value)
            text: str | None
            if self._replaced is None:
                text = value if is_plain(value.replace(" ", "")) else None
            elif item.type != "plain":
                text = value
            else:
                whole = value if value.startswith(self._typed.last) else self._option + value
                text = replacement(whole, self._typed, self._replaced)
            if text is not None:
                offered.append(CompletionItem(text, type=_kind(item)))
        return offered

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """`kind,text`."""
        return f"{item.type},{item.value}"


class Zsh(ZshComplete):
    """Answers that more is to follow go without a blank behind, and without help."""

    source_template = _ZSH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front of the cursor's, and that one."""
        typed = split_line(os.environ["COMP_WORDS"], 0)
        words, at = [*typed.words, typed.last], int(os.environ["COMP_CWORD"])
        return words[1:at], words[at] if at < len(words) else ""

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Click's, for a script of an earlier version without those that it would take for several."""
        items = super().get_completions(args, incomplete)
        return (
            items
            if "COMP_QUOTED" in os.environ
            else [item for item in items if str(item.value).isprintable()]
        )

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Three lines: kind, value, help or `_`."""
        kind = _kind(item)
        if "COMP_QUOTED" not in os.environ:
            return f"open\n{item.value}\n_" if kind == "open" else super().format_completion(item)
        text = one_line(item.help, _HELP_WIDTH) if item.help and kind != "open" else ""
        return f"{kind}\n{quoted(item.value)}\n{text or '_'}"


class Fish(FishComplete):
    """Fish itself puts no blank behind a word that ends in `:`, `/`, `=` or `,`.

    It takes what is behind a tab for an explanation, so words with one are left out, as are those that are
    not Unicode. Its own functions for paths take names apart at line breaks, so paths are answered here.
    """

    source_template = _FISH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front of the cursor's, and that one as far as it goes."""
        words, last = split_fish_line(os.environ["COMP_WORDS"])
        return words[1:], last

    def get_completions(self, args: list[str], incomplete: str) -> list[CompletionItem[Any]]:
        """Click's, without those that fish would not take as they are."""
        items = super().get_completions(args, incomplete)
        never = "\t\n"
        if "COMP_QUOTED" in os.environ:
            never = "\t"
            items = [each for item in items for each in completers.as_words(item)]
        return [
            item
            for item in items
            if not any(char in never or "\ud800" <= char <= "\udfff" for char in str(item.value))
        ]

    def format_completion(self, item: CompletionItem[str]) -> str:
        """The kind and the value with help, a NUL behind each."""
        if "COMP_QUOTED" not in os.environ:
            return super().format_completion(item)
        text = "\t" + one_line(item.help, _HELP_WIDTH) if item.help else ""
        return f"{item.type}\0{item.value}{text}\0"

    def complete(self) -> str:
        """The answers; with a NUL behind each they need no line of their own."""
        lines = super().complete()
        return lines.replace("\0\n", "\0") if "COMP_QUOTED" in os.environ else lines


SHELLS = ("bash", "zsh", "fish")


def register() -> None:
    """Let click use these in place of its own."""
    for name, shell in zip(SHELLS, (Bash, Zsh, Fish), strict=True):
        add_completion_class(shell, name)


def place(shell: str, environ: Mapping[str, str]) -> Path:
    """The file where a shell looks for the completion of `umwelten`, or can be configured to."""
    home = home_folder(environ)
    if shell == "fish":
        config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        return config / "fish" / "completions" / "umwelten.fish"
    if shell == "zsh":
        return Path(environ.get("ZDOTDIR") or home) / ".zfunc" / "_umwelten"
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    own = environ.get("BASH_COMPLETION_USER_DIR", "").partition(":")[0]
    return Path(own or data / "bash-completion") / "completions" / "umwelten"
