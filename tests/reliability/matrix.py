"""Fault × wire × mode: what each cell must come to, and real exchanges over sockets to see that it does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

from provider import Provider, provider
from reliability.listeners import Listener, listener, self_signed
from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import Endpoint, Quirks, Vendor
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.types import (
    Failure,
    FrozenStruct,
    ModelRef,
    Outcome,
    Parameters,
    Reply,
    Request,
    Secret,
)
from wirekit import user

KEY = "test-key-matrix-5d1f0c9a77"
TIMEOUT_S = 0.3
PATIENT_S = 5.0
"""The time-out where none is meant to come: on a slow machine a burst of first questions takes its time."""

ROOTS = {"openai": "/v1", "gemini": "", "anthropic": "", "ollama": ""}
"""The wires, each with what its base address ends in."""

MODES = ("unary", "stream")


class Fault(FrozenStruct):
    """A row of the matrix.

    `kind` is what the failure must be called ("answer": none), `code` a word that it carries, `within_s` the
    longest that it may take, also where other programs run. `others` are wires that call it something else;
    `why` says why. `partial`: a stream keeps the text that had come. `down`: the lane stops.
    """

    name: str
    kind: str
    behaviour: Behaviour | None = None
    code: str | None = None
    others: Mapping[str, str] = MappingProxyType({})
    timeout_s: float = PATIENT_S
    within_s: float = 20.0
    partial: bool = False
    down: bool = False
    why: str = ""

    def expected(self, wire: str) -> str:
        """The kind on this wire."""
        return self.others.get(wire, self.kind)

    @property
    def heavy(self) -> bool:
        """Whether it keeps the processor busy, so that others at the same time would be late."""
        return self.behaviour is not None and self.behaviour.fault in ("huge", "gzip_bomb")


_SHAPES = ("size_mb", "drip_s", "retry_after_s", "error_status")


def _server(name: str, fault: str | int, **more: object) -> Fault:
    shape = {name: more.pop(name) for name in _SHAPES if name in more}
    return Fault(name=name, behaviour=Behaviour(fault=fault, **shape), **more)  # type: ignore[arg-type]


FAULTS = (
    _server("500", 500, kind="server"),
    _server("502 with HTML", 502, kind="server"),
    _server("429 storm", 429, kind="rate_limit", retry_after_s=0.5),
    _server("reset before the response", "reset_before", kind="connection"),
    _server("reset after the headers", "reset_headers", kind="connection"),
    _server("reset in the body", "reset_body", kind="connection", partial=True),
    _server("no response", "hang", kind="timeout", code="timeout", timeout_s=TIMEOUT_S),
    _server(
        "stalled stream",
        "hang_stream",
        kind="timeout",
        code="timeout",
        timeout_s=TIMEOUT_S,
        partial=True,
    ),
    _server(
        "one byte at a time",
        "drip",
        kind="timeout",
        timeout_s=TIMEOUT_S,
        drip_s=0.05,
        why="a stream may take ten timeouts in total while bytes keep arriving",
    ),
    _server("truncated JSON", "cut_json", kind="server"),
    _server("truncated stream", "cut_stream", kind="server", partial=True),
    _server("invalid JSON", "garbage", kind="server"),
    _server("invalid HTTP", "not_http", kind="server"),
    _server(
        "invalid UTF-8",
        "invalid_utf8",
        kind="answer",
        why="an answer in which invalid bytes are replaced by U+FFFD",
    ),
    _server("wrong types", "wrong_type", kind="server"),
    _server("empty body", "empty", kind="server"),
    _server(
        "no choices",
        "no_choices",
        kind="server",
        others={"anthropic": "empty"},
        why="an empty list is how Anthropic returns an answer without text",
    ),
    _server("answer without text", "no_text", kind="empty"),
    _server("error in a 200 response", "error_in_200", kind="server", error_status=500),
    _server("100 MB response", "huge", kind="server", size_mb=100.0, timeout_s=60.0, within_s=60.0),
    _server("gzip bomb, 100 MB", "gzip_bomb", kind="server", size_mb=100.0, timeout_s=60.0, within_s=60.0),
    _server("redirect to another host", "redirect", kind="unavailable", code="redirect", down=True),
    Fault(
        name="response after the timeout",
        kind="timeout",
        code="timeout",
        timeout_s=TIMEOUT_S,
        behaviour=Behaviour(latency_s=TIMEOUT_S * 6),  # silence counts anew after a stall of the loop
    ),
    Fault(name="TLS: self-signed", kind="unavailable", code="tls", down=True),
    Fault(name="TLS: plaintext server", kind="unavailable", code="tls", down=True),
    Fault(name="TLS: closed in the handshake", kind="connection"),
    Fault(name="connection refused", kind="connection", code="refused"),
    Fault(name="unknown host", kind="connection", code="dns", timeout_s=15.0, within_s=15.0),
)


class Cell(FrozenStruct):
    """What came out: of the question that met the fault, and of the sound one `after` it."""

    fault: str
    wire: str
    mode: str
    outcome: Outcome
    took_s: float
    after: Outcome

    @property
    def kind(self) -> str:
        """The failure's kind, or "answer"."""
        return str(self.outcome.kind) if isinstance(self.outcome, Failure) else "answer"


