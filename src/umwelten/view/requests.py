"""What requests ask for: their parameters as values, and answers and errors as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from umwelten.errors import StoreError, UmweltenError, UsageError
from umwelten.report.queries.call_pages import CallFilter, Order

MOST_ROWS = 500
_ORDERS: tuple[Order, ...] = ("call", "ended", "duration", "cost")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def json_response(value: Any, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return web.Response(body=msgspec.json.encode(value), content_type="application/json", status=status)


@web.middleware
async def as_json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer our errors as JSON with a hint, as the command line prints them."""
    try:
        return await handler(request)
    except UmweltenError as error:
        status = 400 if isinstance(error, UsageError) else 404 if isinstance(error, StoreError) else 409
        return json_response({"error": error.message, "hint": error.hint}, status)
    except web.HTTPException:
        raise
    except ConnectionError:
        # The page is gone, which is no error: this is how aiohttp ends its handler.
        raise asyncio.CancelledError from None
    except Exception as error:  # noqa: BLE001 - a fault of ours is told to the page, not to the terminal
        return json_response({"error": f"{type(error).__name__} in {request.path[:100]}", "hint": None}, 500)


def call_filter(request: web.Request) -> CallFilter:
    """Return which calls are wanted."""
    query = request.query
    return CallFilter(
        model=query.get("model") or None,
        prompt=query.get("prompt") or None,
        status=query.get("status") or None,
        kind=query.get("kind") or None,
        input=query.get("input") or None,
        words=tuple(query.get("q", "").split()[:20]),
    )


def order_of(request: web.Request) -> tuple[Order, bool]:
    """Return by what calls are sorted, and whether from the highest on. Raises UsageError."""
    text = request.query.get("sort", "call")
    name, descending = text.removeprefix("-"), text.startswith("-")
    for order in _ORDERS:
        if order == name:
            return order, descending
    raise UsageError(f"calls cannot be sorted by {text[:40]!r}", f"Known: {', '.join(_ORDERS)}.")


def number(text: str | None, what: str, most: int = (1 << 63) - 1) -> int | None:
    """Return a whole number from 0 on, `None` where none is given. Raises UsageError."""
    if text is None or text == "":
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= most):
        raise UsageError(f"{what} is {text[:40]!r}", f"It must be a whole number up to {most}.")
    return int(text)


def share(text: str | None) -> float | None:
    """Return a number from 0 to 1, `None` where none is given. Raises UsageError."""
    if text is None or text == "":
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise UsageError(f"at is {text[:40]!r}", "It must be a number from 0 to 1.")
    return value


async def body(request: web.Request, kind: type[Any]) -> Any:
    """Return the JSON of a POST. Raises UsageError."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the request cannot be read: {error}") from None
