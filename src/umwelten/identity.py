"""The identity of a call: a tagged hash of everything that is sent."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

import msgspec

from umwelten.types import ModelRef, Parameters

TAG = "u1"
_SIZE = 20
_encoder = msgspec.json.Encoder(order="deterministic")


def content_hash(data: bytes) -> bytes:
    """20 bytes that stand for the bytes of a file."""
    return blake2b(data, digest_size=_SIZE).digest()


def settings_hash(
    *,
    prompt: str,
    system: str | None,
    parameters: Parameters,
    schema: object,
    attachments: list[bytes],
    pdf: str = "auto",
    source: str = "files",
) -> bytes:
    """20 bytes that stand for what all calls of an evaluation share. Attachments by content, in order.

    `schema` is the JSON Schema of the answers, or `None`; `pdf` and `source` as in `EvaluationSpec`.
    """
    shared = {
        "prompt": prompt,
        "system": system,
        "parameters": parameters,
        "schema": schema,
        "attachments": [digest.hex() for digest in attachments],
    }
    # Left out where they are as ever, so that earlier evaluations keep their identity.
    shared |= {} if pdf == "auto" else {"pdf": pdf}
    shared |= {} if source == "files" else {"source": source}
    return blake2b(_encoder.encode(shared), digest_size=_SIZE, person=b"umwelten.set").digest()


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
