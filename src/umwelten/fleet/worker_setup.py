"""What workers need to make the attempts of a run, as it is sent to them once. No key is in it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from umwelten.attempts.target import Target
from umwelten.config.options import BY_KEY, OPTIONS
from umwelten.config.private_networks import is_loopback
from umwelten.config.settings import Settings
from umwelten.errors import InputError, UsageError
from umwelten.fleet.packed_content import PackedError, pack_error, unpack_error
from umwelten.fleet.packing import pack
from umwelten.fleet.wire_turns import WirePart, pack_parts, unpack_parts
from umwelten.fleet.worker_keys import SecretPlace, address_place, endpoints_of, key_place
from umwelten.phrases import Phrase, Spelling
from umwelten.pricing import Price, PriceBook, RequestTerms
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint, Vendor, Wire
from umwelten.providers.wires import WIRES
from umwelten.types import FrozenStruct, ModelRef, RequestSettings, Schema, Secret

_VALUE = "VALUE"
"""Stands for any value where an option's spelling is asked for; needs no quotes."""
_SWITCHED = ("yes", "no")


class PackedEndpoint(FrozenStruct, omit_defaults=True):
    """An `Endpoint` without its secrets: `key` and `address` say where a worker finds them."""

    vendor: Vendor
    base_url: str = ""
    member: str = ""
    key: SecretPlace | None = None
    address: SecretPlace | None = None


class PackedAttachments(FrozenStruct, omit_defaults=True):
    """The attachments as some models take them, or why these can't."""

    parts: tuple[WirePart, ...] = ()
    error: PackedError | None = None


class PackedTarget(FrozenStruct, omit_defaults=True):
    """A `Target`; `endpoints` and `attached` are places in the lists of the setup."""

    number: int
    model: ModelRef
    endpoints: tuple[int, ...]
    wire: str
    other_wire: str | None = None
    prompt: str = ""
    capabilities: Capabilities = Capabilities()
    attached: int = 0


class PackedSpelling(FrozenStruct):
    """How options are spelled, by their names: without a value, with one, and those that are switches."""

    bare: dict[str, str]
    valued: dict[str, str]
    switched: dict[str, tuple[str, str]]

    def __call__(self, name: str, value: str | None = None) -> str:
        """Return the option as the coordinator spells it; values are not quoted in other ways."""
        if value is None:
            return self.bare.get(name, name)
        if value in _SWITCHED and name in self.switched:
            return self.switched[name][_SWITCHED.index(value)]
        return self.valued.get(name, f"{name}={_VALUE}").replace(_VALUE, value)


class WorkerSetup(FrozenStruct, omit_defaults=True):
    """What the attempts of a run need, as a worker is told it.

    `folder` is where relative paths begin. `checks`: workers check records against `schema`; else they say
    what the provider said. `kept`: what is
    sent is kept, with the paths of attachments by their names; `None`: it is not.
    """

    request: RequestSettings
    endpoints: tuple[PackedEndpoint, ...]
    attachments: tuple[PackedAttachments, ...]
    targets: tuple[PackedTarget, ...]
    spelling: PackedSpelling
    own_prices: tuple[tuple[ModelRef, Price], ...]
    free: frozenset[str]
    price_lists: dict[str, str]
    terms: tuple[tuple[ModelRef, RequestTerms], ...]
    timeout_s: float
    folder: str
    stream: bool = False
    trace: bool = False
    checks: bool = True
    schema: Schema | None = None
    coerce: bool = False
    single: bool = False
    kept: dict[str, str] | None = None

    @property
    def prices(self) -> PriceBook:
        """The sources of prices."""
        return PriceBook(own=dict(self.own_prices), free=self.free, lists=self.price_lists)

    def to_targets(self, keys: Mapping[int, Secret], addresses: Mapping[int, str]) -> dict[int, Target]:
        """Return the targets by number; the secrets of endpoints are by their places in the list."""
        endpoints = [
            Endpoint(
                vendor=one.vendor,
                base_url=addresses.get(place, one.base_url),
                api_key=keys.get(place),
                member=one.member,
            )
            for place, one in enumerate(self.endpoints)
        ]
        attached = [
            unpack_parts(one.parts) if one.error is None else unpack_error(one.error)
            for one in self.attachments
        ]
        return {
            one.number: Target(
                model=one.model,
                endpoint=endpoints[one.endpoints[0]],
                others=tuple(endpoints[place] for place in one.endpoints[1:]),
                wire=WIRES[one.wire],
                other_wire=None if one.other_wire is None else WIRES[one.other_wire],
                prompt=one.prompt,
                capabilities=one.capabilities,
                attached=attached[one.attached],
            )
            for one in self.targets
        }


