"""Which failure ends a lane: nothing listens, or nothing but refusals or errors came for too long."""

from __future__ import annotations

from umwelten.types import Failure, FailureKind

ONLY_REFUSED = "nothing but rate limits"
"""So begins the message of a lane that was stopped for these."""

_NOBODY_THERE = ("refused", "proxy")
"""Codes of failures where nothing listens at the address, or at that of the proxy."""


def as_seen(
    failure: Failure, *, answered: bool, throttled_s: float | None, errors_s: float | None
) -> Failure:
    """Return a failure as a lane sees it: one that ends the lane, if its history says so.

    `answered`: something was answered before. `throttled_s` and `errors_s`: for how many seconds nothing but
    refusals or errors came, if that is too long.
    """
    if failure.code in _NOBODY_THERE and failure.kind is FailureKind.CONNECTION and not answered:
        return _down(failure, failure.message)
    if failure.kind is FailureKind.RATE_LIMIT:
        if throttled_s is not None:
            return _down(failure, f"{ONLY_REFUSED} for {throttled_s:.0f} s: {failure.message}")
    elif errors_s is not None:
        return _down(failure, f"nothing but errors for {errors_s:.0f} s: {failure.message}")
    return failure


def _down(failure: Failure, message: str) -> Failure:
    return Failure(
        kind=FailureKind.UNAVAILABLE,
        message=message,
        status=failure.status,
        code=failure.code,
        retry=False,
        lane_down=True,
        request_id=failure.request_id,
        hints=failure.hints,
    )
