"""Which hosts are this machine or on a private network: keys and prompts may go there unencrypted."""

from __future__ import annotations

import ipaddress
import re
import socket
import threading

_LOCAL_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa")
_NUMBERS = re.compile(r"127(?:\.[0-9]{1,3}){3}")
_BARE_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_NOT_FOUND = {getattr(socket, name) for name in ("EAI_NONAME", "EAI_NODATA") if hasattr(socket, name)}
"""What a look-up says of a name that is not there. Any other error tells nothing about it."""

_RESOLVE_S = 2.0
"""A private name is resolved by this machine or a server close to it."""


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine, for which no proxy is used. Nothing is looked up."""
    return host in ("localhost", "::1") or (_NUMBERS.fullmatch(host) is not None and sounds_private(host))


def sounds_private(host: str) -> bool:
    """Return whether a host is private as far as its name or number tells. Nothing is looked up."""
    number = _number(host)
    if number is None:
        # A bare name is one of the local network; a bare number is an address in disguise.
        return _BARE_NAME.fullmatch(host) is not None or host.endswith(_LOCAL_ENDINGS)
    return _is_private_number(number)


def is_private(host: str) -> bool:
    """Return whether a host is private: a name is if all of its addresses are. Takes `_RESOLVE_S` at most.

    A name that is not found has none to send anything to; maybe a proxy knows it.
    """
    if not sounds_private(host) or host == "localhost" or _number(host) is not None:
        return sounds_private(host)
    addresses = _addresses(host)
    if addresses is None:
        return False
    numbers = [_number(address) for address in addresses]
    return all(number is not None and _is_private_number(number) for number in numbers)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_private_number(number: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(number, ipaddress.IPv6Address):
        # Packets to these go to the address that is inside.
        tunnel = number.teredo
        inside = number.ipv4_mapped or number.sixtofour or (tunnel and tunnel[1])
        if inside:
            return not inside.is_global
    return not number.is_global


def _addresses(host: str) -> list[str] | None:
    """Return the addresses of a name, none where there is no such name; `None` without an answer in time."""
    found: list[list[str] | None] = []

    def resolve() -> None:
        try:
            answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            found.append([str(each[4][0]) for each in answers])
        except UnicodeError:  # no name that anybody could look up
            found.append([])
        except OSError as error:
            found.append([] if error.errno in _NOT_FOUND else None)

    # A thread of its own, which nothing waits for: a look-up cannot be broken off.
    thread = threading.Thread(target=resolve, name="look-up", daemon=True)
    thread.start()
    thread.join(_RESOLVE_S)
    return found[0] if found else None
