"""What a memory store knows of an input's scope, as the value of `{{memory}}`."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.scopes import Scope
from umwelten.prompts.template import MEMORY
from umwelten.prompts.token_estimates import text_tokens
from umwelten.records import Recall
from umwelten.store.memory.facts import MAX_FACT
from umwelten.store.memory.reader import MemoryReader, Ranking
from umwelten.types import Text

NOTHING = "(nothing yet)"
"""Stands where nothing is known: an empty place in a prompt makes models guess what was meant."""

_LINE_BYTES = 3
"""Of the dash, the blank and the end of a fact's line."""

_SCOPES_KEPT = 256
"""Scopes whose facts are kept in memory: inputs of a scope are mostly near each other."""

_RANKINGS_KEPT = 32
"""Scopes with more facts than are recalled that are kept ready to be searched: each takes some megabytes."""


class RecalledFacts:
    """The facts of scopes as of one moment; in any thread, one at a time.

    The same facts, limit and input give the same text, whatever is learnt meanwhile.
    """

    def __init__(self, output_dir: Path, recall: Recall) -> None:
        """`StoreError` if there is no such store and something was known of it."""
        self.recall, self.scope = recall, Scope(recall.scope)
        self._reader = MemoryReader.open(output_dir, recall.store, missing=recall.seq == 0)
        self._lock = threading.Lock()
        self._known = lru_cache(maxsize=_SCOPES_KEPT)(self._read)
        self._ranking = lru_cache(maxsize=_RANKINGS_KEPT)(self._rank)

    def added(self) -> AddedValues:
        """Return the placeholder `memory`."""
        most = max(_bytes(self.recall.limit), 4 * MAX_FACT + _LINE_BYTES)
        size = min(self._reader.longest_scope(self.recall.seq), most)
        return AddedValues(
            names=(MEMORY,),
            of=self._of,
            chained=self.scope.chained,
            apart=True,
            most_bytes=max(size, len(NOTHING)),
        )

    def text(self, scope: str, about: str) -> str:
        """Return what is known of a scope, a line each, the newest first.

        Where that is more than the limit, it is the facts that have most to do with the text `about`.
        """
        with self._lock:
            known, whole = self._known(scope)
            if whole is not None:
                return whole
            # The best of all; what no word leads to comes after, the newest first.
            found, texts = self._ranking(scope).best(about), dict(known)
        chosen = set(_fitting(dict.fromkeys((*found, *texts)), texts, self.recall.limit))
        return _listed(text for number, text in known if number in chosen)

    def _of(self, content: Content) -> Mapping[str, str]:
        return {MEMORY: self.text(self.scope.of(content), words_of(content))}

    def _read(self, scope: str) -> tuple[list[tuple[int, str]], str | None]:
        """Return what is known of a scope, and the text of all of it if that is within the limit."""
        known = self._reader.known_at(scope, self.recall.seq)
        if not known:
            return known, NOTHING
        texts = dict(known)
        fits = len(_fitting(texts, texts, self.recall.limit)) == len(known)
        return known, _listed(texts.values()) if fits else None

    def _rank(self, scope: str) -> Ranking:
        return Ranking(self._known(scope)[0])


def words_of(content: Content) -> str:
    """Return the words of an input by which facts are recalled for it."""
    return " ".join(part.text for part in content.parts if isinstance(part, Text))


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(f"- {_line(text)}" for text in texts)


def _line(text: str) -> str:
    return " ".join(text.split())


def _fitting(numbers: Iterable[int], texts: Mapping[int, str], limit: int) -> list[int]:
    """Return the first of these facts that fit into so many tokens together; always one."""
    left, fitting = _bytes(limit), list[int]()
    for number in numbers:
        left -= len(_line(texts[number]).encode()) + _LINE_BYTES
        if left < 0 and fitting:
            break
        fitting.append(number)
    return fitting


def _bytes(tokens: int) -> int:
    """Return how many bytes a text of so many tokens has, as estimates have it."""
    return int(tokens * 1_000 / text_tokens(1_000, ""))


def current_seq(output_dir: Path, store: str, *, missing: bool) -> int:
    """Return the number of the store's latest change. `missing`: it may not be there, which is 0."""
    with MemoryReader.open(output_dir, store, missing=missing) as reader:
        return reader.seq()


@lru_cache(maxsize=8)
def facts_of(output_dir: Path, recall: Recall) -> RecalledFacts:
    """Return what an evaluation recalls; for whoever reads its questions again, one after the other."""
    return RecalledFacts(output_dir, recall)
