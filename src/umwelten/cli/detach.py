"""`--detach`: a run in the background, in a session of its own, that no signal of this terminal reaches."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

import click
import msgspec

from umwelten.cli.json_output import print_json
from umwelten.config.settings import Settings
from umwelten.errors import UsageError
from umwelten.inputs.workers.interpreter import find_interpreter, import_path
from umwelten.live.launch import VARIABLE, Launched
from umwelten.text.sanitize import safe
from umwelten.user_folders import state_folder

_LOGS = "log"
_OLD_S = 30 * 86_400.0
"""A log says how a run went, which its evaluation does as well; nobody looks for it after a month."""

_WINDOWS_FLAGS = ("CREATE_NEW_PROCESS_GROUP", "DETACHED_PROCESS")
"""What `start_new_session` is elsewhere."""

_LOOK_S = 0.02
_MOST_SHOWN = 20_000
"""Bytes of the log of a run that did not begin: its error stands at the end."""


def check_detachable(settings: Settings, flag: str = "--detach") -> None:
    """Raise `UsageError` for options that have no meaning without a terminal, or that the flag needs."""
    if settings.get("control") is False:
        raise UsageError(f"{flag} and --no-control exclude each other", "Leave --no-control out.")
    if settings.get("dry_run"):
        raise UsageError(f"{flag} and --dry-run exclude each other", "--dry-run makes no calls.")
    if settings.get("estimate") is not None and not settings.get("yes"):
        raise UsageError(f"{flag} with --estimate needs --yes", "There will be nobody to ask.")


class Background(NamedTuple):
    """A run in the background, where it says it can be reached, and the files of what it prints.

    `launched` is `None` if it ended before it could be. `output` is the log where both go to one file.
    """

    child: subprocess.Popen[bytes]
    launched: Launched | None
    log: Path
    output: Path


def detach(arguments: Sequence[str]) -> NoReturn:
    """Start this command line again as a child, print where it can be reached, and end.

    If the child ends before it listens, its error and its status are those of this process.
    """
    child, launched, log, _ = launch(arguments, "--detach")
    if launched is None or (launched.socket is None and child.poll() not in (None, 0)):
        show_file(log)
        raise click.exceptions.Exit(child.wait() if child.poll() is not None else 1)
    print_json(
        {"id": launched.id, "pid": child.pid, "socket": launched.socket, "log": str(log)}, compact=True
    )
    raise click.exceptions.Exit(0)


def launch(arguments: Sequence[str], flag: str, *, apart: bool = False) -> Background:
    """Start this command line again as a child in a session of its own; returns once that can be reached.

    `apart`: what it prints on stdout goes to a file of its own. Raises `UsageError`.
    """
    log = _new_log(flag)
    output = log.with_suffix(".out") if apart else log
    record = log.with_suffix(".json")
    with contextlib.ExitStack() as files:
        stderr = files.enter_context(_private(log))
        stdout = files.enter_context(_private(output)) if apart else stderr
        child = _start(arguments, flag, stdout, stderr, record)
    try:
        launched = _wait(child, record)
    except BaseException:  # Ctrl-C: nobody knows of it yet
        child.terminate()
        raise
    finally:
        with suppress(OSError):
            record.unlink()
    return Background(child, launched, log, output)


def _private(path: Path) -> IO[bytes]:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600), "wb")  # noqa: PTH123


def _start(
    arguments: Sequence[str], flag: str, stdout: IO[bytes], stderr: IO[bytes], record: Path
) -> subprocess.Popen[bytes]:
    # A prompt or inputs may come from a pipe; a terminal belongs to the session that stays behind.
    stdin = subprocess.DEVNULL if sys.stdin is None or sys.stdin.isatty() else None
    # The working directory is nothing to import from: its files may be anybody's.
    code = (
        f"import sys; sys.path[:] = {import_path()!r}; sys.argv[0] = 'umwelten'; "
        "from umwelten.cli.app import main; main()"
    )
    return subprocess.Popen(
        [find_interpreter(flag), "-P", "-c", code, *arguments],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        env={**os.environ, VARIABLE: str(record)},
        start_new_session=os.name == "posix",
        creationflags=sum(getattr(subprocess, name, 0) for name in _WINDOWS_FLAGS),
    )


def _wait(child: subprocess.Popen[bytes], record: Path) -> Launched | None:
    """Return what the child says once it listens; `None` if it ended without."""
    while True:
        ended = child.poll() is not None
        with suppress(FileNotFoundError):
            return msgspec.json.decode(record.read_bytes(), type=Launched)
        if ended:
            return None
        time.sleep(_LOOK_S)


def _new_log(flag: str) -> Path:
    """Return where the log goes; old ones are taken away."""
    state = state_folder()
    if state is None:
        raise UsageError(f"{flag}: the home directory of this user is not known", "Set HOME.")
    folder = state / _LOGS
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot make {folder}: {error.strerror}", "Set XDG_STATE_HOME to a folder of yours."
        ) from None
    now = time.time()
    for path in chain(folder.glob("*.log"), folder.glob("*.out")):
        with suppress(OSError):
            if now - path.stat().st_mtime > _OLD_S:
                path.unlink()
    return folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"


def show_file(path: Path, *, err: bool = True, most: int = _MOST_SHOWN) -> None:
    """Print the end of what a run printed, with control characters made visible."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        click.echo(safe(file.read().decode("utf-8", "replace")), err=err, nl=False)
