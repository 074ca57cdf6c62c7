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
    """20 bytes that stand for the bytes of a file."""
    return blake2b(data, digest_size=_SIZE).digest()


def settings_hash(settings: RequestSettings, prompt: str) -> bytes:
    """20 bytes that stand for what all calls of an evaluation with this prompt share.

    Attachments enter by their content, in order. Fields that are newer than the first release enter where
    they are not at their defaults, so that earlier evaluations keep their identity.
    """
    shared: dict[str, object] = {
        "prompt": prompt,
        "system": settings.system,
        "parameters": _parameters(settings.parameters),
        "schema": None if settings.schema is None else settings.schema.json,
        "attachments": [digest.hex() for _, digest in settings.attachments],
    }
    shared |= _later(settings, _FIRST_SETTINGS)
    return blake2b(_encoder.encode(shared), digest_size=_SIZE, person=b"umwelten.set").digest()


def _parameters(parameters: Parameters) -> msgspec.Raw:
    """The parameters as JSON, in the order of their fields."""
    first = {name: getattr(parameters, name) for name in _FIRST_PARAMETERS}
    fields = first | _later(parameters, _FIRST_PARAMETERS)
    pairs = (_encoder.encode(name) + b":" + _encoder.encode(value) for name, value in fields.items())
    return msgspec.Raw(b"{" + b",".join(pairs) + b"}")


def _later(settings: FrozenStruct, first: tuple[str, ...]) -> dict[str, object]:
    """The fields that are not among the first, as far as they are set."""
    later = [field for field in msgspec.structs.fields(settings) if field.name not in first]
    return {
        field.name: getattr(settings, field.name)
        for field in later
        if getattr(settings, field.name) != field.default
    }


def call_key(*, settings: bytes, model: ModelRef, content: bytes, repeat: int) -> str:
    """The call's identity, `u1:` and 40 hex digits. `content` is the file's hash, empty without a file."""
    digest = _begun(settings, model).copy()
    digest.update(len(content).to_bytes(1, "big") + content + repeat.to_bytes(8, "big"))
    return f"{TAG}:{digest.hexdigest()}"


@lru_cache(maxsize=256)
def _begun(settings: bytes, model: ModelRef) -> blake2b:
    """The hash of what a model's calls share. It is copied by each and not changed."""
    # Lengths are fixed or prefixed, so that no two different tuples run together.
    name = str(model).encode()
    shared = settings + len(name).to_bytes(4, "big") + name
    return blake2b(shared, digest_size=_SIZE, person=b"umwelten.call")
