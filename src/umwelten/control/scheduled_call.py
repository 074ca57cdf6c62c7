"""A call on its way through the pool, with what its attempts have cost so far."""

from __future__ import annotations

import msgspec

from umwelten.types import Call, Message


class ScheduledCall(msgspec.Struct):
    """A call under way with what was spent on it. `size` bytes of its file, `reserve` the most that an
    attempt costs and `held` what is held for the one under way, in nano-USD. Of its attempts, `counted`
    used up retries, `throttles` were refused, `empties` brought an empty answer, `schema_retries` followed
    answers that did not fit the schema.

    `tried` are the lanes of several at which it failed since it last waited.

    `turns` are its conversation after the question. `input_tokens` as estimated; `output_tokens` the most
    that may be asked for, `None` if not known.
    """

    call: Call
    size: int = 0
    reserve: int | None = None
    attempts: int = 0
    counted: int = 0
    throttles: int = 0
    empties: int = 0
    schema_retries: int = 0
    time_s: float = 0.0
    cost_nusd: int | None = 0
    input_tokens: int = 0
    output_tokens: int | None = None
    refused: bool = False
    tried: frozenset[int] = frozenset()
    held: int = 0
    turns: tuple[Message, ...] = ()

    @property
    def open_ended(self) -> bool:
        """Return whether nothing bounds its answer."""
        return self.output_tokens is None
