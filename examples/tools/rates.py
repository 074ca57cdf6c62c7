"""Exchange rates of the European Central Bank's kind, as a tool: `--tools rates.py`."""

from typing import Annotated, Literal

import umwelten

RATES = {"EUR": 1.0, "GBP": 1.15, "USD": 0.86}


@umwelten.tool(read_only=True)
def rate(currency: Annotated[Literal["EUR", "GBP", "USD"], "the currency of the amount"]) -> float:
    """Return what one unit of a currency is worth in EUR."""
    return RATES[currency]
