"""A random sample of inputs, and inputs in a random order: the same each time, so that a run can go on."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import msgspec

from umwelten.errors import UsageError
from umwelten.inputs.sources import Inputs
from umwelten.phrases import Phrase
from umwelten.store.shuffled import shuffle_key, shuffled
from umwelten.types import FoundInput


def drawn(inputs: Inputs, *, sample: int | None, seed: int, shuffle: bool) -> Inputs:
    """Return so many of the inputs (`None`: all), in their order or in a random one.

    Which they are, and in which order, follows from the seed and their names. Raises `UsageError` for inputs
    that a program gives, which can be read only once.
    """
    if sample is None and not shuffle:
        return inputs
    if inputs.keep is not None:
        option = "sample" if sample is not None else "shuffle"
        raise UsageError(
            Phrase("{option:{name}} goes with files, tables and earlier answers", name=option),
            "Draw from what the program gives before: random.sample(rows, 100).",
            argument=option,
        )

    def files() -> Iterator[FoundInput]:
        found = inputs.files() if sample is None else _sample(inputs.files(), sample, seed)
        return shuffled(found, seed) if shuffle else found

    return msgspec.structs.replace(inputs, files=files, lazy=False)


def _sample(files: Iterator[FoundInput], n: int, seed: int) -> Iterator[FoundInput]:
    """Yield `n` of the files in their order; no more of them are held at a time."""
    keyed = ((shuffle_key(seed, file.name), number, file) for number, file in enumerate(files))
    chosen = heapq.nsmallest(n, keyed, key=lambda item: item[:2])
    for _, _, file in sorted(chosen, key=lambda item: item[1]):
        yield file
