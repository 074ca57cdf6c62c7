"""What can be checked before the first call: texts, keys, prices, attachments, placeholders."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from umwelten.attempts.proxies import check_proxy
from umwelten.attempts.target import Attached
from umwelten.config.addresses import address_notes, own_addresses, reached_at
from umwelten.config.endpoints import all_of, endpoints, price_overrides, project_prices
from umwelten.config.members import members
from umwelten.config.settings import Settings
from umwelten.errors import ConfigError, InputError, StoreError, UsageError
from umwelten.evaluation.descriptors import check_open_files
from umwelten.evaluation.engine_choice import check_workers
from umwelten.evaluation.request_terms import request_terms
from umwelten.evaluation.reuse import check_reuse
from umwelten.evaluation.spec import EvaluationSpec, check_id
from umwelten.evaluation.tool_checks import check_parameters, check_support
from umwelten.inputs import file_hash, read
from umwelten.inputs.sources import Inputs
from umwelten.inputs.workers.worker import convert_now
from umwelten.local import check_engine, find_weights
from umwelten.phrases import Phrase, Wording
from umwelten.pricing import PriceBook, price_of
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.prices import price_book
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.providers.shutdowns import shutdown_notes
from umwelten.providers.wires import capabilities_of, check_model_name
from umwelten.store.database import has_database
from umwelten.store.derived import JUDGE, RANK, stored_derived
from umwelten.types import FrozenStruct, ModelRef, Part

PLACEHOLDERS = {
    "files": ("content", "file.name", "file.path"),
    "rows": ("content", "file.name", "file.path"),
    "answers": ("content", "answer", "prompt", "input", "file.name", "file.path"),
    "pairs": ("content", "first", "second", "prompt", "input", "file.name", "file.path"),
}
"""The names that a prompt may have in double braces, by source of the inputs; rows add their columns, and
answers those of the rows that they go back to and `json.…`."""

_PRICE_KEYS = 'price_list = "…" or free = true'


class Preflight(FrozenStruct):
    """What is settled: endpoints by provider, of each of its members; by model, what it takes and the
    attachments as it takes them.

    An attachment that a model can't take is the error that its calls end with.
    """

    endpoints: Mapping[str, tuple[Endpoint, ...]]
    builder: RequestBuilder
    capabilities: Mapping[ModelRef, Capabilities]
    attached: Mapping[ModelRef, Attached]


def preflight(
    spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor], *, ask: bool = False
) -> Preflight:
    """Raise a `UmweltenError` for what the user must fix.

    `ask`: ask servers whether their models take the tools; without, nothing is sent.
    """
    check_open_files()
    _check_texts(spec)
    check_workers(spec.engine, spec.models)
    check_parameters(spec, vendors)
    if spec.output.id is not None:
        check_id(spec.output.id)
        _check_role(spec, spec.output.output_dir / spec.output.id)
    check_reuse(spec)
    for ref in spec.models:
        check_model_name(ref, vendors[ref.provider])
    found = _endpoints(spec, settings, vendors)
    if spec.limits.max_cost_usd is not None:
        check_priced(spec, price_book(vendors, price_overrides(settings)))
    capabilities = {ref: capabilities_of(found[ref.provider][0], ref) for ref in spec.models}
    attached = _attachments(spec, capabilities)
    usable = next((parts for parts in attached.values() if not isinstance(parts, InputError)), ())
    added = None if spec.inputs is None else spec.inputs.added
    builder = RequestBuilder(
        spec.request, attached=usable, added_bytes=0 if added is None else added.all_bytes
    )
    if spec.inputs is None:
        builder.check((), None)
    else:
        _check_placeholders(builder, spec.inputs)
    _check_local(spec)
    check_support(spec, found, ask=ask)
    return Preflight(endpoints=found, builder=builder, capabilities=capabilities, attached=attached)


def _check_local(spec: EvaluationSpec) -> None:
    """Raise `LocalModelError` for what local models lack: after what costs no download to put right."""
    names = [ref.model for ref in spec.models if ref.provider == "local"]
    if not names:
        return
    if spec.inputs is not None and spec.inputs.keep is None:
        next(spec.inputs.files(), None)
    check_engine()
    for name in names:
        find_weights(name)


def _check_role(spec: EvaluationSpec, folder: Path) -> None:
    """Raise `UsageError` where the id is that of a judge's verdicts, and this is not that judge."""
    if not has_database(folder) or spec.derived is not None:
        return
    try:
        derived = stored_derived(folder)
    except StoreError:
        return  # what is wrong with it shows where it is opened
    if derived is not None and derived.role == RANK:
        raise UsageError(
            f"{folder.name!r} is a ranking of {derived.of!r}",
            Phrase(
                "Use another {option:id}. It goes on with umwelten eval rank; to remove it: "
                "umwelten eval delete {id}",
                id=folder.name,
            ),
            argument="id",
        )
    if derived is not None and derived.role != JUDGE:
        raise UsageError(
            f"{folder.name!r} holds what was learnt for the memory store {derived.of!r}",
            Phrase(
                "Use another {option:id}. umwelten memory learn goes on with it; to remove it: "
                "umwelten eval delete {id}",
                id=folder.name,
            ),
            argument="id",
        )
    if derived is not None:
        raise UsageError(
            f"{folder.name!r} holds what the judge {derived.scorer!r} said of {derived.of!r}",
            Phrase(
                "Use another {option:id}. Its judge goes on with umwelten eval score {of}; to remove what it "
                "said: umwelten eval delete {id}",
                of=derived.of,
                id=folder.name,
            ),
            argument="id",
        )


