"""A group of commands whose help lists them in the order of use, each with its whole first sentence."""

from __future__ import annotations

import click


class CommandGroup(click.Group):
    """A group that lists its commands in the order in which they were added: the usual ones come first."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in that order."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `--help`. click would cut each text at the width of the terminal."""
        shown = [(name, command) for name, command in self.commands.items() if not command.hidden]
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.get_short_help_str(limit=_WHOLE)) for name, command in shown])


_WHOLE = 1000  # characters, which no first sentence has