class Bench:
    """A provider that misbehaves when the prompt says so, and the places that are no provider at all."""

    def __init__(self, server: Provider, elsewhere: Listener, places: dict[str, str]) -> None:
        self._server, self._elsewhere, self._places = server, elsewhere, places

    def run(self) -> dict[tuple[str, str, str], Cell]:
        """All cells by fault, wire and mode: those that mostly wait together, the heavy ones alone."""
        return asyncio.run(self._run())

    async def _run(self) -> dict[tuple[str, str, str], Cell]:
        keys = [(fault, wire, mode) for fault in FAULTS for wire in ROOTS for mode in MODES]
        async with Transport(timeout_s=15.0) as transport:
            # What only the first question costs is not measured against the short time-outs below.
            for wire in ROOTS:
                await ask(transport, wire, self._server.url + ROOTS[wire], "all is well", stream=True)
        many, one = asyncio.Semaphore(24), asyncio.Semaphore(1)
        found: list[Cell] = []
        for heavy, gate in ((False, many), (True, one)):
            found += await asyncio.gather(*(self._try(gate, *key) for key in keys if key[0].heavy is heavy))
        return {(cell.fault, cell.wire, cell.mode): cell for cell in found}

    async def _try(self, gate: asyncio.Semaphore, fault: Fault, wire: str, mode: str) -> Cell:
        """One question that meets the fault, then one through the same client that does not."""
        good, stream = self._server.url, mode == "stream"
        base = self._places.get(fault.name, good) + ROOTS[wire]
        async with gate, Transport(timeout_s=fault.timeout_s) as transport:
            began = time.monotonic()
            outcome = await ask(transport, wire, base, f"[{fault.name}]", stream)
            took_s = time.monotonic() - began
            # A connection that is broken, or still busy with the fault, would spoil this one.
            after = await ask(transport, wire, good + ROOTS[wire], "all is well", stream)
        return Cell(fault=fault.name, wire=wire, mode=mode, outcome=outcome, took_s=took_s, after=after)

    @property
    def elsewhere(self) -> int:
        """How often someone came to where the redirect leads."""
        return self._elsewhere.connections


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Everything that the matrix needs, while the block lasts. `folder` holds a certificate."""
    with listener() as elsewhere, listener(answer=b"HTTP/1.1 200 OK\r\n\r\n") as plain, listener() as cut:
        rules = tuple(_rule(fault, elsewhere) for fault in FAULTS if fault.behaviour is not None)
        with provider(Profile(rules=rules)) as server, listener(tls=self_signed(folder)) as tls:
            places = {
                "TLS: self-signed": f"https://127.0.0.1:{tls.port}",
                "TLS: plaintext server": f"https://127.0.0.1:{plain.port}",
                "TLS: closed in the handshake": f"https://127.0.0.1:{cut.port}",
                "connection refused": "http://127.0.0.1:9",
                "unknown host": "http://nowhere.invalid",
            }
            yield Bench(server, elsewhere, places)


def _rule(fault: Fault, elsewhere: Listener) -> Rule:
    behaviour = fault.behaviour
    assert behaviour is not None
    if behaviour.fault == "redirect":
        behaviour = Behaviour(fault="redirect", redirect_to=f"http://127.0.0.1:{elsewhere.port}/v1")
    return Rule(prompt=f"[{fault.name}]", behaviour=behaviour)


def problems(fault: Fault, cell: Cell) -> list[str]:
    """What is not as it should be; empty for a green cell."""
    failure = cell.outcome if isinstance(cell.outcome, Failure) else None
    found = []
    if cell.kind != fault.expected(cell.wire):
        found.append(f"{cell.kind} instead of {fault.expected(cell.wire)}: {cell.outcome}")
    if cell.took_s > fault.within_s:
        found.append(f"{cell.took_s:.1f} s")
    if not isinstance(cell.after, Reply) or "all is well" not in cell.after.text:
        found.append(f"the next call failed: {cell.after}")
    if failure is not None and fault.code is not None and failure.code != fault.code:
        found.append(f"code {failure.code}")
    if failure is not None and failure.lane_down != fault.down:
        found.append(f"lane_down {failure.lane_down}")
    if failure is not None and fault.partial and cell.mode == "stream" and not failure.partial:
        found.append("no partial text")
    if KEY in repr(cell.outcome):
        found.append("it tells the key")
    return found


def table(cells: dict[tuple[str, str, str], Cell]) -> str:
    """The matrix as markdown: the kind in every cell, with a mark where something is wrong."""
    heads = [f"{wire} {mode}" for wire in ROOTS for mode in MODES]
    lines = ["| fault | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    notes: list[str] = []
    for fault in FAULTS:
        row = [cells[fault.name, wire, mode] for wire in ROOTS for mode in MODES]
        marks = [cell.kind + (" ✗" if problems(fault, cell) else "") for cell in row]
        if fault.why:
            notes.append(f"{fault.name}: {fault.why}.")
        name = f"{fault.name} ({len(notes)})" if fault.why else fault.name
        lines.append(f"| {name} | " + " | ".join(marks) + " |")
    return "\n".join([*lines, "", *(f"({n}) {note}" for n, note in enumerate(notes, 1))])


async def ask_at(wire: str, base: str, mode: str, *, timeout_s: float) -> Cell:
    """One question to an address, on a client of its own."""
    async with Transport(timeout_s=timeout_s) as transport:
        outcome = await ask(transport, wire, base, "go", mode == "stream")
    return Cell(fault="", wire=wire, mode=mode, outcome=outcome, took_s=0.0, after=outcome)


async def ask(transport: Transport, wire: str, base: str, prompt: str, stream: bool) -> Outcome:
    """One question and what became of it."""
    adapter = WIRES[wire]
    vendor = Vendor(name=wire, wire=wire, base_url=base, quirks=Quirks())
    endpoint = Endpoint(vendor=vendor, base_url=base, api_key=Secret(KEY))
    request = Request(
        model=ModelRef(wire, "m"), messages=(user(prompt),), parameters=Parameters(), stream=stream
    )
    outcome, _ = await transport.ask(adapter.encode(request, endpoint), adapter, endpoint, stream=stream)
    return outcome
