"""`umwelten view`: the local page over all evaluations."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import click

from umwelten.cli.completion import completers
from umwelten.cli.options import output_dir
from umwelten.cli.single_option import option

_LONGEST_TOKEN = 4_096


@click.command("view")
@click.argument("id_", required=False, metavar="[ID]", shell_complete=completers.ids)
@option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="N",
    help="Port of the page.  [default: a free one]",
)
@option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Take the token from this file, in place of a new one each time.",
    shell_complete=completers.files,
)
@option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Address that browsers reach the page by, as through a proxy; repeatable.",
)
@option("--read-only", is_flag=True, help="Without ratings, and without control of runs.")
@option("--no-open", is_flag=True, help="Do not open a browser.")
@output_dir
def command(
    id_: str | None,
    port: int,
    host: str,
    token_file: Path | None,
    origins: tuple[str, ...],
    read_only: bool,
    no_open: bool,
    output_dir: Path | None,
) -> None:
    """See all evaluations in the browser: running ones live, calls, answers, costs, scores.

    It prints the address of a page that this machine alone can open, and serves it until Ctrl-C. With ID,
    it begins with that evaluation. Answers can be compared side by side, rated and commented on.

    \b
    umwelten view
    umwelten view scans --port 8080 --no-open
    umwelten view --output-dir /shared/output --read-only
    """
    from umwelten.cli.stored_evaluations import check_there, output_settings
    from umwelten.errors import StoreError
    from umwelten.evaluation.spec import check_id
    from umwelten.view.security import check_address
    from umwelten.view.server import ViewServer

    folder = output_settings(output_dir).get("output_dir")
    check_address(host, origins, has_token_file=token_file is not None)
    if id_ is not None:
        check_there(folder / check_id(id_))
    elif not folder.is_dir():
        raise StoreError(f"there is no directory {folder}", "umwelten eval run makes the first evaluation.")
    server = ViewServer(
        folder,
        host=host,
        port=port,
        token=None if token_file is None else _token(token_file),
        origins=origins,
        read_only=read_only,
    )
    url = server.url(id_)
    click.echo(url)
    sys.stdout.flush()
    if sys.stderr.isatty():
        click.echo("The address holds a token: who has it can read all answers. Ctrl-C ends.", err=True)

    def ready() -> None:
        if not no_open and sys.stdout.isatty() and _has_display():
            import threading
            import webbrowser

            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    signal.signal(signal.SIGTERM, lambda *_: server.stop())  # as Ctrl-C: with files closed
    try:
        server.serve(ready)
    except KeyboardInterrupt:
        click.echo("", err=True)  # that is how it is meant to end


def _token(path: Path) -> str:
    """Return the secret in a file. Raises UsageError for one that is too short, or that others can read."""
    from umwelten.errors import UsageError
    from umwelten.private_files import read_private
    from umwelten.view.security import LEAST_TOKEN

    try:
        text = read_private(path, _LONGEST_TOKEN).decode().strip()
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or "it is a link, not yours, writable by others, or no text"
        raise UsageError(f"--token-file {path} cannot be used: {said}") from error
    if len(text) < LEAST_TOKEN or not text.isascii() or not text.isprintable():
        raise UsageError(
            f"--token-file {path} holds no token",
            f"It must have {LEAST_TOKEN} printable characters or more: openssl rand -hex 32 > {path}",
        )
    return text


def _has_display() -> bool:
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
