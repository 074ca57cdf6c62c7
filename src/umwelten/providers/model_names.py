"""Names of models as users write them: `provider:model`, `vendor/model`, `@group`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording
from umwelten.providers.protocol import Vendor
from umwelten.providers.retired import retirement
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import ModelRef

_ROUTER = "openrouter"


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
    text: str, vendors: Mapping[str, Vendor], groups: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[tuple[ModelRef, ...], tuple[Wording, ...]]:
    """Return the models of a comma-separated list in order, each once, and notes on duplicates.

    `@fast` stands for the models of that group. Errors: `UsageError` for an invalid name and for a list
    without any.
    """
    models: dict[ModelRef, None] = {}
    notes: list[Wording] = []
    for piece in expand_groups(text, groups):
        model = parse_model(piece, vendors)
        if model in models:
            notes.append(
                Phrase(
                    "{model} is listed twice but called once; use {option:repeat} to call it more often",
                    model=piece,
                )
            )
        models[model] = None
    if not models:
        raise _name_error("no model is named", vendors, None)
    return tuple(models), tuple(notes)


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


def expand_groups(text: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the names of a comma-separated list, each group replaced by its models in order.

    Groups may contain groups. Errors: `UsageError` for an unknown group (with the nearest name and all
    groups) and for a group that contains itself (with the cycle).
    """
    return list(_expand(text, groups, ()))


def _expand(text: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> Iterator[str]:
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        if not piece.startswith(MARK):
            yield piece
            continue
        name = piece[1:].strip()
        if name not in groups:
            raise _unknown_group(name, groups, above)
        if name in above:
            cycle = " → ".join(MARK + step for step in (*above[above.index(name) :], name))
            raise UsageError(f"the group @{name} contains itself: {cycle}", "Remove one of these references.")
        for item in groups[name]:
            yield from _expand(item, groups, (*above, name))


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
