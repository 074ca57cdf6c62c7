"""Values for placeholders that come from beside the inputs, such as what an answer should have been."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from umwelten.identity import content_hash
from umwelten.inputs.content import Content
from umwelten.types import FrozenStruct, RowUse


class AddedValues(FrozenStruct):
    """Further placeholders of an evaluation's prompts, and how values are set off from the prompt.

    `names` are the placeholders; `of` gives their values for an input, and raises `InputError` where there
    is none, with which the call fails. They are part of a call's identity where its prompt uses them.
    `chained` are the placeholders of an earlier answer (`RowUse.chained`) from whose values they are made.
    `framed` returns all values but `content`, by placeholder, as they are inserted: the same ones every
    time.
    """

    names: tuple[str, ...] = ()
    of: Callable[[Content], Mapping[str, str]] = lambda _: {}
    framed: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    chained: tuple[str, ...] = ()


def widened(use: RowUse, added: AddedValues | None, used: Iterable[str]) -> RowUse:
    """Return what a prompt uses of an earlier answer together with what its added values are made from."""
    if added is None or not added.chained or not set(used).intersection(added.names):
        return use
    return msgspec.structs.replace(use, chained=tuple(dict.fromkeys((*use.chained, *added.chained))))


def with_added(content: Content, added: AddedValues | None, used: Iterable[str]) -> Content:
    """Return the content with those of the added values that the prompt uses, in its digest too."""
    names = sorted(set(used).intersection(added.names)) if added is not None else []
    if added is None or not names:
        return content
    found = added.of(content)
    values = {name: found[name] for name in names}
    digest = content_hash(msgspec.json.encode([content.digest.hex(), values]))
    return msgspec.structs.replace(content, digest=digest, values={**content.values, **values})
