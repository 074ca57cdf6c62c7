"""Settings with the source of each value, and the providers' addresses and keys.

Precedence: defaults < `umwelten.toml` (the user's, then the nearest from the working directory upward)
< `.env` (the nearest from the working directory upward) < environment < flags.
"""

from umwelten.config.endpoints import endpoint, origins, price_overrides, vendors
from umwelten.config.options import parse_duration
from umwelten.config.settings import DEFAULT, Settings, Value, Variable, load

__all__ = [
    "DEFAULT",
    "Settings",
    "Value",
    "Variable",
    "endpoint",
    "load",
    "origins",
    "parse_duration",
    "price_overrides",
    "vendors",
]
