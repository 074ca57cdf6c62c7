"""The command `umwelten top`."""

from __future__ import annotations

import click

from umwelten.cli.ctl import run_completers
from umwelten.cli.single_option import option


@click.command("top")
@click.argument("id_", required=False, metavar="[ID]", shell_complete=run_completers.running)
@option("--plain", is_flag=True, help="The simple screen, also where Textual is installed.")
def command(id_: str | None, plain: bool) -> None:
    """Watch and change runs on the whole screen: one, or all of this machine.

    ID is as for `umwelten ctl`: an evaluation's id, the beginning of it or the number of its process. `q`
    leaves the screen, and the run goes on. Keys pause and resume, raise and lower limits, show failures,
    retry and stop; each says which `umwelten ctl` command does the same.

    With pip install 'umwelten[ui]' it has all keys, lists and answers as they come; else four keys.

    \b
    umwelten top
    umwelten top scans
    """
    from umwelten.cli.top.screen import check_terminal, show
    from umwelten.cli.top.start import chosen_run

    check_terminal()
    show(chosen_run(id_), plain=plain)
