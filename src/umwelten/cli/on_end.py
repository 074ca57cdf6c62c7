"""`--on-end COMMAND`: what is run when an evaluation has ended."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click

from umwelten.child_processes import without_keys
from umwelten.cli.interrupts import INTERRUPTED
from umwelten.config.endpoints import known_secrets
from umwelten.config.settings import OF_ENDED_RUNS, Settings
from umwelten.text.sanitize import one_line

_LONGEST_S = 600.0
"""To send a message or write a report takes seconds; a command that hangs must not keep a job alive."""

_STATUS = {0: "complete", 3: "stopped", INTERRUPTED: "interrupted"}


def run_on_end(command: str, folder: Path, status: int, settings: Settings) -> None:
    """Run it in a shell. What goes wrong is told, and changes nothing else.

    It prints to stderr, as stdout is for the answers or the report.
    """
    values = (folder.name, str(folder.absolute()), _STATUS.get(status, "failed"), str(status))
    environment = without_keys(os.environ, known_secrets(settings)) | dict(
        zip(OF_ENDED_RUNS, values, strict=True)
    )
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        ended = subprocess.run(
            command,
            shell=True,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            timeout=_LONGEST_S,
            check=False,
        )
        problem = f"exit status {ended.returncode}" if ended.returncode else None
    except subprocess.TimeoutExpired:
        problem = f"it was ended after {_LONGEST_S:g} s"
    except (OSError, ValueError, KeyboardInterrupt) as error:
        problem = str(error) or "it was interrupted"
    if problem is not None:
        # Without the command: it may hold a key, and this may be the log of others.
        click.echo(one_line(f"warning: --on-end: {problem}", 1_000), err=True)
