"""Addresses of providers, as users write or paste them and as wires need them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, unquote, urlsplit

from umwelten.errors import ConfigError
from umwelten.providers.protocol import Endpoint, Scope, Vendor

_OLLAMA_PORT = 11434
_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
_VERSION = {"gemini": "v1beta", "anthropic": "v1"}
"""The version that a wire appends itself."""

_SCHEME = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*)://(.*)$", re.DOTALL)
_AROUND = " \t\r\n\"'`<>,;“”‘’"
"""What comes along when an address is copied from a text, a table or a file of variables."""
_IN_NO_ADDRESS = re.compile(r"[\s\x00-\x1f\x7f\"`<>{}|\\^]")
"""A part of a larger text, or of a template that nobody filled in."""

_API = r"/v\d+(?:(?:alpha|beta)\d*)?(?:/openai)?"
# The paths of calls, with which addresses end in docs and consoles. Ordinary words count only behind the
# version of an API: Azure's models are at `/models/chat/completions`.
_CHAT = re.compile(r"(.*?)/chat/completions(?:/.*)?")
_CALL = re.compile(
    rf"(.*?{_API})/(?:chat|completions?|responses|embeddings|messages|models|images|audio|files|batches"
    r"|moderations|rerank|complete)(?:[/:].*)?"
)
_OLLAMA_CALL = re.compile(r"(.*)/api/(?:chat|generate|tags|embed|embeddings|show|ps|version)")
_VERSION_TWICE = re.compile(rf"(.*?(?P<api>{_API}))(?P=api)")
_OF_OTHER_WIRES = {"ollama": _OLLAMA_CALL, "gemini": re.compile(r"(.*):\w*[gG]enerateContent")}
_AZURE = (".openai.azure.com", ".services.ai.azure.com", ".cognitiveservices.azure.com")
_AZURE_PATH = "/openai/v1"


def normalise_base_url(vendor: Vendor, raw: str, where: str | None = None) -> str:
    """Return a user's address as the wire needs it: with a scheme, without a trailing slash.

    The path of a call that was pasted along and quotes around it are dropped. Ollama's may lack scheme and
    port and may end in `/v1`; that of a server of one's own or at a vendor's own host may lack its path;
    Google's and Anthropic's lose the version, which their wire appends itself. `where`: the variable or key
    that holds the address. Errors: `ConfigError`.
    """
    text = raw.strip(_AROUND)
    where = where or (vendor.base_url_env[0] if vendor.base_url_env else f"providers.{vendor.name}.base_url")
    if not text:
        return vendor.base_url
    parts = _split(vendor, text, where)
    path = re.sub(r"/{2,}", "/", parts.path).rstrip("/")
    origin = f"{parts.scheme}://{_netloc(vendor, parts, '://' in text)}"
    host = parts.hostname or ""
    _check_path(vendor, host, path, where)
    return origin + _path(vendor, host, _without_calls(vendor, path))


def reads_differently(raw: str, base_url: str) -> bool:
    """Return whether more than slashes and a version at the end tells an address from what was written."""
    paths = (urlsplit(text.strip(_AROUND).rstrip("/")).path for text in (raw, base_url))
    return len({re.sub(rf"({_API}|/v1|/api)$", "", path) for path in paths}) > 1 and "://" in raw


def _split(vendor: Vendor, text: str, where: str) -> SplitResult:
    match = _SCHEME.match(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("", text.removeprefix("//"))
    if (scheme and scheme not in ("http", "https")) or _IN_NO_ADDRESS.search(text):
        raise _address_error(vendor, text, where)
    try:
        parts = urlsplit(f"{scheme or 'http'}://{rest}")
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise _address_error(vendor, text, where) from None
    if (not host and not (vendor.wire == "ollama" and port)) or host in ("http", "https"):
        raise _address_error(vendor, text, where)
    if not scheme and vendor.scope is not Scope.HOST and host not in _LOOPBACK:
        parts = parts._replace(scheme="https")
    return parts


def _netloc(vendor: Vendor, parts: SplitResult, has_scheme: bool) -> str:
    """Return host and port to connect to: loopback where a server would listen on all addresses."""
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname)
    host = f"[{host}]" if host and ":" in host else host
    user = f"{parts.netloc.rpartition('@')[0]}@" if "@" in parts.netloc else ""
    port = parts.port
    if port is None and vendor.wire == "ollama" and not has_scheme:
        port = _OLLAMA_PORT
    return f"{user}{host}" if port is None else f"{user}{host}:{port}"


def _check_path(vendor: Vendor, host: str, path: str, where: str) -> None:
    """Refuse the path of a call in another format, and that of an API that needs more than an address."""
    for wire, pattern in _OF_OTHER_WIRES.items():
        if wire != vendor.wire and pattern.fullmatch(path):
            raise ConfigError(
                f"{where}: {path} is a call in the format {wire}; {vendor.name} needs {vendor.wire}",
                f"Give the address for calls in the format {vendor.wire}, such as {_example(vendor)}.",
            )
    if host.endswith(_AZURE) and "/deployments/" in path:
        raise ConfigError(
            f"{where}: {path} is the address of one deployment, which needs an api-version",
            f"Write it as https://{host}{_AZURE_PATH}, and the deployment's name as that of the model.",
        )


def _without_calls(vendor: Vendor, path: str) -> str:
    """Return the path without those of calls at its end, and without a version that is there twice."""
    patterns = [_CHAT, _CALL, _VERSION_TWICE, *([_OLLAMA_CALL] if vendor.wire == "ollama" else [])]
    while (match := next(filter(None, (pattern.fullmatch(path) for pattern in patterns)), None)) is not None:
        path = match[1]
    return path


def _path(vendor: Vendor, host: str, path: str) -> str:
    if vendor.wire == "ollama":
        return re.sub(r"(/(v1|api))+$", "", path)
    if vendor.wire in _VERSION:
        return re.sub(rf"(/{_VERSION[vendor.wire]}(/openai)?)+$", "", path)
    if vendor.quirks.path and not path.endswith(vendor.quirks.path):
        return path + vendor.quirks.path
    own = urlsplit(vendor.base_url)
    if not path and vendor.scope is Scope.HOST:
        return own.path
    if own.hostname and _is_below(own.hostname, host) and _is_part(path, own.path):
        return own.path
    return _AZURE_PATH if host.endswith(_AZURE) and path in ("", "/openai") else path


def _is_part(path: str, whole: str) -> bool:
    """Return whether a path is the beginning or the end of another: the rest was forgotten."""
    return f"{whole}/".startswith(f"{path}/") or whole.endswith(path)


def _address_error(vendor: Vendor, text: str, where: str) -> ConfigError:
    # The user name and password are not shown.
    shown = text.rpartition("@")[2]
    return ConfigError(f"{shown!r} in {where} is not an http address", f"Write it as {_example(vendor)}.")


def _example(vendor: Vendor) -> str:
    return vendor.base_url or "http://127.0.0.1:8080/v1"


_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_DECODED = 4
"""So often, at most, a name is encoded: by the user, a gateway, and the gateway behind it."""

_VERSION_AT_END = re.compile(r"/v\d+(?:(?:alpha|beta)\d*)?$")


def with_version(base_url: str, version: str) -> str:
    """Return the address with an API version at its end: its own where it has one, else `version`."""
    root = base_url.rstrip("/")
    return root if _VERSION_AT_END.search(root) else f"{root}/{version}"


def split_version(base_url: str) -> tuple[str, str]:
    """Return the address without the API version at its end, and that version ("" for none)."""
    root = base_url.rstrip("/")
    match = _VERSION_AT_END.search(root)
    return (root[: match.start()], match[0][1:]) if match else (root, "")


def is_path_below(name: str) -> bool:
    """Return whether a name stays below the address that it is put behind, whoever decodes it how often."""
    for _ in range(_DECODED):
        steps = [step.partition(";")[0].strip() for step in re.split(r"[/\\]", name)]
        if "\\" in name or _CONTROL.search(name) or any(step in ("", ".", "..") for step in steps):
            return False
        name, before = unquote(name), name
        if name == before:
            return True
    return False


def has_vendor_address(endpoint: Endpoint) -> bool:
    """Return whether the address is the vendor's own, not that of someone else's compatible server."""
    own = urlsplit(endpoint.vendor.base_url).hostname
    return own is None or _is_on_host(own, endpoint.base_url)


def is_service(base_url: str, vendors: Iterable[Vendor]) -> bool:
    """Return whether the address belongs to one of these vendors' services, not to the user's own server."""
    services = (urlsplit(row.base_url).hostname for row in vendors if row.scope is not Scope.HOST)
    return any(host and _is_on_host(host, base_url) for host in services)


def _is_on_host(own: str, base_url: str) -> bool:
    return _is_below(own, urlsplit(base_url).hostname or "")


def _is_below(own: str, host: str) -> bool:
    return host == own or host.endswith(f".{own}")
