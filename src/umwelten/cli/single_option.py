"""Options that have one value: given twice with different ones, they are an error, not the last one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import click


class SingleOption(click.Option):
    """An option that may be repeated only with the same value, unless it takes several."""

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser keep all values."""
        takes_several, self.multiple = self.multiple, True
        try:
            super().add_to_parser(parser, ctx)
        finally:
            self.multiple = takes_several

    def consume_value(self, ctx: click.Context, opts: Mapping[str, Any]) -> Any:
        """Return the one value. Raises `click.BadParameter` for different ones."""
        given = opts.get(self.name) if self.name else None
        if not self.multiple and isinstance(given, list):
            first, *others = given
            different = next((value for value in others if value != first), None)
            if different is not None and not ctx.resilient_parsing:
                values = "" if self.is_flag else f": {str(first)[:60]!r} and {str(different)[:60]!r}"
                raise click.UsageError(f"{self._flags(different)} is given twice{values}. Give it once.", ctx)
            opts = {**opts, self.name or "": given[-1]}
        return super().consume_value(ctx, opts)

    def _flags(self, value: object) -> str:
        both = self.is_flag and self.secondary_opts
        return f"{self.opts[-1]}/{self.secondary_opts[-1]}" if both else f"'{' / '.join(self.opts)}'"


option = partial(click.option, cls=SingleOption)
"""As `click.option`."""
