"""Which model a user means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from umwelten.errors import UsageError
from umwelten.phrases import Phrase, Wording
from umwelten.providers.protocol import Vendor
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import ModelRef

_ROUTER = "openrouter"


_FORMS = (
    "A model is written provider:model (ollama:gemma3:12b), "
    "or vendor/model for a model at OpenRouter (openai/gpt-4o)."
)


def parse_model(text: str, vendors: Mapping[str, Vendor]) -> ModelRef:
    """The model a user means by `provider:model`, or by `vendor/model` at OpenRouter.

    Raises `UsageError` that lists the valid forms and the nearest provider's name.
    """
    name = text.strip()
    prefix, colon, model = (piece.strip() for piece in name.partition(":"))
    if colon and prefix in vendors:
        if not model:
            raise _refusal(f"{name!r} names a provider but no model", vendors, None)
        return ModelRef(prefix, model)
    if _is_routed(prefix) and _ROUTER in vendors:
        return ModelRef(_ROUTER, name)
    if colon:
        raise _refusal(f"{prefix!r} in {name!r} is not a known provider", vendors, _guess(name, vendors))
    raise _refusal(f"{name!r} is not a model name", vendors, _guess(name, vendors))


def parse_models(
    text: str, vendors: Mapping[str, Vendor], groups: Mapping[str, Sequence[str]] = MappingProxyType({})
) -> tuple[tuple[ModelRef, ...], tuple[Wording, ...]]:
    """The models of a comma list in the order given, each once, and notes on what was dropped.

    `@fast` stands for the models of that group. Raises `UsageError` for a name that cannot be used and for
    a list without any.
    """
    models: dict[ModelRef, None] = {}
    notes: list[Wording] = []
    for piece in expand_groups(text, groups):
        model = parse_model(piece, vendors)
        if model in models:
            notes.append(
                Phrase(
                    "{model} is listed twice; it is asked once (use {option:repeat} to ask again)",
                    model=piece,
                )
            )
        models[model] = None
    if not models:
        raise _refusal("no model is named", vendors, None)
    return tuple(models), tuple(notes)


def _is_routed(prefix: str) -> bool:
    """Whether the words before a colon are `vendor/model`, and no path of a file."""
    vendor, slash, model = prefix.partition("/")
    return bool(slash and vendor.strip(".~ ") and model.strip() and not prefix.endswith(".gguf"))


def _guess(name: str, vendors: Mapping[str, Vendor]) -> str | None:
    """The `provider:model` that was perhaps meant."""
    if name.endswith(".gguf"):
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


def _refusal(message: str, vendors: Mapping[str, Vendor], nearest: str | None) -> UsageError:
    forms = f"{_FORMS} Providers: {', '.join(sorted(vendors))}."
    return UsageError(message, sentences(did_you_mean(nearest), forms))


MARK = "@"


def expand_groups(text: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
    """The names of a comma list, blanks trimmed, each group replaced by its models in their order.

    Groups may hold groups. Raises `UsageError` for a group that is not known (with the nearest name and
    all there are) and for one that holds itself (with the way round).
    """
    return list(_expanded(text, groups, ()))


def _expanded(text: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> Iterator[str]:
    for piece in filter(None, (piece.strip() for piece in text.split(","))):
        if not piece.startswith(MARK):
            yield piece
            continue
        name = piece[1:].strip()
        if name not in groups:
            raise _unknown(name, groups, above)
        if name in above:
            way = " → ".join(MARK + step for step in (*above[above.index(name) :], name))
            raise UsageError(f"the group @{name} holds itself: {way}", "Take one of the steps out.")
        for item in groups[name]:
            yield from _expanded(item, groups, (*above, name))


def _unknown(name: str, groups: Mapping[str, Sequence[str]], above: tuple[str, ...]) -> UsageError:
    inside = f", which @{above[-1]} names," if above else ""
    if not groups:
        hint: str | None = 'There are none: write [groups] and fast = ["provider:model", …] in umwelten.toml.'
    else:
        names = f"Groups: {', '.join(MARK + known for known in sorted(groups))}."
        hint = sentences(did_you_mean(closest(name, groups), "@{}"), names)
    return UsageError(f"@{name}{inside} is not a group of models", hint)
