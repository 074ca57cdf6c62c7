"""What a change of a setting comes to in a run that goes on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from umwelten.config.option_types import MAX_CONCURRENCY
from umwelten.config.options import find_option
from umwelten.config.rate_texts import parse_rates, written
from umwelten.control.known_rate import KnownRate
from umwelten.control.lane import Lane
from umwelten.control.limit import AUTO_CEILING
from umwelten.control.stop import UNBOUNDED
from umwelten.errors import UsageError
from umwelten.evaluation.live_run import LiveRun
from umwelten.evaluation.run_state import Author
from umwelten.providers.vendors import VENDORS
from umwelten.records import ChangeKey
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import Resource

OFF = ("off", "none")
NANO = 1_000_000_000
MOST_SAID = 10_000
"""Characters of who changes something and why: every report has them."""

LONGEST_PAUSE_S = 1e9
"""Some thirty years; timers know no endless ones."""

_SHOWN = 60
SETTABLE = (
    ChangeKey.MAX_CONCURRENCY,
    ChangeKey.PROVIDER_CONCURRENCY,
    ChangeKey.RATE,
    ChangeKey.MAX_COST,
    ChangeKey.MAX_ERRORS,
    ChangeKey.TIMEOUT,
    ChangeKey.RETRIES,
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A change that is possible: from `old` to `new`, values of JSON, and what makes it."""

    key: ChangeKey
    old: Any
    new: Any
    act: Callable[[], None]
    scope: str = ""
    note: str = ""


def planned(run: LiveRun, key: ChangeKey | str, value: Any, scope: str = "") -> Planned:
    """Return what setting a value comes to. Raises `UsageError`. In the loop's thread."""
    name = str(key).replace("-", "_")
    if name not in SETTABLE:
        hint = did_you_mean(closest(name, SETTABLE)) or f"Allowed are {', '.join(SETTABLE)}."
        raise UsageError(f"{name!r} is no setting of a run that goes on", hint)
    return _PLANNERS[ChangeKey(name)](run, value, scope)


def author(by: Author) -> Author:
    """Return who changes a run, as it can be stored. Raises `UsageError`."""
    for name in ("via", "name", "reason"):
        said = getattr(by, name)
        if not isinstance(said, str):
            raise UsageError(f"the {name} of a change is no text: {cut(repr(said))}", "Give a str.")
        if len(said) > MOST_SAID:
            raise UsageError(
                f"the {name} of a change has {len(said):,} characters", f"At most {MOST_SAID:,} are stored."
            )
    return by


def seconds(for_s: float | None) -> float | None:
    """Return how long a pause is to be. Raises `UsageError`."""
    if for_s is None:
        return None
    if isinstance(for_s, bool) or not isinstance(for_s, int | float) or not 0 < for_s < LONGEST_PAUSE_S:
        raise UsageError(f"for_s {cut(repr(for_s))} is no number of seconds above 0", "Or leave it out.")
    return float(for_s)


def not_paused(live: LiveRun) -> str:
    """Return why resuming that changes nothing."""
    if not live.paused:
        return "it is not paused"
    return f"it is not paused by that name; {_names(live.paused)} is"


def stays_paused(live: LiveRun, scope: str) -> str:
    """Return what is still paused once that is not."""
    left = [name for name in live.paused if name != scope] if scope else []
    return f"{_names(left)} is still paused" if left else ""


def _names(paused: Iterable[str]) -> str:
    return ", ".join(name or "the whole run" for name in paused)


def cut(text: str) -> str:
    """Return as much of a value as a message has room for."""
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


# --- how many at a time ------------------------------------------------------------------------


def _max_concurrency(run: LiveRun, value: Any, scope: str) -> Planned:
    _for_all(ChangeKey.MAX_CONCURRENCY, scope)
    new: int | Literal["auto"] = _read(ChangeKey.MAX_CONCURRENCY, value)

    def act() -> None:
        run.max_concurrency = new
        run.fit_room()
        for lane in run.pool.lanes:
            _retune(run, lane)

    note = _learnt(run, run.pool.lanes, None if new == "auto" else new)
    return Planned(ChangeKey.MAX_CONCURRENCY, run.max_concurrency, new, act, note=note)


def _provider_concurrency(run: LiveRun, value: Any, scope: str) -> Planned:
    if not scope and isinstance(value, str):
        scope, _, value = value.rpartition("=")
    lanes = run.lanes_of(scope) if scope else []
    if not lanes:
        raise UsageError(f"{scope!r} is no provider or lane of this run", _known_scopes(run))
    off = value is None or value in OFF
    new = None if off else _number(value, ChangeKey.PROVIDER_CONCURRENCY, MAX_CONCURRENCY)

    def act() -> None:
        if new is None:
            run.ceilings.pop(scope, None)
        else:
            run.ceilings[scope] = new
        if any(lane.group == scope for lane in lanes):
            run.pool.set_group_cap(scope, new)
        for lane in lanes:
            _retune(run, lane)

    note = _learnt(run, lanes, new)
    old = run.ceilings.get(scope)
    return Planned(ChangeKey.PROVIDER_CONCURRENCY, old, new, act, scope=scope, note=note)


def _retune(run: LiveRun, lane: Lane) -> None:
    """Have a lane keep to what is set for it, its provider and all."""
    fixed = run.max_concurrency != "auto"
    most = AUTO_CEILING if run.max_concurrency == "auto" else run.max_concurrency
    ceiling = run.ceilings.get(lane.name, run.ceilings.get(lane.group, most))
    if lane.group == "local":
        ceiling = min(ceiling, run.local_slots)
    vendor = VENDORS.get(lane.group)
    start = vendor.recommended[0] if vendor is not None else 1
    lane.retune(ceiling, fixed=fixed, start=min(start, ceiling))
    run.pool.touch(lane)


