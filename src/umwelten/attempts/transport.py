"""HTTP: one exchange an attempt. With `connections` and `reading`, all that knows aiohttp's client.

It never follows a redirect and never reuses a connection whose reply it did not read to the end. It
retries nothing that a server may have seen. Whatever goes wrong is returned as a `Failure`; only
cancellation is raised. No key is in what is returned.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from umwelten.attempts.connections import Connector, Exchange
from umwelten.attempts.deadlines import Deadlines, Wait
from umwelten.attempts.key_mask import KeyMask, secrets_of
from umwelten.attempts.local_trouble import exhaustion
from umwelten.attempts.long_names import with_short_names
from umwelten.attempts.proxies import Proxy, proxy_for
from umwelten.attempts.reading import MAX_BODY, TooLarge, decoder_for, read_answer, read_body, salvage
from umwelten.attempts.reply_room import ReplyRoom
from umwelten.providers.common.errors import ADDRESS
from umwelten.providers.common.streams import WholeBody
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, StreamDecoder, Wire
from umwelten.types import Failure, FailureKind, Outcome, Secret, Timing
from umwelten.version import __version__

STREAM_TOTAL_FACTOR = 10
"""A stream may take this many timeouts in total, as long as bytes keep arriving."""

STALE = "stale"
"""The code of a failure on an old connection that its server had closed: the request may go out again."""

_CONNECT_S = 30.0
"""A connection is there sooner or not at all, however long an answer may take."""

_HANG_UP_S = 0.01
"""After an error in a reply of status 200, so long the connection is watched for being closed."""

_PIECE = 128 << 10
"""Bytes. Larger bodies are sent piece by piece, so that the socket's buffer holds no second copy of them."""

_LONGEST_HOST = 300
"""Characters of a name that a redirection states."""

_RESET = re.compile(r"(ConnectionReset|ConnectionAborted|BrokenPipe)Error")


