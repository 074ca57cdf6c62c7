"""Changing a run from the page: what `umwelten ctl` does, by the same socket, each time with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from umwelten.errors import UsageError
from umwelten.live.client import Refused, Run, RunError, all_runs
from umwelten.types import FrozenStruct
from umwelten.view.requests import body, json_response
from umwelten.view.routes import Routes

_T = TypeVar("_T")
VIA = "view"
ANSWER_S = 3.0
"""A run answers within a tenth of a second; a page that waits longer says so."""
_UNDER_WAY = 50
_ASKING = 2
"""Threads that wait for runs: their own, so that one that does not answer holds up no page of another."""


class _Wanted(FrozenStruct, forbid_unknown_fields=True):
    """The body of a change. `pid` tells runs of one evaluation apart; the rest is the verb's."""

    verb: str
    reason: str
    pid: int
    scope: str = ""
    key: str = ""
    value: Any = None
    kind: str = ""
    call: int = 0
    now: bool = False


def _requests() -> Mapping[str, tuple[str, str, Callable[[_Wanted], dict[str, Any]]]]:
    return {
        "pause": ("POST", "/pause", lambda said: {"scope": said.scope}),
        "resume": ("POST", "/resume", lambda said: {"scope": said.scope}),
        "stop": ("POST", "/stop", lambda said: {"now": said.now}),
        "retry": ("POST", "/retry", lambda said: {"kind": said.kind, "model": said.scope}),
        "cancel": ("POST", "/cancel", lambda said: {"call": said.call}),
        "set": (
            "PATCH",
            "/settings",
            lambda said: {"key": said.key, "value": said.value, "scope": said.scope},
        ),
    }


class Control:
    """The handlers. A view that is read only shows runs, and changes none."""

    def __init__(self, routes: Routes, run_folder: Path | None = None) -> None:
        self._routes, self._run_folder = routes, run_folder
        self.pool = ThreadPoolExecutor(_ASKING, thread_name_prefix="view-control")
        self._requests = _requests()

    def add_to(self, app: web.Application) -> None:
        """Put the handlers on an application."""
        app.add_routes(
            [web.get("/api/e/{id}/control", self.state), web.post("/api/e/{id}/control", self.change)]
        )

    async def state(self, request: web.Request) -> web.Response:
        """The runs that are at work on the evaluation, and what each says of itself."""
        id_ = request.match_info["id"]
        folder = self._routes.readers.folder(id_)

        def ask() -> list[dict[str, Any]]:
            return [self._said(run) for run in self._runs(folder)]

        said = await self._in_thread(ask)
        return json_response({"runs": said, "read_only": self._routes.read_only})

    async def change(self, request: web.Request) -> web.Response:
        """Change a run. It answers once the change is in its journal."""
        if self._routes.read_only:
            return json_response({"error": "this view is read only", "hint": None}, 403)
        said: _Wanted = await body(request, _Wanted)
        if said.verb not in self._requests:
            raise UsageError(
                f"{said.verb[:40]!r} is nothing that runs do", f"Known: {', '.join(self._requests)}."
            )
        if not said.reason.strip():
            raise UsageError("a change needs a reason", "It is kept with the change, and shown in reports.")
        folder = self._routes.readers.folder(request.match_info["id"])
        method, path, fields = self._requests[said.verb]

        def act() -> tuple[Any, int]:
            run = next((run for run in self._runs(folder) if run.file.pid == said.pid), None)
            if run is None:
                return {"error": "this run has ended", "hint": None}, 409
            try:
                given = {**fields(said), "reason": said.reason.strip(), "via": VIA}
                return run.change(method, path, given), 200
            except Refused as error:
                return {"error": str(error), "hint": error.hint}, 409
            except RunError as error:
                return {"error": str(error), "hint": None}, 409

        return json_response(*await self._in_thread(act))

    async def _in_thread(self, act: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self.pool, act)

    def _runs(self, folder: Path) -> list[Run]:
        wanted = folder.resolve()
        return [
            run for run in all_runs(self._run_folder, ANSWER_S) if Path(run.file.folder).resolve() == wanted
        ]

    def _said(self, run: Run) -> dict[str, Any]:
        try:
            under_way = msgspec.json.decode(run.get("/calls", status="running", limit=_UNDER_WAY))
            return {"pid": run.file.pid, "state": run.state(), "calls": under_way["calls"], "error": None}
        except RunError as error:
            return {"pid": run.file.pid, "state": None, "calls": [], "error": str(error)}
