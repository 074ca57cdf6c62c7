"""The addresses of the server, and what each answers. Whatever reads a database does so in a thread."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypeVar

import msgspec
from aiohttp import web

from umwelten.errors import StoreError, UsageError
from umwelten.inputs.asked_again import read_again
from umwelten.report.queries import call_pages
from umwelten.report.queries.asked_calls import asked_detail
from umwelten.report.queries.calls import CallDetail, by_id, call_detail
from umwelten.report.queries.pace import pace
from umwelten.report.queries.running_totals import head
from umwelten.report.queries.shown_scores import with_scores
from umwelten.report.queries.side_by_side import side_by_side
from umwelten.report.queries.stored_failures import failures_by_kind
from umwelten.report.queries.workers import worker_sums
from umwelten.report.render.labels import render_labels
from umwelten.report.render.worker_rows import HEAD, worker_rows
from umwelten.store.asked import AskedSource
from umwelten.store.ratings.ratings import SCALES, Rating, rate, rated_answers, ratings
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct
from umwelten.version import __version__
from umwelten.view.home import Home, ordered
from umwelten.view.rankings import shown_boards
from umwelten.view.readers import Readers
from umwelten.view.requests import (
    MOST_ROWS,
    body,
    call_filter,
    json_response,
    number,
    order_of,
    share,
)
from umwelten.view.scores import score_table
from umwelten.view.totals import TotalsCache

_T = TypeVar("_T")
THREADS = 4
"""Each has its own connections; a slow search keeps one."""
_COUNTED_AT_ONCE_S = 0.3
"""How long the first list waits for counts; the others are told when they are there."""


class _Rated(FrozenStruct, forbid_unknown_fields=True):
    """The body of a rating."""

    call: Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]
    scale: str
    value: float | None = None
    comment: str = ""


class Routes:
    """The handlers, with what they share."""

    def __init__(self, readers: Readers, *, read_only: bool) -> None:
        self.readers, self.read_only = readers, read_only
        self.pool = ThreadPoolExecutor(THREADS, thread_name_prefix="view")
        self.totals = TotalsCache(readers, self.pool)
        self.home = Home(readers)
        self.home_lock = asyncio.Lock()

    def add_to(self, app: web.Application) -> None:
        """Put the handlers on an application."""
        app.add_routes(
            [
                web.get("/api/home", self.home_list),
                web.get("/api/e/{id}", self.evaluation),
                web.get("/api/e/{id}/pace", self.pace),
                web.get("/api/e/{id}/failures", self.failures),
                web.get("/api/e/{id}/workers", self.workers),
                web.get("/api/e/{id}/scores", self.scores),
                web.get("/api/e/{id}/rankings", self.rankings),
                web.get("/api/e/{id}/calls", self.calls),
                web.get("/api/e/{id}/count", self.count),
                web.get("/api/e/{id}/calls/{call}", self.call),
                web.get("/api/e/{id}/compare", self.compare),
                web.get("/api/e/{id}/ratings", self.ratings),
                web.post("/api/e/{id}/ratings", self.rate),
                web.get("/api/e/{id}/labels.csv", self.labels),
            ]
        )

    async def in_thread(self, act: Callable[[], _T]) -> _T:
        """Do it in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, act)

    async def read(self, request: web.Request, query: Callable[[Reader], _T]) -> _T:
        """Return what a query says of the evaluation that the address names."""
        id_ = request.match_info["id"]

        def act() -> _T:
            with self.readers.open(id_) as reader:
                return query(reader)

        return await self.in_thread(act)

    # --- evaluations ---

    async def home_list(self, request: web.Request) -> web.Response:
        """All evaluations, with the counts that are there soon."""
        async with self.home_lock:
            rows = await self.in_thread(self.home.look)
        until = asyncio.get_running_loop().time() + _COUNTED_AT_ONCE_S
        shown = []
        for row in ordered(rows):
            found = self.totals.known(row.id)
            if found is None and row.problem is None and asyncio.get_running_loop().time() < until:
                try:
                    async with asyncio.timeout_at(until):
                        found = await self.totals.get(row.id)
                except (StoreError, TimeoutError):
                    found = None
            shown.append(msgspec.structs.replace(row, totals=found))
        return json_response(
            {
                "version": __version__,
                "folder": str(self.readers.output_dir),
                "read_only": self.read_only,
                "evaluations": shown,
            }
        )

    async def evaluation(self, request: web.Request) -> web.Response:
        """What it is, and its counts if they are known: an event brings them otherwise."""
        found = await self.read(request, head)
        known = self.totals.known(found.id)
        return json_response(
            {"head": found, "totals": known, "read_only": self.read_only, "scales": list(SCALES)}
        )

    async def pace(self, request: web.Request) -> web.Response:
        """The plot of pace and limits."""
        return json_response(await self.read(request, pace))

    async def failures(self, request: web.Request) -> web.Response:
        """The failures by kind, with what their messages say."""
        return json_response(await self.read(request, failures_by_kind))

    async def workers(self, request: web.Request) -> web.Response:
        """The table of workers that reports have, without rows where no run had any."""
        found = await self.read(request, lambda reader: worker_sums(reader.connection))
        return json_response({"head": HEAD, "rows": worker_rows(found)})

    async def scores(self, request: web.Request) -> web.Response:
        """The scores by model, `null` if it was never scored."""
        return json_response(await self.read(request, score_table))

    async def rankings(self, request: web.Request) -> web.Response:
        """The ranking that it was made for, or those of its answers."""
        return json_response(await self.read(request, shown_boards))

    # --- calls ---

    async def calls(self, request: web.Request) -> web.Response:
        """A page of calls."""
        query = request.query
        order, descending = order_of(request)
        limit = min(number(query.get("limit"), "limit") or 100, MOST_ROWS)
        wanted, at = call_filter(request), share(query.get("at"))

        def page(reader: Reader) -> call_pages.CallPage:
            return call_pages.call_page(
                reader,
                wanted,
                order=order,
                descending=descending,
                after=query.get("after"),
                before=query.get("before"),
                at=at,
                limit=limit,
            )

        return json_response(await self.read(request, page))

    async def count(self, request: web.Request) -> web.Response:
        """How many calls are wanted."""
        wanted = call_filter(request)
        if wanted.status == call_pages.PENDING:
            return json_response({"count": None})
        return json_response(
            {"count": await self.read(request, lambda reader: call_pages.count(reader, wanted))}
        )

    async def call(self, request: web.Request) -> web.Response:
        """A call with all that is stored about it."""
        call = number(request.match_info["call"], "the call", most=10**18 - 1)
        order, descending = order_of(request)
        wanted = call_filter(request)

        def detail(reader: Reader) -> dict[str, Any]:
            line = None if call is None else next(by_id(reader, call), None)
            if line is None or call is None:
                raise StoreError(f"no call {call} in {reader.folder.name!r}")
            back, on = call_pages.neighbours(reader, call, wanted, order=order, descending=descending)
            shown = with_scores(reader, _with_asked(reader, call_detail(reader, line)))
            return {
                "call": shown,
                "before": back,
                "after": on,
                "rating": _rating(reader, call),
            }

        return json_response(await self.read(request, detail))

    async def compare(self, request: web.Request) -> web.Response:
        """Answers side by side; `with` names a second evaluation."""
        query = request.query
        id_, other = request.match_info["id"], query.get("with") or None
        after = number(query.get("after"), "after")
        limit = min(number(query.get("limit"), "limit") or 10, 50)

        def act() -> Any:
            with self.readers.open(id_) as reader:
                if other is None or other == id_:
                    return page([reader])
                with self.readers.open(other) as second:
                    return page([reader, second])

        def page(found: list[Reader]) -> Any:
            return side_by_side(
                found,
                after=-1 if after is None else after,
                limit=limit,
                input=query.get("input", ""),
                differing=query.get("differing") == "1",
                repeat=number(query.get("repeat"), "repeat", most=65_535),
            )

        return json_response(await self.in_thread(act))

    # --- ratings ---

    async def ratings(self, request: web.Request) -> web.Response:
        """All ratings, by call."""
        found = await self.read(request, ratings)
        return json_response({"ratings": list(found.values()), "read_only": self.read_only})

    async def rate(self, request: web.Request) -> web.Response:
        """Keep a rating."""
        if self.read_only:
            return json_response({"error": "this view is read only", "hint": None}, 403)
        said: _Rated = await body(request, _Rated)
        found = await self.read(
            request,
            lambda reader: rate(reader, said.call, scale=said.scale, value=said.value, comment=said.comment),
        )
        return json_response({"rating": found})

    async def labels(self, request: web.Request) -> web.Response:
        """The table of ratings that a judge's check reads."""
        scale = request.query.get("scale") or None
        if scale is not None and scale not in SCALES:
            raise UsageError(f"{scale[:40]!r} is no scale", f"Known: {', '.join(SCALES)}.")
        used, rows, _ = await self.read(request, lambda reader: rated_answers(reader, scale))
        out = io.StringIO()
        render_labels(used, rows, out)
        name = f"{request.match_info['id']}-labels.csv"
        return web.Response(
            text=out.getvalue(),
            content_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _with_asked(reader: Reader, call: CallDetail) -> CallDetail:
    """Return it with what was sent, read again from its input where it was not kept."""
    if call.asked.source != AskedSource.NOT_KEPT or call.response is None:
        return call
    return msgspec.structs.replace(call, asked=asked_detail(read_again(reader, call.call)))


def _rating(reader: Reader, call: int) -> Rating | None:
    """Return what was said of it; a file of ratings that cannot be read hides no answer."""
    try:
        return ratings(reader, call).get(call)
    except StoreError:
        return None
