"""Long output on a terminal goes through a pager, as git's does; elsewhere it is printed as it is."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_LESS = "FRX"
"""What fits the screen is printed and less ends (F); colours are shown (R); the text stays afterwards (X)."""


@contextlib.contextmanager
def paged(*, wanted: bool = True) -> Iterator[IO[str]]:
    """Give what is to be written to: a pager where stdout is a terminal and one is found, else stdout.

    `PAGER` names another one; empty, or `cat`, for none. Once it is quit, what is still written is dropped.
    """
    words = _pager() if wanted else None
    if words is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    import subprocess  # here, because what is piped needs no pager

    sys.stdout.flush()
    environment = {"LESS": _LESS, **os.environ}
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        env=environment,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",  # as stdout has it: some names of files are no text
    )
    assert process.stdin is not None
    try:
        # Quit by the reader, who has seen enough; or Ctrl-C, which the pager was told as well.
        with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
            yield process.stdin
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        _wait(process)


def is_plain() -> bool:
    """Return whether stdout is no terminal, or one that was asked for no colours or cannot show them."""
    return bool(
        not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    )


def _pager() -> list[str] | None:
    if not sys.stdout.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return None
    try:
        words = shlex.split(os.environ.get("PAGER", "less"))
    except ValueError:
        return None
    if not words or words[0] == "cat" or shutil.which(words[0]) is None:
        return None
    return words


def _wait(process: subprocess.Popen[str]) -> None:
    """Until the reader quits. Ctrl-C is the pager's matter meanwhile."""
    while True:
        try:
            process.wait()
            return
        except KeyboardInterrupt:
            continue
