"""Answers that must have a shape: read, and asked for again where they have not."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from umwelten.schema import OutputSchema, Problem, ask_again, failure
from umwelten.types import Failure, FinishReason, Reply

ASKS = 3
"""The first, and twice again with the errors in the message."""

CUT = "the answer was cut off at the limit of tokens (--max-tokens)"


class StructuredOutput:
    """Reads the answers of one run. It keeps an invalid one until its call was asked again."""

    def __init__(self, shape: OutputSchema, *, coerce: bool = False) -> None:
        self._shape, self._coerce = shape, coerce
        self._invalid: dict[int, list[tuple[str, Sequence[Problem]]]] = {}

    def more(self, call: int) -> str | None:
        """What is added to the message when that call is asked again."""
        asked = self._invalid.get(call)
        return ask_again(*asked[-1]) if asked else None

    def read(self, call: int, reply: Reply) -> Reply | Failure:
        """The reply with its record, or a failure of kind "schema" that keeps the text."""
        found = self._shape.read(reply.text, coerce=self._coerce)
        # A mended end is a guess where the limit of tokens cut the answer off.
        if found.data is not None and (reply.finish_reason is not FinishReason.LENGTH or not found.marks):
            again = ("asked again",) if self._invalid.pop(call, None) else ()
            return msgspec.structs.replace(reply, data=found.data, marks=(*found.marks, *again))
        if reply.finish_reason is FinishReason.LENGTH:
            cut = Problem(field="", message=CUT)
            found = msgspec.structs.replace(found, problems=(cut, *found.problems))
        self._keep(call, reply.text, found.problems)
        failed = failure(found, reply.text, reply.usage)
        return msgspec.structs.replace(failed, request_id=reply.request_id, hints=reply.hints)

    def refused(self, call: int, failed: Failure) -> Failure:
        """The same for a provider that found the answer invalid itself and handed it over with its error."""
        self._keep(call, failed.partial or "", (Problem(field="", message=failed.message),))
        return msgspec.structs.replace(failed, code=None)

    def _keep(self, call: int, text: str, problems: Sequence[Problem]) -> None:
        asked = self._invalid.setdefault(call, [])
        asked.append((text, problems))
        if len(asked) >= ASKS:
            del self._invalid[call]
