"""Streams of calls of tools, cut at every byte: the calls are those of the stream in one piece."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from providers.tool_corpus import ANTHROPIC, GEMINI, OLLAMA, OPENAI
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Outcome, Reply
from wirekit import head


class Cuts(NamedTuple):
    """`differ`: the streams that gave something else somewhere."""

    streams: int
    cuts: int
    differ: list[str]


def streams() -> Iterator[tuple[str, str, bytes]]:
    """Every stream of the corpus: its name, its vendor and its bytes."""
    yield from ((f"openai: {name}", case.vendor, case.stream) for name, case in OPENAI.items())
    yield from ((f"anthropic: {name}", "anthropic", case.stream) for name, (case, _) in ANTHROPIC.items())
    yield from ((f"gemini: {name}", "google", case.stream) for name, (case, _) in GEMINI.items())
    yield from ((f"ollama: {name}", "ollama", case.stream) for name, (case, _) in OLLAMA.items())


def cut_everywhere(seed: int = 1) -> Cuts:
    """Cut all streams at every byte, once with a second cut anywhere else."""
    rng = random.Random(seed)
    count, cuts, differ = 0, 0, []
    for name, vendor, data in streams():
        count += 1
        whole = _outcome(vendor, data)
        assert isinstance(whole, Reply) and whole.calls, name
        for end in range(1, len(data)):
            for ends in ((end,), tuple(sorted((end, rng.randrange(len(data)))))):
                cuts += 1
                if _outcome(vendor, data, *ends) != whole:
                    differ.append(f"{name} at {ends}")
    return Cuts(count, cuts, differ)


def _outcome(vendor: str, data: bytes, *ends: int) -> Outcome:
    row = VENDORS[vendor]
    decoder = WIRES[row.wire].stream(head(), Endpoint(vendor=row, base_url=row.base_url), tools=True)
    for start, end in zip((0, *ends), (*ends, len(data)), strict=True):
        decoder.feed(data[start:end])
    return decoder.finish()