def _check_placeholders(builder: RequestBuilder, inputs: Inputs) -> None:
    added = () if inputs.added is None else inputs.added.all_names
    try:
        builder.check((*PLACEHOLDERS[inputs.source], *added), inputs.columns)
    except UsageError as error:
        if not inputs.notes:
            raise
        # How the table was read may well be why it lacks the column.
        hint = Phrase("{hint}\n{notes}", hint=error.hint_wording or "", notes="\n".join(inputs.notes))
        raise UsageError(error.wording, hint, argument=error.argument) from None
    inputs.check_paths(builder.json_paths)


def _check_texts(spec: EvaluationSpec) -> None:
    prompts = [prompt.text for prompt in spec.request.prompts]
    if not all(text.strip() for text in prompts):
        raise UsageError(
            "the prompt is empty",
            Phrase("Give it with {option:prompt=TEXT}, {option:prompt=@FILE} or {option:prompt=-}."),
            argument="prompt",
        )
    systems = [spec.request.of(model).system or "" for model in spec.models]
    for text in (*prompts, *systems, *map(str, spec.models)):
        if not text.isascii() and text != text.encode("utf-8", "replace").decode():
            raise UsageError(
                f"{text[:40]!r} holds bytes that are no UTF-8", "Save it as UTF-8 and use @FILE."
            )


def _endpoints(
    spec: EvaluationSpec, settings: Settings, vendors: Mapping[str, Vendor]
) -> dict[str, tuple[Endpoint, ...]]:
    """All at once: who lacks two keys should not learn of the second only after the first."""
    found: dict[str, tuple[Endpoint, ...]] = {}
    problems: list[ConfigError] = []
    for provider in dict.fromkeys(ref.provider for ref in spec.models):
        try:
            found[provider] = endpoints(vendors[provider], settings)
            for member in found[provider]:
                check_proxy(member)
        except ConfigError as error:
            problems.append(error)
    if problems:
        raise all_of(problems)
    return found


def check_priced(spec: EvaluationSpec, prices: PriceBook) -> None:
    """Raise `UsageError` for a model without a price: a cap of costs could not be kept."""
    now = time.time()
    models = list(dict.fromkeys(ref.plain for ref in spec.models))
    unknown = [model for model in models if price_of(model, prices, at=now) is None]
    if not unknown:
        _check_tiers(spec, prices, now)
    else:
        first = unknown[0]
        is_listed = first.provider in prices.lists
        or_all = "" if is_listed else f", or [providers.{first.provider}] {_PRICE_KEYS}"
        raise UsageError(
            Phrase(
                "{option:max_cost} can't be kept: no price is known for {models}",
                models=", ".join(map(str, unknown)),
            ),
            f'Put it in umwelten.toml: [prices."{first}"] input = … output = … (per million tokens){or_all}.',
            argument="max_cost",
        )


def _check_tiers(spec: EvaluationSpec, prices: PriceBook, now: float) -> None:
    tiers: dict[str, list[ModelRef]] = {}
    for ref in spec.models:
        tier = request_terms(spec.request.of(ref)).tier
        if tier is not None and price_of(ref, prices, at=now, tier=tier) is None:
            tiers.setdefault(tier, []).append(ref.plain)
    for tier, unknown in tiers.items():
        raise UsageError(
            Phrase(
                "{option:max_cost} can't be kept: no price is known for service tier {tier} of {models}",
                tier=repr(tier),
                models=", ".join(map(str, dict.fromkeys(unknown))),
            ),
            f'Put it in umwelten.toml: [prices."{unknown[0]}"] with input and output, and '
            f'[prices."{unknown[0]}".{tier}] with those of the tier (per million tokens).',
            argument="max_cost",
        )


def hash_attachments(paths: Iterable[Path]) -> tuple[tuple[str, bytes], ...]:
    """Name and content hash of each file. Raises `InputError` for one that can't be read."""
    try:
        return tuple((path.name, file_hash(path)) for path in paths)
    except InputError as error:
        raise _of_attachment(error) from None


