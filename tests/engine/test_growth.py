"""The engine while its source still grows."""

from __future__ import annotations

from engine.memory import MemoryStore, at, run
from umwelten.engine.engine import Engine
from umwelten.errors import InputError
from umwelten.events import CallStarted


def test_a_run_goes_on_as_long_as_its_source_may_grow() -> None:
    store = MemoryStore(2, complete=False)

    def later(engine: Engine) -> None:
        at(3.0, lambda: store.grow(3))
        at(50.0, lambda: store.grow(2))
        at(70.0, lambda: store.grow(complete=True))

    ran = run(store, later=later)
    assert (ran.result.status, len(store.calls())) == ("complete", 7)
    assert 70.0 <= ran.took < 71.0


def test_new_calls_start_at_once_and_the_source_is_not_polled_for_them() -> None:
    store = MemoryStore(0, complete=False)
    ran = run(store, later=lambda engine: at(100.0, lambda: store.grow(8, complete=True)))
    assert 102.0 <= ran.took < 102.2
    assert store.leases < 30


def test_a_source_that_breaks_off_stops_the_run_and_keeps_the_answers() -> None:
    store = MemoryStore(1000, complete=False)
    later = lambda engine: at(2.5, lambda: store.grow(problem=InputError("rows.csv is gone")))  # noqa: E731
    ran = run(store, later=later)
    assert (ran.result.status, ran.reason) == ("stopped", ("inputs", "rows.csv is gone"))
    # Four at a time, a second each: three rounds had begun, none begins after.
    assert len(store.calls()) == 12
    assert ran.took < 3.5


def test_an_interrupted_run_does_not_wait_for_a_source_that_grows() -> None:
    store = MemoryStore(3, complete=False)
    ran = run(store, later=lambda engine: at(5.2, lambda: engine.stop("interrupted", interrupted=True)))
    assert ran.result.status == "interrupted"
    assert len(ran.of(CallStarted)) == 3
    assert ran.took < 6.0
