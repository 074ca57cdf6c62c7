"""The text on stdin that joins the prompt of `eval run`: `cat notes.txt | umwelten eval run -p "Sum up"`.

A terminal and /dev/null give nothing, nor does a file that somebody else has begun to read (a shell's loop
over its lines). A pipe may be open without anybody who will ever write to it: under cron, in CI, below a
program. So its first byte is waited for a few seconds only, unless the other end is held by a process that
did not start this one, as in a shell's pipeline. Once it has come, all of it is read.
"""

from __future__ import annotations

import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click

from umwelten.errors import UsageError
from umwelten.prompts.messages import changed
from umwelten.prompts.template import MEMORY, Template, escaped
from umwelten.types import Prompt

_PATIENCE_S = 3.0
"""So long a pipe's first byte is waited for. Programs that hand their own open pipe on lose so much once."""

_LOOK_S = 0.5
"""So often it is looked whether more has come, and whether the other end is still held beside us."""

_MOST_BYTES = 64 << 20
"""No model reads a tenth of it."""

_PIECE = 1 << 20


def joined(prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Return the prompts with what is on stdin after each, a blank line between them.

    Raises UsageError for what is no text, or too long.
    """
    text = _read_stdin()
    if not text.strip():
        return prompts
    return tuple(Prompt(name=one.name, text=_join(one.text, text)) for one in prompts)


def _join(prompt: str, text: str) -> str:
    """Nothing in the text is a placeholder. A prompt whose own ones are not filled in is sent as it is."""
    names = Template(prompt).names
    text = text if names and MEMORY not in names else escaped(text)
    return changed(prompt, lambda words: f"{words.rstrip()}\n\n{text.rstrip()}", only_question=True)


def _read_stdin() -> str:
    try:
        handle = sys.stdin.fileno()
        status = os.fstat(handle)
    except (AttributeError, OSError, ValueError):
        return ""  # closed, or none
    if stat.S_ISREG(status.st_mode):
        data = _read_all(handle) if os.lseek(handle, 0, os.SEEK_CUR) == 0 else b""
    elif stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
        data = _read_all(handle) if _has_come(handle) else b""
    else:
        return ""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(
            "what is on stdin is not UTF-8 text", "Give files with --attach FILE; < /dev/null gives nothing."
        ) from None


def _has_come(handle: int) -> bool:
    """Wait for the first byte or the end; whether it came."""
    until = time.monotonic() + _PATIENCE_S
    told = False
    while not _ready(handle):
        if time.monotonic() < until:
            continue
        if not _has_writer_beside():
            click.echo(
                f"nothing came on stdin within {_PATIENCE_S:g} s, so the prompt goes without it "
                "(-p - waits for it, < /dev/null saves the wait)",
                err=True,
            )
            return False
        if not told:
            told = True
            click.echo("waiting for the text on stdin", err=True)
    return True


def _ready(handle: int) -> bool:
    try:
        return bool(select.select([handle], [], [], _LOOK_S)[0])
    except (OSError, ValueError):  # where pipes can't be waited for
        return False


def _read_all(handle: int) -> bytes:
    pieces, size = [], 0
    while True:
        try:
            piece = os.read(handle, _PIECE)
        except BlockingIOError:
            _ready(handle)
            continue
        except OSError:
            break
        if not piece:
            break
        pieces.append(piece)
        size += len(piece)
        if size > _MOST_BYTES:
            raise UsageError(
                f"there are more than {_MOST_BYTES >> 20} MB on stdin", "Cut the text, or use eval batch."
            )
    return b"".join(pieces)


def _has_writer_beside() -> bool:
    """Whether a process that did not start this one holds the other end, as in a shell's pipeline.

    Where that can't be told, a pipeline that a shell with a terminal began is known by its group.
    """
    try:
        end = Path("/proc/self/fd/0").readlink()
        processes = {int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()}
    except OSError:
        return hasattr(os, "getpgrp") and os.getpgrp() not in (os.getpid(), os.getpgid(os.getppid()))
    return any(_writes_to(process, end) for process in processes - set(_ancestry()))


def _ancestry() -> Iterator[int]:
    """This process, its parent, and so on."""
    process = os.getpid()
    while process > 0:
        yield process
        try:
            status = Path(f"/proc/{process}/stat").read_text(errors="replace")
            process = int(status.rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            return


def _writes_to(process: int, end: Path) -> bool:
    try:
        handles = [handle for handle in Path(f"/proc/{process}/fd").iterdir() if _links_to(handle, end)]
        infos = [Path(f"/proc/{process}/fdinfo/{handle.name}").read_text() for handle in handles]
        flags = [int(info.split("flags:")[1].split()[0], 8) for info in infos]
    except (OSError, ValueError, IndexError):
        return False  # another user's, or gone
    return any(flag & os.O_ACCMODE != os.O_RDONLY for flag in flags)


def _links_to(handle: Path, end: Path) -> bool:
    try:
        return handle.readlink() == end
    except OSError:
        return False
