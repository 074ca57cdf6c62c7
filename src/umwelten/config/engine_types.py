"""How the place where a run's attempts are made is read: flags, settings files and programs name it alike."""

from __future__ import annotations

import re
from typing import Any, Literal

from umwelten.config.option_types import OptionType

LOCAL = "local"
RAY = "ray"
AUTO = "auto"
"""As an address: the cluster that Ray itself finds, by `RAY_ADDRESS` or as the latest of this machine."""

_ADDRESS = r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})"
_FORMS = "write local, ray (a cluster of this run alone), ray:auto (the one that runs here) or ray:HOST:PORT"


def _engine(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError(_FORMS)
    text = given.strip()
    kind, colon, address = text.partition(":")
    if kind == RAY and address.startswith(("//", "ray://")):
        raise ValueError(
            "Ray Client's addresses are not supported: start umwelten on a machine of the cluster, such as "
            f"with ray job submit, and {_FORMS}"
        )
    if text not in (LOCAL, RAY) and not (kind == RAY and colon and _is_address(address)):
        raise ValueError(_FORMS)
    return text


def _is_address(address: str) -> bool:
    match = re.fullmatch(_ADDRESS, address)
    return address == AUTO or (match is not None and 0 < int(match[3]) < 1 << 16)


def split_engine(engine: str) -> tuple[Literal["local", "ray"], str]:
    """Return the kind of an engine, and the address of its cluster, "" for none.

    >>> split_engine("ray:head:6379")
    ('ray', 'head:6379')
    """
    kind, _, address = engine.partition(":")
    return ("ray" if kind == RAY else "local"), address


ENGINE = OptionType(read=_engine, metavar="local|ray|ray:ADDRESS", complete="engines")
