"""`umwelten completion`: the script for a shell, printed or put where the shell finds it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from umwelten.cli.completion.scripts import SHELLS, VARIABLE, place, register
from umwelten.cli.single_option import option
from umwelten.errors import ConfigError
from umwelten.user_folders import home_folder

_LOADERS = (
    "/usr/share/bash-completion/bash_completion",
    "/etc/bash_completion",
    "/usr/local/etc/profile.d/bash_completion.sh",
    "/opt/homebrew/etc/profile.d/bash_completion.sh",
)


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@option(
    "--install",
    is_flag=True,
    help="Install the script where the shell loads it, and explain how to enable it.",
)
def command(shell: str, install: bool) -> None:
    """Print the script by which a shell completes flags, ids, models, groups and profiles.

    \b
    umwelten completion bash --install
    source <(umwelten completion zsh)
    umwelten completion fish | source
    """
    text = script(shell, click.get_current_context().find_root().command)
    if not install:
        click.echo(text, nl=False)
        return
    path = place(shell, os.environ)
    changed = _write(path, text)
    _prepare()
    click.echo(f"{'wrote' if changed else 'already there:'} {path}")
    click.echo(activation(shell, path, os.environ))


def script(shell: str, cli: click.Command) -> str:
    """Return the completion script of `cli` for a shell."""
    register()
    made = get_completion_class(shell)
    if made is None:
        raise ValueError(shell)
    return made(cli, {}, "umwelten", VARIABLE).source()


def _write(path: Path, text: str) -> bool:
    """Return whether the file had to be written. Raises `ConfigError` where it cannot be."""
    try:
        if path.is_file() and path.read_text("utf-8") == text:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot write {path}: {error.strerror}", "Print it without --install and put it elsewhere."
        ) from None
    return True


def _prepare() -> None:
    """Make the list of models' names now, so that the first Tab need not wait for it."""
    from umwelten.cli.completion.model_names import listed

    listed(os.environ)


def activation(shell: str, path: Path, environ: Mapping[str, str]) -> str:
    """What is left to do for the shell to find the file."""
    if shell == "fish":
        return "new fish shells complete umwelten"
    if shell == "zsh":
        return _zsh(path, environ)
    if any(Path(loader).is_file() for loader in _LOADERS):
        return "new bash shells complete umwelten; in this one: source " + str(path)
    return f"bash-completion is not installed; add this line to ~/.bashrc:\n  source {path}"


def _zsh(path: Path, environ: Mapping[str, str]) -> str:
    settings = Path(environ.get("ZDOTDIR") or home_folder(environ)) / ".zshrc"
    try:
        is_loaded = path.parent.name in settings.read_text("utf-8", errors="replace")
    except OSError:
        is_loaded = False
    if is_loaded:
        return "new zsh shells complete umwelten; if one does not: rm -f ~/.zcompdump*"
    return (
        f"add these lines to {settings}:\n  fpath=({path.parent} $fpath)\n  autoload -Uz compinit && compinit"
    )
