"""What no belief about a limit may break: how many calls may be refused, and how long a lane may stand still.

Theory of operation. Every other part of a lane acts on a belief: a rate, a window, a cap, what headers state.
Any of them can be wrong, and what a wrong belief costs must be bounded by something that believes nothing. It
counts the *unresolved* calls: started, not answered, and so young that a refusal may still come. A call older
than that (`calm_s`) counts as let in; should it be refused after all, it is taken back. Then:

    storm     so many refusals in a second and no more, whatever they are about
    risk      after a refusal few calls go, and more the more of those are let in
    burst     no more are unresolved than were once let in together, and half of that again
    closed    refused twice with nothing let in between: one probe at a time
    tokens    each call let in earns a part of a refusal; without a token only what has just been proven goes
    doubt     where far more was refused than that, calls go no faster than they were let in so far
    leash     where nothing was refused for long, a few calls go although what is believed holds them back
    patience  a call goes at last, whatever is believed: after a wait in proportion to the one before

Where a test showed that refusals have nothing to do with the rate (`unrelated`), only that and the tokens
hold, and they are earned at the rate at which such refusals come.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from umwelten.control.unrelated import UnrelatedRefusals

STORM = 0.65
"""Refusals in a second by the most calls that may be in flight, `LEAST_STORM` at least. A provider that
refuses two in five for no reason is spared more; few are so fast that this costs anything."""

LEAST_STORM = 65.0

FIRST_TOKENS = 3.0
"""Refusals before anything is let in. The first burst may be refused as a whole, and is paid off later."""

TOKENS_A_CALL = 0.3
"""Earned by each call let in. At 1.0 limits that nothing describes are refused once a call, for ever."""

MOST_OWED = -12.0
"""The fewest tokens. A slow provider that refuses the first forty calls is not tried at a higher rate for a
hundred calls otherwise; at -6 windows are refused 0.05 a call more."""

DOUBT = 0.6
"""Refusals by calls let in from which on one call is tried at a time, and not at once: no belief is right.
The bound is 1; without this a provider that states "0 left" is refused 4 times a call, at 0.3 windows lose
0.01 and nothing is gained."""

DOUBT_CALLS = 32
"""Calls let in before that: a cold start may be refused so often, and the mean time is known then."""

SPACED = 0.8
"""Of the mean time between calls let in that such a call waits. At 1 the mean itself would grow for ever."""

RISK = 6.0
"""Unresolved calls right after a refusal: 1.5 expected refusals at a chance of 1/(4 + 2k) each, k let in
since."""

PROVEN = 3.0
"""More of them for each call let in since: the same formula."""

BURST = 1.5
"""Times the largest burst ever let in as a whole, and `FEW` more: growth by half a round trip, as risky as
the start itself."""

FEW = 4.0

SMALLER = 0.7
"""Of the largest burst is believed after each refused episode: a limit that fell is not tried at its old
size."""

PATIENCE = 0.6
"""Wait by the wait before. At 1 a closure of unknown length is overslept by half of it on average, at 0.3
twice as many probes are refused."""

LEAST_PATIENCE_S = 0.5
"""The shortest such wait: several round trips."""

CLOSURES = 1.5
"""Times the longest closure met that a belief may hold the lane; above 2 the lane stands still for too
long."""


LATE = 2.0
"""Times the time for which a closure was seen to last, that it may have lasted."""

SHRINK = 0.8
"""Of a closure that is known to last is left when a call was let in before anything was refused after it."""

LEASH = 48
"""Calls let in without a refusal before two are let go in spite of a belief, twice as many after each such
test that was refused. A belief that is too strict is refuted by nothing else; at 24 true headers are refused
0.03 a call for it."""

SHORTER = 0.6
"""Of its wait is left to such a call. At 0 it is refused by whatever limit there is, and tells nothing."""


@dataclass(slots=True)
class Safety:
    """See the module's text. `since` calls were let in since the last refusal, `let_in` and `refused`
    ever."""

    most_in_flight: int = 1000
    let_in: int = 0
    refused: int = 0
    since: int = 0
    episodes: int = 0
    burst: float = 0.0
    unrelated: UnrelatedRefusals = field(default_factory=UnrelatedRefusals)
    mean_s: float = 0.1
    slow_s: float = 0.1
    _open: dict[int, tuple[float, int]] = field(default_factory=dict)
    _run: int = 0
    refused_at: float = float("-inf")
    _refused_start: float = float("-inf")
    _last_try: float = 0.0
    _first_try: float = float("inf")
    _forgiven: float = 0.0
    last_let_in: float = 0.0
    _closed_at: float | None = None
    _closure_s: float = 0.0
    _known_s: float = 0.0
    _sure: deque[float] = field(default_factory=lambda: deque(maxlen=3))
    _shut_s: float = 0.0
    freed: bool = False
    told_until: float = float("-inf")
    resolved: list[float] = field(default_factory=list)
    _times: deque[float] = field(default_factory=lambda: deque(maxlen=32))
    _refusals: deque[float] = field(default_factory=deque)
    _passes: int = 0
    _pass_size: int = 2
    _leash: int = LEASH
    _test_at: int = LEASH

    @property
    def calm_s(self) -> float:
        """Return after how long a call that was not refused counts as let in."""
        return max(1.6 * self.mean_s, 1.2 * self.slow_s)

    @property
    def closed(self) -> bool:
        """Return whether refusals came twice with nothing let in between."""
        return self.episodes >= 2

    @property
    def tokens(self) -> float:
        """Return how many refusals the calls let in have earned."""
        each = TOKENS_A_CALL
        share = self.unrelated.share
        if share is not None:
            each = max(each, 1.2 * share / (1.0 - share))
        return FIRST_TOKENS + each * self.let_in - self.refused + self._forgiven

    @property
    def share(self) -> float:
        """Return which part of all calls was refused, within bounds."""
        return max(0.05, min(0.5, self.refused / max(1, self.refused + self.let_in)))

    @property
    def unresolved(self) -> int:
        """Return how many calls may still be refused, as of the last question."""
        return len(self._open)

    @property
    def _doubts(self) -> bool:
        """Whether so much was refused that nothing believed can be right."""
        many = self.refused > FIRST_TOKENS + DOUBT * self.let_in
        return many and self.let_in >= DOUBT_CALLS and self.unrelated.share is None

    # --- asking ----------------------------------------------------------------------------

    def earliest_start(self, now: float) -> float:
        """Return when the next call may start: `now`, or when the oldest unresolved one will be let in."""
        if not self.refused:
            return now
        self.resolve(now)
        now = self._after_storm(now)
        if not self._open or len(self._open) < self._most():
            return now
        oldest = next(iter(self._open.values()))[0]
        return oldest + self.calm_s

    def _after_storm(self, now: float) -> float:
        """Return when another refusal would not be one too many in a second."""
        times = self._refusals
        while times and times[0] + 1.0 <= now:
            times.popleft()
        expected = len(times) + max(self.share, self.unrelated.share or 0.0) * (len(self._open) + 1)
        calm = not times or expected < max(LEAST_STORM, STORM * self.most_in_flight)
        return now if calm else times[0] + 1.0

    def _most(self) -> float:
        """How many calls may be unresolved beside the next one."""
        tokens = self.tokens
        if self.unrelated.share is not None:
            return float("inf")
        if self.closed:
            return 1.0
        if tokens < 1.0:
            return max(1.0, 0.5 * self.since)
        # What was refused right after a burst of that size is not tried at one and a half times it at once.
        larger = (BURST - 1.0) * min(1.0, self.since / (2.0 * self.burst + 1.0))
        return min(RISK + PROVEN * self.since + min(20.0, 0.1 * tokens), FEW + (1.0 + larger) * self.burst)

    def spacing(self, now: float) -> float:
        """Return when the next probe of a closed lane may go, for as long as no tokens are left."""
        if self._doubts:
            mean_s = (self.last_let_in - self._first_try) / self.let_in
            now = max(now, self._last_try + SPACED * mean_s)
        if not self.closed or self.tokens >= 1.0 or self._closed_at is None:
            return now
        waited = self._last_try - self._closed_at
        # It was closed as long before: there is nothing to be had for most of that.
        none_before = self._closed_at + max(PATIENCE * self._shut_s, self._known_s)
        return max(now, none_before, self._last_try + max(self.calm_s, PATIENCE * waited))

    def patience(self, pace: float | None = None) -> float:
        """Return by when a call goes whatever is believed; not sooner than at the pace that was learnt."""
        if not self.refused or self._open:
            return float("inf")
        begun = self._closed_at if self._closed_at is not None else self._last_try
        waited = self._last_try - begun
        closure_s = max(self._closure_s, 1.0 / pace if pace else 0.0)
        return self._last_try + max(LEAST_PATIENCE_S, PATIENCE * waited, CLOSURES * closure_s)

    @property
    def passes(self) -> int:
        """Return how many calls may go in spite of what is believed."""
        return self._passes

    def cut_short(self, now: float, at: float) -> float:
        """Return when one of them goes that would have to wait until `at`."""
        return max(now, self._last_try + SHORTER * (at - self._last_try))

    def use_pass(self) -> None:
        """One of them went."""
        self._passes -= 1

    # --- learning --------------------------------------------------------------------------

    def on_start(self, now: float, number: int) -> None:
        """Note a call that goes out."""
        self._open[number] = (now, len(self._open) + 1)
        self.unrelated.on_start(number)
        self._last_try = now
        self._first_try = min(self._first_try, now)
        if not self.refused and len(self._open) > 4096:
            oldest = next(iter(self._open))
            self._let_in(oldest, *self._open.pop(oldest))

    def on_answer(self, number: int) -> None:
        """Note that a call was let in."""
        call = self._open.pop(number, None)
        if call is not None:
            self._let_in(number, *call)

    def on_release(self, number: int) -> None:
        """Note a call that ended and says nothing."""
        self._open.pop(number, None)
        self.unrelated.on_release(number)

    def lose_calls(self) -> None:
        """Of those that are unresolved nothing will be heard."""
        for number in list(self._open):
            self.on_release(number)

    def on_refusal(self, number: int, started_at: float, now: float, *, plain: bool = False) -> bool:
        """Note a refusal; True if it has nothing to do with what the lane does. `plain`: what it is about."""
        took = now - started_at
        self.mean_s = took if not self.refused else 0.8 * self.mean_s + 0.2 * took
        self.slow_s = took if not self.refused else max(took, 0.9 * self.slow_s + 0.1 * self.mean_s)
        if self._open.pop(number, None) is None:
            self.let_in = max(0, self.let_in - 1)
        self.refused += 1
        self._forgiven += max(0.0, MOST_OWED - self.tokens)
        self._refusals.append(now)
        if self.since >= self._test_at - self._leash and self._test_at > self._leash:
            # The belief held when it was put to the test.
            self._leash = min(8 * LEASH, 2 * self._leash)
        self._run = self.since = self._passes = 0
        self._test_at, self._pass_size = self._leash, 2
        fresh, known = started_at > self.refused_at, self.unrelated.share is not None
        unrelated = self.unrelated.on_refusal(
            number,
            self.share,
            fresh=fresh and not plain,
            expected=self._pace(now) * took,
            tokens=self.tokens,
        )
        self.freed = self.freed or (not known and self.unrelated.share is not None)
        if fresh:
            self.episodes += 1
            self.burst *= SMALLER
            self.refused_at = now
        if self._closed_at is None:
            self._closed_at = started_at
        self._refused_start = max(self._refused_start, started_at)
        return unrelated

    def _pace(self, now: float) -> float:
        """Calls let in a second of late."""
        return len(self._times) / max(0.05, now - self._times[0]) if self._times else 0.0

    def resolve(self, now: float) -> None:
        """Count those as let in that are too old to be refused."""
        if not self.refused:
            return
        calm_s = self.calm_s
        while self._open:
            number = next(iter(self._open))
            call = self._open[number]
            if call[0] + calm_s > now:
                return
            del self._open[number]
            self._let_in(number, *call)

    def _let_in(self, number: int, started_at: float, together: int) -> None:
        self._times.append(started_at)
        if self.refused:
            self.resolved.append(started_at)
        if self.refused and self.unrelated.on_let_in(number):
            self.freed = True
        self.let_in += 1
        self.last_let_in = max(self.last_let_in, started_at)
        self._run += 1
        self.burst = max(self.burst, min(self._run, together))
        if started_at > self._refused_start:
            self.since += 1
            self.episodes = 0
            if self.since >= self._test_at:
                self._passes = self._pass_size
                self._pass_size = min(64, 2 * self._pass_size)
                self._test_at = self.since + LEASH // 2
            if self._closed_at is not None:
                # It may have opened long before this call was tried: a lane's own waits prove nothing.
                sure_s = max(self._refused_start, min(self.told_until, started_at)) - self._closed_at
                self._shut_s = min(started_at - self._closed_at, LATE * sure_s + LEAST_PATIENCE_S)
                self._sure.append(sure_s)
                if sure_s < self._known_s:
                    # It may have opened while nothing was tried.
                    self._known_s *= SHRINK
                elif len(self._sure) == 3:
                    self._known_s = min(self._sure)
                self._closure_s = max(self._closure_s, self._shut_s)
                self._closed_at = None
