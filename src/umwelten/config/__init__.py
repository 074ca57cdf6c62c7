"""Settings with the source of each value, and the providers' addresses and keys.

Precedence: defaults < `umwelten.toml` (the user's, then the nearest from the working directory upward) <
a profile of these files that was asked for < `.env` (the nearest from the working directory upward) <
environment < flags.
"""

from umwelten.config.endpoints import address, endpoint, origins, price_overrides, vendors
from umwelten.config.layers import DEFAULT, Value
from umwelten.config.options import parse_duration
from umwelten.config.settings import Group, Settings, Variable, load, model_groups, toml_paths

__all__ = [
    "DEFAULT",
    "Group",
    "Settings",
    "Value",
    "Variable",
    "address",
    "endpoint",
    "load",
    "model_groups",
    "origins",
    "parse_duration",
    "price_overrides",
    "toml_paths",
    "vendors",
]
