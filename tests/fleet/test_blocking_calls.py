"""Calls of a library that must not be used after it was shut down."""

import asyncio
import threading

import pytest

from umwelten.fleet.blocking_calls import BlockingCalls


def test_the_last_call_waits_for_one_under_way_and_those_that_wait_are_not_made() -> None:
    made: list[str] = []
    begun, goes_on = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        assert goes_on.wait(10)
        made.append("first")

    async def main() -> None:
        calls = BlockingCalls()
        abandoned = asyncio.create_task(calls.run(first))
        await asyncio.to_thread(begun.wait, 10)
        waiting = asyncio.create_task(calls.run(lambda: made.append("waiting")))
        await asyncio.sleep(0)
        abandoned.cancel()
        last = asyncio.create_task(calls.run_last(lambda: made.append("last"), 10.0))
        await asyncio.sleep(0.05)
        assert made == []
        goes_on.set()
        await last
        with pytest.raises(RuntimeError):
            await waiting
        with pytest.raises(RuntimeError):
            await calls.run(lambda: made.append("later"))

    asyncio.run(main())
    assert made == ["first", "last"]


def test_a_call_that_takes_too_long_goes_on_in_its_thread() -> None:
    goes_on = threading.Event()

    async def main() -> None:
        calls = BlockingCalls()
        with pytest.raises(TimeoutError):
            await calls.run(lambda: goes_on.wait(10), 0.01)
        with pytest.raises(TimeoutError):
            await calls.run_last(lambda: None, 0.01)
        goes_on.set()
        assert await calls.run_last(lambda: 7, 10.0) == 7

    asyncio.run(main())
