"""Both ends together: introductions, cancelling, lost attempts, texts, garbage, inputs that are shipped."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from fleet.base import Fleet, TestRunner, play
from umwelten.errors import ConfigError, UsageError
from umwelten.events import NoteLevel
from umwelten.fleet import messages as m
from umwelten.fleet import worker as worker_module
from umwelten.fleet.interfaces import AssignedCall
from umwelten.fleet.shipments import KEPT_S
from umwelten.types import Call, Failure, FailureKind, Reply

OnText = Callable[[str], None] | None


def _text(outcome: object) -> str:
    assert isinstance(outcome, Reply), outcome
    return outcome.text


def _failure(outcome: object) -> Failure:
    assert isinstance(outcome, Failure), outcome
    return outcome


def test_an_attempt_is_made_by_a_worker_and_says_by_which_and_when() -> None:
    async def main() -> None:
        fleet = Fleet(unix=lambda: 1_000.0 + asyncio.get_running_loop().time())
        await fleet.remote.open()
        began = asyncio.get_running_loop().time()
        result = await fleet.start(1)
        assert (result.worker, result.assignment, result.away) == (1, 1, False)
        assert (_text(result.outcome), result.key, result.cost_nusd) == ("answer", "key", 7)
        assert result.timing.latency_s == pytest.approx(1.0)
        assert result.timing.started_at == pytest.approx(1_000.0 + began + 0.01, abs=0.002)
        await fleet.remote.close()
        assert all(runner.is_closed for runner in fleet.runners)
        assert [record.left_at is None for record in fleet.records] == [True, True, False, False]
        assert fleet.records[2].calls == 1

    play(main)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("__version__", "9.9", 'pip install "umwelten[ray]=='),
        ("PROTOCOL", 99, "messages 99"),
        ("python_version", lambda: "3.99.1", "uv run --python 3.99 umwelten"),
    ],
)
def test_a_worker_of_another_release_ends_the_run_before_it_begins(
    name: str, value: object, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, name, value)

    async def main() -> None:
        fleet = Fleet()
        with pytest.raises(UsageError) as raised:
            await fleet.remote.open()
        assert said in str(raised.value)
        assert "worker 1 (node node1" in str(raised.value)
        assert raised.value.exit_code == 2
        assert not fleet.carrier.workers

    play(main)


def test_a_worker_that_is_told_to_end_is_not_taken_for_lost() -> None:
    async def main() -> None:
        closed: list[bool] = []
        fleet = Fleet(on_workers=lambda record: closed.append(fleet.remote.is_closed))
        await fleet.remote.open()
        await fleet.remote.close()
        assert closed == [False, False, True, True]

    play(main)


def test_keys_that_workers_lack_are_named_and_sent_only_if_they_are_given() -> None:
    async def refuse() -> None:
        fleet = Fleet(missing=("OPENAI_API_KEY", "MISTRAL_API_KEY"), keys={"MISTRAL_API_KEY": "sk-1"})
        with pytest.raises(ConfigError) as raised:
            await fleet.remote.open()
        spelt = str(raised.value.spell(lambda name, value: f"--{name}"))
        assert "has no OPENAI_API_KEY" in spelt
        assert "MISTRAL" not in spelt
        assert "--ship_keys" in spelt
        assert "node1" in spelt

    async def send() -> None:
        fleet = Fleet(missing=("OPENAI_API_KEY",), keys={"OPENAI_API_KEY": "sk-1"})
        await fleet.remote.open()
        await fleet.start(1)
        assert fleet.runners[0].keys == {"OPENAI_API_KEY": "sk-1"}
        await fleet.remote.close()

    play(refuse)
    play(send)


def test_a_worker_that_comes_later_is_told_what_the_others_were_or_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def main() -> None:
        fleet = Fleet(keys={"KEY": "sk-1"})
        await fleet.remote.open()
        fleet.remote.set_timeout(33.0)
        fleet.runners[0].host.on_refused("openai:gpt", "https://a", ("seed",))
        fleet.runners[1].host.on_refused("openai:gpt", "https://a", ("seed", "top_p"))
        await asyncio.sleep(1.0)
        assert fleet.runners[1].refused == [("openai:gpt", "https://a", ("seed",))]
        fleet.carrier.kill(2)
        await asyncio.sleep(10.0)
        later = fleet.runners[2]
        assert later.refused == [("openai:gpt", "https://a", ("seed", "top_p"))]
        assert (later.timeouts, later.keys) == ([33.0], {"KEY": "sk-1"})
        monkeypatch.setattr(worker_module, "__version__", "9.9")
        for worker in (1, 3):
            fleet.carrier.kill(worker)
        await asyncio.sleep(10.0)
        assert [record.why for record in fleet.records if record.why] == ["its process ended"] * 3
        assert len(fleet.warnings) == 2  # they are of different workers
        assert "left out" in fleet.warnings[0]
        assert fleet.held == [True]
        await fleet.remote.close()

    play(main)


def test_a_cancelled_attempt_is_broken_off_at_its_worker_and_makes_room() -> None:
    async def main() -> None:
        fleet = Fleet(workers=1)
        await fleet.remote.open()
        task = fleet.start(1)
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.sleep(0.1)
        assert task.cancelled()
        assert (fleet.runners[0].under_way, fleet.runners[0].cancelled) == (0, 1)
        crossing = fleet.start(2)
        await asyncio.sleep(1.015)  # it has ended at the worker, which is not known here yet
        crossing.cancel()
        await asyncio.sleep(1.0)
        assert not fleet.warnings
        await fleet.remote.close()

    play(main)


def test_a_dead_worker_loses_its_attempts_and_names_why() -> None:
    async def main() -> None:
        fleet = Fleet()
        await fleet.remote.open()
        tasks = [fleet.start(number) for number in range(4)]
        await asyncio.sleep(0.5)
        fleet.carrier.kill(1, why="out of memory")
        results = await asyncio.gather(*tasks)
        lost = [result for result in results if isinstance(result.outcome, Failure)]
        assert [result.worker for result in lost] == [1, 1]
        for result in lost:
            failure = _failure(result.outcome)
            assert (failure.kind, failure.retry, result.cost_nusd) == (FailureKind.LOST, True, None)
            assert failure.message == "worker 1 (node node1, 127.0.0.1, process 1001) left: out of memory"
            assert result.timing.latency_s == pytest.approx(0.5 + 1.7)
        assert fleet.held == []
        fleet.carrier.kill(2)
        await asyncio.sleep(1.8)
        assert fleet.held == [True]
        unsent = await fleet.start(9)
        assert (_failure(unsent.outcome).kind, unsent.cost_nusd) == (FailureKind.LOST, 0)
        await asyncio.sleep(10.0)
        assert fleet.held == [True, True, False]  # when it left, and to who asks for an attempt then
        assert _text((await fleet.start(9)).outcome) == "answer"
        await fleet.remote.close()

    play(main)


def test_attempts_of_a_worker_that_was_silent_are_marked() -> None:
    async def main() -> None:
        fleet = Fleet(workers=1)
        await fleet.remote.open()
        before = await fleet.start(1)
        task = fleet.start(2)
        await asyncio.sleep(0.5)
        fleet.carrier.cut(1, 2.0)
        during = await task
        after = await fleet.start(3)
        assert [before.away, during.away, after.away] == [False, True, False]
        await fleet.remote.close()

    play(main)


def test_an_attempt_that_was_given_up_is_told_of_late() -> None:
    async def main() -> None:
        fleet = Fleet(workers=1)
        await fleet.remote.open()
        task = fleet.start(1)
        await asyncio.sleep(0.5)
        fleet.carrier.cut(1, 25.0)
        lost = await task
        assert _failure(lost.outcome).kind is FailureKind.LOST
        assert fleet.held == [True]
        await asyncio.sleep(15.0)
        ((number, late),) = fleet.late
        assert (number, _text(late.outcome), late.cost_nusd) == (lost.assignment, "answer", 7)
        assert fleet.held == [True, False]
        assert _text((await fleet.start(2)).outcome) == "answer"
        await fleet.remote.close()

    play(main)


def test_text_arrives_in_order_and_before_the_end() -> None:
    async def stream(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        assert on_text is not None
        for piece in range(500):
            on_text(f"{call.id}:{piece} ")
            await asyncio.sleep(0.003)
        on_text("end")
        return "done"

    async def main() -> None:
        fleet = Fleet(stream)
        await fleet.remote.open()
        texts: dict[int, list[str]] = {number: [] for number in range(4)}
        tasks = [fleet.start(number, texts[number].append) for number in texts]
        for number, task in enumerate(tasks):
            assert _text((await task).outcome) == "done"
            whole = "".join(f"{number}:{piece} " for piece in range(500)) + "end"
            assert "".join(texts[number]) == whole
            assert len(texts[number]) < 120  # they are gathered
        await fleet.remote.close()

    play(main)


def test_notes_of_all_workers_are_told_once_and_contents_come_before_their_attempt() -> None:
    kept: list[tuple[bytes, bytes]] = []

    async def say(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        runner.host.note("a file is strange", NoteLevel.WARNING)
        runner.host.keep([(b"hash%d" % call.id, b"text")])
        runner.host.on_connected("lane", 0.25)
        return "done"

    async def main() -> None:
        connected: list[tuple[str, float, bool]] = []
        fleet = Fleet(
            say,
            keep=kept.extend,
            on_connected=lambda lane, took_s, transit_s: connected.append((lane, took_s, transit_s > 0)),
        )
        await fleet.remote.open()
        for number in range(6):
            await fleet.start(number)
            assert (b"hash%d" % number, b"text") in kept
        assert fleet.warnings == ["a file is strange"]
        assert connected == [("lane", 0.25, True)] * 6
        await fleet.remote.close()

    play(main)


def test_garbage_of_a_worker_is_said_once_and_its_attempts_are_made_again() -> None:
    async def main() -> None:
        fleet = Fleet(workers=2)
        await fleet.remote.open()
        tasks = [fleet.start(number) for number in range(4)]
        await asyncio.sleep(0.5)
        for _ in range(3):
            fleet.remote.on_frame(1, b"\xc1 garbage")
        fleet.remote.on_frame(77, b"\xc1")  # nobody
        outcomes = [(await task).outcome for task in tasks]
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Failure"] * 2 + ["Reply"] * 2
        assert len(fleet.warnings) == 1
        assert "worker 1" in fleet.warnings[0]
        await asyncio.sleep(2.0)
        assert len(fleet.late) == 2
        # What makes no sense changes nothing either.
        timing = m.Timing(started_at=0.0, latency_s=1.0)
        strange = m.Completion(n=999, timing=timing, held_s=1.0, reply=Reply(text="?"))
        for _ in range(3):
            fleet.remote.on_frame(1, m.encode([strange, m.Pieces(n=999, text="?"), m.Wanted(n=999)]))
        assert len(fleet.warnings) == 2
        task = fleet.start(5)
        await asyncio.sleep(0.5)
        fleet.remote.on_frame(1, m.encode([m.Completion(n=5, timing=timing, held_s=1.0)]))  # no outcome
        assert _failure((await task).outcome).kind is FailureKind.LOST
        assert _text((await fleet.start(6)).outcome) == "answer"
        await fleet.remote.close()

    play(main)


def test_garbage_for_a_worker_breaks_off_what_it_does() -> None:
    async def main() -> None:
        fleet = Fleet(workers=1)
        await fleet.remote.open()
        task = fleet.start(1)
        await asyncio.sleep(0.5)
        fleet.carrier.send(1, b"\xc1 garbage")
        assert _failure((await task).outcome).kind is FailureKind.LOST
        assert fleet.runners[0].cancelled == 1
        assert len(fleet.warnings) == 1
        fleet.runners[0].set_keys = None  # type: ignore[method-assign,assignment]  # a fault of ours
        fleet.carrier.send(1, m.encode([m.Keys(values={"KEY": "sk-secret"})]))
        await asyncio.sleep(0.1)
        assert "TypeError" in fleet.warnings[1]
        assert "secret" not in fleet.warnings[1]
        assert _text((await fleet.start(2)).outcome) == "answer"
        await fleet.remote.close()

    play(main)


def test_a_fault_of_ours_at_the_end_of_an_attempt_ends_no_run() -> None:
    async def keep(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        runner.host.keep([(b"hash", b"text")])
        await asyncio.sleep(1.0)
        return "answer"

    def fail(contents: object) -> None:
        raise OSError("disk full")

    async def main() -> None:
        fleet = Fleet(keep, workers=1, keep=fail)
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        await fleet.remote.open()
        assert _failure((await fleet.start(1)).outcome).kind is FailureKind.LOST
        assert "disk full" in fleet.warnings[0]
        await fleet.remote.close()

    play(main)


def test_a_fault_in_an_attempt_is_a_failure_of_its_call_alone() -> None:
    async def fail(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        raise RuntimeError("a fault of ours")

    async def main() -> None:
        fleet = Fleet(fail)
        await fleet.remote.open()
        failure = _failure((await fleet.start(1)).outcome)
        assert (failure.kind, failure.code, failure.retry) == (FailureKind.BAD_REQUEST, "internal", False)
        assert "a fault of ours" in failure.message
        await fleet.remote.close()

    play(main)


class _Supplies:
    """All inputs but those named "near" are sent with their calls."""

    def __init__(self) -> None:
        self.loaded: Counter[str] = Counter()
        self.wanted: set[str] = set()

    def key(self, call: Call, node: str) -> str:
        assert call.input is not None
        name = call.input.name
        return "" if name.startswith("near") and name not in self.wanted else name

    def want(self, call: Call, worker: int, node: str) -> str:
        assert call.input is not None
        self.wanted.add(call.input.name)
        return call.input.name

    async def load(self, call: Call, key: str) -> m.Supply:
        assert call.input is not None
        self.loaded[call.input.name] += 1
        await asyncio.sleep(0.2)
        if call.input.name == "broken":
            raise RuntimeError("no disk")
        return m.Supply(key=call.input.name, form="file", data=b"bytes of " + call.input.name.encode())


def test_inputs_are_shipped_once_to_each_worker_asked_for_where_needed_and_forgotten() -> None:
    async def read(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        supply = await assigned.supply()
        if supply is None and call.input is not None and call.input.name == "near other":
            supply = await assigned.wanted()
        await asyncio.sleep(1.0)
        return "read" if supply is None else f"{supply.form}: {supply.data.decode()}"

    async def main() -> None:
        supplies = _Supplies()
        fleet = Fleet(read, supplies=supplies)
        await fleet.remote.open()
        shipped: list[tuple[int, str]] = []
        ship = fleet.carrier.ship
        fleet.carrier.ship = lambda worker, key, frame: (  # type: ignore[method-assign]
            shipped.append((worker, key)),
            ship(worker, key, frame),
        )[1]
        forgotten: list[str] = []
        fleet.carrier.forget = forgotten.append  # type: ignore[method-assign]
        tasks = [fleet.start(number, name="far") for number in range(8)]
        assert {_text((await task).outcome) for task in tasks} == {"file: bytes of far"}
        assert sorted(shipped) == [(1, "far~1"), (2, "far~1")]
        assert supplies.loaded["far"] == 1
        assert _text((await fleet.start(9, name="near")).outcome) == "read"
        asked = [fleet.start(number, name="near other") for number in range(10, 14)]
        assert {_text((await task).outcome) for task in asked} == {"file: bytes of near other"}
        assert Counter(shipped)[1, "near other~2"] == 1
        broken = _text((await fleet.start(20, name="broken")).outcome)
        assert broken.startswith("missing: umwelten failed on this input")
        await asyncio.sleep(KEPT_S + 2.0)
        assert sorted(forgotten) == ["broken~3", "far~1", "near other~2"]
        assert _text((await fleet.start(21, name="far")).outcome) == "file: bytes of far"
        assert supplies.loaded["far"] == 2
        assert shipped[-1][1] == "far~4"
        await fleet.remote.close()

    play(main)


def test_calls_of_one_input_go_to_one_worker_where_that_is_wished() -> None:
    async def main() -> None:
        fleet = Fleet(workers=4, sticky=lambda call: call.input and call.input.path)
        await fleet.remote.open()
        tasks = [fleet.start(number, name=f"{number % 5}.pdf") for number in range(50)]
        where: dict[int, set[int | None]] = {}
        for number, task in enumerate(tasks):
            where.setdefault(number % 5, set()).add((await task).worker)
        assert all(len(workers) == 1 for workers in where.values())
        await fleet.remote.close()

    play(main)


def test_frames_are_gathered_and_none_is_too_large() -> None:
    async def long(runner: TestRunner, call: Call, assigned: AssignedCall, on_text: OnText) -> str:
        await asyncio.sleep(0.5)
        return "x" * 2_000

    async def main() -> None:
        fleet = Fleet(long, workers=1)
        await fleet.remote.open()
        sizes: list[int] = []
        for way in (fleet.carrier.workers[1].to, fleet.carrier.workers[1].back):
            carry = way.carry
            way.carry = lambda frame, carry=carry: (sizes.append(len(frame)), carry(frame))[1]  # type: ignore[method-assign, misc]
        # Thirteen of them are more than a frame, by more than what its own bytes take.
        names = ["long name " * 700 + str(number) for number in range(500)]
        tasks = [fleet.start(number, name=name) for number, name in enumerate(names)]
        for task in tasks:
            assert len(_text((await task).outcome)) == 2_000
        assert max(sizes) <= m.LARGEST_FRAME + 100
        assert len(sizes) < 100
        await fleet.remote.close()

    play(main)