def _learnt(run: LiveRun, lanes: list[Lane], wanted: int | None) -> str:
    """Return which lanes have met a limit that is lower than what is wanted."""
    met = [
        f"{lane.name} has learnt a limit of {lane.limit.slots}"
        for lane in lanes
        if (lane.limit.cuts or lane.limit.edge is not None) and lane.limit.slots < (wanted or AUTO_CEILING)
    ]
    return "; ".join(met) + ", and stays below it until there is more room" if met else ""


# --- rates -------------------------------------------------------------------------------------


def _rate(run: LiveRun, value: Any, scope: str) -> Planned:
    if not scope and isinstance(value, str):
        scope, _, value = value.rpartition("=")
    lanes = [*run.lanes_of(scope)] if scope else []
    if not lanes:
        raise UsageError(f"{scope!r} is no provider or lane of this run", _known_scopes(run))
    new = _rates(value)
    text = None if not new else ", ".join(map(written, new))

    def act() -> None:
        if text is None:
            run.rates.pop(scope, None)
        else:
            run.rates[scope] = text
        for resource in {rate.resource for rate in new} or set(Resource):
            for lane in lanes:
                lane.pacer.known.replace(resource, [r for r in new if r.resource is resource])
        for lane in lanes:
            run.pool.touch(lane)

    return Planned(ChangeKey.RATE, run.rates.get(scope), text, act, scope=scope)


def _rates(value: Any) -> tuple[KnownRate, ...]:
    if value is None or value in OFF:
        return ()
    text = str(value)
    if text.replace(".", "", 1).isdigit():
        text = f"{text}/min"
    try:
        return parse_rates(text)
    except ValueError as error:
        raise UsageError(f"rate {cut(repr(value))}: {error}", "Or write off.") from None


# --- when it ends ------------------------------------------------------------------------------


def _max_cost(run: LiveRun, value: Any, scope: str) -> Planned:
    _for_all(ChangeKey.MAX_COST, scope)
    new: float | None = None if value is None or value in OFF else _read(ChangeKey.MAX_COST, value)
    cap = None if new is None else round(min(new * NANO, UNBOUNDED))

    def act() -> None:
        run.max_cost_usd = new
        run.engine.set_cost_cap(cap)

    note = ""
    if cap is not None and run.pool.cap.spent >= cap:
        note = f"${run.pool.cap.spent / NANO:.4g} is spent already: nothing more starts, and the run ends"
    return Planned(ChangeKey.MAX_COST, run.max_cost_usd, new, act, note=note)


def _max_errors(run: LiveRun, value: Any, scope: str) -> Planned:
    _for_all(ChangeKey.MAX_ERRORS, scope)
    new = None if value is None or value in OFF else _read(ChangeKey.MAX_ERRORS, value)

    def act() -> None:
        run.engine.max_errors = new

    return Planned(ChangeKey.MAX_ERRORS, run.engine.max_errors, new, act)


# --- attempts ----------------------------------------------------------------------------------


def _timeout(run: LiveRun, value: Any, scope: str) -> Planned:
    _for_all(ChangeKey.TIMEOUT, scope)
    new = _read(ChangeKey.TIMEOUT, value)

    def act() -> None:
        run.attempts.timeout_s = new

    note = "attempts in flight keep theirs"
    return Planned(ChangeKey.TIMEOUT, run.attempts.timeout_s, new, act, note=note)


def _retries(run: LiveRun, value: Any, scope: str) -> Planned:
    _for_all(ChangeKey.RETRIES, scope)
    new = _read(ChangeKey.RETRIES, value)

    def act() -> None:
        run.pool.policy = replace(run.pool.policy, retries=new)

    return Planned(ChangeKey.RETRIES, run.pool.policy.retries, new, act)


_PLANNERS: dict[ChangeKey, Callable[[LiveRun, Any, str], Planned]] = {
    ChangeKey.MAX_CONCURRENCY: _max_concurrency,
    ChangeKey.PROVIDER_CONCURRENCY: _provider_concurrency,
    ChangeKey.RATE: _rate,
    ChangeKey.MAX_COST: _max_cost,
    ChangeKey.MAX_ERRORS: _max_errors,
    ChangeKey.TIMEOUT: _timeout,
    ChangeKey.RETRIES: _retries,
}


# --- values ------------------------------------------------------------------------------------


def _read(key: ChangeKey, value: Any) -> Any:
    """Read a value as the option of that name does, from a text or as a Python program gives it."""
    option = find_option(key)
    assert option is not None, "settings that can be changed are options"
    kind = option.type
    read = kind.read if isinstance(value, str) or kind.read_argument is None else kind.read_argument
    try:
        found = read(value)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{str(key).replace('_', ' ')} {cut(repr(value))}: {error}") from None
    if isinstance(found, float) and not math.isfinite(found):
        raise UsageError(f"{str(key).replace('_', ' ')} {cut(repr(value))} is not a finite number")
    return getattr(found, "value", found)


def _number(value: Any, key: ChangeKey, most: int) -> int:
    try:
        number = int(str(value))
    except ValueError:
        number = 0
    if not 1 <= number <= most:
        raise UsageError(
            f"{key} {cut(repr(value))} is not a whole number from 1 to {most:,}", "Or write off."
        )
    return number


def _for_all(key: ChangeKey, scope: str) -> None:
    if scope:
        raise UsageError(f"{key} is set for the whole run, not for {scope!r}", "Leave the scope out.")


def _known_scopes(run: LiveRun) -> str:
    names = dict.fromkeys([lane.group for lane in run.pool.lanes] + [lane.name for lane in run.pool.lanes])
    return f"It has {', '.join(names)}."
