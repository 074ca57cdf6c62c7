"""Changing a run while it goes on: settings, pauses, the end, failed calls once more.

Every method may be called from any thread. A change is applied in the thread of the run's event loop, then
journalled in the store; the method returns once it is committed. In the loop's own thread, as from
`on_event`, nothing waits for that.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from umwelten.errors import UsageError
from umwelten.evaluation.live_run import AFTERWARDS, ENDED, LiveRun
from umwelten.evaluation.preflight import check_priced
from umwelten.evaluation.requeued import requeued
from umwelten.evaluation.run_changes import OFF, Planned, author, not_paused, planned, seconds, stays_paused
from umwelten.evaluation.run_state import Author as Author
from umwelten.evaluation.run_state import Change as Change
from umwelten.evaluation.run_state import ChangeState, RunState
from umwelten.evaluation.run_watch import RunWatch
from umwelten.events import CallFailed, CallSucceeded, Event, RunChanged, RunFinished, RunStarted
from umwelten.records import ChangeKey, ChangeRecord
from umwelten.store.failed_calls import FailedCall, failed_calls, spent_before
from umwelten.store.reader import Reader
from umwelten.tally import Tally
from umwelten.text.formatting import minutes
from umwelten.text.sanitize import encodable
from umwelten.text.suggestions import closest, did_you_mean

if TYPE_CHECKING:
    from umwelten.evaluation.evaluation import Evaluation

PATIENCE_S = 5.0
"""For so long a change may take to be applied, and to be committed: a loop that is later is broken."""

_AT_ONCE = 100
"""Failed calls that are looked up before the loop does something else: some 15 ms."""

_KEPT = 1_000
"""Changes of which `state` tells, the latest; the store has all."""


class RunControl:
    """Changes one run; an observer of its events. Refuses with a `UsageError`, and changes nothing then.

    `scope` is the name of a lane, a provider or a model, or "" for the whole run. `tally` is another observer
    of the run, whose sums `state` gives.
    """

    def __init__(self, evaluation: Evaluation, tally: Tally) -> None:
        self._evaluation, self._tally = evaluation, tally
        self._changes: deque[ChangeState] = deque(maxlen=_KEPT)
        self._watch = RunWatch(evaluation, tally)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
        live = self._evaluation.live
        if live is not None and live.requeued and isinstance(event, CallSucceeded | CallFailed):
            live.requeued.discard(event.call.id)
        elif isinstance(event, RunStarted):
            self._watch.begin()
        elif isinstance(event, RunFinished) and live is not None:
            self._watch.resume(live.loop.time())  # it is over as well

    def state(self) -> RunState:
        """Return the run as it is now. Takes what progress takes; never waits for the loop."""
        return self._watch.state(self._changes)

    # --- settings --------------------------------------------------------------------------

    def set(
        self, key: ChangeKey | str, value: Any, by: Author, *, scope: str = "", dry_run: bool = False
    ) -> Change:
        """Change a setting, given as the option of that name takes it, as a text or as a value."""
        live, by = self._live(), author(by)
        if str(key).replace("-", "_") == ChangeKey.MAX_COST and value not in (None, *OFF):
            check_priced(self._evaluation.spec, self._evaluation.prices)
            self._count_earlier_costs(live)

        def change() -> tuple[Planned, Any]:
            live.check_open(AFTERWARDS)
            plan = planned(live, key, value, scope)
            if dry_run:
                return plan, None
            plan.act()
            stored = self._journal(live, plan.key, plan.old, plan.new, by, plan.scope)
            live.engine.look_again()
            return plan, stored

        plan, stored = self._do(live, change)
        return self._outcome(live, plan, stored)

    def _count_earlier_costs(self, live: LiveRun) -> None:
        """A cap is over all runs of the evaluation: what earlier ones spent counts, once."""
        if live.earlier_costs_counted:
            return
        with Reader.open(self._evaluation.folder) as reader:
            spent = spent_before(reader.connection, live.run_id)

        def count() -> None:
            if not live.earlier_costs_counted:
                live.earlier_costs_counted = True
                live.pool.cap.spent += spent

        self._do(live, count)

    # --- pauses ----------------------------------------------------------------------------

    def pause(self, by: Author, *, scope: str = "", for_s: float | None = None) -> Change:
        """Start nothing more until `resume`, or for so long; what is in flight ends, and is committed."""
        live, by, for_s = self._live(), author(by), seconds(for_s)

        def change() -> tuple[Planned, Any]:
            live.check_open(AFTERWARDS)
            plan = self._planned_pause(live, scope, for_s)
            if for_s is None and scope in live.paused and live.paused[scope] is None:
                return plan, None
            self._set_timer(live, scope, for_s, by)
            plan.act()
            stored = self._journal(live, plan.key, plan.old, plan.new, by, scope)
            live.engine.look_again()
            return plan, stored

        plan, stored = self._do(live, change)
        return self._outcome(live, plan, stored)

    def _planned_pause(self, live: LiveRun, scope: str, for_s: float | None) -> Planned:
        lanes, models = self._scope(live, scope)
        now = live.loop.time()

        def act() -> None:
            live.pool.pause(lanes, models, now)
            if not scope:
                self._watch.pause(now)

        in_flight = sum(lane.own_in_flight for lane in lanes) + sum(map(live.pool.in_flight_of, models))
        note = f"{in_flight:,} in flight may end" if in_flight else "nothing is in flight"
        if scope in live.paused:
            note = "it is paused already"
        if for_s is not None:
            note += f"; it goes on in {minutes(for_s)}"
        elif live.paused.get(scope) is not None:
            note += "; it no longer goes on by itself"
        new = True if for_s is None else {"for_s": for_s}
        return Planned(ChangeKey.PAUSE, scope in live.paused, new, act, scope, note)

    def _set_timer(self, live: LiveRun, scope: str, for_s: float | None, by: Author) -> None:
        timer = live.paused.get(scope)
        if timer is not None:
            timer.cancel()
        after = msgspec.structs.replace(by, reason="the time of the pause is over")

        def resume() -> None:
            self._outcome(live, *self._resume(live, scope, after))

        live.paused[scope] = None if for_s is None else live.loop.call_later(for_s, resume)

    def resume(self, by: Author, *, scope: str = "") -> Change:
        """End a pause; that of the whole run ends all others as well."""
        live, by = self._live(), author(by)
        plan, stored = self._do(live, partial(self._resume, live, scope, by))
        return self._outcome(live, plan, stored)

    def _resume(self, live: LiveRun, scope: str, by: Author) -> tuple[Planned, Any]:
        lanes, models = self._scope(live, scope)
        was = bool(live.paused) if not scope else scope in live.paused
        if not scope:
            models = list(live.models)
        now = live.loop.time()
        plan = Planned(
            ChangeKey.RESUME,
            was,
            False,
            partial(live.pool.resume, lanes, models, now),
            scope,
            stays_paused(live, scope) if was else not_paused(live),
        )
        if not was:
            return plan, None
        for name in tuple(live.paused) if not scope else (scope,):
            timer = live.paused.pop(name, None)
            if timer is not None:
                timer.cancel()
        if "" not in live.paused:
            self._watch.resume(now)
        plan.act()
        for name in live.paused:  # what is paused by another name stays so
            live.pool.pause(*self._scope(live, name), now)
        stored = self._journal(live, plan.key, plan.old, plan.new, by, scope)
        live.engine.look_again()
        return plan, stored

    def _scope(self, live: LiveRun, scope: str) -> tuple[list[Any], list[int]]:
        lanes = live.lanes_of(scope)
        models = [] if lanes else live.models_of(scope)
        if not lanes and not models:
            names = dict.fromkeys(
                [lane.name for lane in live.pool.lanes]
                + [lane.group for lane in live.pool.lanes]
                + [str(ref) for ref in live.models.values()]
            )
            hint = did_you_mean(closest(scope, names)) or f"It has {', '.join(names)}."
            raise UsageError(f"{scope!r} is no lane, provider or model of this run", hint)
        return lanes, models

    # --- the end, and calls ----------------------------------------------------------------

    def stop(self, by: Author, *, now: bool = False) -> Change:
        """End the run; calls in flight have ten seconds to finish, or with `now` none. It can be resumed."""
        live, by = self._live(), author(by)

        def change() -> tuple[Planned, Any]:
            in_flight = live.pool.in_flight
            what = "cancelled" if now else "have up to 10 s to finish"
            note = f"{in_flight:,} calls in flight {what}" if in_flight else "nothing was in flight"
            plan = Planned(ChangeKey.STOP, False, "now" if now else True, lambda: None, "", note)
            stored = self._journal(live, plan.key, plan.old, plan.new, by, "")
            reason = f"stopped by {by.name or by.via}" + (f": {by.reason}" if by.reason else "")
            self._evaluation.stop(reason, grace_s=0.0 if now else 10.0)
            return plan, stored

        plan, stored = self._do(live, change)
        return self._outcome(live, plan, stored)

    def retry_failed(self, by: Author, *, kind: str = "", model: str = "", input: str = "") -> Change:
        """Make the calls again that this run gave up: all, or those of a kind, model or input.

        `new` is how many.
        """
        live, by = self._live(), author(by)
        with Reader.open(self._evaluation.folder) as reader:
            found = failed_calls(
                reader.connection, live.run_id, kind=encodable(kind), input_name=encodable(input)
            )

        numbers = set(live.models_of(model)) if model else set(live.models)
        if not numbers:
            self._scope(live, model)
        wanted, made = [failed for failed in found if failed.model in numbers], 0

        def some(failed: Sequence[FailedCall]) -> int:
            live.check_open("Use `umwelten eval retry` once it has.")
            again = self._pick(live, failed)
            if again:
                live.tell(requeued(again, live.models))
                live.engine.look_again()
            return len(again)

        scope = ", ".join(word for word in (kind, model, input) if word)
        for at in range(0, len(wanted) or 1, _AT_ONCE):
            try:
                made += self._do(live, partial(some, wanted[at : at + _AT_ONCE]))
            except UsageError:
                if not made:
                    raise
                break
        plan = Planned(ChangeKey.RETRY, None, made, lambda: None, scope)
        if not made:
            return self._outcome(live, replace(plan, note="this run gave up no such call"), None)
        return self._outcome(
            live, plan, self._do(live, lambda: self._journal(live, plan.key, None, made, by, scope))
        )

    def _pick(self, live: LiveRun, failed: Sequence[FailedCall]) -> list[FailedCall]:
        """Have those made again that are not being made again already, and whose models take calls."""
        due = [
            call
            for call in failed
            # What has just failed is left out: who counts the failures has not heard of it yet.
            if call.id not in live.requeued
            and not live.engine.is_failing(call.id)
            and not live.pool.is_stopped(call.model)
        ]
        again: list[FailedCall] = []
        for model in {call.model for call in due}:
            of_model = {(call.input, call.repeat): call for call in due if call.model == model}
            calls = live.store.pick(model, of_model)
            live.engine.requeue(calls)
            live.requeued.update(call.id for call in calls)
            picked = {call.id for call in calls}
            again += [call for call in of_model.values() if call.id in picked]
        return again

    def tell_texts(self, wanted: bool) -> None:
        """Have events tell of pieces of streamed answers, or no more where nobody else wants them."""
        live = self._evaluation.live
        if live is not None:
            live.tell_texts(wanted)

    def cancel(self, by: Author, call: int) -> Change:
        """Cancel a call in flight, by the number that events have; it stays pending."""
        live, by = self._live(), author(by)

        def change() -> tuple[Planned, Any]:
            if not live.engine.cancel(call):
                raise UsageError(f"call {call} is not in flight", "Only a call in flight can be cancelled.")
            plan = Planned(ChangeKey.CANCEL, None, True, lambda: None, str(call), "it stays pending")
            return plan, self._journal(live, plan.key, None, True, by, plan.scope)

        plan, stored = self._do(live, change)
        return self._outcome(live, plan, stored)

    # --- inside ----------------------------------------------------------------------------

    def _live(self) -> LiveRun:
        """Return the run; where it is about to start, wait for it."""
        waits_until = time.monotonic() + (0.0 if _has_loop() else PATIENCE_S)
        while (live := self._evaluation.live) is None:
            if self._tally.finished is not None:
                raise UsageError(ENDED)
            if time.monotonic() >= waits_until:
                raise UsageError("the run has not started yet")
            time.sleep(0.01)
        return live

    def _do(self, live: LiveRun, act: Callable[[], Any]) -> Any:
        try:
            return live.do(act, PATIENCE_S)
        except TimeoutError:
            raise UsageError(f"the run did not answer within {PATIENCE_S:g} s") from None

    def _journal(
        self, live: LiveRun, key: ChangeKey, old: Any, new: Any, by: Author, scope: str
    ) -> tuple[ChangeRecord, Any]:
        record = ChangeRecord(
            at=time.time(),
            key=key,
            old=msgspec.json.encode(old).decode(),
            new=msgspec.json.encode(new).decode(),
            scope=scope,
            via=by.via,
            author=by.name,
            reason=by.reason,
        )
        live.tell(
            RunChanged(
                at_unix=record.at,
                key=key,
                old=old,
                new=new,
                scope=scope,
                via=by.via,
                author=by.name,
                reason=by.reason,
            )
        )
        return record, live.journal(record)

    def _outcome(self, live: LiveRun, plan: Planned, stored: Any) -> Change:
        journalled: bool | None = None
        if stored is not None:
            record, future = stored
            if not live.is_own_thread:
                journalled = False
                with suppress(TimeoutError):
                    journalled = future.result(PATIENCE_S)
            self._changes.append(
                ChangeState(
                    at=record.at,
                    key=record.key,
                    scope=plan.scope,
                    old=plan.old,
                    new=plan.new,
                    via=record.via,
                    author=record.author,
                    reason=record.reason,
                    journalled=journalled,
                )
            )
        return Change(
            key=plan.key,
            scope=plan.scope,
            old=plan.old,
            new=plan.new,
            journalled=journalled,
            note=plan.note,
        )


def _has_loop() -> bool:
    """Return whether an event loop runs in this thread, which must not be held up."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
