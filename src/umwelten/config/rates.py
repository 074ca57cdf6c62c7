"""Rates that the user knows: which provider, or which of its models, each is for."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.config.rate_texts import parse_rates
from umwelten.config.settings import Settings
from umwelten.control.known_rate import KnownRate
from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.providers.protocol import Scope, Vendor
from umwelten.providers.retired import retirement
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import ModelRef, Resource

MINUTE_S = 60.0


def given_rates(settings: Settings, known: Mapping[str, Vendor]) -> Mapping[str, tuple[KnownRate, ...]]:
    """Return the rates of the option, by `provider` or `provider:model`.

    Raises `UsageError` for a provider that there is not, and for a model of one that has one limit for all.
    """
    rates = settings.get("rate")
    for name in rates:
        _check(name, known)
    return {name: parse_rates(text) for name, text in rates.items()}


def _check(name: str, known: Mapping[str, Vendor]) -> None:
    provider, colon, model = name.partition(":")
    if provider not in known:
        if ended := retirement(provider):
            raise UsageError(*ended, argument="rate")
        raise UsageError(
            Phrase("{option:rate}: {name!r} is not a known provider", name=provider),
            did_you_mean(closest(provider, known)) or f"Known are {', '.join(known)}.",
            argument="rate",
        )
    if colon and not model.strip():
        raise UsageError(
            Phrase("{option:rate}: {name!r} names no model", name=name),
            f"Write {provider}, or {provider}: and the name of a model.",
            argument="rate",
        )
    if colon and known[provider].scope is not Scope.KEY_AND_MODEL:
        raise UsageError(
            Phrase(
                "{option:rate}: {name!r} is a model, and {provider} has one limit for all of them",
                name=name,
                provider=provider,
            ),
            f'Give the rate for {provider}, or set scope = "key+model" in [providers.{provider}].',
            argument="rate",
        )


def known_rates(
    model: ModelRef, vendor: Vendor, given: Mapping[str, tuple[KnownRate, ...]]
) -> tuple[KnownRate, ...]:
    """Return the rates that hold for a model: its own, else its provider's, else those of the section.

    What is given for one resource leaves the other as it was; rates in several units hold together.
    """
    by_resource: dict[Resource, list[KnownRate]] = {}
    if vendor.rpm is not None:
        by_resource[Resource.REQUESTS] = [KnownRate(vendor.rpm, MINUTE_S)]
    if vendor.tpm is not None:
        by_resource[Resource.TOKENS] = [KnownRate(vendor.tpm, MINUTE_S, Resource.TOKENS)]
    for name in (model.provider, str(model.plain)):
        rates = given.get(name, ())
        by_resource |= {of: [r for r in rates if r.resource is of] for of in {r.resource for r in rates}}
    return tuple(rate for rates in by_resource.values() for rate in rates)
