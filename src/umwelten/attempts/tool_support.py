"""Asks servers whether their models take tools, before anything is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from umwelten.attempts.transport import Transport
from umwelten.errors import UmweltenError
from umwelten.providers.protocol import Endpoint, Head, HttpRequest
from umwelten.providers.tool_support import support_request, why_no_tools
from umwelten.threads import new_event_loop
from umwelten.types import Failure, ModelRef

PATIENCE_S = 4.0
"""Seconds for each server. One that does not answer by then may still answer calls, and refuse the tools."""


def models_without_tools(asked: Iterable[tuple[ModelRef, Endpoint]]) -> Mapping[ModelRef, str]:
    """Return the models that take no tools, with how that is known; those nobody tells of are not there.

    Asks all servers at the same time, in a thread, as the caller may be in an event loop.
    """
    wanted = [(model, at, http) for model, at in asked if (http := support_request(model, at)) is not None]
    if not wanted:
        return {}
    with ThreadPoolExecutor(1, "tool support") as thread:
        return thread.submit(_run, wanted).result()


def _run(wanted: list[tuple[ModelRef, Endpoint, HttpRequest]]) -> Mapping[ModelRef, str]:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(_ask(wanted))


async def _ask(wanted: list[tuple[ModelRef, Endpoint, HttpRequest]]) -> Mapping[ModelRef, str]:
    # A list of models is the same for all that are in it.
    requests = {(http.url, http.body): (http, at) for _, at, http in wanted}
    async with Transport(timeout_s=PATIENCE_S) as transport:
        replies = await asyncio.gather(*(_fetch(transport, *request) for request in requests.values()))
    told = dict(zip(requests, replies, strict=True))
    found: dict[ModelRef, str] = {}
    for model, at, http in wanted:
        reply = told[http.url, http.body]
        why = None if reply is None else why_no_tools(model, at, *reply)
        if why is not None:
            found.setdefault(model, why)
    return found


async def _fetch(transport: Transport, http: HttpRequest, endpoint: Endpoint) -> tuple[Head, bytes] | None:
    try:
        reply = await transport.fetch(http, endpoint)
    except UmweltenError:  # a proxy that cannot be used, of which calls tell
        return None
    return None if isinstance(reply, Failure) else reply
