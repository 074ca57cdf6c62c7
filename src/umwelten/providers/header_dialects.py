"""How vendors spell their rate limits in headers: the parts that the rows of `vendors` are made of."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from umwelten.types import FrozenStruct, Resource

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


class BudgetHeaders(FrozenStruct):
    """The names of the headers that state one budget; "" for what the vendor does not state.

    `window_s`: the time that the limit is for, `None` where it is not told. `window` is a header that tells
    it. `minute`: without a reset, the budget starts anew with the clock's minute.
    """

    resource: Resource
    limit: str
    remaining: str
    reset: str = ""
    window_s: float | None = None
    window: str = ""
    minute: bool = False


class HeaderDialect(FrozenStruct):
    """The rate-limit headers of a vendor. Retry-After is read in every dialect.

    `name` is what `hints` in `umwelten.toml` calls it. `should_retry`: whether `x-should-retry` can be
    believed. `zero_excludes`: a refusal that states a limit of 0 means that the plan does not include the
    model. `types`: by the `x-ratelimit-type` of a refusal, what was counted and over which time.
    """

    name: str
    budgets: tuple[BudgetHeaders, ...] = ()
    should_retry: bool = True
    zero_excludes: bool = False
    types: Mapping[str, tuple[Resource, float | None]] = MappingProxyType({})


NO_DIALECT = HeaderDialect(name="none")


def budget_headers(
    resource: Resource,
    unit: str,
    window_s: float | None = None,
    *,
    prefix: str = "x-ratelimit",
    window: str = "",
    minute: bool = False,
) -> BudgetHeaders:
    """The common spelling: `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`.

    Without a `unit` the names end before it: `x-ratelimit-limit`.
    """
    end = f"-{unit}" if unit else ""
    return BudgetHeaders(
        resource=resource,
        limit=f"{prefix}-limit{end}",
        remaining=f"{prefix}-remaining{end}",
        reset=f"{prefix}-reset{end}",
        window_s=window_s,
        window=window,
        minute=minute,
    )


# OpenRouter repeats them in the body of errors that it passes on, which any address may do.
OPENROUTER = HeaderDialect(name="openrouter", budgets=(budget_headers(Resource.REQUESTS, ""),))
