"""What a run answers to who may ask: its state, its events, its calls, and changes.

What models wrote is in no response unless `text=1` asks for it: an agent that watches a run might take it for
what it is to do. No handler does work that grows with the size of answers; none waits for the run's loop, but
those that change it, in threads of their own.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from umwelten.errors import UmweltenError
from umwelten.evaluation.run_changes import LONGEST_PAUSE_S
from umwelten.evaluation.run_control import Author, Change, RunControl
from umwelten.live.door import FIRST_S
from umwelten.live.encoding import encode
from umwelten.live.event_stream import EventStream
from umwelten.live.events import EventRing
from umwelten.report.queries.call_rows import ENDED, MOST, call_row, call_rows
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct, Secret

MOST_BYTES = 1 << 20
"""Of a response."""

_MOST_SENT = 64 << 10
"""Bytes of a request's body: a change is a few words."""

_TRIES = 5
_LISTS = ("models", "lanes", "changes", "attempts_made")
_LATEST = ("changes", "attempts_made")
"""Lists of which the end is kept."""

_RUNNING = "running"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sent(FrozenStruct, forbid_unknown_fields=True):
    """The body of a request that changes something; who, by what and why."""

    reason: str = ""
    author: str = ""
    via: str = "ctl"

    def by(self) -> Author:
        """Return it as the run takes it."""
        return Author(via=self.via, name=self.author, reason=self.reason)


class SetSent(Sent, forbid_unknown_fields=True, kw_only=True):
    """Of `PATCH /settings`."""

    key: str
    value: Any
    scope: str = ""
    dry_run: bool = False


class ResumeSent(Sent, forbid_unknown_fields=True):
    """Of `POST /resume`."""

    scope: str = ""


class PauseSent(ResumeSent, forbid_unknown_fields=True):
    """Of `POST /pause`."""

    for_s: float | None = None


class StopSent(Sent, forbid_unknown_fields=True):
    """Of `POST /stop`."""

    now: bool = False


class RetrySent(Sent, forbid_unknown_fields=True):
    """Of `POST /retry`."""

    kind: str = ""
    model: str = ""
    input: str = ""


class CancelSent(Sent, forbid_unknown_fields=True, kw_only=True):
    """Of `POST /cancel`."""

    call: int


