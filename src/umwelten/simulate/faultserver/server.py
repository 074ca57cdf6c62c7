"""The server: takes requests from connections, decides with limiters and rules, plays the replies."""

from __future__ import annotations

import asyncio
import math
import time
from email.utils import formatdate
from types import TracebackType

import msgspec

from umwelten.simulate.faultserver import hints
from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.behaviours import BehaviourState, Chooser, answer_to, cost_of
from umwelten.simulate.faultserver.connection import Connection, Received
from umwelten.simulate.faultserver.handler import RequestHandler, SlotQueue
from umwelten.simulate.faultserver.ledger import Fate, Ledger, Record
from umwelten.simulate.faultserver.message_parts import BadAsk
from umwelten.simulate.faultserver.profile import Behaviour, Profile, parse_profile
from umwelten.simulate.faultserver.routes import Route, ask_of, count_tokens, key_of, model_of, route
from umwelten.simulate.faultserver.scoped_limits import ScopedLimits, fits, matches, scope
from umwelten.simulate.faultserver.scripts import (
    JSON,
    Scene,
    header_lines,
    script,
    status_of,
    trouble_reply,
    whole,
)
from umwelten.simulate.faultserver.tools.judges import judge, refuse_tools
from umwelten.simulate.faultserver.tools.spec import ToolTurns, fits_any
from umwelten.simulate.faultserver.uploads import UploadedFiles
from umwelten.simulate.faultserver.wires import ServerWire, Trouble
from umwelten.simulate.faultserver.wires.base import Quota
from umwelten.simulate.faultserver.wires.ollama import pull, show
from umwelten.simulate.faultserver.wires.openai import props
from umwelten.simulate.limiters import Refusal
from umwelten.simulate.profile import Outage, Slots

HOST = "127.0.0.1"
_BACKLOG = 4096


