"""A model of 204 bytes, for tests that move weights about."""

from __future__ import annotations

import hashlib

from umwelten.local import LocalModel

GGUF = b"GGUF" + bytes(range(200))
TINY = LocalModel(
    name="tiny",
    package="umwelten_test_weights",
    requirement="umwelten-test-weights==1.0",
    file="tiny.gguf",
    sha256=hashlib.sha256(GGUF).hexdigest(),
    licence="none",
)
MODELS = {"tiny": TINY}
