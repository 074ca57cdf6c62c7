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
    split_arg_string,
)

from umwelten.user_folders import home_folder

VARIABLE = "_UMWELTEN_COMPLETE"
_OPEN = (":", "/", "=", ",")  # more is to follow, so no blank

_BASH = """\
# Completion of %(prog_name)s for bash 4.4 and newer.
%(complete_func)s() {
    local IFS=$'\\n' line word cut sep front="" type value response
    line="${COMP_LINE:0:COMP_POINT}"
    response=$(env COMP_WORDS="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    # Bash replaces what follows the last of these signs (from @ on, with it), so what is in front goes.
    word="${line##*[[:space:]]}"
    if [[ $word == -*=* ]]; then word="${word#*=}"; fi
    if [[ $word != [\\"\\']* ]]; then
        for sep in : = @; do
            if [[ $COMP_WORDBREAKS == *"$sep"* && $word == *"$sep"* ]]; then
                cut="${word%%"$sep"*}"
                if [[ $sep != @ ]]; then cut="$cut$sep"; fi
                if (( ${#cut} > ${#front} )); then front="$cut"; fi
            fi
        done
    fi
    COMPREPLY=()
    while IFS=',' read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain | open)
                if [[ $type == open ]]; then compopt -o nospace; fi
                value="${value#"$front"}"
                if [[ $value == *[[:space:]]* && $word != [\\"\\']* ]]; then
                    printf -v value '%%q' "$value"
                fi
                COMPREPLY+=("$value")
                ;;
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
    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \\
%(complete_var)s=zsh_complete %(prog_name)s 2>/dev/null)}")
    for type key descr in ${response}; do
        case $type in
            dir) _path_files -/ ;;
            file) _path_files -f ;;
            open) open+=("$key") ;;
            plain) if [[ $descr == _ ]]; then whole+=("$key"); else described+=("$key:$descr"); fi ;;
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
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \\
COMP_CWORD=(commandline -ct) %(prog_name)s 2>/dev/null)
    # Of --models=x the shell replaces all.
    set -l front (string match -r -- '^-[^=]*=' (commandline -ct))
    for completion in $response
        set -l pair (string split -m 1 "," -- $completion)
        switch $pair[1]
            case dir
                __fish_complete_directories $pair[2] | string replace -r '^' -- "$front"
            case file
                __fish_complete_path $pair[2] | string replace -r '^' -- "$front"
            case plain open
                echo "$front$pair[2]"
        end
    end
end
complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


def _kind(item: CompletionItem[Any]) -> str:
    return "open" if item.type == "plain" and str(item.value).endswith(_OPEN) else item.type


class Bash(BashComplete):
    """Is given the line up to the cursor, so that bash's own idea of words does not matter."""

    source_template = _BASH

    @staticmethod
    def _check_version() -> None:
        """Nothing: the script says which bash it needs, and may be made for another machine."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words in front of the cursor's, and that one as far as it goes."""
        # A sign behind the line tells a word that has just begun from one with a quoted blank at its end.
        *words, last = split_arg_string(os.environ["COMP_WORDS"] + "x")[1:]
        return words, last[:-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        """`kind,value`."""
        return f"{_kind(item)},{item.value}"


class Zsh(ZshComplete):
    """Answers that more is to follow go without a blank behind, and without help."""

    source_template = _ZSH

    def format_completion(self, item: CompletionItem[str]) -> str:
        """Three lines: kind, value, help or `_`."""
        if _kind(item) == "open":
            return f"open\n{item.value}\n_"
        return super().format_completion(item)


class Fish(FishComplete):
    """Fish itself puts no blank behind a word that ends in `:`, `/`, `=` or `,`."""

    source_template = _FISH


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
