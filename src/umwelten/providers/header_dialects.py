"""The rate-limit headers of vendors: the parts that the rows of `vendors` are made of."""

from __future__ import annotations

from umwelten.types import FrozenStruct, Resource

SECOND, MINUTE, HOUR, DAY = 1.0, 60.0, 3600.0, 86400.0


class BudgetHeaders(FrozenStruct):
    """The names of the headers that state one budget; "" for what the vendor does not state.

    `window_s`: the time that the limit is for, `None` where it is unknown. `minute`: without a reset header,
    the budget resets at the next full minute of the clock.
    """

    resource: Resource
    limit: str
    remaining: str
    reset: str = ""
    window_s: float | None = None
    minute: bool = False


class HeaderDialect(FrozenStruct):
    """The rate-limit headers of a vendor. Retry-After is read in every dialect.

    `name` is its value for `hints` in `umwelten.toml`. `should_retry`: whether `x-should-retry` can be
    trusted. `zero_excludes`: a refusal that states a limit of 0 means that the plan does not include the
    model.
    """

    name: str
    budgets: tuple[BudgetHeaders, ...] = ()
    should_retry: bool = True
    zero_excludes: bool = False


NO_DIALECT = HeaderDialect(name="none")


def budget_headers(
    resource: Resource,
    unit: str,
    window_s: float | None = None,
    *,
    prefix: str = "x-ratelimit",
    minute: bool = False,
) -> BudgetHeaders:
    """Return the common names: `x-ratelimit-limit-requests`, `-remaining-requests`, `-reset-requests`.

    Without a `unit` the names end before it: `x-ratelimit-limit`.
    """
    end = f"-{unit}" if unit else ""
    return BudgetHeaders(
        resource=resource,
        limit=f"{prefix}-limit{end}",
        remaining=f"{prefix}-remaining{end}",
        reset=f"{prefix}-reset{end}",
        window_s=window_s,
        minute=minute,
    )


# OpenRouter repeats them in the body of upstream errors, and so may a compatible server at any address.
OPENROUTER = HeaderDialect(name="openrouter", budgets=(budget_headers(Resource.REQUESTS, ""),))
