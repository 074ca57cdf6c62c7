"""Every fault of the fault server does what it says, on every wire, whole and streamed."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Callable
from typing import NamedTuple

import anthropic
import msgspec
import openai
import pytest

from provider import Provider, chat, contents, fetch, provider
from umwelten.simulate.faultserver import Behaviour, Outage, Profile

TEXT = "one two three four five six seven eight"


class Door(NamedTuple):
    """An address, what is sent there, and what the end of a sound stream looks like."""

    path: str
    body: dict[str, object]
    end: bytes


ASKED = chat("hi", max_tokens=50)
HI: dict[str, object] = {"text": "hi"}
WHOLE = {
    "openai": Door("/v1/chat/completions", ASKED, b""),
    "openrouter": Door("/api/v1/chat/completions", ASKED, b""),
    "anthropic": Door("/v1/messages", ASKED, b""),
    "gemini": Door("/v1beta/models/m:generateContent", contents(HI), b""),
    "ollama": Door("/api/chat", ASKED | {"stream": False}, b""),
}
STREAMED = {
    "openai": Door("/v1/chat/completions", ASKED | {"stream": True}, b"[DONE]"),
    "openrouter": Door("/api/v1/chat/completions", ASKED | {"stream": True}, b"[DONE]"),
    "anthropic": Door("/v1/messages", ASKED | {"stream": True}, b"message_stop"),
    "gemini": Door("/v1beta/models/m:streamGenerateContent?alt=sse", contents(HI), b"finishReason"),
    "gemini array": Door("/v1beta/models/m:streamGenerateContent", contents(HI), b"finishReason"),
    "ollama": Door("/api/chat", ASKED, b'"done":true'),
}
every_stream = pytest.mark.parametrize("door", STREAMED.values(), ids=STREAMED.keys())
every_whole = pytest.mark.parametrize("door", WHOLE.values(), ids=WHOLE.keys())
every_door = pytest.mark.parametrize(
    "door",
    [*WHOLE.values(), *STREAMED.values()],
    ids=[*WHOLE, *(f"{name} stream" for name in STREAMED)],
)


class Heard(NamedTuple):
    """All that came over a raw connection and how it ended: "closed", "reset" or "silent"."""

    data: bytes
    end: str

    @property
    def head(self) -> bytes:
        return self.data.partition(b"\r\n\r\n")[0]

    @property
    def body(self) -> bytes:
        body = self.data.partition(b"\r\n\r\n")[2]
        return unchunked(body) if b"transfer-encoding: chunked" in self.head else body


def unchunked(data: bytes) -> bytes:
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        parts.append(data[: int(size, 16)])
        data = data[int(size, 16) + 2 :]
    return b"".join(parts)


def hear(port: int, door: Door, *, wait_s: float = 5.0, close: bool = True) -> Heard:
    body = msgspec.json.encode(door.body)
    last = "Connection: close\r\n" if close else ""
    head = f"POST {door.path} HTTP/1.1\r\nHost: x\r\nAnthropic-Version: 2023-06-01\r\n{last}"
    with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        data = b""
        try:
            while piece := client.recv(65_536):
                data += piece
        except ConnectionResetError:
            return Heard(data, "reset")
        except TimeoutError:
            return Heard(data, "silent")
        return Heard(data, "closed")


def hear_fault(door: Door, behaviour: Behaviour, *, wait_s: float = 5.0) -> Heard:
    with provider(Profile(default=behaviour)) as server:
        return hear(server.port, door, wait_s=wait_s)


def faulty(fault: str) -> Behaviour:
    return Behaviour(fault=fault, text=TEXT, message="it broke")  # type: ignore[arg-type]


# --- the line breaks -----------------------------------------------------------------------------


@every_door
def test_reset_before_gives_nothing_but_a_reset(door: Door) -> None:
    assert hear_fault(door, faulty("reset_before")) == Heard(b"", "reset")


@every_door
def test_reset_headers_comes_after_the_head(door: Door) -> None:
    heard = hear_fault(door, faulty("reset_headers"))
    assert heard.data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert heard.data.endswith(b"\r\n\r\n")
    assert heard.end == "reset"


@every_door
def test_reset_body_comes_in_the_middle(door: Door) -> None:
    heard = hear_fault(door, faulty("reset_body"))
    assert heard.end == "reset"
    assert len(heard.body) > 20
    assert not door.end or door.end not in heard.data


def test_hang_says_nothing_until_the_client_leaves() -> None:
    with provider(Profile(default=faulty("hang"))) as server:
        assert hear(server.port, WHOLE["openai"], wait_s=0.2) == Heard(b"", "silent")
        assert server.idle().faulted == 1


@every_door
def test_hang_stream_stops_in_the_middle_without_closing(door: Door) -> None:
    heard = hear_fault(door, faulty("hang_stream"), wait_s=0.2)
    assert heard.end == "silent"
    assert len(heard.body) > 20
    assert not door.end or door.end not in heard.data


def test_drip_sends_byte_by_byte() -> None:
    door = WHOLE["openai"]
    heard = hear_fault(door, Behaviour(fault="drip", drip_s=0.001))
    assert json.loads(heard.body)["choices"]
    body = msgspec.json.encode(door.body)
    sent = b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    profile = Profile(default=Behaviour(fault="drip", drip_s=0.1))
    with provider(profile) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(sent)
        assert [client.recv(100) for _ in range(4)] == [b"H", b"T", b"T", b"P"]


@every_stream
def test_cut_stream_ends_cleanly_without_its_mark(door: Door) -> None:
    heard = hear_fault(door, faulty("cut_stream"))
    assert heard.end == "closed"
    assert heard.data.endswith(b"0\r\n\r\n")
    assert b"one" in heard.body
    assert door.end not in heard.body


@every_whole
def test_cut_stream_closes_before_the_announced_length(door: Door) -> None:
    profile = Profile(default=faulty("cut_stream"))
    with provider(profile) as server, pytest.raises(http.client.IncompleteRead):
        fetch(server.url + door.path, door.body, {"anthropic-version": "2023-06-01"})


# --- the body is wrong ---------------------------------------------------------------------------


def is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except msgspec.DecodeError:
        return False
    return True


def payloads(body: bytes) -> list[bytes]:
    """The JSON texts of a reply: lines of a stream, without what frames them; or the one body."""
    lines = [line.removeprefix(b"data: ") for line in body.splitlines()]
    return [line for line in lines if line and line != b"[DONE]" and not line.startswith((b"event:", b":"))]


@every_door
@pytest.mark.parametrize("fault", ["cut_json", "garbage"])
def test_bytes_that_are_no_json_come_in_sound_http(door: Door, fault: str) -> None:
    heard = hear_fault(door, faulty(fault))
    length = next(line for line in heard.head.split(b"\r\n") if line.startswith(b"content-length"))
    assert int(length.split()[1]) == len(heard.body) > 10
    assert not is_json(payloads(heard.body)[-1])


def test_not_http_is_not_http() -> None:
    profile = Profile(default=faulty("not_http"))
    with provider(profile) as server, pytest.raises(http.client.BadStatusLine):
        fetch(server.url + WHOLE["openai"].path, ASKED)


@every_door
def test_invalid_utf8_is_json_around_bytes_that_are_no_text(door: Door) -> None:
    heard = hear_fault(door, faulty("invalid_utf8"))
    with pytest.raises(UnicodeDecodeError):
        heard.body.decode()
    repaired = heard.body.decode(errors="replace").encode()
    assert all(is_json(text) for text in payloads(repaired)) or is_json(repaired)
    assert "caf\ufffd" in repaired.decode()


@every_door
def test_wrong_type_is_json_with_the_usual_names(door: Door) -> None:
    usual = hear_fault(door, Behaviour(text=TEXT)).body
    strange = hear_fault(door, faulty("wrong_type")).body
    names = ("choices", "candidates", "message", "content", "delta")
    assert any(f'"{name}"'.encode() in usual and f'"{name}"'.encode() in strange for name in names)
    assert is_json(payloads(strange)[0])
    assert TEXT.encode() not in b"".join(payloads(strange)[:1]) or b'"content":{' in strange


@every_door
def test_empty_is_200_without_a_body(door: Door) -> None:
    heard = hear_fault(door, faulty("empty"))
    assert heard.head.startswith(b"HTTP/1.1 200 OK")
    assert b"content-length: 0" in heard.head
    assert heard.body == b""


@every_door
def test_no_choices_ends_well_and_holds_no_answer(door: Door) -> None:
    body = hear_fault(door, faulty("no_choices")).body
    assert all(is_json(text) for text in payloads(body))
    assert b"three" not in body
    assert b'"text"' not in body
    assert b'"content":"' not in body
    # Gemini's end mark lies in the candidate that is missing.
    assert door.end in body or door.end == b"finishReason"


@every_door
def test_error_in_200_tells_an_error_after_a_good_status(door: Door) -> None:
    behaviour = Behaviour(fault="error_in_200", error_status=529, message="it broke", text=TEXT)
    heard = hear_fault(door, behaviour)
    assert heard.head.startswith(b"HTTP/1.1 200 OK")
    assert b'"error"' in heard.body
    assert b"it broke" in heard.body
    assert not door.end or (b"one" in heard.body and door.end not in heard.body)


def test_the_clients_see_an_error_inside_of_a_stream() -> None:
    with provider(Profile(default=faulty("error_in_200"))) as server:
        asked = [{"role": "user", "content": "hi"}]
        openais = openai.OpenAI(base_url=server.url + "/v1", api_key="k", max_retries=0)
        with openais, pytest.raises(openai.APIError, match="it broke"):
            list(openais.chat.completions.create(model="m", messages=asked, stream=True))
        anthropics = anthropic.Anthropic(base_url=server.url, api_key="k", max_retries=0)
        with anthropics, pytest.raises(anthropic.APIStatusError, match="it broke"):
            list(anthropics.messages.create(model="m", max_tokens=9, messages=asked, stream=True))


def text_openai(body: bytes) -> str:
    return str(json.loads(body)["choices"][0]["message"]["content"])


def text_gemini(body: bytes) -> str:
    return str(json.loads(body)["candidates"][0]["content"]["parts"][0]["text"])


@pytest.mark.parametrize(("wire", "text"), [("openai", text_openai), ("gemini", text_gemini)])
def test_huge_is_a_sound_answer_of_that_size(wire: str, text: Callable[[bytes], str]) -> None:
    with provider(Profile(default=Behaviour(fault="huge", size_mb=3))) as server:
        status, body, _ = fetch(server.url + WHOLE[wire].path, WHOLE[wire].body)
    assert status == 200
    assert 2.9e6 < len(body) < 3.1e6
    assert set(text(body)) == {"x"}


@every_door
def test_gzip_bomb_is_small_until_it_is_unpacked(door: Door) -> None:
    heard = hear_fault(door, Behaviour(fault="gzip_bomb", size_mb=2))
    assert b"content-encoding: gzip" in heard.head
    assert len(heard.body) < 20_000
    unpacked = gzip.decompress(heard.body)
    assert len(unpacked) > 1.9e6
    assert door.end in unpacked


def test_redirect_leads_to_another_host() -> None:
    heard = hear_fault(WHOLE["openai"], Behaviour(fault="redirect", redirect_to="http://other.invalid/v1"))
    assert heard.head.startswith(b"HTTP/1.1 307 ")
    assert b"location: http://other.invalid/v1" in heard.head


# --- status and hints ----------------------------------------------------------------------------

STATUSES = [400, 401, 402, 403, 404, 408, 413, 422, 429, 500, 503, 529]
ANTHROPIC_TYPES = {401: "authentication_error", 402: "billing_error", 413: "request_too_large"}
ANTHROPIC_TYPES |= {429: "rate_limit_error", 500: "api_error", 529: "overloaded_error"}
GEMINI_NAMES = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
GEMINI_NAMES |= {429: "RESOURCE_EXHAUSTED", 500: "INTERNAL", 503: "UNAVAILABLE"}


def errors_of(status: int, **fields: object) -> dict[str, tuple[dict[str, object], bytes]]:
    """What each wire says to a status: the decoded body and the head."""
    behaviour = Behaviour(fault=status, **fields)  # type: ignore[arg-type]
    with provider(Profile(default=behaviour)) as server:
        heard = {name: hear(server.port, door) for name, door in WHOLE.items()}
    for each in heard.values():
        assert each.head.startswith(f"HTTP/1.1 {status} ".encode())
    return {name: (json.loads(each.body), each.head) for name, each in heard.items()}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_comes_with_the_body_of_its_wire(status: int) -> None:
    said = {name: body for name, (body, _) in errors_of(status).items()}
    assert set(said["openai"]["error"]) == {"message", "type", "param", "code"}
    assert said["openrouter"]["error"]["code"] == status
    assert said["anthropic"]["type"] == "error"
    kind = said["anthropic"]["error"]["type"]
    assert kind == ANTHROPIC_TYPES.get(status, kind)
    assert said["gemini"]["error"]["code"] == status
    name = said["gemini"]["error"]["status"]
    assert name == GEMINI_NAMES.get(status, name)
    assert isinstance(said["ollama"]["error"], str)


def test_502_comes_as_html_as_from_a_proxy() -> None:
    heard = hear_fault(WHOLE["openai"], Behaviour(fault=502))
    assert b"content-type: text/html" in heard.head
    assert heard.body.startswith(b"<html>")


def test_the_time_to_wait_stands_where_each_wire_puts_it() -> None:
    said = errors_of(429, retry_after_s=1.25)
    for wire in ("openai", "openrouter", "anthropic", "ollama"):
        assert b"\r\nretry-after: 1.25\r\n" in said[wire][1] + b"\r\n"
    assert b"retry-after-ms: 1250" in said["openai"][1]
    body, head = said["gemini"]
    assert b"retry-after" not in head
    (info,) = body["error"]["details"]
    assert info == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.25s"}
    assert body["error"]["message"].endswith("Please retry in 1.25s.")
    for body, head in errors_of(429).values():
        assert b"retry-after" not in head
        assert "retryDelay" not in json.dumps(body)


def test_code_message_body_and_headers_can_be_given() -> None:
    said = errors_of(429, code="insufficient_quota", message="No money.", headers={"x-should-retry": "false"})
    assert said["openai"][0]["error"]["type"] == "insufficient_quota"
    assert said["openai"][0]["error"]["message"] == "No money."
    assert b"x-should-retry: false" in said["openai"][1]
    assert said["gemini"][0]["error"]["details"][0]["reason"] == "insufficient_quota"
    assert said["anthropic"][0]["error"]["details"] == {"error_code": "insufficient_quota"}
    heard = hear_fault(WHOLE["openai"], Behaviour(fault=400, body='{"detail":["odd"]}'))
    assert heard.body == b'{"detail":["odd"]}'


# --- time ----------------------------------------------------------------------------------------


def waits_of(server: Provider) -> list[float]:
    """The seconds for which answers are held back from now on, which no other program makes longer."""
    waits: list[float] = []
    loop = server._loop
    later = loop.call_later

    def noted(delay: float, callback: Callable[..., object], *arguments: object) -> object:
        if callback.__name__ == "_wake":
            waits.append(delay)
        return later(delay, callback, *arguments)

    loop.call_later = noted  # type: ignore[assignment, method-assign]
    return waits


def test_latencies_come_in_turn_and_are_kept() -> None:
    with provider(Profile(default=Behaviour(latency_s=(0.0, 0.2)))) as server:
        waits = waits_of(server)
        start = time.monotonic()
        for _ in range(3):
            fetch(server.url + "/v1/chat/completions", ASKED)
        assert time.monotonic() - start >= 0.2
    assert waits == [0.2]


def test_a_stream_keeps_its_gap_between_chunks() -> None:
    with provider(Profile(default=Behaviour(text=TEXT, chunks=5, chunk_gap_s=0.05))) as server:
        waits = waits_of(server)
        start = time.monotonic()
        fetch(server.url + "/v1/chat/completions", STREAMED["openai"].body)
        assert time.monotonic() - start >= 0.2
    assert waits == [0.05] * 4


def test_an_outage_refuses_from_its_start_to_its_end() -> None:
    outages = (Outage(from_s=0.2, to_s=0.4), Outage(from_s=0.0, to_s=9.0, fault="reset_before", model="x"))
    with provider(Profile(outages=outages)) as server:
        url, start, seen = server.url + "/v1/chat/completions", time.monotonic(), []
        while time.monotonic() - start < 0.6:
            seen.append(fetch(url, ASKED)[0])
            time.sleep(0.01)
        assert hear(server.port, Door("/v1/chat/completions", chat("hi", model="x"), b"")).end == "reset"
        ledger = server.idle()
    # By the server's own clock, which a slow client does not change.
    assert seen == [503 if 0.2 <= record.at_s < 0.4 else 200 for record in list(ledger.records)[:-1]]
    assert {seen[0], seen[-1], *seen} == {200, 503}
    assert ledger.refused == seen.count(503) + 1
