"""Whether a server read less of a request than was sent, as some do without an error.

They cut what their context does not hold, and the count of tokens they read is the only sign. It is compared
with a bound: so many tokens any tokenizer needs for the words that were sent. Neither needs to know the
tokenizer; `tests/attempts/test_cut_input.py` holds the bound against real ones.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

import msgspec

from umwelten.attempts.target import Target
from umwelten.events import Note, NoteLevel, Observer
from umwelten.phrases import Phrase, Spelling
from umwelten.providers.context_limits import larger_context
from umwelten.types import Failure, Message, ModelRef, Outcome, Request, Text, Usage

CUT_INPUT = "cut input"
"""The mark of an answer to an input of which the server read only a part."""

_FEWEST_READ = 100
"""Tokens. No context is smaller; a server that reports less counts only what it had not read before."""

_MOST_A_TOKEN = 5
"""Characters without spaces. Prose and code have 2 to 4 to a token; more of them are worth a look."""

_PACKED_BITS = 40
"""Bits of the packed text to a token, at most. One of a vocabulary of 256k holds 18 bits, and `zlib` needs
twice that for a word that it has not seen."""


def characters(request: Request) -> int:
    """Return the characters of a request's texts, without spaces."""
    return sum(len(text) - text.count(" ") for text in _texts(request))


def may_be_cut(sent: int, usage: Usage) -> bool:
    """Return whether so few tokens were read for `sent` characters that the bound may tell more. Fast."""
    if usage.input_tokens is None:
        return False
    read = _tokens_read(usage)
    return read >= _FEWEST_READ and sent > _MOST_A_TOKEN * read


def least_tokens(request: Request) -> int:
    """Return a number of tokens that every tokenizer needs more than. Takes 30 ms for a megabyte."""
    return sum(map(_least, _texts(request)))


class CutInputs:
    """Marks answers to inputs that were cut, and reports the first for each model."""

    def __init__(self, observer: Observer, spelling: Spelling) -> None:
        self._observer, self._spelling = observer, spelling
        self._reported: set[ModelRef] = set()

    def check(self, answer: Outcome, target: Target, name: str, least: int) -> Outcome:
        """Return the answer, marked if fewer than the `least` tokens of the input `name` were read."""
        read = _tokens_read(answer.usage)
        if read >= least:
            return answer
        if target.model.plain not in self._reported:
            self._reported.add(target.model.plain)
            wording = Phrase(
                "{model} read {read:,} tokens of {name}, which has at least {least:,}: the server cut off "
                "what its context does not hold; {remedy}",
                model=target.model,
                read=read,
                name=name,
                least=least,
                remedy=larger_context(target.endpoint.vendor, least),
            )
            self._observer(Note(text=wording.spell(self._spelling), level=NoteLevel.WARNING))
        if isinstance(answer, Failure):
            return answer
        return msgspec.structs.replace(answer, marks=(*answer.marks, CUT_INPUT))


def _tokens_read(usage: Usage) -> int:
    """Return the input tokens; the cached ones are added, because some servers leave them out."""
    return (usage.input_tokens or 0) + (usage.cached_tokens or 0)


def _least(text: str) -> int:
    # A token may hold a word and the space before it, hardly ever two words; text without spaces, such as
    # Chinese or base64, is worth at least what is left of it when it is packed.
    packed = len(zlib.compress(text.encode("utf-8", "replace"), 1))
    return max(len(text.split()) * 3 // 4, packed * 8 // _PACKED_BITS)


def _texts(request: Request) -> Iterator[str]:
    if request.system is not None:
        yield request.system
    for message in request.messages:
        for part in message.parts if isinstance(message, Message) else ():
            if isinstance(part, Text):
                yield part.text
