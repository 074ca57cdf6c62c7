"""Where an attempt goes: a model, its endpoint and wire, and what it takes besides text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from umwelten.errors import InputError
from umwelten.providers.anthropic.models import refused_parameters
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint, Scope, Wire
from umwelten.types import (
    ModelRef,
    Part,
    RequestSettings,
    Secret,
)

Attached = tuple[Part, ...] | InputError
"""The attachments as a model takes them, or why it can't take them."""


class LocalAddress(Protocol):
    """What starts the embedded model's server and tells its address and key."""

    def using(self, model: str) -> AbstractAsyncContextManager[tuple[str, Secret]]: ...


class Target(msgspec.Struct, frozen=True):
    """Where a model is asked: its endpoint and wire, with which prompt, and what it takes beside words.

    `others` are further endpoints where it may be asked as well. `local` None: the endpoint's address is
    settled. `attached` is an error where the model can't take it.
    """

    model: ModelRef
    endpoint: Endpoint
    wire: Wire
    local: LocalAddress | None = None
    prompt: str = ""
    capabilities: Capabilities = Capabilities()
    attached: Attached = ()
    others: tuple[Endpoint, ...] = ()

    @property
    def by_lane(self) -> Mapping[str, Target]:
        """The target at each of its endpoints, by the name of the lane."""
        return {
            lane_name(self.model, endpoint): msgspec.structs.replace(self, endpoint=endpoint, others=())
            for endpoint in (self.endpoint, *self.others)
        }


def lane_name(model: ModelRef, endpoint: Endpoint) -> str:
    """What shares one rate limit: an account, an account's model, or a host."""
    vendor, member = endpoint.vendor, endpoint.member
    if vendor.scope is Scope.KEY_AND_MODEL:
        return f"{model.plain}{member}"
    if vendor.scope is Scope.HOST and vendor.name != "local" and not member.startswith("@"):
        return f"{vendor.name}@{_host(endpoint.base_url)}{member}"
    return f"{vendor.name}{member}"


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]


def left_out(targets: Iterable[Target], settings: RequestSettings) -> Iterator[str]:
    """Yield what to say of parameters that models are known to refuse, so that they are not sent at all."""
    asked = {target.model: target.endpoint.vendor.wire for target in targets}
    for model, wire in asked.items():
        parameters = settings.of(model).parameters
        for name in refused_parameters(model.model, parameters) if wire == "anthropic" else ():
            yield f"{model} does not take {name}; it is sent without"
