"""One timer that ends many waits: in real seconds, few of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from umwelten.attempts.deadlines import Deadlines, Wait


def run_async(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


SOON_S = 5.0
"""Fifty times as late as it is on a machine that has nothing else to do; the waits would last for 30 s."""


def timers() -> int:
    return sum(not handle.cancelled() for handle in asyncio.get_running_loop()._scheduled)  # type: ignore[attr-defined]


async def waits(wait: Wait, seconds: float) -> float:
    """How long it took until it ended; `TimeoutError` if its time was up."""
    start = time.monotonic()
    with wait:
        await asyncio.sleep(seconds)
    return time.monotonic() - start


@run_async
async def test_a_wait_ends_when_its_time_is_up_and_soon_after() -> None:
    deadlines = Deadlines(0.2)
    start = time.monotonic()
    with pytest.raises(TimeoutError):
        await waits(deadlines.within(0.2), 30)
    assert 0.2 <= time.monotonic() - start < SOON_S


@run_async
async def test_what_ends_in_time_is_left_alone_and_so_is_what_follows() -> None:
    deadlines = Deadlines(0.1)
    await waits(deadlines.within(0.4), 0.01)
    await asyncio.sleep(0.6)


@run_async
async def test_a_silence_ends_a_wait_and_bytes_keep_it_alive() -> None:
    deadlines = Deadlines(0.2)
    with pytest.raises(TimeoutError):
        await waits(deadlines.within(30, idle_s=0.2), 30)

    wait = deadlines.within(30, idle_s=0.3)
    with wait:
        for _ in range(10):
            await asyncio.sleep(0.1)
            wait.heard = True


@run_async
async def test_its_whole_time_is_up_though_bytes_come() -> None:
    deadlines = Deadlines(0.2)
    wait = deadlines.within(0.4, idle_s=0.2)
    start = time.monotonic()
    with pytest.raises(TimeoutError), wait:
        while time.monotonic() < start + 30:
            wait.heard = True
            await asyncio.sleep(0.01)


@run_async
async def test_what_keeps_the_loop_busy_all_the_time_does_not_hold_up_a_silence() -> None:
    deadlines = Deadlines(0.1)
    start = time.monotonic()
    with pytest.raises(TimeoutError), deadlines.within(30, idle_s=0.1):
        while time.monotonic() < start + 5:
            time.sleep(0.005)  # longer than between two checks
            await asyncio.sleep(0)
    assert time.monotonic() - start < 5


@run_async
async def test_a_wait_can_be_hastened_and_relaxed_again() -> None:
    deadlines = Deadlines(0.2)
    wait = deadlines.within(30)
    start = time.monotonic()
    with pytest.raises(TimeoutError), wait:
        wait.hasten(30, 0.05)
        await asyncio.sleep(30)
    assert time.monotonic() - start < SOON_S

    wait = deadlines.within(30)
    with wait:
        wait.hasten(0.02, 0.02)
        wait.relax()
        await asyncio.sleep(0.1)
    assert wait.idle_s is None


@run_async
async def test_who_is_cancelled_by_others_is_cancelled_and_not_late() -> None:
    deadlines = Deadlines(30)
    task = asyncio.create_task(waits(deadlines.within(30), 30))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    # Both at once: whoever cancels the task from outside must see it cancelled.
    wait = Deadlines(30).within(30)
    task = asyncio.create_task(waits(wait, 30))
    await asyncio.sleep(0.01)
    wait.expire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@run_async
async def test_an_error_inside_stays_what_it_is() -> None:
    with pytest.raises(ValueError, match="mine"), Deadlines(1).within(1):
        raise ValueError("mine")


@run_async
async def test_a_thousand_waits_share_one_timer_and_leave_none() -> None:
    deadlines = Deadlines(2.0)
    before = timers()
    gate = asyncio.Event()

    async def one() -> None:
        with deadlines.within(2.0):
            await gate.wait()

    tasks = [asyncio.create_task(one()) for _ in range(1000)]
    await asyncio.sleep(0.01)
    assert timers() == before + 1
    gate.set()
    await asyncio.gather(*tasks)
    await asyncio.sleep(0.1)
    assert timers() == before
