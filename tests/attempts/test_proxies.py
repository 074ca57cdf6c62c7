"""Proxies of the environment: which one is taken, what it hears, and whose fault it is that it fails."""

from __future__ import annotations

import asyncio
import base64
import os
import socket

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.attempts.proxies import PROXY, Proxy, check_proxy, proxy_for
from umwelten.attempts.transport import Transport
from umwelten.errors import ConfigError
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind, Outcome
from wirekit import KEY, place, question

NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*NAMES, *map(str.upper, NAMES), "REQUEST_METHOD"):
        monkeypatch.delenv(name, raising=False)


def proxy(
    monkeypatch: pytest.MonkeyPatch, url: str = "https://api.example/v1", **variables: str
) -> Proxy | None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return proxy_for(url)


@pytest.mark.parametrize(
    ("variables", "url", "source"),
    [
        ({"HTTPS_PROXY": "http://p:3128"}, "http://p:3128", "HTTPS_PROXY"),
        ({"https_proxy": "http://p:3128", "HTTPS_PROXY": "http://q:1"}, "http://p:3128", "https_proxy"),
        ({"ALL_PROXY": "p:3128"}, "http://p:3128", "ALL_PROXY"),
        ({"all_proxy": " https://p/ "}, "https://p:443", "all_proxy"),
        ({"HTTPS_PROXY": "http://p", "ALL_PROXY": "socks5://q:1"}, "http://p:80", "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "http://[::9]:3128"}, "http://[::9]:3128", "HTTPS_PROXY"),
    ],
)
def test_the_variable_that_counts_is_known_by_name(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], url: str, source: str
) -> None:
    taken = proxy(monkeypatch, **variables)
    assert taken is not None and (taken.url, taken.source) == (url, source)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"HTTP_PROXY": "http://p:1"},
        {"HTTPS_PROXY": "  "},
        {"https_proxy": "", "HTTPS_PROXY": "http://p:1"},
    ],
)
def test_empty_and_other_schemes_variables_name_no_proxy(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    assert proxy(monkeypatch, **variables) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("*", "https://api.example"),
        ("api.example", "https://api.example"),
        ("example", "https://api.example"),
        (".example", "https://api.example"),
        ("*.example", "https://api.example"),
        ("other, API.example ,x", "https://api.example"),
        ("other api.example", "https://api.example"),
        ("api.example:443", "https://api.example"),
        ("https://api.example", "https://api.example"),
        ("10.0.0.0/8", "http://10.1.2.3:8000"),
        ("10.1.2.3", "http://10.1.2.3:8000"),
        ("10.1.2.3:8000", "http://10.1.2.3:8000"),
        ("fd00::/8", "http://[fd00::1]:8000"),
        ("[fd00::1]:8000", "http://[fd00::1]:8000"),
        ("fd00::1", "http://[fd00::1]:8000"),
        ("", "http://localhost:1"),
        ("", "http://127.0.0.2:1"),
        ("", "http://[::1]:1"),
    ],
)
def test_what_no_proxy_exempts_goes_straight(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str
) -> None:
    proxies = {"http_proxy": "http://p:1", "https_proxy": "http://p:1", "ALL_PROXY": "socks5://p:1"}
    assert proxy(monkeypatch, url, NO_PROXY=no_proxy, **proxies) is None
    check_proxy(place("openai", url))
    check_proxy(place("openai", ""))


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("api.example:444", "https://api.example"),
        ("ample", "https://api.example"),
        ("10.0.0.0/8", "https://api.example"),
        ("10.0.0.0/8", "http://11.0.0.1"),
        ("10.1.2.3:1", "http://10.1.2.3:8000"),
        ("sub.api.example", "https://api.example"),
        (",", "https://api.example"),
    ],
)
def test_what_it_does_not_name_goes_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str
) -> None:
    assert proxy(monkeypatch, url, NO_PROXY=no_proxy, ALL_PROXY="http://p:1") is not None


@given(st.text(max_size=40), st.text(max_size=30))
def test_no_text_makes_reading_fail_in_another_way_than_refusing(text: str, no_proxy: str) -> None:
    try:
        value, exempt = (word.encode("utf-8", "strict").decode() for word in (text, no_proxy))
        os.environ["ALL_PROXY"], os.environ["NO_PROXY"] = value, exempt
    except ValueError:
        return
    try:
        taken = proxy_for("https://api.example/v1")
    except ConfigError as error:
        assert "ALL_PROXY" in error.message
    else:
        assert taken is None or taken.host
    finally:
        os.environ.pop("ALL_PROXY", None)
        os.environ.pop("NO_PROXY", None)


