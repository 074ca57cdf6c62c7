"""A command whose flags may come from a profile of `umwelten.toml`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from umwelten.errors import UsageError


class Profiled(click.Command):
    """`--profile NAME` stands for the flags in `[profiles.NAME]`; those on the command line win.

    Settings (`max_concurrency`) come out of the profile with the other settings. The flags that are none
    (`prompt`, `directory`) are given to click as defaults, so they are as good as typed.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the profile's flags as defaults, then read the command line as ever."""
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        name, help_flag = given.get("profile"), self.get_help_option(ctx)
        wants_help = help_flag is not None and help_flag.name in given
        if isinstance(name, str) and not wants_help and not ctx.resilient_parsing:
            ctx.default_map = {**(ctx.default_map or {}), **self._defaults(ctx, name, given)}
        return super().parse_args(ctx, args)

    def _defaults(self, ctx: click.Context, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        from umwelten.config import load
        from umwelten.config.profiles import gives_way

        settings = load(Path.cwd(), os.environ, profile=name)
        params = {key: param for param in self.get_params(ctx) for key in _keys(param)}
        typed = {key for key, param in params.items() if param.name in given}
        defaults: dict[str, Any] = {}
        for key, value in settings.flags.items():
            if key not in params:
                raise UsageError(
                    f"{value.source}: {key} is nothing that eval {ctx.info_name} knows",
                    "Use `umwelten eval batch`, or another profile.",
                )
            if not gives_way(key, typed, settings.flags):
                defaults[str(params[key].name)] = value.value
        return defaults


def _keys(param: click.Parameter) -> list[str]:
    """What a flag is called in files: `max_files` for `--max-files`."""
    return [flag[2:].replace("-", "_") for flag in param.opts if flag.startswith("--")]
