"""Who may ask: this machine's user, who was given the token, from the page itself and no other.

A page that anybody's browser can reach by a name of its choice (DNS rebinding), or that any web page can send
forms to, would give away what was asked and answered, and let others change runs.
"""

from __future__ import annotations

import hmac
import html
import ipaddress
import re
import secrets
from collections.abc import Awaitable, Callable, Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Middleware

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.types import FrozenStruct

TOKEN_BYTES = 32
"""256 bits: nobody guesses it."""
LEAST_TOKEN = 32
"""Characters of a token from a file: 128 bits as hex."""
TOKEN = "token"  # noqa: S105 - the name of the parameter
HEADER = "X-Umwelten"
"""Only a page of the same origin can send it: others would need CORS, which nothing here grants."""

POLICY = "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; object-src 'none'"
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_SITES = ("same-origin", "none")  # none: typed, or opened from a terminal

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_STATE = {"GET", "HEAD", "POST"}


class Policy(FrozenStruct):
    """What requests must have. `hosts` are exact values of Host, `origins` of Origin."""

    token: str
    session: str
    cookie: str
    hosts: frozenset[str]
    origins: frozenset[str]
    secure: bool = False


def policy(token: str, port: int, origins: Collection[str] = (), host: str = "127.0.0.1") -> Policy:
    """Return the policy of a server at a port. `origins`: those that users reach it by, of a proxy say."""
    names = {"127.0.0.1", "localhost", f"[{host}]" if ":" in host else host}
    own = {f"{name}:{port}" for name in names if is_loopback(name.strip("[]"))}
    given = {origin.rstrip("/").lower() for origin in origins}
    return Policy(
        token=token,
        session=new_token(),
        cookie=f"umwelten-view-{port}",  # cookies know no ports: two servers would take each other's
        hosts=frozenset(own | {urlsplit(origin).netloc for origin in given}),
        origins=frozenset({f"http://{name}" for name in own} | given),
        secure=bool(given) and all(origin.startswith("https://") for origin in given),
    )


def new_token() -> str:
    """Return a token nobody guesses."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_loopback(host: str) -> bool:
    """Return whether an address is of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_address(host: str, origins: Collection[str], *, has_token_file: bool) -> None:
    """See that a server beyond this machine has a token of the user's and origins. Raises UsageError."""
    for origin in origins:
        if not _is_origin(origin):
            raise UsageError(
                f"{origin!r} is no origin", "Give scheme, host and port alone: https://view.example.org"
            )
    if is_loopback(host) or (has_token_file and origins):
        return
    raise UsageError(
        Phrase("{option:host} {host} can be reached by other machines", host=host),
        Phrase(
            "Omit it; or give {option:token_file} with a secret of your own and {option:origin} with the "
            "address that browsers use. Without TLS in front, others on the network can read along."
        ),
    )


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    return known and not more and text.isascii() and not re.search(r"[\s\x00-\x1f\\]", text)


def guard(rules: Policy) -> Middleware:
    """Return the middleware that answers what is not allowed, and marks every response."""

    @web.middleware
    async def checked(request: web.Request, handler: _Handler) -> web.StreamResponse:
        refused = _refusal(request, rules)
        if refused is not None:
            return _marked(refused)
        if request.method == "GET" and TOKEN in request.query:
            return _marked(_exchange(request, rules))
        try:
            response = await handler(request)
        except web.HTTPException as error:
            response = _said(request, error.status, error.reason)
        if not response.prepared:
            _marked(response)
        return response

    return checked


def mark(response: web.StreamResponse) -> None:
    """Put the headers on a response that is begun by its handler."""
    _marked(response)


def _refusal(request: web.Request, rules: Policy) -> web.Response | None:
    if request.headers.getall("Host", []) != [request.host] or request.host.lower() not in rules.hosts:
        return _said(
            request, 421, "this server answers to the address that umwelten view printed, and no other"
        )
    origin = request.headers.get("Origin")
    if origin is not None and origin.lower() not in rules.origins:
        return _said(request, 403, "requests of other pages are refused")
    if request.headers.get("Sec-Fetch-Site", "none") not in _SITES:
        return _said(request, 403, "requests of other pages are refused")
    if request.method not in _STATE:
        return _said(request, 405, "only GET and POST are known here")
    if request.method == "GET" and TOKEN in request.query:
        if _same(request.query[TOKEN], rules.token):
            return None
        return _said(
            request, 401, "this token is not that of the server: use the address that umwelten view printed"
        )
    if not _same(request.cookies.get(rules.cookie, ""), rules.session):
        return _said(request, 401, "open the address that umwelten view printed: it holds the token")
    if request.method == "POST":
        if request.content_type != "application/json":
            return _said(request, 415, "a POST must be application/json")
        if request.headers.get(HEADER) != "1":
            return _said(request, 403, f"a POST must have the header {HEADER}: 1")
    return None


def _exchange(request: web.Request, rules: Policy) -> web.Response:
    """Give the session for the token, and leave the address without it: it would stay in the history."""
    rest = request.rel_url.without_query_params(TOKEN)
    # An address that begins with two slashes would lead elsewhere; browsers take a backslash for one.
    response = web.Response(status=303, headers={"Location": "/" + str(rest).lstrip("/\\")})
    response.set_cookie(
        rules.cookie, rules.session, httponly=True, samesite="Strict", path="/", secure=rules.secure
    )
    return response


def _same(given: str, wanted: str) -> bool:
    # Bytes that are no text come as lone surrogates.
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode())


_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>umwelten view</title></head>
<body><main><h1>{status}</h1><p>{text}</p></main></body>
</html>
"""


def _said(request: web.Request, status: int, text: str) -> web.Response:
    """Return why it is refused: to a person who opened an address as a page, else as JSON."""
    if "text/html" not in request.headers.get("Accept", ""):
        return web.json_response({"error": text}, status=status)
    page = _PAGE.format(status=status, text=html.escape(text))
    return web.Response(text=page, content_type="text/html", status=status)


def _marked(response: web.StreamResponse) -> web.Response:
    response.headers.update(_HEADERS)
    return response  # type: ignore[return-value]
