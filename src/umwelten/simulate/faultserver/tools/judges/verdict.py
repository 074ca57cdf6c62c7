"""What a judge says, and what all judges look at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable


class Wrong(Exception):
    """A request that is refused: `message`, and `param` and `code` where the wire has them."""

    def __init__(
        self, message: str, param: str | None = None, code: str | None = None, *, status: int = 400
    ) -> None:
        super().__init__(message)
        self.message, self.param, self.code, self.status = message, param, code, status


def changed(where: str) -> Wrong:
    """Return the verdict on a call that came back with another name or other arguments."""
    return Wrong(f"faultserver: {where} is not the call that the model made")


def out_of_order(given: Iterable[str], wanted: Iterable[str]) -> Wrong:
    """Return the verdict on results that come in another order than the calls."""
    return Wrong(
        f"faultserver: results in the order {', '.join(given)}, calls in the order {', '.join(wanted)}"
    )


def fits(pattern: str, name: object) -> bool:
    """Whether a name matches all of a pattern."""
    return isinstance(name, str) and re.fullmatch(pattern, name) is not None


def dumped(arguments: object) -> str:
    """Arguments that are an object, as text; "" for none."""
    return "" if arguments is None else json.dumps(arguments)