def _attachments(
    spec: EvaluationSpec, capabilities: Mapping[ModelRef, Capabilities]
) -> dict[ModelRef, Attached]:
    """The parts by model. Raises an attachment's fault if no model takes it."""
    parts = {takes: _attachment_parts(spec, takes) for takes in dict.fromkeys(capabilities.values())}
    failed = [fault for fault in parts.values() if isinstance(fault, InputError)]
    if len(failed) == len(parts):
        raise _of_attachment(failed[0])
    return {ref: parts[takes] for ref, takes in capabilities.items()}


def _of_attachment(error: InputError) -> InputError:
    message = Phrase("{option:attach}: {problem}", problem=error.wording)
    return InputError(message, error.hint_wording, argument="attach")


def _attachment_parts(spec: EvaluationSpec, capabilities: Capabilities) -> Attached:
    try:
        return tuple(part for path in spec.attach for part in _parts(path, capabilities, spec))
    except InputError as error:
        return error


def _parts(path: Path, capabilities: Capabilities, spec: EvaluationSpec) -> tuple[Part, ...]:
    content = read(path, name=path.name, capabilities=capabilities, pdf=spec.request.pdf)
    if content.convert is None:
        return content.parts
    return convert_now(content.convert, spec.limits.timeout_s).parts


def note_addresses(
    spec: EvaluationSpec, settings: Settings, known: Mapping[str, Vendor], notes: list[Wording]
) -> None:
    """Notes on addresses that are not the vendor's own or a guess, and on models that are shut down."""
    asked = [known[name] for name in dict.fromkeys(model.provider for model in spec.models)]
    notes.extend(address_notes(asked, settings))
    try:
        reached = {m.name: reached_at(m.vendor, settings) for vendor in asked for m in members(vendor)}
        notes.extend(
            f"{name} is reached at {at.base_url} ({at.source})"
            for name, at in reached.items()
            if not at.is_usual
        )
        elsewhere = own_addresses(asked, settings)
    except ConfigError:
        return  # an error before anything starts
    at_home = dict.fromkeys(model.plain for model in spec.models if model.provider not in elsewhere)
    notes.extend(shutdown_notes(at_home, datetime.now(UTC).date()))


def note_prices(spec: EvaluationSpec, settings: Settings, notes: list[Wording]) -> None:
    """Notes on models whose cost is capped by what a project's file says that they cost."""
    files = {ref: project_prices(ref, settings) for ref in dict.fromkeys(m.plain for m in spec.models)}
    notes.extend(
        Phrase("{option:max_cost} counts {ref} by the prices in {file}", ref=ref, file=file)
        for ref, file in files.items()
        if file is not None and spec.limits.max_cost_usd is not None
    )


def note_idle_rates(spec: EvaluationSpec, settings: Settings, notes: list[Wording]) -> None:
    """One note where a rate that was given for this run is of no model in it: a name may be misspelt."""
    used = {name for model in spec.models for name in (model.provider, str(model.plain))}
    idle = [name for name in spec.limits.rates if name not in used]
    if idle and "rate" in settings.given:
        notes.append(
            Phrase("{option:rate}: no model of this run is held to that of {names}", names=", ".join(idle))
        )


def note_idle_api(
    spec: EvaluationSpec, settings: Settings, known: Mapping[str, Vendor], notes: list[Wording]
) -> None:
    """One note where an API was chosen for this run, and no provider in it has one to choose."""
    chosen = settings.get("api")
    is_given = "api" in settings.given and chosen != "auto"
    if is_given and all(known[model.provider].api != chosen for model in spec.models):
        notes.append(Phrase("{option:api}: no provider of this run has a choice of APIs"))


def note_idle_variants(given: Iterable[str], used: Iterable[str], notes: list[Wording]) -> None:
    """One note where a variant that was given for this run is of no model in it."""
    idle = [name for name in given if name not in set(used)]
    if idle:
        notes.append(
            Phrase("{option:variants}: no model of this run is named …@{names}", names=" or …@".join(idle))
        )


def note_high_caps(spec: EvaluationSpec, known: Mapping[str, Vendor], notes: list[Wording]) -> None:
    """One note where a cap lies above what suits most accounts; it is obeyed."""
    if spec.limits.max_concurrency == "auto":
        return
    share = -(-spec.limits.max_concurrency // len(spec.models))
    for name in dict.fromkeys(model.provider for model in spec.models):
        several = len(members(known[name]))
        low, high = (several * calls for calls in known[name].recommended)
        models = sum(1 for model in spec.models if model.provider == name)
        calls = spec.limits.provider_concurrency.get(name, min(share * models, spec.limits.max_concurrency))
        if name != "local" and calls > high:
            notes.append(
                f"{calls} calls in flight are more than the {low}-{high} that suit most {name} "
                "accounts; it slows down by itself where that is too many"
            )
