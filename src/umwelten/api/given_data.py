"""Data that a program gives in the place of the path of a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.errors import UsageError

if TYPE_CHECKING:
    from umwelten.inputs.given.walk import GivenData


def with_given_data(
    given: Mapping[str, Any], inputs: object = None
) -> tuple[Mapping[str, Any], GivenData | None]:
    """Return the arguments with what is no path as the value of `rows`, and that. Raises `UsageError`."""
    rows = given.get("rows")
    if rows is not None and inputs is not None:
        raise UsageError(
            "rows and inputs exclude each other", "Give the one that you mean.", argument="inputs"
        )
    data = rows if inputs is None else inputs
    if data is None or (inputs is None and isinstance(data, str | Path)):
        return given, None
    from umwelten.inputs.given.walk import GivenData

    made = GivenData("rows" if inputs is None else "inputs", data)
    return {**given, "rows": made}, made
