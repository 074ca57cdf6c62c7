"""The llama.cpp child: that it serves, whom it obeys, and that it never outlives its parent.

What the model says is never looked at.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import umwelten.local
from local.serving import alive, ask, children, killed, pid_of, small, wait_until
from umwelten.errors import LocalModelError
from umwelten.local import find_weights
from umwelten.local.server import RESTARTS
from umwelten.types import Secret

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc"),
]


@pytest.fixture(autouse=True)
def no_child_left() -> Iterator[None]:
    """Whatever a test does, no child of this process is left after it."""
    yield
    assert children(os.getpid()) == []


# --- serving ---------------------------------------------------------------------------------


def test_it_answers_with_the_key_and_refuses_without() -> None:
    async def body() -> None:
        async with small() as servers, servers.using("smollm2") as (base_url, key):
            status, reply = await ask(base_url, key)
            assert status == 200
            assert reply["usage"]["completion_tokens"] > 0
            assert reply["model"] == "smollm2"
            assert (await ask(base_url, None))[0] == 401
            assert (await ask(base_url, Secret("guess")))[0] == 401

    asyncio.run(body())


def test_it_listens_on_loopback_only() -> None:
    async def body() -> None:
        async with small() as servers:
            base_url, _ = await servers.address("smollm2")
            port = urlsplit(base_url).port
            listening = [
                fields[1]
                for table in ("tcp", "tcp6")
                for fields in map(str.split, Path(f"/proc/net/{table}").read_text().splitlines()[1:])
                if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
            ]
            loopback = int.from_bytes(bytes([127, 0, 0, 1]), sys.byteorder)
            assert listening == [f"{loopback:08X}:{port:04X}"]

    asyncio.run(body())


def test_the_key_is_in_no_command_line_environment_or_repr() -> None:
    async def body() -> None:
        async with small() as servers:
            pid = await pid_of(servers, "smollm2")
            _, key = await servers.address("smollm2")
            shown = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            assert key.reveal().encode() not in shown
            assert key.reveal() not in repr(servers.__dict__)

    asyncio.run(body())


def test_more_calls_than_slots_all_get_an_answer() -> None:
    async def body() -> None:
        async with small() as servers, servers.using("smollm2") as place:
            replies = await asyncio.gather(*(ask(*place) for _ in range(8)))
            assert [status for status, _ in replies] == [200] * 8

    asyncio.run(body())


def test_ten_who_ask_at_once_share_one_child() -> None:
    async def body() -> None:
        async with small() as servers:
            places = await asyncio.gather(*(servers.address("smollm2") for _ in range(10)))
            assert len(set(places)) == 1
            assert len(children(os.getpid())) == 1

    asyncio.run(body())


def test_a_caller_who_gives_up_does_not_stop_the_start_for_the_others() -> None:
    async def body() -> None:
        async with small() as servers:
            first = asyncio.create_task(servers.address("smollm2"))
            second = asyncio.create_task(servers.address("smollm2"))
            await asyncio.sleep(0.1)
            first.cancel()
            assert (await ask(*await second))[0] == 200
            assert first.cancelled()

    asyncio.run(body())


def test_it_works_in_a_uvloop_too() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def body() -> None:
        async with small() as servers:
            assert (await ask(*await servers.address("smollm2")))[0] == 200

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(body())


# --- one model in memory ---------------------------------------------------------------------


@pytest.fixture
def two_models(tmp_path: Path) -> tuple[str, str]:
    names = (str(tmp_path / "a.gguf"), str(tmp_path / "b.gguf"))
    for name in names:
        Path(name).symlink_to(find_weights("smollm2"))
    return names


def test_another_model_takes_the_place_of_an_idle_one(two_models: tuple[str, str]) -> None:
    async def body() -> None:
        async with small() as servers:
            first = await pid_of(servers, two_models[0])
            second = await pid_of(servers, two_models[1])
            assert not alive(first)
            assert children(os.getpid()) == [second]

    asyncio.run(body())


def test_a_model_with_calls_in_flight_stays_until_they_end(two_models: tuple[str, str]) -> None:
    async def body() -> None:
        async with small() as servers:
            async with servers.using(two_models[0]) as place:
                other = asyncio.create_task(pid_of(servers, two_models[1]))
                await asyncio.sleep(0.2)
                assert (await ask(*place))[0] == 200
                assert not other.done()
                first = children(os.getpid())
                assert len(first) == 1
            second = await other
            assert children(os.getpid()) == [second] != first

    asyncio.run(body())


def test_a_start_that_nobody_waits_for_any_more_gives_way(two_models: tuple[str, str]) -> None:
    async def body() -> None:
        async with small() as servers:
            first = asyncio.create_task(servers.address(two_models[0]))
            while not children(os.getpid()):
                await asyncio.sleep(0.005)
            first.cancel()
            await asyncio.wait({first})
            second = await pid_of(servers, two_models[1])
            assert children(os.getpid()) == [second]

    asyncio.run(body())


# --- dying -----------------------------------------------------------------------------------


def test_closing_ends_it_at_once_even_while_it_answers() -> None:
    async def body() -> None:
        servers = small()
        async with servers.using("smollm2") as place:
            pid = children(os.getpid())[0]
            answer = asyncio.create_task(ask(*place, max_tokens=200))
            await asyncio.sleep(0.1)
            began = time.monotonic()
            await servers.close()
            assert time.monotonic() - began < 5.0
            assert not alive(pid)
            with pytest.raises((OSError, urllib.error.URLError, ValueError)):
                await answer
        with pytest.raises(LocalModelError, match="closed"):
            await servers.address("smollm2")

    asyncio.run(body())


def test_closing_ends_a_child_that_does_not_react() -> None:
    async def body() -> None:
        servers = small()
        pid = await pid_of(servers, "smollm2")
        os.kill(pid, signal.SIGSTOP)
        began = time.monotonic()
        await servers.close()
        assert time.monotonic() - began < 5.0
        assert not alive(pid)

    asyncio.run(body())


def test_closing_ends_a_child_that_is_starting() -> None:
    async def body() -> None:
        servers = small()
        waiting = asyncio.create_task(servers.address("smollm2"))
        while not (starting := children(os.getpid())):
            await asyncio.sleep(0.005)
        await servers.close()
        assert not alive(starting[0])
        with pytest.raises(LocalModelError, match="closed"):
            await waiting

    asyncio.run(body())


def test_a_child_that_was_killed_is_started_again() -> None:
    async def body() -> None:
        async with small() as servers:
            first = await pid_of(servers, "smollm2")
            await killed(first)
            second = await pid_of(servers, "smollm2")
            assert second != first
            assert (await ask(*await servers.address("smollm2")))[0] == 200

    asyncio.run(body())


def test_a_child_that_keeps_dying_is_given_up() -> None:
    async def body() -> None:
        async with small() as servers:
            for _ in range(RESTARTS + 1):
                await killed(await pid_of(servers, "smollm2"))
            with pytest.raises(LocalModelError, match="not started again"):
                await servers.address("smollm2")

    asyncio.run(body())


def test_ctrl_c_at_the_terminal_does_not_reach_it() -> None:
    async def body() -> None:
        async with small() as servers:
            pid = await pid_of(servers, "smollm2")
            assert os.getpgid(pid) != os.getpgid(0)
            os.kill(pid, signal.SIGINT)
            assert (await ask(*await servers.address("smollm2")))[0] == 200
            assert alive(pid)

    asyncio.run(body())


PARENT = """
import asyncio
from umwelten.local import LocalServers
async def main():
    servers = LocalServers(slots=1, threads=1, context=256)
    print("begins", flush=True)
    await servers.address("smollm2")
    print("serves", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.parametrize("moment", ["while it loads", "while it serves"])
def test_it_dies_with_its_parent_after_sigkill(moment: str) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        assert parent.stdout.readline() == "begins\n"
        if moment == "while it serves":
            assert parent.stdout.readline() == "serves\n"
        wait_until(lambda: bool(children(parent.pid)), 5)
        pid = children(parent.pid)[0]
        parent.kill()
    wait_until(lambda: not alive(pid), 2)


def test_it_ends_when_its_stdin_does() -> None:
    script = Path(umwelten.local.__file__).with_name("child.py")
    settings = {
        "alias": "smollm2",
        "key": "k",
        "slots": 1,
        "threads": 1,
        "context": 256,
        "parent": os.getpid(),
    }
    with subprocess.Popen(
        [sys.executable, "-P", str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(json.dumps({**settings, "model": str(find_weights("smollm2"))}).encode() + b"\n")
        child.stdin.flush()
        assert b"http://127.0.0.1:" in child.stdout.readline()
        child.stdin.close()
        try:
            assert child.wait(2) == 0
        finally:
            child.kill()


# --- what can't be served --------------------------------------------------------------------


def test_weights_that_llama_cpp_cannot_load_are_named_with_its_reason(tmp_path: Path) -> None:
    path = tmp_path / "broken.gguf"
    path.write_bytes(b"GGUF" + bytes(1000))
    with pytest.raises(LocalModelError, match="cannot load") as refused:
        asyncio.run(small().address(str(path)))
    assert "failed to read header" in str(refused.value)


def test_a_missing_llama_cpp_names_the_package_to_install(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text("raise ModuleNotFoundError(\"No module named 'xllamacpp'\")")
    with pytest.raises(LocalModelError, match="umwelten\\[local\\]"):
        asyncio.run(small(env={**os.environ, "PYTHONPATH": str(tmp_path)}).address("smollm2"))


def test_a_child_that_dies_while_it_loads_is_reported_with_its_last_words(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text(
        "import os, sys\nprint('out of luck', file=sys.stderr, flush=True)\nos.abort()"
    )
    with pytest.raises(LocalModelError, match="ended during its start") as refused:
        asyncio.run(small(env={**os.environ, "PYTHONPATH": str(tmp_path)}).address("smollm2"))
    assert "out of luck" in str(refused.value)


def test_weights_larger_than_the_free_memory_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "huge.gguf"
    with path.open("wb") as file:
        file.write(b"GGUF")
        file.truncate(1 << 42)  # sparse
    with pytest.raises(LocalModelError, match="memory"):
        asyncio.run(small().address(str(path)))


def test_a_failed_start_does_not_spoil_the_next_model(tmp_path: Path) -> None:
    async def body() -> None:
        async with small() as servers:
            with pytest.raises(LocalModelError):
                await servers.address(str(tmp_path / "absent.gguf"))
            assert (await ask(*await servers.address("smollm2")))[0] == 200

    asyncio.run(body())
