"""Jobs: awaited, waited for, iterated over, left early."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import Callable

import pytest

import umwelten
from provider import Profile, Provider
from umwelten.events import CallSucceeded, Event, Note, RunFinished, RunStarted, TextArrived
from umwelten.simulate.faultserver.profile import Behaviour, Rule

pytestmark = pytest.mark.usefixtures("server")

FAST_AND_SLOW = "openai:slow,openai:quick"


# --- to the end ------------------------------------------------------------------------------


def test_an_awaited_job_gives_every_answer() -> None:
    async def main() -> umwelten.Results:
        return await umwelten.run("hello", "openai:a,ollama:b")

    results = asyncio.run(main())
    assert [answer.model for answer in results] == ["openai:a", "ollama:b"]
    assert all(answer.ok and answer.text and "hello" in answer.text for answer in results)
    assert results.status == "complete"


def test_plain_code_waits_for_a_job() -> None:
    results = umwelten.run("hello", ["openai:a", "ollama:b"]).wait()
    assert [answer.model for answer in results] == ["openai:a", "ollama:b"]


def test_a_job_can_be_waited_for_where_an_event_loop_runs() -> None:
    async def cell() -> umwelten.Results:
        return umwelten.run("hello", "openai:a").wait()

    assert len(asyncio.run(cell())) == 1


def test_a_job_runs_once_however_often_it_is_used(server: Provider) -> None:
    async def main() -> None:
        job = umwelten.run("hello", "openai:a", repeat=3)
        first, second = await asyncio.gather(job, job)
        assert first.folder == second.folder == (await job).folder
        assert [answer.repeat for answer in job] == [1, 2, 3]
        assert [answer.repeat async for answer in job] == [1, 2, 3]
        assert len(job.wait()) == 3

    asyncio.run(main())
    assert server.idle().requests == 3


def test_nothing_is_sent_or_written_before_a_job_is_used(server: Provider) -> None:
    with umwelten.run("hello", "openai:a", id="unused") as job:
        assert job.id is None
        assert "not yet run; await it" in repr(job)
    assert server.ledger.requests == 0
    with pytest.raises(umwelten.StoreError):
        umwelten.open("unused")


def test_two_jobs_run_in_one_loop_at_once(server: Provider) -> None:
    async def main() -> tuple[umwelten.Results, umwelten.Results]:
        return await asyncio.gather(
            umwelten.run("one", "openai:slow", id="one"), umwelten.run("two", "openai:slow", id="two")
        )

    one, two = asyncio.run(main())
    assert "one" in (one[0].text or "")
    assert "two" in (two[0].text or "")
    assert server.idle().peak_in_flight == 2


def test_jobs_run_from_several_threads() -> None:
    found: dict[int, str | None] = {}

    def work(number: int) -> None:
        found[number] = umwelten.run(f"number {number}", "openai:a", id=f"job-{number}").wait()[0].text

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(found) == [0, 1, 2, 3]
    assert all(f"number {number}" in (text or "") for number, text in found.items())


# --- as they come ----------------------------------------------------------------------------


def much_slower(server: Provider) -> None:
    """The gap between the two models is wide enough for a busy machine."""
    server.use(Profile(rules=(Rule(model="slow", behaviour=Behaviour(latency_s=1.5)),)))


def test_answers_come_before_slower_calls_have_ended(server: Provider) -> None:
    much_slower(server)

    async def main() -> list[tuple[str, int]]:
        job = umwelten.run("hello", FAST_AND_SLOW, concurrent=True)
        return [(answer.model, server.ledger.in_flight) async for answer in job]

    quick, slow = asyncio.run(main())
    # The provider may still count an answer that is already here, so only the first count is certain.
    assert quick == ("openai:quick", 1) and slow[0] == "openai:slow"


def test_answers_come_in_plain_code_before_slower_calls_have_ended(server: Provider) -> None:
    much_slower(server)
    job = umwelten.run("hello", FAST_AND_SLOW, concurrent=True)
    quick, slow = ((answer.model, server.ledger.in_flight) for answer in job)
    assert quick == ("openai:quick", 1) and slow[0] == "openai:slow"


def test_the_run_goes_on_while_an_answer_is_worked_on(server: Provider) -> None:
    for number, answer in enumerate(umwelten.run("hello", "openai:a", repeat=20)):
        if number == 0:
            server.await_requests(20)
        assert answer.ok


def test_a_resumed_run_gives_the_stored_answers_first(server: Provider) -> None:
    umwelten.run("hello", "openai:a", id="again").wait()
    job = umwelten.run("hello", "openai:slow,openai:a", id="again", resume=True)
    assert [answer.model for answer in job] == ["openai:a", "openai:slow"]
    assert server.idle().requests == 2


def test_failures_of_an_earlier_run_are_not_given_until_they_were_tried_again(server: Provider) -> None:
    models = "openai:broken,openai:a"
    assert umwelten.run("hello", models, id="again").wait().status == "failed"
    found = [(answer.model, answer.ok) for answer in umwelten.run("hello", models, id="again", resume=True)]
    assert found == [("openai:a", True), ("openai:broken", False)]
    assert server.idle().requests == 3


def test_several_iterations_over_one_job_each_give_every_answer() -> None:
    async def main() -> list[list[int]]:
        job = umwelten.run("hello", "openai:a", repeat=50, max_concurrency=10)

        async def collect() -> list[int]:
            return [answer.repeat async for answer in job]

        return await asyncio.gather(collect(), collect())

    for repeats in asyncio.run(main()):
        assert sorted(repeats) == list(range(1, 51))


# --- the end before the end ------------------------------------------------------------------


def left_early_and_resumed(server: Provider, leave: Callable[[], None]) -> None:
    """What was answered before is kept and not asked for again."""
    leave()
    stored = umwelten.open("left")
    assert stored.status == "stopped"
    assert stored.reason == "closed early"
    done, asked = len(stored), server.idle().requests
    assert 1 <= done == asked < 40
    results = umwelten.run("hello", "openai:a", id="left", repeat=40, concurrent=True, resume=True).wait()
    assert results.status == "complete"
    assert len(results) == server.idle().requests == 40


def slow_enough(server: Provider) -> None:
    server.use(Profile(default=Behaviour(latency_s=0.02)))


def test_leaving_a_loop_stops_the_run_and_keeps_what_came(server: Provider) -> None:
    def leave() -> None:
        for _ in umwelten.run("hello", "openai:a", id="left", repeat=40):
            break

    slow_enough(server)
    left_early_and_resumed(server, leave)


def test_leaving_an_async_loop_stops_the_run_and_keeps_what_came(server: Provider) -> None:
    async def main() -> None:
        job = umwelten.run("hello", "openai:a", id="left", repeat=40)
        async for _ in job:
            break
        assert (await job).status == "stopped"

    slow_enough(server)
    left_early_and_resumed(server, lambda: asyncio.run(main()))


def test_leaving_an_async_with_stops_the_run(server: Provider) -> None:
    async def main() -> None:
        async with umwelten.run("hello", "openai:a", id="left", repeat=40) as job:
            answers = aiter(job)
            await anext(answers)

    slow_enough(server)
    left_early_and_resumed(server, lambda: asyncio.run(main()))


def test_leaving_a_with_stops_the_run(server: Provider) -> None:
    def leave() -> None:
        with umwelten.run("hello", "openai:a", id="left", repeat=40) as job:
            next(iter(job))

    slow_enough(server)
    left_early_and_resumed(server, leave)


def test_a_run_is_stopped_from_another_thread(server: Provider) -> None:
    job = umwelten.run("hello", "openai:slow", repeat=1000)

    def stop() -> None:
        server.await_requests(1)
        job.stop("enough")

    thread = threading.Thread(target=stop)
    thread.start()
    results = job.wait()
    assert results.status == "stopped"
    assert results.reason == "enough"
    assert len(results) == 1  # the call in flight was kept
    thread.join()


def test_a_run_that_is_stopped_before_it_begins_makes_no_call(server: Provider) -> None:
    job = umwelten.run("hello", "openai:a")
    job.stop()
    assert len(job.wait()) == 0
    assert server.ledger.requests == 0


def test_a_cancelled_task_keeps_the_calls_in_flight(server: Provider) -> None:
    async def main() -> None:
        task = asyncio.ensure_future(umwelten.run("hello", "openai:slow", id="cut", repeat=10))
        await asyncio.to_thread(server.await_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    stored = umwelten.open("cut")
    assert (stored.status, stored.reason, len(stored.answers)) == ("interrupted", "cancelled", 1)


def test_without_a_grace_a_cancelled_task_ends_at_once(server: Provider) -> None:
    server.use(Profile(default=Behaviour(fault="hang")))

    async def main() -> None:
        job = umwelten.run("hello", "openai:a", id="cut", repeat=10, grace_s=0)
        task = asyncio.ensure_future(job)
        await asyncio.to_thread(server.await_requests, 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    stored = umwelten.open("cut")
    assert (stored.status, len(stored)) == ("interrupted", 0)


def test_an_error_in_the_loop_stops_the_run_and_is_raised(server: Provider) -> None:
    slow_enough(server)
    with pytest.raises(ZeroDivisionError), umwelten.run("hello", "openai:a", id="cut", repeat=40) as job:
        for _ in job:
            raise ZeroDivisionError
    assert umwelten.open("cut").status == "stopped"


# --- never run -------------------------------------------------------------------------------


def test_a_job_that_is_dropped_unused_warns() -> None:
    with pytest.warns(umwelten.NeverRun, match=r"umwelten.run\(…\) was never run"):
        umwelten.run("hello", "openai:a")
        gc.collect()


def test_a_job_that_was_used_or_closed_does_not_warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        umwelten.run("hello", "openai:a").wait()
        with umwelten.run("hello", "openai:a"):
            pass
        gc.collect()


# --- what is told ----------------------------------------------------------------------------


def test_events_are_told_in_the_order_of_the_run() -> None:
    seen: list[Event] = []
    umwelten.run("hello", "openai:a", on_event=seen.append).wait()
    kinds = [type(event) for event in seen]
    assert kinds[:2] == [Note, RunStarted]  # the note says that the address is not the vendor's own
    assert kinds[-1] is RunFinished
    assert kinds.count(CallSucceeded) == 1
    assert TextArrived in kinds  # `run` streams


def test_an_observer_that_raises_does_no_harm() -> None:
    def broken(event: Event) -> None:
        raise RuntimeError("mine")

    assert len(umwelten.run("hello", "openai:a", on_event=broken).wait().answers) == 1


def test_notes_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="umwelten"):
        umwelten.run("hello", "openai:a,openai:a").wait()
    assert "listed twice" in caplog.text
