"""What the page is told as it happens: events of one evaluation, or of the list of all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec
from aiohttp import web

from umwelten.errors import StoreError
from umwelten.report.queries.news import News, news_since
from umwelten.view import security
from umwelten.view.home import Row
from umwelten.view.requests import number
from umwelten.view.routes import Routes
from umwelten.view.tail import POLL_S, Follower, Tail

HEARTBEAT_S = 15.0
"""A connection that says nothing for longer is taken for a dead one by some."""
_LIST_S = 0.5
_RETRY_MS = 1_500


class Live:
    """The streams of events. While nobody listens, nothing is read."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._followers: dict[str, Follower] = {}

    def add_to(self, app: web.Application) -> None:
        """Put the handlers on an application."""
        app.add_routes([web.get("/api/events", self.home), web.get("/api/e/{id}/events", self.evaluation)])

    async def evaluation(self, request: web.Request) -> web.StreamResponse:
        """News of one evaluation; `Last-Event-ID` is the number of the last attempt that was told."""
        id_ = request.match_info["id"]
        self._routes.readers.folder(id_)
        given = request.headers.get("Last-Event-ID") or request.query.get("after")
        last = number(given, "Last-Event-ID")
        first = await self._routes.read(request, lambda reader: news_since(reader, last))
        async with _stream(request) as send, self._listening(id_, first) as (queue, told):
            if told > first.last:  # others were told of these before this one listened
                since = first.last if last is None else last
                first = await self._routes.read(request, lambda reader: news_since(reader, since))
            heard = Heard(told, first.last)
            await send("news", first, first.last)
            counted = request.query.get("counts") != "0"
            counting = asyncio.create_task(self._count(id_, send)) if counted else None
            changed = False
            try:
                while True:
                    news = await _next(queue, POLL_S if changed else HEARTBEAT_S)
                    if isinstance(news, StoreError):
                        await send("gone", {"error": news.message})
                    elif news is not None:
                        changed = counted
                        news = heard.new(news)
                        await send("news", news, news.last)
                    elif not changed:
                        await send(None, None)
                    if changed and (counting is None or counting.done()) and self._routes.totals.is_due(id_):
                        changed = False
                        counting = asyncio.create_task(self._count(id_, send))
            finally:
                if counting is not None:
                    counting.cancel()

    async def home(self, request: web.Request) -> web.StreamResponse:
        """Evaluations that came, changed or went."""
        routes, told = self._routes, dict[str, Any]()
        async with _stream(request) as send:
            said = time.monotonic()
            while True:
                async with routes.home_lock:
                    rows = await routes.in_thread(routes.home.look)
                for row in rows:
                    shown = msgspec.structs.replace(row, totals=await self._totals(row))
                    if told.get(row.id) != shown:
                        told[row.id] = shown
                        await send("evaluation", shown)
                        said = time.monotonic()
                for id_ in set(told) - {row.id for row in rows}:
                    del told[id_]
                    routes.totals.forget(id_)
                    await send("gone", {"id": id_})
                if time.monotonic() - said > HEARTBEAT_S:
                    await send(None, None)
                    said = time.monotonic()
                await asyncio.sleep(_LIST_S)

    async def _totals(self, row: Row) -> Any:
        if row.problem is not None:
            return None
        try:
            return await self._routes.totals.get(row.id)
        except (StoreError, OSError):
            return None

    async def _count(self, id_: str, send: _Send) -> None:
        with suppress(ConnectionError):  # nobody listens any more
            try:
                found = await self._routes.totals.get(id_)
            except (StoreError, OSError) as error:
                await send("gone", {"error": str(error)})
            else:
                await send("totals", found)

    @asynccontextmanager
    async def _listening(
        self, id_: str, first: News
    ) -> AsyncIterator[tuple[asyncio.Queue[News | StoreError], int]]:
        """Yield what gets all news from now on, and the last attempt that others were told of."""
        follower = self._followers.get(id_)
        if follower is None:
            tail = Tail(self._routes.readers, id_, self._routes.pool, was_running=first.head.running)
            follower = Follower(tail, first.last, lambda: self._forget(id_))
            self._followers[id_] = follower
        queue = follower.listen()
        try:
            yield queue, follower.last
        finally:
            follower.leave(queue)

    def _forget(self, id_: str) -> None:
        self._followers.pop(id_, None)


_Send = Callable[..., Any]


class Heard:
    """What a listener knows: the attempts up to `last`. `told`: the last one that all were told of."""

    def __init__(self, told: int, last: int) -> None:
        self._told, self._last = told, last

    def new(self, news: News) -> News:
        """Return what is new of the next news, which may have been read before the listener's own."""
        known = self._last if news.last >= self._told else news.last  # else the evaluation was replaced
        self._told, self._last = news.last, max(news.last, known)
        if news.last - news.count >= known:
            return news
        attempts = tuple(one for one in news.attempts if one.id > known)
        count = max(0, news.last - known)
        return msgspec.structs.replace(news, last=self._last, count=count, attempts=attempts)


async def _next(queue: asyncio.Queue[News | StoreError], timeout_s: float) -> News | StoreError | None:
    try:
        async with asyncio.timeout(timeout_s):
            return await queue.get()
    except TimeoutError:
        return None


@asynccontextmanager
async def _stream(request: web.Request) -> AsyncIterator[_Send]:
    """A response of events, for as long as the other side listens."""
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
    )
    security.mark(response)
    await response.prepare(request)
    lock = asyncio.Lock()

    async def send(event: str | None, data: Any, id_: int | None = None) -> None:
        text = ": \n\n"
        if event is not None:
            head = f"event: {event}\n" + ("" if id_ is None else f"id: {id_}\n")
            text = f"{head}data: {msgspec.json.encode(data).decode()}\n\n"
        async with lock:
            await response.write(text.encode())

    await response.write(f"retry: {_RETRY_MS}\n\n".encode())
    yield send