@pytest.mark.parametrize("scheme", ["socks", "socks4", "socks4a", "socks5", "SOCKS5", "socks5h"])
def test_a_socks_proxy_is_refused_by_its_variable_and_without_its_password(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    with pytest.raises(ConfigError, match="SOCKS proxies are not supported") as caught:
        proxy(monkeypatch, ALL_PROXY=f"{scheme}://me:hunter2@p:1080")
    text = str(caught.value)
    assert "ALL_PROXY" in text and "p:1080" in text and "NO_PROXY=api.example" in text
    assert "hunter2" not in text


@pytest.mark.parametrize(
    "value", ["ftp://me:hunter2@p:1", "http://", "http://me:hunter2@:1", "http://p:port"]
)
def test_what_is_no_proxy_is_refused_by_its_variable(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    with pytest.raises(ConfigError, match="https_proxy") as caught:
        proxy(monkeypatch, https_proxy=value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("written", "pair"),
    [
        ("me:secret", "me:secret"),
        ("me:p%40ss%2Fw%3Ard", "me:p@ss/w:rd"),
        ("me:p@ss/w#r?d", "me:p@ss/w#r?d"),
        ("dom%5Cme:é", "dom\\me:é"),
        ("me:", "me:"),
        ("me", "me:"),
    ],
)
def test_user_and_password_are_read_encoded_or_as_they_are(
    monkeypatch: pytest.MonkeyPatch, written: str, pair: str
) -> None:
    taken = proxy(monkeypatch, https_proxy=f"http://{written}@p:3128")
    assert taken is not None and (taken.host, taken.port) == ("p", 3128)
    header = taken.headers()["Proxy-Authorization"].removeprefix("Basic ")
    assert base64.b64decode(header).decode() == pair
    assert "secret" not in repr(taken) and header not in repr(taken) and header not in str(taken)


def asked(
    monkeypatch: pytest.MonkeyPatch, reply: bytes | None, target: str, user: str = ""
) -> tuple[Outcome, str, int]:
    """The outcome of a call through a proxy that gives this reply, what the proxy heard, and its port."""
    heard = ""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        writer.write(reply or b"")
        writer.close()

    async def go() -> tuple[Outcome, int]:
        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("all_proxy", f"{user}127.0.0.1:{port}")
        where = place("openai", target)
        wire = WIRES["openai"]
        if reply is None:
            server.close()
            await server.wait_closed()
        async with server, Transport(timeout_s=5) as transport:
            outcome, _ = await transport.ask(wire.encode(question("hi"), where), wire, where)
            return outcome, port

    outcome, port = asyncio.run(asyncio.wait_for(go(), 20))
    return outcome, heard, port


TARGETS = ["http://llm.internal/v1", "https://llm.internal/v1"]


def refusal(status: str, *headers: str) -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", "")).encode()


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("user", "hint"), [("", "are missing"), ("http://me:hunter2@", "are wrong")])
def test_a_proxy_that_wants_a_password_stops_the_lane(
    monkeypatch: pytest.MonkeyPatch, target: str, user: str, hint: str
) -> None:
    reply = refusal("407 Proxy Authentication Required", 'Proxy-Authenticate: Basic realm="x"')
    outcome, heard, port = asked(monkeypatch, reply, target, user)
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.status, outcome.lane_down, outcome.retry) == (PROXY, 407, True, False)
    assert f"the proxy 127.0.0.1:{port} (all_proxy) refused" in outcome.message and hint in outcome.message
    assert ("Proxy-Authorization: Basic bWU6aHVudGVyMg==" in heard) == bool(user)
    assert "hunter2" not in str(outcome)
    if target.startswith("https"):
        assert heard.startswith("CONNECT llm.internal:443") and "\r\nAuthorization" not in heard


@pytest.mark.parametrize(
    ("status", "retry"), [("403 Forbidden", False), ("502 Bad Gateway", True), ("503 No", True)]
)
def test_a_proxy_that_opens_no_tunnel_is_named(
    monkeypatch: pytest.MonkeyPatch, status: str, retry: bool
) -> None:
    outcome, _, port = asked(monkeypatch, refusal(status), TARGETS[1])
    assert isinstance(outcome, Failure)
    assert (outcome.code, outcome.retry, outcome.lane_down) == (PROXY, retry, not retry)
    assert f"the proxy 127.0.0.1:{port} (all_proxy) refused the request: {status}" in outcome.message


