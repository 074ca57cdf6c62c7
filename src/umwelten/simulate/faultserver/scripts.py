"""What goes over the wire for a behaviour: the sound reply, and one script for each fault. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from itertools import chain

from umwelten.simulate.faultserver import hints
from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.connection import Step, Stop
from umwelten.simulate.faultserver.profile import Behaviour
from umwelten.simulate.faultserver.wires import ScriptedAnswer, ServerWire, Trouble
from umwelten.simulate.faultserver.wires.base import cut
from umwelten.types import FrozenStruct

JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_BAD_GATEWAY = (
    b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)
_LAST_CHUNK = b"0\r\n\r\n"
_BLOCK = b"x" * 65_536
# A character of the private use area stands for what JSON could not hold, until the JSON is made.
_HOLE = "\ue000"
# Long enough for the bytes before a reset to leave, short enough not to slow a test.
_FLUSH_S = 0.02
_PHRASES = {status.value: status.phrase for status in HTTPStatus} | {529: "Overloaded"}


class Scene(FrozenStruct):
    """All that a script needs. `lines` are finished header lines, `latency_s` passes before any byte."""

    wire: ServerWire
    ask: IncomingRequest
    behaviour: Behaviour
    answer: ScriptedAnswer
    latency_s: float = 0.0
    lines: str = ""
    body: bytes | None = None

    def unary(self) -> bytes:
        """The sound body of a reply that is no stream: `body`, or the answer in the wire's words."""
        return self.wire.unary(self.answer) if self.body is None else self.body


def script(scene: Scene) -> Iterator[Step]:
    """The steps of a reply."""
    fault = scene.behaviour.fault
    steps: Iterator[Step]
    if isinstance(fault, int):
        steps = iter((_status(scene, fault),))
    elif fault == "none":
        steps = _sound(scene)
    else:
        steps = _FAULTS[fault](scene)
    return chain((scene.latency_s,), steps) if scene.latency_s > 0 else steps


def status_of(behaviour: Behaviour) -> int:
    """The HTTP status that goes out; 0 for none."""
    if isinstance(behaviour.fault, int):
        return behaviour.fault
    return {"reset_before": 0, "hang": 0, "not_http": 0, "redirect": 307}.get(behaviour.fault, 200)


def head(status: int, content_type: str, length: int | None, lines: str = "") -> bytes:
    """A reply's head; a body of unknown `length` comes in chunks."""
    size = "transfer-encoding: chunked" if length is None else f"content-length: {length}"
    phrase = _PHRASES.get(status, "Unknown")
    return f"HTTP/1.1 {status} {phrase}\r\ncontent-type: {content_type}\r\n{size}\r\n{lines}\r\n".encode(
        "latin-1"
    )


def whole(status: int, content_type: str, body: bytes, lines: str = "") -> bytes:
    """A complete reply."""
    return head(status, content_type, len(body), lines) + body


def header_lines(headers: Mapping[str, str]) -> str:
    """Headers as text."""
    return "".join([f"{name}: {value}\r\n" for name, value in headers.items()])


def trouble_reply(wire: ServerWire, trouble: Trouble, lines: str = "", body: bytes | None = None) -> bytes:
    """An error as the wire tells it; `body` replaces the wire's own."""
    headers = dict(trouble.headers)
    if trouble.retry_after_s is not None:
        headers |= hints.retry_headers(trouble.retry_after_s, wire.name)
    html = trouble.status == 502 and body is None
    body = _BAD_GATEWAY if html else body
    lines += header_lines(headers)
    return whole(
        trouble.status, _HTML if html else JSON, wire.error(trouble) if body is None else body, lines
    )


def _status(scene: Scene, status: int) -> bytes:
    behaviour = scene.behaviour
    trouble = Trouble(
        status=status,
        message=behaviour.message,
        code=behaviour.code,
        retry_after_s=behaviour.retry_after_s,
    )
    body = None if behaviour.body is None else behaviour.body.encode()
    return trouble_reply(scene.wire, trouble, scene.lines, body)


# --- a sound reply ---------------------------------------------------------------------------


