"""Where an attempt goes: a model, its endpoint and wire, and what it takes besides text."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from umwelten.errors import InputError
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint, Wire
from umwelten.types import (
    ModelRef,
    Part,
    Secret,
)

Attached = tuple[Part, ...] | InputError
"""The attachments as a model takes them, or why it can't take them."""


class LocalAddress(Protocol):
    """What starts the embedded model's server and tells its address and key."""

    def using(self, model: str) -> AbstractAsyncContextManager[tuple[str, Secret]]: ...


class Target(msgspec.Struct, frozen=True):
    """Where a model is asked: its endpoint and wire, with which prompt, and what it takes beside words.

    `local` None: the endpoint's address is settled. `attached` is an error where the model can't take it.
    """

    model: ModelRef
    endpoint: Endpoint
    wire: Wire
    local: LocalAddress | None = None
    prompt: str = ""
    capabilities: Capabilities = Capabilities()
    attached: Attached = ()
