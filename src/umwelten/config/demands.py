"""All that the project's files demand: of a command that is to run, and altogether."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from umwelten.config.endpoints import endpoint_demands, vendors
from umwelten.config.mcp_demands import server_demands
from umwelten.config.option_demands import option_demands
from umwelten.config.options import OPTIONS
from umwelten.config.settings import Settings
from umwelten.config.tool_lists import list_demands
from umwelten.config.trust import Demand
from umwelten.errors import ConfigError
from umwelten.providers.protocol import Vendor


def used_demands(
    kind: str, settings: Settings, asked: Iterable[Vendor], variants: Iterable[str] = ()
) -> list[Demand]:
    """What is demanded by a `run` or `batch` with these settings that asks these vendors' variants."""
    values = {name: value for name, value in settings.values.items() if OPTIONS[name].only in (None, kind)}
    folder: Path = settings.get("output_dir")
    demands = list(option_demands(values, folder))
    for name in variants:
        demands += option_demands(settings.variants[name], folder)
    return [*demands, *asking_demands(asked, settings)]


def asking_demands(asked: Iterable[Vendor], settings: Settings, *, possible: bool = False) -> list[Demand]:
    """What is demanded to ask these vendors; `possible`: also what would be if their keys were set."""
    demands: list[Demand] = []
    for vendor in {vendor.name: vendor for vendor in asked}.values():
        with suppress(ConfigError):  # an address that cannot be read is an error of its own, later
            demands += endpoint_demands(vendor, settings, possible=possible)
    return demands


def all_demands(settings: Settings) -> list[Demand]:
    """What is demanded by any command, with any profile and provider, each once.

    Raises `ConfigError` for a provider's section that cannot be used.
    """
    output_dir: Path = settings.get("output_dir")
    demands = list(option_demands(settings.values, output_dir))
    for profile in settings.profiles.values():
        flags = {option.name: profile.flags[key] for key, option in _PROFILE.items() if key in profile.flags}
        own = profile.values.get("output_dir")
        demands += option_demands({**profile.values, **flags}, output_dir if own is None else own.value)
    for variants in (settings.variants, *(profile.variants for profile in settings.profiles.values())):
        for values in variants.values():
            demands += option_demands(values, output_dir)
    demands += server_demands(settings)
    demands += list_demands(settings)
    demands += asking_demands(vendors(settings).values(), settings, possible=True)
    return list({demand.digest: demand for demand in demands}.values())


_PROFILE = {option.key: option for option in OPTIONS.values() if option.place == "profile"}
