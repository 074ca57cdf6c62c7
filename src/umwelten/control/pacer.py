"""How fast a provider lets calls in, as stated in its headers or as learnt from its refusals.

Theory of operation. There are two sources of knowledge. A call must satisfy both, unless one is proven: what
is stated and has foretold what came is believed alone. What the user knows holds besides (`known_rate.py`).

*Stated.* A `StatedBudget` follows one budget that replies state: limit, remaining and reset. `remaining` is
what was left when that request was admitted; everything started since is subtracted, what came back
since is added. What the figures mean, and whether they are true, is told by what they foretell (`stated.py`).

*Learnt.* A refusal says one thing exactly: at that moment the bucket was empty. What was admitted between
two such moments is what was refilled between them, whatever the bucket holds. A `RateEstimator` takes its
rate from that and paces by it, starting from empty. So that it notices when there is more, it runs a little
faster than it believes, and faster still the longer nothing is refused: about one call in seventy is
refused for the knowledge. The clock of that growth counts calls, so that it fits slow and fast
providers alike, with seconds as a second clock for lanes that hardly run.

A reservation is made when a call starts, settled to the tokens really used when it is answered, and
taken back when it is refused or fails before anything was counted.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from umwelten.control.amounts import ORDER, Amounts, minus, plus
from umwelten.control.known_rate import KnownRates
from umwelten.control.rate_estimator import RateEstimator
from umwelten.control.stated import StatedBudget
from umwelten.types import Budget, RateLimitHints, Resource, Usage

_INDEX = {resource: i for i, resource in enumerate(ORDER)}

NOTHING: Amounts = (0.0, 0.0, 0.0, 0.0)
_UNKNOWN_OUTPUT = 256.0
"""Output tokens reserved until an answer is in. At 4096 `tokens` is refused 0.023 a call, not 0.003; 0 does
as well."""

_LEAST = 1e-6
"""A smaller budget is none: waiting for it would take for ever."""


def amounts(input_tokens: float, output_tokens: float) -> Amounts:
    """Return what one call uses of everything that is counted."""
    return (1.0, input_tokens + output_tokens, input_tokens, output_tokens)


@dataclass(slots=True)
class Pacer:
    """All meters of a lane, the estimator of its rate, and how much was started altogether."""

    known: KnownRates = field(default_factory=KnownRates)
    stated: dict[tuple[Resource, float | None, int], StatedBudget] = field(default_factory=dict)
    estimator: RateEstimator = field(default_factory=RateEstimator)
    used: Amounts = NOTHING
    refusals: int = 0
    _log: deque[tuple[int, Amounts]] = field(default_factory=lambda: deque(maxlen=4096))
    _output: float = 0.0
    _outputs: float = 0.0

    def need(self, input_tokens: int, output_tokens: int | None) -> Amounts:
        """Return what to reserve: output by the mean of the answers so far, at most the call's maximum."""
        mean = self.mean_output
        if mean is None:
            expected = _UNKNOWN_OUTPUT if output_tokens is None else float(output_tokens)
        else:
            expected = mean if output_tokens is None else min(mean, float(output_tokens))
        return amounts(float(input_tokens), expected)

    @property
    def mean_output(self) -> float | None:
        """Return how many tokens answers had on average, `None` before the first."""
        return self._output / self._outputs if self._outputs else None

    def expect_output(self, tokens: float) -> None:
        """Reckon with answers of so many tokens until there are some."""
        self._output, self._outputs = tokens, 1.0

    def earliest_start(
        self, now: float, need: Amounts, *, learnt: bool = True
    ) -> tuple[float, Resource | None]:
        """Return when a call may start, and what it waits for; `learnt` False: by what is stated only."""
        at, why = now, None
        for budget in self.stated.values():
            opens = budget.earliest_start(now, need[_INDEX[budget.resource]])
            if opens > at:
                at, why = opens, budget.resource
        if self.proven or not learnt:
            return at, why
        opens = self.estimator.earliest_start(now, need[self.estimator.by])
        return (opens, ORDER[self.estimator.by]) if opens > at else (at, why)

    @property
    def proven(self) -> bool:
        """Return whether stated budgets are known to be true, at least those that calls were refused for."""
        proven = False
        for budget in self.stated.values():
            if budget.proven:
                proven = True
            elif budget.emptied:
                return False
        return proven

    @property
    def by_tokens(self) -> bool:
        """Return whether tokens are counted, as far as is stated or was learnt."""
        stated = any(budget.resource is not Resource.REQUESTS for budget in self.stated.values())
        return stated or self.estimator.by != 0

    @property
    def says(self) -> bool:
        """Return whether any stated budget may hold calls back."""
        return any(reading.has_say for budget in self.stated.values() for reading in budget.readings)

    def forecasts(self, now: float, need: Amounts) -> tuple[int, ...]:
        """Return for each stated budget which of its readings would let such a call in."""
        return tuple(
            [budget.forecasts(now, need[_INDEX[budget.resource]]) for budget in self.stated.values()]
        )

    def judge(
        self,
        forecasts: tuple[int, ...],
        hints: RateLimitHints,
        need: Amounts,
        *,
        let_in: bool,
        weight: float = 1.0,
    ) -> None:
        """Score what was foretold when a call started by what became of it."""
        if not forecasts:
            return
        budgets = list(self.stated.values())[: len(forecasts)]
        if let_in or len(budgets) == 1:
            for budget, bits in zip(budgets, forecasts, strict=True):
                budget.judge(bits, let_in=let_in, weight=weight)
            return
        # Of several budgets those are to blame that say so themselves; if none does, all are.
        empty = {
            self._key(hints, i) for i in range(len(hints.budgets)) if self._is_empty(hints.budgets[i], need)
        }
        for (key, budget), bits in zip(list(self.stated.items()), forecasts, strict=False):
            if not empty or key in empty:
                budget.judge(bits, let_in=False, weight=weight)

    @staticmethod
    def _key(hints: RateLimitHints, i: int) -> tuple[Resource, float | None, int]:
        """What tells a budget from others: its place among those of one kind, where several are stated."""
        budget = hints.budgets[i]
        alike = sum((b.resource, b.window_s) == (budget.resource, budget.window_s) for b in hints.budgets[:i])
        return budget.resource, budget.window_s, alike

    @staticmethod
    def _is_empty(budget: Budget, need: Amounts) -> bool:
        index = _INDEX.get(budget.resource)
        if index is None or budget.remaining is None or (budget.limit or 0.0) < _LEAST:
            return False
        return budget.remaining < max(1.0, need[index])

    def take(self, now: float, need: Amounts) -> None:
        """Reserve what a call that starts will use."""
        self.used = plus(self.used, need)
        self.known.take(now, need)
        for budget in self.stated.values():
            budget.take(now, need[_INDEX[budget.resource]])
        self.estimator.take(now, need[self.estimator.by])

    def settle(self, now: float, need: Amounts, usage: Usage) -> Amounts:
        """Turn the reservation of a call that was answered into what it really used, and return that."""
        real = amounts(
            need[2] if usage.input_tokens is None else float(usage.input_tokens),
            need[3] if usage.output_tokens is None else float(usage.output_tokens),
        )
        self._outputs = min(199.0, self._outputs) + 1
        self._output += real[3] - (self._output / 200 if self._outputs >= 200 else 0.0)
        self._correct(now, minus(real, need))
        return real

    def refund(self, now: float, need: Amounts) -> None:
        """Give back what was reserved for a call that failed."""
        self._correct(now, minus(NOTHING, need))

    def on_refusal(self, now: float, need: Amounts, number: int) -> None:
        """Note that the `number`-th call was refused: it took nothing."""
        self.refund(now, need)
        self._log.append((number, need))
        self.estimator.take_back(number, need)
        self.refusals += 1

    def let_in_before(self, used: Amounts, number: int, refusals: int) -> Amounts:
        """Return what the provider had admitted before the `number`-th call, without what it refused.

        `used` and `refusals` are the sums when that call was started.
        """
        late = self.refusals - refusals
        for i in range(1, min(late, len(self._log)) + 1):
            earlier, need = self._log[-i]
            if earlier < number:
                used = minus(used, need)
        return used

    def _correct(self, now: float, change: Amounts) -> None:
        self.used = plus(self.used, change)
        self.known.correct(change)
        for budget in self.stated.values():
            budget.take(now, change[_INDEX[budget.resource]])

    def observe(
        self,
        hints: RateLimitHints,
        started_at: float,
        used: Amounts,
        number: int,
        last: Amounts = (1.0, 0.0, 0.0, 0.0),
    ) -> None:
        """Take in the budgets a reply states; `used` was started up to and including its call's `last`."""
        for i, budget in enumerate(hints.budgets):
            if budget.resource not in _INDEX or budget.limit is None or budget.limit < _LEAST:
                continue
            key = self._key(hints, i)
            stated = self.stated.get(key)
            if stated is None:
                stated = self.stated[key] = StatedBudget(resource=budget.resource)
            index = _INDEX[budget.resource]
            since = self.used[index] - used[index]
            stated.observe(budget, started_at, used[index], since, number, last[index])
            self.known.observe(key, budget, stated)

    def stated_empty(self, hints: RateLimitHints, need: Amounts) -> Resource | None:
        """Return the stated budget that explains why this call was refused, if what it says may be true."""
        for i, budget in enumerate(hints.budgets):
            if self._is_empty(budget, need):
                stated = self.stated.get(self._key(hints, i))
                if stated is not None:
                    stated.emptied = True
                if stated is None or stated.trusted:
                    return budget.resource
        return None