def pack_setup(
    *,
    request: RequestSettings,
    targets: Mapping[int, Target],
    settings: Settings,
    spelling: Spelling,
    prices: PriceBook,
    terms: Mapping[ModelRef, RequestTerms],
    timeout_s: float,
    stream: bool,
    trace: bool,
    checks: bool,
    schema: Schema | None,
    coerce: bool,
    single: bool,
    kept: Mapping[str, str] | None,
) -> bytes:
    """Return a `WorkerSetup` as bytes. Raises `UsageError` for what only this process can do."""
    check_targets(targets)
    endpoints: dict[int, tuple[int, PackedEndpoint]] = {}
    attachments: dict[int, tuple[int, PackedAttachments]] = {}
    packed: list[PackedTarget] = []
    for number, target in targets.items():
        at = (target.endpoint, *target.others)
        for one in at:
            if id(one) not in endpoints:
                endpoints[id(one)] = (len(endpoints), _packed_endpoint(one, settings))
        attached = target.attached
        if id(attached) not in attachments:
            attachments[id(attached)] = (len(attachments), _packed_attachments(attached))
        packed.append(
            PackedTarget(
                number=number,
                model=target.model,
                endpoints=tuple(endpoints[id(one)][0] for one in at),
                wire=_name_of(target.wire),
                other_wire=None if target.other_wire is None else _name_of(target.other_wire),
                prompt=target.prompt,
                capabilities=target.capabilities,
                attached=attachments[id(attached)][0],
            )
        )
    return pack(
        WorkerSetup(
            request=request,
            endpoints=tuple(one for _, one in endpoints.values()),
            attachments=tuple(one for _, one in attachments.values()),
            targets=tuple(packed),
            spelling=packed_spelling(spelling),
            own_prices=tuple(prices.own.items()),
            free=prices.free,
            price_lists=dict(prices.lists),
            terms=tuple(terms.items()),
            timeout_s=timeout_s,
            folder=str(Path.cwd()),
            stream=stream,
            trace=trace,
            checks=checks,
            schema=schema,
            coerce=coerce,
            single=single,
            kept=None if kept is None else dict(kept),
        )
    )


def check_targets(targets: Mapping[int, Target]) -> None:
    """Raise `UsageError` for models that only this process can ask."""
    local = list(dict.fromkeys(str(one.model) for one in targets.values() if one.local is not None))
    if local:
        raise UsageError(
            Phrase(
                "{models} runs inside umwelten on this machine, and workers cannot ask it",
                models=" and ".join(local),
            ),
            Phrase("Leave out {option:engine}, or have a server ask it, such as ollama:gemma3:12b."),
            argument="engine",
        )


def loopback_notes(targets: Mapping[int, Target]) -> list[str]:
    """Return what to say of servers whose addresses mean another machine on each node of a cluster."""
    at = {one.base_url: one.vendor.name for one in endpoints_of(targets)}
    return [
        f"{name} is reached at {base_url}: on each node of the cluster that is the node itself"
        for base_url, name in at.items()
        if is_loopback(urlsplit(base_url).hostname or "")
    ]


def _packed_endpoint(endpoint: Endpoint, settings: Settings) -> PackedEndpoint:
    address = address_place(endpoint, settings)
    return PackedEndpoint(
        vendor=endpoint.vendor,
        base_url=endpoint.base_url if address is None else "",
        member=endpoint.member,
        key=key_place(endpoint),
        address=address,
    )


def _packed_attachments(attached: object) -> PackedAttachments:
    if isinstance(attached, InputError):
        return PackedAttachments(error=pack_error(attached))
    assert isinstance(attached, tuple)
    return PackedAttachments(parts=pack_parts(attached))


def _name_of(wire: Wire) -> str:
    return next(name for name, known in WIRES.items() if known is wire)


def packed_spelling(spelling: Spelling) -> PackedSpelling:
    """Return how options are spelled, as a value."""
    names = dict.fromkeys((*OPTIONS, *BY_KEY))
    valued = {name: spelling(name, _VALUE) for name in names}
    switched = {name: (spelling(name, "yes"), spelling(name, "no")) for name in names}
    return PackedSpelling(
        bare={name: spelling(name, None) for name in names},
        valued=valued,
        switched={
            name: words
            for name, words in switched.items()
            if words != tuple(valued[name].replace(_VALUE, word) for word in _SWITCHED)
        },
    )