class Transport:
    """Sends encoded requests. An async context manager.

    `clock` gives monotonic seconds, `unix_clock` those at which attempts are said to have started.
    `on_connected` is told how many seconds a new connection to an endpoint took, if anything is.
    """

    def __init__(
        self,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
        unix_clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock, self._unix_clock, self._timeout_s = clock, unix_clock, timeout_s
        self._deadlines: Deadlines | None = None
        self._room = ReplyRoom()
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, Proxy | None] = {}
        self._masks: dict[tuple[Secret | None, Secret | None], KeyMask] = {}
        self.on_connected: Callable[[Endpoint, float], None] | None = None

    @property
    def timeout_s(self) -> float:
        """Seconds that an attempt may take. A change is for those that start later."""
        return self._timeout_s

    @timeout_s.setter
    def timeout_s(self, seconds: float) -> None:
        self._timeout_s = seconds
        if self._deadlines is not None:
            self._deadlines.usual_s = seconds

    async def __aenter__(self) -> Self:
        self._connector = Connector()
        self._session = aiohttp.ClientSession(
            connector=self._connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"umwelten/{__version__}"},
            auto_decompress=True,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(_CONNECT_S, self._timeout_s)),
        )
        self._deadlines = Deadlines(self._timeout_s)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def ask(
        self,
        http: HttpRequest,
        wire: Wire,
        endpoint: Endpoint,
        *,
        stream: bool = False,
        tools: bool = False,
        on_text: Callable[[str], None] | None = None,
        fresh: bool = False,
    ) -> tuple[Outcome, Timing]:
        """Send a request for an answer and return the outcome, at the latest after the time-out.

        `tools`: it offers some, so that a reply which calls them is one.

        A large body is released once it is sent, if the caller does not hold it either. After a failure
        `STALE`, the same request may be sent again, `fresh`: on a new connection.
        """
        started_at, start = self._unix_clock(), self._clock()
        ttft_s: float | None = None
        mask = self._mask(endpoint, self._proxy(http.url))
        shown = None if on_text is None else mask.pieces(on_text)

        def on_piece(text: str) -> None:
            nonlocal ttft_s
            if ttft_s is None:
                ttft_s = self._clock() - start
            if shown is not None:
                shown(text)

        decoder: StreamDecoder | None = None
        outcome: Outcome
        told = self.on_connected
        exchange = Exchange(fresh=fresh, on_connected=None if told is None else partial(told, endpoint))
        wait = self._within(patient=stream)
        try:
            url, proxy = http.url, self._proxy(http.url)
            opening = self._open(http, wait, proxy)
            del http
            with wait:
                async with opening as response:
                    wait.heard = True
                    head = Head(status=response.status, headers=_headers(response), now_unix=time.time())
                    if 300 <= response.status < 400:
                        outcome = _redirect_failure(head, url)
                    elif proxy is not None and proxy.refuses(head.status, head.headers):
                        outcome = proxy.refusal(head.status, response.reason or "")
                    else:
                        decoder = decoder_for(head, wire, endpoint, stream, tools=tools)
                        outcome = await read_answer(response, decoder, on_piece, wait, self._room)
                    if response.status == 200 and isinstance(outcome, Failure):
                        if response.content_type == "text/html":
                            # The page of a website, a login, a captive portal: this is not the API.
                            outcome = msgspec.structs.replace(outcome, code=ADDRESS)
                        # Servers that break off an answer often close the connection too: that has to be
                        # noticed before another call reuses it.
                        wait.settle()
                        response.close()
                        await asyncio.sleep(_HANG_UP_S)
        except (TimeoutError, aiohttp.ClientError, OSError, TooLarge, ValueError) as error:
            outcome = salvage(error, decoder) or self._failure_of(error, decoder, exchange, self._proxy(url))
        finally:
            self._room.free(wait)
        if shown is not None:
            shown.end()
        timing = Timing(started_at=started_at, latency_s=self._clock() - start, ttft_s=ttft_s)
        return mask.outcome(with_short_names(outcome)), timing

    async def fetch(
        self, http: HttpRequest, endpoint: Endpoint, *, patient: bool = False
    ) -> tuple[Head, bytes] | Failure:
        """Return the reply to a plain request, for lists of models and files.

        `endpoint` has the key that must not be in it; `patient`: its body may take long, as long as bytes
        arrive.
        """
        answer = await self._fetch(http, patient=patient, fresh=False)
        if isinstance(answer, Failure) and answer.code == STALE:
            answer = await self._fetch(http, patient=patient, fresh=True)
        mask = self._mask(endpoint, self._proxy(http.url))
        if isinstance(answer, Failure):
            return mask.outcome(with_short_names(answer))
        head, body = answer
        return mask.head(head), mask.body(body)

    def masked(self, failure: Failure, endpoint: Endpoint) -> Failure:
        """Return a failure that arose elsewhere without the endpoint's key."""
        return self._mask(endpoint, None).outcome(failure)

    def _mask(self, endpoint: Endpoint, proxy: Proxy | None) -> KeyMask:
        secrets = endpoint.api_key, None if proxy is None else proxy.authorization
        if secrets not in self._masks:
            self._masks[secrets] = KeyMask(secrets_of(*secrets))
        return self._masks[secrets]

    async def _fetch(self, http: HttpRequest, *, patient: bool, fresh: bool) -> tuple[Head, bytes] | Failure:
        exchange = Exchange(fresh=fresh)
        wait = self._within(patient=patient)
        try:
            proxy = self._proxy(http.url)
            opening = self._open(http, wait, proxy)
            with wait:
                async with opening as response:
                    wait.heard = True
                    head = Head(status=response.status, headers=_headers(response), now_unix=time.time())
                    if 300 <= response.status < 400:
                        return _redirect_failure(head, http.url)
                    if proxy is not None and proxy.refuses(head.status, head.headers):
                        return proxy.refusal(head.status, response.reason or "")
                    return head, await read_body(response, wait, self._room)
        except (TimeoutError, aiohttp.ClientError, OSError, TooLarge, ValueError) as error:
            return self._failure_of(error, None, exchange, self._proxy(http.url))
        finally:
            self._room.free(wait)

    def _within(self, *, patient: bool) -> Wait:
        """Return a wait for one exchange; a patient one may last long, as long as bytes arrive."""
        if self._deadlines is None:
            raise RuntimeError("Transport is used outside `async with`")
        if patient:
            return self._deadlines.within(self._timeout_s * STREAM_TOTAL_FACTOR, self._timeout_s)
        return self._deadlines.within(self._timeout_s)

    def _open(
        self, http: HttpRequest, wait: Wait, proxy: Proxy | None
    ) -> contextlib.AbstractAsyncContextManager[aiohttp.ClientResponse]:
        if self._session is None:
            raise RuntimeError("Transport is used outside `async with`")
        data: bytes | AsyncIterator[memoryview] | None = http.body
        headers = http.headers
        if http.body is not None and len(http.body) > _PIECE:
            data, headers = _pieces(http.body, wait), {**headers, "Content-Length": str(len(http.body))}
        if proxy is None:
            return self._session.request(
                http.method, http.url, data=data, headers=headers, allow_redirects=False
            )
        is_tunnel = http.url.startswith("https:")
        return self._session.request(
            http.method,
            http.url,
            data=data,
            headers=headers if is_tunnel else {**headers, **proxy.headers()},
            allow_redirects=False,
            proxy=proxy.url,
            proxy_headers=proxy.headers() if is_tunnel else None,
        )

    def _proxy(self, url: str) -> Proxy | None:
        origin = url[: url.find("/", 8)]
        if origin not in self._proxies:
            self._proxies[origin] = proxy_for(origin)
        return self._proxies[origin]

    def _failure_of(
        self, error: Exception, decoder: StreamDecoder | None, exchange: Exchange, proxy: Proxy | None
    ) -> Failure:
        exhausted = exhaustion(error)
        if exhausted is not None:
            self._connector.drop_idle()
            return exhausted
        if exchange.is_stale(error):
            return _failure(FailureKind.CONNECTION, "the server had closed the connection", STALE)
        if proxy is None:
            return self._direct_failure(error, decoder)
        return _proxy_failure(error, proxy) or proxy.involved(self._direct_failure(error, decoder))

    def _direct_failure(self, error: Exception, decoder: StreamDecoder | None) -> Failure:
        partial = _partial(decoder)
        match error:
            case TimeoutError():
                text = f"no answer within {self._timeout_s:g} s"
                if decoder is not None and not isinstance(decoder, WholeBody):
                    text = f"the stream stalled: {self._timeout_s:g} s without a byte, or too long in all"
                return _failure(FailureKind.TIMEOUT, text, "timeout", partial)
            case aiohttp.ClientConnectorDNSError():
                return _failure(FailureKind.CONNECTION, f"host name not found: {error.host}", "dns")
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
                return _failure(
                    FailureKind.UNAVAILABLE, f"TLS to {error.host} failed: {error}", "tls", down=True
                )
            case aiohttp.ClientConnectorError():
                code = "refused" if isinstance(error.os_error, ConnectionRefusedError) else "connect"
                verb = "refused the connection" if code == "refused" else "cannot be reached"
                return _failure(FailureKind.CONNECTION, f"{error.host}:{error.port} {verb}", code)
            case aiohttp.ClientPayloadError() if _RESET.search(str(error)):
                return _failure(
                    FailureKind.CONNECTION, "connection lost in the middle of the reply", "reset", partial
                )
            case aiohttp.ClientPayloadError():
                return _failure(
                    FailureKind.SERVER, "the reply was cut off or could not be decoded", "cut", partial
                )
            case aiohttp.ClientResponseError() | aiohttp.InvalidURL() | ValueError():
                return _failure(
                    FailureKind.SERVER, f"not a valid HTTP reply: {type(error).__name__}", "garbage", partial
                )
            case TooLarge():
                return _failure(
                    FailureKind.SERVER, f"the reply is larger than {MAX_BODY >> 20} MB", "too_large", partial
                )
            case _:
                return _failure(
                    FailureKind.CONNECTION, f"connection lost: {_reason(error)}", "reset", partial
                )


