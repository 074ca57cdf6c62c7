"""A call on its way through the pool, with what its attempts have cost so far."""

from __future__ import annotations

import msgspec

from umwelten.types import Call, Turn


class ScheduledCall(msgspec.Struct):
    """A call under way with what was spent on it. `size` bytes of its file, `reserve` the most that an
    attempt costs, in nano-USD. Of its attempts, `counted` used up retries, `throttles` were refused,
    `empties` brought an empty answer, `schema_retries` followed answers that did not fit the schema, `lost`
    ended with the worker that made them, and may have been sent.

    `known_nusd` is what its attempts cost as far as that is known, `unknown` counts those of which it is not;
    `earlier_nusd` is what its record has beside, of earlier runs. `recorded`: its outcome was.

    `time_s` is how long any of its attempts was under way; `under_way` are so now, since `busy_since`.
    `hedged`: it was sent a second time while the first attempt was under way.

    `tried` are the lanes of several at which it failed since it last waited.

    `turns` are its conversation after the question. `input_tokens` as estimated; `output_tokens` the most
    that may be asked for, `None` if not known.

    `home` is the one of several lanes that answered its first step: what a provider signs, it alone takes
    back. `is_bound`: it may not begin anew, since what its tools did must not be done twice. `at_first` are
    the `size`, `reserve` and `input_tokens` of its first request.
    """

    call: Call
    size: int = 0
    reserve: int | None = None
    attempts: int = 0
    counted: int = 0
    throttles: int = 0
    empties: int = 0
    schema_retries: int = 0
    lost: int = 0
    time_s: float = 0.0
    known_nusd: int = 0
    unknown: int = 0
    earlier_nusd: int | None = 0
    recorded: bool = False
    input_tokens: int = 0
    output_tokens: int | None = None
    refused: bool = False
    tried: frozenset[int] = frozenset()
    under_way: int = 0
    busy_since: float = 0.0
    hedged: bool = False
    turns: tuple[Turn, ...] = ()
    home: int | None = None
    is_bound: bool = False
    at_first: tuple[int, int | None, int] | None = None

    def begin_step(self) -> None:
        """The next request is another one: what the last one's attempts used up no longer counts."""
        self.counted = self.throttles = self.empties = self.schema_retries = 0
        self.refused, self.tried = False, frozenset()

    def start_over(self) -> None:
        """Begin the conversation anew, at any lane."""
        self.begin_step()
        self.turns, self.home = (), None
        if self.at_first is not None:
            self.size, self.reserve, self.input_tokens = self.at_first

    @property
    def open_ended(self) -> bool:
        """Return whether nothing bounds its answer."""
        return self.output_tokens is None

    def begin(self, now: float, *, hedge: bool) -> None:
        """Count an attempt that starts."""
        self.attempts += 1
        if not self.under_way:
            self.busy_since = now
        self.under_way += 1
        self.hedged = self.hedged or hedge

    def end(self, now: float, cost_nusd: int | None) -> None:
        """Count an attempt that ended, with what it cost."""
        self.under_way -= 1
        if not self.under_way:
            self.time_s += now - self.busy_since
        self.known_nusd += cost_nusd or 0
        self.unknown += cost_nusd is None

    @property
    def cost_nusd(self) -> int | None:
        """Return what its attempts have cost; `None` while that is not known of one."""
        return None if self.unknown else self.known_nusd

    def correct_cost(self, said: int | None, cost_nusd: int) -> None:
        """Note what an attempt cost of which something else was said, or with `None` nothing."""
        self.known_nusd += cost_nusd - (said or 0)
        self.unknown -= said is None
