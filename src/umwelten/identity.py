"""The identity of a call: a tagged hash of everything that is sent."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

from umwelten.types import FrozenStruct, ModelRef, Parameters, RequestSettings

TAG = "u1"
_SIZE = 20
_encoder = msgspec.json.Encoder(order="deterministic")

_FIRST_SETTINGS = ("prompts", "system", "parameters", "schema", "attachments")
_FIRST_PARAMETERS = ("temperature", "max_tokens", "top_p", "seed", "extra")
"""The fields of the first release, which are part of every identity."""


def content_hash(data: bytes) -> bytes:
    """Return a 20-byte BLAKE2b hash of a file's bytes."""
    return blake2b(data, digest_size=_SIZE).digest()


def input_part(content: bytes) -> bytes:
    """Return the hash of what was sent of an input, without that of what else was put into its prompt."""
    return content[:_SIZE]


def settings_hash(settings: RequestSettings, prompt: str) -> bytes:
    """Return a 20-byte hash of the settings that all calls of an evaluation with this prompt share.

    Attachments enter by content, in order. Fields newer than the first release enter only where they differ
    from their defaults, so that earlier evaluations keep their identity.
    """
    shared: dict[str, object] = {
        "prompt": prompt,
        "system": settings.system,
        "parameters": _encode_parameters(settings.parameters),
        "schema": None if settings.schema is None else settings.schema.json,
        "attachments": [digest.hex() for _, digest in settings.attachments],
    }
    shared |= _newer_fields(settings, _FIRST_SETTINGS)
    return blake2b(_encoder.encode(shared), digest_size=_SIZE, person=b"umwelten.set").digest()


def _encode_parameters(parameters: Parameters) -> msgspec.Raw:
    """Return the parameters as JSON, in the order of their fields."""
    first = {name: getattr(parameters, name) for name in _FIRST_PARAMETERS}
    fields = first | _newer_fields(parameters, _FIRST_PARAMETERS)
    pairs = (_encoder.encode(name) + b":" + _encoder.encode(value) for name, value in fields.items())
    return msgspec.Raw(b"{" + b",".join(pairs) + b"}")


def _newer_fields(settings: FrozenStruct, first: tuple[str, ...]) -> dict[str, object]:
    """Return the fields that are not in `first` and not at their defaults."""
    later = [field for field in msgspec.structs.fields(settings) if field.name not in first]
    return {
        field.name: getattr(settings, field.name)
        for field in later
        if getattr(settings, field.name) != field.default
    }


def call_key(*, settings: bytes, model: ModelRef, content: bytes, repeat: int) -> str:
    """Return the call's identity, `u1:` and 40 hex digits. `content`: the file's hash, or empty."""
    digest = _shared_digest(settings, model).copy()
    digest.update(len(content).to_bytes(1, "big") + content + repeat.to_bytes(8, "big"))
    return f"{TAG}:{digest.hexdigest()}"


@lru_cache(maxsize=256)
def _shared_digest(settings: bytes, model: ModelRef) -> blake2b:
    """Return the hash state that all calls of a model share. Callers copy it and never update it."""
    # Lengths are fixed or prefixed, so that no two different tuples give the same bytes.
    # What is sent is in the settings, whatever it is called.
    name = str(model.plain).encode()
    shared = settings + len(name).to_bytes(4, "big") + name
    return blake2b(shared, digest_size=_SIZE, person=b"umwelten.call")