def _proxy_failure(error: Exception, proxy: Proxy) -> Failure | None:
    """Return the failure if it is certainly the proxy's own, else `None`."""
    match error:
        case aiohttp.ClientHttpProxyError():
            return proxy.refusal(error.status, error.message)
        case aiohttp.ClientConnectorDNSError() if proxy.is_at(error.host, error.port):
            return proxy.unreachable("is not known by that name")
        case aiohttp.ClientConnectorCertificateError() if proxy.is_at(error.host, error.port):
            return proxy.unreachable(f"has a bad certificate: {error}")
        case aiohttp.ClientConnectorError() if proxy.is_at(error.host, error.port):
            refused = isinstance(error.os_error, ConnectionRefusedError)
            return proxy.unreachable("refused the connection" if refused else "cannot be reached")
    return None


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "the server closed it without an answer"
    return getattr(error, "strerror", None) or type(error).__name__


def _partial(decoder: StreamDecoder | None) -> str | None:
    if decoder is None or isinstance(decoder, WholeBody):
        return None
    outcome = decoder.finish()
    if isinstance(outcome, Failure):
        return outcome.partial
    return outcome.text if outcome is not None else None


def _failure(
    kind: FailureKind, message: str, code: str, partial: str | None = None, *, down: bool = False
) -> Failure:
    return Failure(kind=kind, message=message, code=code, retry=not down, lane_down=down, partial=partial)


async def _pieces(body: bytes, wait: Wait) -> AsyncIterator[memoryview]:
    # Silence does not count while we send.
    idle_s, wait.idle_s = wait.idle_s, None
    whole = memoryview(body)
    for start in range(0, len(body), _PIECE):
        yield whole[start : start + _PIECE]
    wait.heard, wait.idle_s = True, idle_s


def _redirect_failure(head: Head, url: str) -> Failure:
    try:
        target = urlsplit(head.headers.get("location", "")).netloc.rpartition("@")[2]
    except ValueError:  # no address at all
        target = ""
    target = target[:_LONGEST_HOST] or "another address"
    message = f"{urlsplit(url).netloc} redirects to {target}; the key is not sent there. Correct the base URL"
    return Failure(
        kind=FailureKind.UNAVAILABLE,
        message=message,
        status=head.status,
        code="redirect",
        retry=False,
        lane_down=True,
    )


def _headers(response: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}
