"""Messages that name flags of the command line, with the arguments that they are in Python."""

from __future__ import annotations

import re

from umwelten.errors import UmweltenError

_FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)")
_SWITCHES = ("resume", "overwrite", "recursive", "coerce", "concurrent")

NAMED = {"from": "from_", "param": "params", "timeout": "timeout_s"}
"""Arguments that are not called as their flag is."""


def in_python(error: UmweltenError) -> UmweltenError:
    """The error itself, with arguments in place of flags."""
    error.message = words(error.message)
    error.hint = error.hint and words(error.hint)
    error.args = (error.message,)
    return error


def words(text: str) -> str:
    """The text with arguments in place of flags."""
    return _FLAG.sub(_argument, text)


def _argument(flag: re.Match[str]) -> str:
    name = flag[1].replace("-", "_")
    return f"{name}=True" if name in _SWITCHES else NAMED.get(name, name)
