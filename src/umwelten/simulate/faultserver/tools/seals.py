"""Ids and signatures that are recognised without being remembered.

Each is a nonce and a keyed hash of the nonce and of what it vouches for.
"""

from __future__ import annotations

import json
from hashlib import blake2b

_KEY = b"faultserver"
# An id vouches for arguments that are no JSON with this: whatever a client makes of them is let pass.
_ANY = "?"
_LENGTHS = {"call_": 24, "toolu_": 24, "fc_": 24, "": 9}
"""How many hex digits follow a prefix. Without a prefix: Mistral's nine characters."""


def seal(*parts: str, digits: int = 32) -> str:
    """Return a keyed hash in so many hex digits."""
    return blake2b("\0".join(parts).encode(errors="replace"), key=_KEY, digest_size=32).hexdigest()[:digits]


def canonical(arguments: str) -> str:
    """Return JSON arguments in one spelling; "" is "{}"; `?` for what is no JSON."""
    if not arguments:
        return "{}"
    try:
        return json.dumps(json.loads(arguments), sort_keys=True, separators=(",", ":"))
    except ValueError:
        return _ANY


def call_id(prefix: str, name: str, arguments: str, *nonce: str) -> str:
    """Return an id of a call that vouches for its name and arguments."""
    length = _LENGTHS[prefix]
    start = seal(*nonce, digits=length // 3)
    return prefix + start + seal(start, name, canonical(arguments), digits=length - len(start))


def is_changed(given: str, prefix: str, name: str, arguments: str) -> bool:
    """Return whether an id is one of ours and vouches for another call. Ids of others vouch for nothing."""
    length = _LENGTHS[prefix]
    text = given.removeprefix(prefix)
    if not given.startswith(prefix) or len(text) != length or set(text) - set("0123456789abcdef"):
        return False
    start, mac = text[: length // 3], text[length // 3 :]
    return mac not in (seal(start, name, form, digits=len(mac)) for form in (canonical(arguments), _ANY))


def sign(nonce: str, *parts: str) -> str:
    """Return a signature of these parts."""
    start = seal(nonce, digits=12)
    return f"{start}{seal(start, *parts, digits=36)}"


def is_signed(signature: object, *parts: str) -> bool:
    """Return whether this is a signature of these parts."""
    return isinstance(signature, str) and signature[12:] == seal(signature[:12], *parts, digits=36)