def _frames(scene: Scene, answer: ScriptedAnswer | None = None) -> tuple[list[bytes], list[bytes]]:
    answer = answer or scene.answer
    behaviour = scene.behaviour
    # Broken off half way, a stream needs pieces on both sides of the break.
    count = behaviour.chunks if behaviour.fault == "none" else max(4, behaviour.chunks)
    return scene.wire.frames(answer, cut(answer.text, count))


def _stream_head(scene: Scene, length: int | None = None, lines: str = "") -> bytes:
    return head(200, scene.wire.stream_type(scene.ask), length, scene.lines + lines)


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _sound(scene: Scene) -> Iterator[Step]:
    if not scene.ask.stream:
        return iter((whole(200, JSON, scene.unary(), scene.lines),))
    deltas, ends = _frames(scene)
    gap = scene.behaviour.chunk_gap_s
    if gap > 0:
        return _pace(_stream_head(scene), deltas, _chunk(b"".join(ends)) + _LAST_CHUNK, gap)
    chunks = [_chunk(frame) for frame in (*deltas, *ends)]
    return iter((b"".join((_stream_head(scene), *chunks, _LAST_CHUNK)),))


def _pace(start: bytes, deltas: list[bytes], end: bytes, gap_s: float) -> Iterator[Step]:
    yield start
    for place, delta in enumerate(deltas):
        if place:
            yield gap_s
        yield _chunk(delta)
    yield end


# --- faults ----------------------------------------------------------------------------------


def _reply(scene: Scene, body: bytes) -> bytes:
    """A whole reply with this body, stream or not."""
    content_type = scene.wire.stream_type(scene.ask) if scene.ask.stream else JSON
    return whole(200, content_type, body, scene.lines)


