"""What can be checked before the first call: texts, keys, prices, attachments, placeholders."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from umwelten.attempts.target import Attached
from umwelten.config import Settings, endpoint, price_overrides
from umwelten.errors import ConfigError, InputError, UsageError
from umwelten.evaluation.spec import EvaluationSpec, check_id
from umwelten.inputs import file_hash, read
from umwelten.local import find_weights
from umwelten.phrases import Phrase, Wording
from umwelten.pricing import price_of
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.capabilities import Capabilities, capabilities_of
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.types import FrozenStruct, ModelRef, Part, PdfMode, Prompt

PLACEHOLDERS = {
    "files": ("content", "file.name", "file.path"),
    "rows": ("content", "file.name", "file.path"),
    "answers": ("content", "answer", "file.name", "file.path"),
}
"""The names that a prompt may have in double braces, by source of the inputs; rows add their columns."""


class Preflight(FrozenStruct):
    """What is settled: endpoints by provider; by model, what it takes and the attachments as it takes them.

    An attachment that a model can't take is the error that its calls end with.
    """

    endpoints: Mapping[str, Endpoint]
    plan: RequestBuilder
    capabilities: Mapping[ModelRef, Capabilities]
    attached: Mapping[ModelRef, Attached]


def preflight(wanted: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor]) -> Preflight:
    """Raises a `UmweltenError` for what the user must mend."""
    prompts = wanted.prompts or (Prompt(name="", text=wanted.prompt),)
    for prompt in prompts:
        if not prompt.text.strip():
            raise UsageError(
                "the prompt is empty",
                Phrase("Give it with {option:prompt=TEXT}, {option:prompt=@FILE} or {option:prompt=-}."),
                argument="prompt",
            )
    if wanted.id is not None:
        check_id(wanted.id)
    for text in (*(prompt.text for prompt in prompts), wanted.system or "", *map(str, wanted.models)):
        if not text.isascii() and text != text.encode("utf-8", "replace").decode():
            raise UsageError(
                f"{text[:40]!r} holds bytes that are no UTF-8", "Save it as UTF-8 and use @FILE."
            )
    endpoints = _endpoints(wanted, settings, vendors)
    for ref in wanted.models:
        if ref.provider == "local":
            find_weights(ref.model)
    if wanted.max_cost_usd is not None:
        _check_priced(wanted, settings)
    capabilities = {ref: capabilities_of(endpoints[ref.provider], ref) for ref in wanted.models}
    digests, attached = _attachments(wanted, capabilities)
    usable = next((parts for parts in attached.values() if not isinstance(parts, InputError)), ())
    plan = RequestBuilder(
        prompts=prompts,
        system=wanted.system,
        parameters=wanted.parameters,
        attachments=digests,
        attached=usable,
        schema=wanted.schema,
        pdf=wanted.pdf,
        source=wanted.source,
    )
    plan.check(PLACEHOLDERS[wanted.source] if wanted.files is not None else (), wanted.columns)
    return Preflight(endpoints=endpoints, plan=plan, capabilities=capabilities, attached=attached)


def _endpoints(
    wanted: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor]
) -> dict[str, Endpoint]:
    """All at once: who lacks two keys should not learn of the second only after the first."""
    found: dict[str, Endpoint] = {}
    problems: list[ConfigError] = []
    for provider in dict.fromkeys(ref.provider for ref in wanted.models):
        try:
            found[provider] = endpoint(vendors[provider], settings)
        except ConfigError as error:
            problems.append(error)
    if problems:
        hints = dict.fromkeys(error.hint for error in problems if error.hint)
        raise ConfigError("; ".join(error.message for error in problems), "\n".join(hints))
    return found


def _check_priced(wanted: EvaluationSpec, settings: Settings) -> None:
    """A cap that cannot be kept would be a promise broken in silence."""
    prices = price_overrides(settings)
    unknown = [m for m in wanted.models if price_of(m, overrides=prices, at=time.time()) is None]
    if unknown:
        raise UsageError(
            Phrase(
                "{option:max_cost} can't be kept: no price is known for {models}",
                models=", ".join(map(str, unknown)),
            ),
            f'Put it in umwelten.toml: [prices."{unknown[0]}"] input = … output = … (per million tokens).',
            argument="max_cost",
        )


def _attachments(
    wanted: EvaluationSpec, capabilities: Mapping[ModelRef, Capabilities]
) -> tuple[tuple[tuple[str, bytes], ...], dict[ModelRef, Attached]]:
    """Names and content hashes, and the parts by model. Raises an attachment's fault if no model takes it."""
    try:
        digests = tuple((path.name, file_hash(path)) for path in wanted.attach)
        parts: dict[Capabilities, Attached] = {}
        for one in capabilities.values():
            if one not in parts:
                parts[one] = _attached(wanted, one)
        failed = [found for found in parts.values() if isinstance(found, InputError)]
        if len(failed) == len(parts):
            raise failed[0]
    except InputError as error:
        message = Phrase("{option:attach}: {problem}", problem=error.wording)
        raise InputError(message, error.hint_wording, argument="attach") from None
    return digests, {ref: parts[one] for ref, one in capabilities.items()}


def _attached(wanted: EvaluationSpec, capabilities: Capabilities) -> Attached:
    try:
        return tuple(part for path in wanted.attach for part in _parts(path, capabilities, wanted.pdf))
    except InputError as error:
        return error


def _parts(path: Path, capabilities: Capabilities, pdf: PdfMode) -> Iterator[Part]:
    content = read(path, name=path.name, capabilities=capabilities, pdf=pdf)
    yield from content.parts if content.convert is None else content.convert().parts


def note_high_caps(wanted: EvaluationSpec, known: Mapping[str, Vendor], notes: list[Wording]) -> None:
    """One note where a cap lies above what suits most accounts; it is obeyed."""
    if wanted.max_concurrency == "auto":
        return
    share = -(-wanted.max_concurrency // len(wanted.models))
    for name in dict.fromkeys(model.provider for model in wanted.models):
        low, high = known[name].recommended
        models = sum(1 for model in wanted.models if model.provider == name)
        calls = wanted.provider_concurrency.get(name, share * models)
        if name != "local" and calls > high:
            notes.append(
                f"{calls} calls in flight are more than the {low}-{high} that suit most {name} "
                "accounts; it slows down by itself where that is too many"
            )