class FaultServer:
    """A provider on 127.0.0.1 that behaves as its profile says.

    `async with FaultServer(profile) as server:` listens on `server.port`, and `server.ledger` knows what
    came in. Everything happens on the loop that entered it; `use` and `reset` are called there too.
    """

    def __init__(self, profile: Profile | None = None, *, port: int = 0) -> None:
        self.port = port
        self.connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._date = (0, "")
        self.use(profile or Profile())
        self.reset()

    async def __aenter__(self) -> FaultServer:
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(
            lambda: Connection(self, loop), HOST, self.port, backlog=_BACKLOG
        )
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is None:
            return
        self._listener.close()
        for connection in list(self.connections):
            connection.drop()
        await self._listener.wait_closed()

    @property
    def url(self) -> str:
        """The root, without a trailing slash."""
        return f"http://{HOST}:{self.port}"

    def use(self, profile: Profile) -> None:
        """Behave like this from the next request on. What rules and limits had counted is forgotten."""
        self.profile = profile
        self._chooser = Chooser(profile)
        self._listing = BehaviourState(profile.listing)
        self._limits = ScopedLimits(profile.limiters)
        self._slots = [limiter for limiter in profile.limiters if isinstance(limiter, Slots)]
        self._queues: dict[tuple[int, str], SlotQueue] = {}
        self.uploads = UploadedFiles(profile.upload_looks, profile.upload_state)

    def reset(self) -> None:
        """Forget all requests; rules, limits and outages count from the next one on."""
        self.use(self.profile)
        self.ledger = Ledger(self.profile.records, time.monotonic)

    # --- one request

    def handle(self, connection: Connection, request: Received) -> None:
        """See `connection.Handler`."""
        where = route(request)
        try:
            if where.errand == "ask":
                self._begin(connection, request, self._check(ask_of(request, where)), where.wire)
            else:
                self._run_errand(connection, request, where)
        except (BadAsk, msgspec.DecodeError) as error:
            self.ledger.unreadable += 1
            status = error.status if isinstance(error, BadAsk) else 400
            trouble = Trouble(status=status, message=str(error) or None)
            connection.play(iter((trouble_reply(where.wire, trouble, self._lines(where.wire, 0)),)))

    def _check(self, ask: IncomingRequest) -> IncomingRequest:
        profile = self.profile
        if profile.require_key and ask.key is None:
            raise BadAsk("", 401)
        if profile.only_models and ask.model not in profile.models:
            raise BadAsk(f"model '{ask.model}' not found", 404)
        self.uploads.check(ask)
        return ask

    def _begin(
        self, connection: Connection, request: Received, ask: IncomingRequest, wire: ServerWire
    ) -> None:
        age_s = self.ledger.open()
        number = self.ledger.totals.requests + 1
        drawn = self._chooser.choose(ask)
        latency_s = drawn.latency_s()
        answer = answer_to(ask, drawn.behaviour, number, time.time(), latency_s)
        handler = RequestHandler(connection, self.ledger, wire, answer, drawn, latency_s)
        if self.profile.records:
            handler.record = self._record(ask, number, age_s, request)
        outage = self._outage(ask, age_s) if self.profile.outages else None
        if outage is not None:
            self._perform(handler, Behaviour(fault=outage.fault))
        elif (not self.profile.limiters or self._admit(handler, age_s)) and self._judge(handler):
            handler.line_up(self._queues_for(ask) if self._slots else (), self._perform)

    def _record(self, ask: IncomingRequest, number: int, age_s: float, request: Received) -> Record:
        record = Record(
            n=number,
            at_s=age_s,
            wire=ask.wire,
            model=ask.model,
            prompt=ask.prompt,
            system=ask.system,
            marks=ask.marks,
            files=ask.files,
            stream=ask.stream,
            key=ask.key,
            max_tokens=ask.max_tokens,
            body=request.body.decode(errors="replace") if self.profile.keep_bodies else None,
        )
        if ask.transcript is not None:
            record.conversation, record.step = ask.transcript.conversation, ask.transcript.step
            record.content = ask.transcript.content
        self.ledger.keep(record)
        return record

    def _outage(self, ask: IncomingRequest, age_s: float) -> Outage | None:
        for outage in self.profile.outages:
            if outage.lasts(age_s) and matches(outage.wire, ask.wire) and matches(outage.model, ask.model):
                return outage
        return None

    def _admit(self, handler: RequestHandler, age_s: float) -> bool:
        handler.cost = cost_of(handler.answer)
        verdict = self._limits.admit(handler.answer.ask, handler.cost, age_s)
        if not isinstance(verdict, Refusal):
            handler.admitted = verdict
            return True
        wire = handler.wire
        trouble = refusal_trouble(verdict, handler.answer.ask, age_s, time.time())
        reply = trouble_reply(wire, trouble, self._lines(wire, handler.answer.n))
        handler.play(iter((reply,)), "refused", trouble.status, "none")
        return False

    def _judge(self, handler: RequestHandler) -> bool:
        """Whether the request is right in what it says about tools; otherwise it is refused."""
        ask = handler.answer.ask
        if ask.transcript is None:
            return True
        profile, spec = self.profile, handler.drawn.behaviour.tool_turns or ToolTurns()
        wrong = refuse_tools(
            ask.wire,
            ask.model,
            ask.transcript,
            no_tools=profile.no_tools,
            responses_only=profile.responses_only,
        ) or judge(ask.wire, spec, ask.transcript)
        if wrong is None:
            return True
        if handler.record is not None:
            handler.record.verdict = wrong.message
        trouble = Trouble(status=wrong.status, message=wrong.message, code=wrong.code, param=wrong.param)
        reply = trouble_reply(handler.wire, trouble, self._lines(handler.wire, handler.answer.n))
        handler.play(iter((reply,)), "invalid", wrong.status, "none")
        return False

    def _queues_for(self, ask: IncomingRequest) -> list[SlotQueue]:
        queues = []
        for place, limiter in enumerate(self._slots):
            if fits(limiter, ask):
                key = (place, scope(limiter, ask))
                queue = self._queues.get(key)
                if queue is None:
                    queue = self._queues[key] = SlotQueue(limiter.k)
                queues.append(queue)
        return queues

    def _perform(self, handler: RequestHandler, outage: Behaviour | None = None) -> None:
        behaviour = outage or handler.drawn.behaviour
        lines = self._lines(handler.wire, handler.answer.n)
        if handler.admitted:
            lines += header_lines(self._limit_headers(handler))
        if behaviour.headers:
            lines += header_lines(behaviour.headers)
        scene = Scene(
            wire=handler.wire,
            ask=handler.answer.ask,
            behaviour=behaviour,
            answer=handler.answer,
            latency_s=0.0 if outage else handler.latency_s,
            lines=lines,
        )
        sound = behaviour.fault == "none"
        fate: Fate = "refused" if outage else "answered" if sound else "faulted"
        handler.play(script(scene), fate, status_of(behaviour), behaviour.fault)

    def _limit_headers(self, handler: RequestHandler) -> dict[str, str]:
        headers: dict[str, str] = {}
        age_s, now_unix = self.ledger.age_s(), time.time()
        for limiter in handler.admitted:
            budget = limiter.budget(age_s)
            if budget is not None:
                spelling = hints.dialect(limiter.spec.headers, handler.wire.name)
                headers |= hints.limit_headers(spelling, budget, now_unix, refused=False)
        return headers

    def _lines(self, wire: ServerWire, number: int) -> str:
        now = int(time.time())
        if now != self._date[0]:
            self._date = (now, f"date: {formatdate(now, usegmt=True)}\r\nserver: faultserver\r\n")
        return self._date[1] + wire.headers(number)

    # --- what is not a question

    def _run_errand(self, connection: Connection, request: Received, where: Route) -> None:
        if where.errand == "list":
            self._list(connection, request, where.wire)
            return
        lines = self._lines(where.wire, 0)
        if where.errand in ("upload", "file"):
            reply = (
                self.uploads.upload(request, self.url)
                if where.errand == "upload"
                else self.uploads.file(request)
            )
            connection.play(iter((whole(200, JSON, reply.body, lines + header_lines(reply.headers)),)))
            return
        body = self._errand(request, where)
        if body is None:
            trouble = Trouble(status=404, message=f"no such address: {request.path}")
            connection.play(iter((trouble_reply(where.wire, trouble, lines),)))
        else:
            kind = "application/x-ndjson" if where.errand == "pull" else JSON
            connection.play(iter((whole(200, kind, body, lines),)))

    def _errand(self, request: Received, where: Route) -> bytes | None:
        match where.errand:
            case "ledger":
                return self.ledger.as_json(records=request.arguments.get("records") != "0")
            case "reset":
                self.reset()
                return b"{}"
            case "profile":
                self.use(parse_profile(request.body))
                return b"{}"
            case "count":
                return count_tokens(request, where)
            case "version":
                return b'{"version":"0.12.0"}'
            case "show":
                return show(tools=not fits_any(model_of(request), self.profile.no_tools))
            case "props":
                return props(tools=not fits_any("".join(self.profile.models[:1]), self.profile.no_tools))
            case "pull":
                return pull()
        return None

    def _list(self, connection: Connection, request: Received, wire: ServerWire) -> None:
        self.ledger.listings += 1
        profile = self.profile
        if profile.require_key and wire.name != "ollama" and key_of(request, wire) is None:
            raise BadAsk("", 401)
        behaviour, latency_s = profile.listing, self._listing.latency_s()
        body = wire.listing(profile.models, request.arguments, profile.page_size, profile.no_tools)
        ask = IncomingRequest(wire=wire.name, model="", prompt="")
        answer = answer_to(ask, behaviour, 0, time.time(), latency_s)
        lines = self._lines(wire, 0) + header_lines(behaviour.headers)
        scene = Scene(
            wire=wire,
            ask=ask,
            behaviour=behaviour,
            answer=answer,
            latency_s=latency_s,
            lines=lines,
            body=body,
        )
        connection.play(script(scene))


def refusal_trouble(refusal: Refusal, ask: IncomingRequest, now: float, now_unix: float) -> Trouble:
    """Return what a refused request is told, in the words and headers of its wire."""
    limiter, limit = refusal.limiter, refusal.limiter.load.limit
    resource, budget = hints.resource_words(limiter.resource), limiter.budget(now)
    headers = {}
    if budget is not None:
        spelling = hints.dialect(limiter.spec.headers, ask.wire)
        headers = hints.limit_headers(spelling, budget, now_unix, refused=True)
    message = (
        f"Request too large for {ask.model} on {resource}: Limit {limit:.0f}, Requested {refusal.amount:.0f}."
        if refusal.never
        else f"Rate limit reached for {ask.model} on {resource}: Limit {limit:.0f}."
    )
    return Trouble(
        status=limiter.spec.status,
        message=message,
        code="tokens" if "tokens" in resource and ask.wire in ("openai", "responses") else None,
        # Up by a millisecond at most: who waits as long as he was told is admitted.
        retry_after_s=None if refusal.hint_s is None else math.ceil(refusal.hint_s * 1000) / 1000,
        quota=Quota(resource=resource, limit=limit, per_s=limiter.per_s),
        headers=headers,
    )
