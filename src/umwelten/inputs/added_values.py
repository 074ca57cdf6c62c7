"""Values for placeholders that come from beside the inputs, such as what an answer should have been."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping

import msgspec

from umwelten.identity import content_hash
from umwelten.inputs.content import Content
from umwelten.inputs.files.names import escaped
from umwelten.types import FrozenStruct, RowUse


class AddedValues(FrozenStruct):
    """Further placeholders of an evaluation's prompts, and how values are set off from the prompt.

    `names` are the placeholders; `of` gives their values for an input, whose values have `file.name` and
    `file.path` in any case, and raises `InputError` where there is none, with which the call fails. They are
    part of a call's identity where its prompt uses them. `also` are others, which are used beside them.
    `apart`: their hash follows that of the input (`identity.input_part`), so that what was sent of it can
    be told without them. `most_bytes` is the size of all values at most, where that is worth counting.
    `chained` are the placeholders of an earlier answer (`RowUse.chained`) from whose values they are made.
    `framed` returns all values but `content`, by placeholder, as they are inserted: the same ones every
    time.
    """

    names: tuple[str, ...] = ()
    of: Callable[[Content], Mapping[str, str]] = lambda _: {}
    framed: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    chained: tuple[str, ...] = ()
    also: AddedValues | None = None
    apart: bool = False
    most_bytes: int = 0

    @property
    def all_names(self) -> tuple[str, ...]:
        """The placeholders of all of them."""
        return self.names if self.also is None else (*self.names, *self.also.all_names)

    @property
    def all_bytes(self) -> int:
        """The size of the values of all of them at most, as far as it is counted."""
        return self.most_bytes + (0 if self.also is None else self.also.all_bytes)


def widened(use: RowUse, added: AddedValues | None, used: Iterable[str]) -> RowUse:
    """Return what a prompt uses of an earlier answer together with what its added values are made from."""
    used = tuple(used)
    while added is not None:
        if added.chained and set(used).intersection(added.names):
            use = msgspec.structs.replace(use, chained=tuple(dict.fromkeys((*use.chained, *added.chained))))
        added = added.also
    return use


def with_added(
    content: Content, added: AddedValues | None, used: Iterable[str], name: str, path: str | os.PathLike[str]
) -> Content:
    """Return the content with those of the added values that the prompt uses, in its digest too.

    `name` and `path` are the input's.
    """
    used = tuple(used)
    while added is not None:
        wanted = sorted(set(used).intersection(added.names))
        if wanted:
            known = {"file.name": name, "file.path": escaped(os.fspath(path)), **content.values}
            found = added.of(msgspec.structs.replace(content, values=known))
            values = {each: found[each] for each in wanted}
            if added.apart:
                digest = content.digest + content_hash(msgspec.json.encode(values))
            else:
                digest = content_hash(msgspec.json.encode([content.digest.hex(), values]))
            content = msgspec.structs.replace(content, digest=digest, values={**content.values, **values})
        added = added.also
    return content


def framed(added: AddedValues | None, values: Mapping[str, str]) -> Mapping[str, str]:
    """Return an input's values as they are inserted."""
    while added is not None:
        values = added.framed(values)
        added = added.also
    return values