def test_a_page_that_only_a_proxy_sends_is_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    page = refusal("503 Service Unavailable", "X-Squid-Error: ERR_CONNECT_FAIL 111")
    outcome, _, _ = asked(monkeypatch, page, TARGETS[0])
    assert isinstance(outcome, Failure) and (outcome.code, outcome.retry) == (PROXY, True)
    outcome, _, _ = asked(monkeypatch, refusal("503 Service Unavailable"), TARGETS[0])
    assert isinstance(outcome, Failure) and outcome.code != PROXY


@pytest.mark.parametrize("target", TARGETS)
def test_a_proxy_that_is_down_is_named(monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    outcome, _, port = asked(monkeypatch, None, target)
    assert isinstance(outcome, Failure)
    assert outcome.message == f"the proxy 127.0.0.1:{port} (all_proxy) refused the connection"
    assert (outcome.kind, outcome.code) == (FailureKind.CONNECTION, PROXY)


def test_a_proxy_that_hangs_up_is_named_beside_the_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _, port = asked(monkeypatch, b"", TARGETS[0])
    assert isinstance(outcome, Failure)
    assert f"through the proxy 127.0.0.1:{port} (all_proxy)" in outcome.message


def test_an_unknown_proxy_is_not_taken_for_an_unknown_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> Outcome:
        where, wire = place("openai", TARGETS[1]), WIRES["openai"]
        async with Transport(timeout_s=5) as transport:
            return (await transport.ask(wire.encode(question("hi"), where), wire, where))[0]

    monkeypatch.setenv("ALL_PROXY", "http://proxy.invalid:3128")
    outcome = asyncio.run(asyncio.wait_for(go(), 20))
    assert isinstance(outcome, Failure)
    assert outcome.message == "the proxy proxy.invalid:3128 (ALL_PROXY) is not known by that name"


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("status", ["407", "403", "502"])
def test_a_proxy_that_repeats_its_password_or_the_key_is_not_quoted(
    monkeypatch: pytest.MonkeyPatch, target: str, status: str
) -> None:
    said = f"{status} me:hunter2 bWU6aHVudGVyMg== {KEY}"
    reply = refusal(said, f"X-Squid-Error: {said}", f"X-Request-Id: {said}")
    outcome, _, _ = asked(monkeypatch, reply, target, "http://me:hunter2@")
    assert isinstance(outcome, Failure) and outcome.code == PROXY
    assert not any(secret in str(outcome) for secret in ("hunter2", "bWU6aHVudGVyMg", KEY))
    assert "***" in outcome.message


def test_a_plain_call_goes_through_it_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}'
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )
    outcome, heard, _ = asked(monkeypatch, reply, TARGETS[0], "http://me:hunter2@")
    assert not isinstance(outcome, Failure)
    assert heard.startswith("POST http://llm.internal/v1/chat/completions ")
    assert "Proxy-Authorization: Basic bWU6aHVudGVyMg==" in heard


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "all_proxy"])
@pytest.mark.parametrize(
    "address", ["8.8.8.8:3128", "https://proxy.example", "u:secret-word@1.1.1.1:80", "p"]
)
@pytest.mark.parametrize("key", ["k" * 20, None])
def test_a_proxy_on_the_open_network_gets_nothing_unencrypted(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str, key: str | None
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("8.8.8.8", 0))])
    monkeypatch.setenv(variable, address)
    there = place("openai", "http://10.0.0.1:8000/v1", key=key)
    with pytest.raises(ConfigError, match="unencrypted") as caught:
        check_proxy(there)
    assert variable in str(caught.value) and "secret-word" not in str(caught.value)
    allowed = msgspec.structs.replace(there.vendor, allow_insecure=True)
    check_proxy(msgspec.structs.replace(there, vendor=allowed))
    check_proxy(place("openai", "http://127.0.0.1:8000/v1"))
    monkeypatch.setenv("HTTPS_PROXY", address)
    check_proxy(place("openai", "https://10.0.0.1:8000/v1"))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "localhost:1", "[::1]:1", "192.168.0.1:1", "p:1"])
def test_a_proxy_of_ones_own_may_get_what_is_not_encrypted(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("10.9.9.9", 0))])
    monkeypatch.setenv("HTTP_PROXY", f"http://{address}")
    check_proxy(place("openai", "http://10.0.0.1:8000/v1"))