def _half(scene: Scene) -> bytes:
    """A reply up to its middle, without anything that ends it."""
    if scene.ask.stream:
        deltas, _ = _frames(scene)
        return _stream_head(scene) + b"".join(_chunk(delta) for delta in deltas[: (len(deltas) + 1) // 2])
    body = scene.unary()
    return head(200, JSON, len(body), scene.lines) + body[: len(body) // 2]


def _reset_before(scene: Scene) -> Iterator[Step]:
    yield Stop.RESET


def _reset_headers(scene: Scene) -> Iterator[Step]:
    yield _stream_head(scene) if scene.ask.stream else head(200, JSON, 1000, scene.lines)
    yield _FLUSH_S
    yield Stop.RESET


def _reset_body(scene: Scene) -> Iterator[Step]:
    yield _half(scene)
    yield _FLUSH_S
    yield Stop.RESET


def _hang(scene: Scene) -> Iterator[Step]:
    yield Stop.HANG


def _hang_stream(scene: Scene) -> Iterator[Step]:
    yield _half(scene)
    yield Stop.HANG


def _drip(scene: Scene) -> Iterator[Step]:
    for step in _sound(scene):
        for byte in step if isinstance(step, bytes) else b"":
            yield bytes((byte,))
            yield scene.behaviour.drip_s


def _cut_json(scene: Scene) -> Iterator[Step]:
    if scene.ask.stream:
        frames = [frame for part in _frames(scene) for frame in part]
        middle = len(frames) // 2
        body = b"".join(frames[:middle]) + frames[middle][: len(frames[middle]) // 2]
    else:
        body = scene.unary()
        body = body[: len(body) // 2]
    yield _reply(scene, body)


def _cut_stream(scene: Scene) -> Iterator[Step]:
    yield _half(scene)
    if scene.ask.stream:
        yield _LAST_CHUNK
    yield Stop.CLOSE


def _garbage(scene: Scene) -> Iterator[Step]:
    start = "data: " if "event-stream" in scene.wire.stream_type(scene.ask) and scene.ask.stream else ""
    yield _reply(scene, f"{start}<<< this is no JSON }}{{\n\n".encode())


def _not_http(scene: Scene) -> Iterator[Step]:
    yield b"\x16\x03\x01 this is no HTTP\r\n\r\n"
    yield Stop.CLOSE


def _invalid_utf8(scene: Scene) -> Iterator[Step]:
    yield _reply(scene, _text_of(scene, f"caf{_HOLE} au lait").replace(_HOLE.encode(), b"\xe9\xff\xfe"))


def _wrong_type(scene: Scene) -> Iterator[Step]:
    if not scene.ask.stream:
        yield _reply(scene, scene.wire.wrong_type(scene.answer))
        return
    ends = _frames(scene)[1] if scene.ask.sse else []
    yield _reply(scene, b"".join((scene.wire.wrong_frame(scene.answer), *ends)))


def _empty(scene: Scene) -> Iterator[Step]:
    yield _reply(scene, b"")


def _no_choices(scene: Scene) -> Iterator[Step]:
    if scene.ask.stream:
        deltas, ends = scene.wire.hollow_frames(scene.answer)
        yield _reply(scene, b"".join(deltas + ends))
    else:
        yield _reply(scene, scene.wire.hollow(scene.answer))


def _no_text(scene: Scene) -> Iterator[Step]:
    yield _reply(scene, _text_of(scene, ""))


def _error_in_200(scene: Scene) -> Iterator[Step]:
    behaviour = scene.behaviour
    trouble = Trouble(status=behaviour.error_status, message=behaviour.message, code=behaviour.code)
    if scene.ask.stream:
        yield _half(scene)
        yield _chunk(scene.wire.error_frame(trouble, scene.ask)) + _LAST_CHUNK
    else:
        yield _reply(scene, scene.wire.error(trouble))


def _redirect(scene: Scene) -> Iterator[Step]:
    yield whole(307, JSON, b"{}", f"{scene.lines}location: {scene.behaviour.redirect_to}\r\n")


def _text_of(scene: Scene, text: str) -> bytes:
    """The body of a reply whose text is another one."""
    answer = ScriptedAnswer(
        **{name: getattr(scene.answer, name) for name in ScriptedAnswer.__struct_fields__} | {"text": text}
    )
    if not scene.ask.stream:
        return scene.wire.unary(answer)
    deltas, ends = scene.wire.frames(answer, [text, ""])
    return b"".join(deltas + ends)


def _bulk(scene: Scene) -> tuple[bytes, int, bytes]:
    """A huge body: what comes before the text, how many blocks of it, what comes after."""
    before, _, after = _text_of(scene, _HOLE).partition(_HOLE.encode())
    return before, max(1, int(scene.behaviour.size_mb * 1e6) // len(_BLOCK)), after


def _huge(scene: Scene) -> Iterator[Step]:
    before, blocks, after = _bulk(scene)
    content_type = scene.wire.stream_type(scene.ask) if scene.ask.stream else JSON
    length = len(before) + blocks * len(_BLOCK) + len(after)
    yield head(200, content_type, length, scene.lines) + before
    for _ in range(blocks):
        yield _BLOCK
    yield after


def _gzip_bomb(scene: Scene) -> Iterator[Step]:
    before, blocks, after = _bulk(scene)
    packer = zlib.compressobj(9, wbits=31)
    parts = [packer.compress(part) for part in chain((before,), (_BLOCK for _ in range(blocks)), (after,))]
    body = b"".join((*parts, packer.flush()))
    content_type = scene.wire.stream_type(scene.ask) if scene.ask.stream else JSON
    yield whole(200, content_type, body, f"{scene.lines}content-encoding: gzip\r\n")


_FAULTS: dict[str, Callable[[Scene], Iterator[Step]]] = {
    "reset_before": _reset_before,
    "reset_headers": _reset_headers,
    "reset_body": _reset_body,
    "hang": _hang,
    "hang_stream": _hang_stream,
    "drip": _drip,
    "cut_json": _cut_json,
    "cut_stream": _cut_stream,
    "garbage": _garbage,
    "not_http": _not_http,
    "invalid_utf8": _invalid_utf8,
    "wrong_type": _wrong_type,
    "empty": _empty,
    "no_choices": _no_choices,
    "no_text": _no_text,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
    "redirect": _redirect,
    "error_in_200": _error_in_200,
}
