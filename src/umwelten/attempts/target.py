"""Where an attempt goes: a model, its endpoint and wire, and what it takes besides text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec

from umwelten.errors import InputError
from umwelten.providers.anthropic.models import refused_parameters
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.common.refused_fields import API
from umwelten.providers.openai.responses.items import is_own_turn
from umwelten.providers.openai.responses.requests import left_out as left_out_of_responses
from umwelten.providers.protocol import Endpoint, Scope, Wire
from umwelten.providers.wires import WIRES
from umwelten.types import (
    ModelRef,
    Part,
    RequestSettings,
    Secret,
    Turn,
)

Attached = tuple[Part, ...] | InputError
"""The attachments as a model takes them, or why it can't take them."""


class LocalAddress(Protocol):
    """What starts the embedded model's server and tells its address and key."""

    def using(self, model: str) -> AbstractAsyncContextManager[tuple[str, Secret]]: ...


class Target(msgspec.Struct, frozen=True):
    """Where a model is asked: its endpoint and wire, with which prompt, and what it takes beside words.

    `others` are further endpoints where it may be asked as well. `local` None: the endpoint's address is
    settled. `attached` is an error where the model can't take it. `other_wire` is the one to turn to if the
    provider refuses the API that `wire` asks.
    """

    model: ModelRef
    endpoint: Endpoint
    wire: Wire
    local: LocalAddress | None = None
    prompt: str = ""
    capabilities: Capabilities = Capabilities()
    attached: Attached = ()
    others: tuple[Endpoint, ...] = ()
    other_wire: Wire | None = None

    def settled(self, dropped: frozenset[str], turns: Iterable[Turn]) -> Target:
        """The target for a conversation, where these fields were refused.

        It has the other wire if the API was refused. A conversation that began over the Responses API goes
        on there, whatever is chosen now: its turns are in that format, and hold what only it can read.
        """
        wire = self.other_wire if API in dropped else None
        if self.endpoint.vendor.wire == "openai" and any(map(is_own_turn, turns)):
            wire = WIRES["responses"]
        return self if wire is None else msgspec.structs.replace(self, wire=wire, other_wire=None)

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
    asked = {target.model: target for target in targets}
    for model, target in asked.items():
        parameters = settings.of(model).parameters
        names: Iterable[str] = ()
        if target.endpoint.vendor.wire == "anthropic":
            names = refused_parameters(model.model, parameters)
        elif target.wire is WIRES["responses"]:
            names = left_out_of_responses(parameters)
        for name in names:
            yield f"{model} does not take {name}; it is sent without"