class Routes:
    """The handlers of one run."""

    def __init__(
        self,
        run_control: RunControl,
        ring: EventRing,
        folder: Path,
        token: Secret | None,
        conceal: Callable[[str], str],
    ) -> None:
        self._run_control, self._ring, self._folder = run_control, ring, folder
        self._token, self._conceal = token, conceal
        self.stream = EventStream(ring)
        self.on_request: Callable[[web.Request], None] = lambda request: None
        self._reader: Reader | None = None
        # Of rows, in a thread of their own: to search many for a few takes long.
        self._rows = ThreadPoolExecutor(1, "control-rows")
        self._changes = ThreadPoolExecutor(8, "control-changes")

    def application(self) -> web.Application:
        """Return what serves them."""
        application = web.Application(middlewares=[self._checked], client_max_size=_MOST_SENT)
        application.add_routes(
            [
                web.get("/status", self._status),
                web.get("/events", self._events),
                web.get("/calls", self._calls),
                web.get("/calls/{call}", self._call),
                web.patch("/settings", self._set),
                web.post("/pause", self._pause),
                web.post("/resume", self._resume),
                web.post("/stop", self._stop),
                web.post("/retry", self._retry),
                web.post("/cancel", self._cancel),
            ]
        )
        return application

    async def close(self) -> None:
        """Let go of threads and files; what is being done is done to its end."""
        self.stream.close()
        self._changes.shutdown(wait=False)
        # Before the store is closed: only the last to close a database can tidy it, and a reader never can.
        await asyncio.get_running_loop().run_in_executor(self._rows, self._close_reader)
        self._rows.shutdown(wait=False)

    # --- who may ask, and errors ---------------------------------------------------------------

    @web.middleware
    async def _checked(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.on_request(request)
        if not self._is_allowed(request):
            return _error(403, "this run belongs to another user, or its token is missing")
        try:
            return await handler(request)
        except UmweltenError as error:
            return self._refused(error)
        except _BadRequest as error:
            return _error(400, str(error), error.hint)
        except web.HTTPMethodNotAllowed as error:
            return _error(405, f"{request.path} does not take {request.method}", f"{_allowed(error)}.")
        except web.HTTPException as error:
            return _error(error.status, f"{request.method} {request.path[:200]}: {error.reason}", _KNOWN)
        except Exception as error:  # noqa: BLE001 - a fault of ours is told to who asked, not to the terminal
            return _error(500, f"{request.method} {request.path[:200]} failed: {type(error).__name__}")

    def _is_allowed(self, request: web.Request) -> bool:
        if self._token is not None:
            given = request.headers.get("Authorization", "").encode()
            return secrets.compare_digest(given, f"Bearer {self._token.reveal()}".encode())
        peer = peer_user(request)
        return peer is None or peer in (os.geteuid(), 0)

    def _refused(self, error: UmweltenError) -> web.Response:
        return _error(409, self._conceal(error.message), error.hint and self._conceal(error.hint))

    # --- what is ---------------------------------------------------------------------------------

    async def _status(self, request: web.Request) -> web.Response:
        for _ in range(_TRIES):
            # It takes what the run changes meanwhile; most of the time that is not at the same moment.
            with suppress(RuntimeError):
                return _json(self._run_control.state())
        return _json(self._run_control.state())

    async def _events(self, request: web.Request) -> web.StreamResponse:
        query = _query(request, "after", "text")
        after = request.headers.get("Last-Event-ID") or query.get("after") or "0"
        return await self.stream.serve(request, after=_number(after, "after"), text=_text(query))

    async def _calls(self, request: web.Request) -> web.Response:
        status = request.query.get("status")
        if status is not None and status not in (_RUNNING, *ENDED):
            raise _BadRequest(f"status {status[:40]!r}", f"It is {', '.join(ENDED)} or {_RUNNING}.")
        filters = () if status == _RUNNING else ("model", "kind", "after")
        query = _query(request, "status", "limit", "text", *filters)
        limit = max(1, min(_number(query.get("limit", "100"), "limit"), MOST))
        if status == _RUNNING:
            return _fitting([each._asdict() for each in self._ring.under_way()[:limit]])
        after = _number(query.get("after", "0"), "after")

        def read() -> list[dict[str, Any]]:
            return call_rows(
                self._open(),
                status=status,
                model=query.get("model"),
                kind=query.get("kind"),
                after=after,
                limit=limit,
                text=_text(query),
            )

        rows = await asyncio.get_running_loop().run_in_executor(self._rows, read)
        return _fitting(rows, full=len(rows) == limit)

    async def _call(self, request: web.Request) -> web.Response:
        number, text = _number(request.match_info["call"], "a call's number"), _text(_query(request, "text"))
        row = await asyncio.get_running_loop().run_in_executor(
            self._rows, lambda: call_row(self._open(), number, text=text)
        )
        if row is None:
            return _error(
                404, f"no call {number} has ended", f"GET /calls?status={_RUNNING} has those under way."
            )
        return _json(row)

    def _open(self) -> Reader:
        if self._reader is None:
            self._reader = Reader.open(self._folder)
        return self._reader

    def _close_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    # --- what changes --------------------------------------------------------------------------

    async def _set(self, request: web.Request) -> web.Response:
        sent = await _body(request, SetSent)
        return await self._change(
            lambda: self._run_control.set(
                sent.key, sent.value, sent.by(), scope=sent.scope, dry_run=sent.dry_run
            )
        )

    async def _pause(self, request: web.Request) -> web.Response:
        sent = await _body(request, PauseSent)
        if sent.for_s is not None and not 0 < sent.for_s < LONGEST_PAUSE_S:
            raise _BadRequest(f"for_s {sent.for_s}", "It is a number of seconds above 0.")
        return await self._change(
            lambda: self._run_control.pause(sent.by(), scope=sent.scope, for_s=sent.for_s)
        )

    async def _resume(self, request: web.Request) -> web.Response:
        sent = await _body(request, ResumeSent)
        return await self._change(lambda: self._run_control.resume(sent.by(), scope=sent.scope))

    async def _stop(self, request: web.Request) -> web.Response:
        sent = await _body(request, StopSent)
        return await self._change(lambda: self._run_control.stop(sent.by(), now=sent.now))

    async def _retry(self, request: web.Request) -> web.Response:
        sent = await _body(request, RetrySent)
        return await self._change(
            lambda: self._run_control.retry_failed(
                sent.by(), kind=sent.kind, model=sent.model, input=sent.input
            )
        )

    async def _cancel(self, request: web.Request) -> web.Response:
        sent = await _body(request, CancelSent)
        response = await self._change(lambda: self._run_control.cancel(sent.by(), sent.call))
        self._ring.forget(sent.call)
        return response

    async def _change(self, act: Callable[[], Change]) -> web.Response:
        """Do it in a thread: it waits for the run's loop, and for the disk."""
        return _json(await asyncio.get_running_loop().run_in_executor(self._changes, act))


class _BadRequest(Exception):
    """What was sent makes no sense."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


_KNOWN = (
    "There are GET /status, /events, /calls and /calls/N, PATCH /settings, and POST /pause, /resume, /stop, "
    "/retry and /cancel."
)


def _allowed(error: web.HTTPMethodNotAllowed) -> str:
    return f"Use {' or '.join(sorted(error.allowed_methods - {'HEAD'}))}"


async def _body(request: web.Request, shape: type[Any]) -> Any:
    try:
        content = await asyncio.wait_for(request.read(), FIRST_S)
    except TimeoutError:
        raise _BadRequest(
            f"{request.path}: its body has not come in {FIRST_S:g} s", "Send it at once."
        ) from None
    try:
        return msgspec.json.decode(content or b"{}", type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        known = ", ".join(shape.__struct_fields__)
        raise _BadRequest(f"{request.path}: {error}", f"Send a JSON object with {known}.") from None


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise _BadRequest(f"{name} {text[:40]!r}", "It is a whole number from 0.")
    return int(text)


def _query(request: web.Request, *known: str) -> Mapping[str, str]:
    """Return the query. Unknown names are refused: a filter that is ignored tells of too many."""
    for name in request.query:
        if name not in known:
            raise _BadRequest(
                f"{request.path[:200]}: {name[:40]!r} has no meaning here", f"It takes {', '.join(known)}."
            )
    return request.query


def _text(query: Mapping[str, str]) -> bool:
    return query.get("text") in ("1", "true")


def _error(status: int, message: str, hint: str | None = None) -> web.Response:
    body = encode({"error": message, "hint": hint})
    return web.Response(body=body, status=status, content_type="application/json")


def _fitting(rows: list[dict[str, Any]], *, full: bool = False) -> web.Response:
    """Return a page: as many of the rows as there is room for, and after which call the next one begins."""
    whole = len(rows)
    while len(body := _page(rows, full or len(rows) < whole)) > MOST_BYTES:
        rows = rows[: len(rows) // 2]
    return web.Response(body=body, content_type="application/json")


def _page(rows: list[dict[str, Any]], more: bool) -> bytes:
    return encode({"calls": rows, "next": rows[-1]["call"] if more and rows else None})


def _json(value: Any) -> web.Response:
    """Return a response; of lists that there is no room for, the beginning, and how much is left out."""
    body: bytes | None = encode(value)
    if body is not None and len(body) > MOST_BYTES:
        body = _cut(msgspec.to_builtins(value))
    if body is None:
        return _error(500, "the response has more than 1 MB")
    return web.Response(body=body, content_type="application/json")


def _cut(facts: dict[str, Any]) -> bytes | None:
    """Return it with its lists cut; `None` if it is too large without them."""
    left_out = dict.fromkeys((name for name in _LISTS if name in facts), 0)
    while len(body := encode(facts | {"left_out": left_out})) > MOST_BYTES:
        name = max(left_out, key=lambda name: len(facts[name]), default="")
        if not facts.get(name):
            return None
        half = len(facts[name]) // 2
        left_out[name] += len(facts[name]) - half
        facts[name] = facts[name][-half:] if name in _LATEST and half else facts[name][:half]
    return body


def peer_user(request: web.Request) -> int | None:
    """Return the user at the other end of a connection; `None` where the system does not tell."""
    sock = request.get_extra_info("socket")
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None or sock is None:
        return None
    size = struct.calcsize("3i")
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, option, size))
    return int(user)
