"""Names of models as users write them: `provider:model`, `vendor/model`, both with `@variant`, `@group`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from types import MappingProxyType

import msgspec

from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording
from umwelten.providers.protocol import Vendor
from umwelten.providers.retired import retirement
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import ModelRef

_ROUTER = "openrouter"
_REPEAT = Phrase("{option:repeat}")
_VERSIONS = ("default", "latest")
"""Words that stand behind an `@` in names of models, as `001` and `q4_k_m` do: nobody means a variant."""


_FORMS = (
    "Write a model as provider:model (ollama:gemma3:12b), "
    "or as vendor/model for a model at OpenRouter (openai/gpt-5.4)."
)


def parse_model(text: str, vendors: Mapping[str, Vendor]) -> ModelRef:
    """Return the model that `provider:model` names, or `vendor/model` for one at OpenRouter.

    Errors: `UsageError` that lists the valid forms and suggests the nearest provider.
    """
    name = text.strip()
    prefix, colon, model = (piece.strip() for piece in name.partition(":"))
    if colon and prefix in vendors:
        if not model:
            raise _name_error(f"{name!r} names a provider but no model", vendors, None)
        return ModelRef(prefix, model)
    if _is_openrouter_name(prefix) and _ROUTER in vendors:
        return ModelRef(_ROUTER, name)
    if colon and (ended := retirement(prefix)):
        raise UsageError(*ended)
    if colon:
        raise _name_error(f"{prefix!r} in {name!r} is not a known provider", vendors, _guess(name, vendors))
    raise _name_error(f"{name!r} is not a model name", vendors, _guess(name, vendors))


def parse_models(
    text: str,
    vendors: Mapping[str, Vendor],
    groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
    variants: Collection[str] = (),
    *,
    often: Phrase = _REPEAT,
) -> tuple[tuple[ModelRef, ...], tuple[Wording, ...]]:
    """Return the models of a comma-separated list in order, each once, and notes on what may surprise.

    `@fast` stands for the models of that group, `openai:m@cool` is `openai:m` with the variant `cool`. An
    ending that is no variant's name is part of the model's. `often`: the option that calls each more than
    once. Errors: `UsageError` for an invalid name and for a list without any.
    """
    models: dict[ModelRef, None] = {}
    notes: list[Wording] = []
    for piece in expand_groups(text, groups, variants):
        name, variant = _split_variant(piece, variants)
        model = msgspec.structs.replace(parse_model(name, vendors), variant=variant)
        ending = model.model.rpartition(MARK)[2] if MARK in model.model else ""
        if ending and (variants or (ending.isalpha() and ending not in _VERSIONS)):
            notes.append(f"{model}: no variant is called {ending!r}, so it is part of the model's name")
        if model in models:
            notes.append(
                Phrase(
                    "{model} is listed twice but called once; use {often} to call it more often",
                    model=piece,
                    often=often,
                )
            )
        models[model] = None
    if not models:
        raise _name_error("no model is named", vendors, None)
    return tuple(models), tuple(notes)


def _split_variant(text: str, variants: Collection[str]) -> tuple[str, str]:
    """Return a model's name and its variant's, "" without one.

    Errors: `UsageError` for two variants, and where the ending is nearly the name of one.
    """
    name, _, ending = (piece.strip() for piece in text.rpartition(MARK))
    if ending in variants and name:
        if name.rpartition(MARK)[2].strip() in variants:
            raise UsageError(f"{text!r} names two variants", "A model is asked with one at a time.")
        return name, ending
    near = closest(ending, variants) if name else None
    if near is not None:
        raise UsageError(
            f"{text!r}: no variant is called {ending!r}",
            f"{did_you_mean(f'{name}{MARK}{near}')} If {MARK}{ending} belongs to the model's name, "
            f"give the variant {near} another one.",
        )
    return text, ""


def _is_openrouter_name(prefix: str) -> bool:
    """Return whether the text before a colon is `vendor/model` and not a file's path."""
    vendor, slash, model = prefix.partition("/")
    return bool(slash and vendor.strip(".~ ") and model.strip() and not prefix.lower().endswith(".gguf"))


def _guess(name: str, vendors: Mapping[str, Vendor]) -> str | None:
    """Return the `provider:model` that was probably meant, or `None`."""
    if name.lower().endswith(".gguf"):
        return f"local:{name}" if "local" in vendors else None
    word, _, model = name.partition(":")
    low = word.lower()
    nicknames = {nickname: row.name for row in vendors.values() for nickname in row.nicknames}
    if low in vendors or low in nicknames:
        return f"{low if low in vendors else nicknames[low]}:{model.strip() or 'MODEL'}"
    home = next((home for start, home in nicknames.items() if low.startswith(start)), None)
    if home is not None:
        return f"{home}:{name}"
    vendor = closest(low, vendors)
    return f"{vendor}:{model.strip() or name}" if vendor else None


def _name_error(message: str, vendors: Mapping[str, Vendor], nearest: str | None) -> UsageError:
    forms = f"{_FORMS} Providers: {', '.join(sorted(vendors))}."
    return UsageError(message, sentences(did_you_mean(nearest), forms))


MARK = "@"


def expand_groups(
    text: str, groups: Mapping[str, Sequence[str]], variants: Collection[str] | None = None
) -> list[str]:
    """Return the names of a comma-separated list, each group replaced by its models in order.

    Groups may contain groups; `@fast@cool` is each model of a group with that variant, which must be one of
    `variants` if they are known. Errors: `UsageError` for an unknown group (with the nearest name and all
    groups) and for a group that contains itself (with the cycle).
    """
    return list(_expand(text, groups, variants, ()))


def _expand(
    text: str,
    groups: Mapping[str, Sequence[str]],
    variants: Collection[str] | None,
    above: tuple[str, ...],
) -> Iterator[str]:
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        if not piece.startswith(MARK):
            yield piece
            continue
        name, mark, variant = (part.strip() for part in piece[1:].partition(MARK))
        if name not in groups:
            raise _unknown_group(name, groups, above)
        if mark and variants is not None and variant not in variants:
            raise _unknown_variant(variant, variants, piece)
        if name in above:
            cycle = " → ".join(MARK + step for step in (*above[above.index(name) :], name))
            raise UsageError(f"the group @{name} contains itself: {cycle}", "Remove one of these references.")
        for item in groups[name]:
            for model in _expand(item, groups, variants, (*above, name)):
                yield f"{model}{MARK}{variant}" if mark else model


def _unknown_group(name: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> UsageError:
    inside = f", which @{above[-1]} names," if above else ""
    if not groups:
        hint: str | None = (
            'No groups are defined: add [groups] with fast = ["provider:model", …] to umwelten.toml.'
        )
    else:
        names = f"Groups: {', '.join(MARK + group for group in sorted(groups))}."
        hint = sentences(did_you_mean(closest(name, groups), "@{}"), names)
    return UsageError(f"@{name}{inside} is not a group of models", hint)


def _unknown_variant(name: str, variants: Collection[str], piece: str) -> UsageError:
    hint = f"Define it in umwelten.toml: [variants.{name or 'NAME'}] with temperature = 0 and the like."
    if variants:
        names = f"Variants: {', '.join(MARK + one for one in sorted(variants))}."
        hint = " ".join(filter(None, (did_you_mean(closest(name, variants), "@{}"), names)))
    return UsageError(f"{piece}: no variant is called {name!r}", hint)
