"""Runs that meet on a lane, in one loop over real sockets: who owns it, and what becomes of it."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from sharing.runs import NAME, Provider, Run, opened, until
from umwelten.sharing import lane_share, sharing
from umwelten.sharing.folder import SocketFolder
from umwelten.types import Failure, FailureKind


def test_the_first_run_owns_the_lane_and_a_guest_takes_over_when_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane_share, "SILENT_S", 1000.0)  # by the end of the connection alone

    async def go() -> None:
        provider = Provider()
        first, second, third = (Run(tmp_path / "run", provider) for _ in range(3))
        async with opened(first, second, third):
            assert [run.role for run in (first, second, third)] == ["owner", "guest", "guest"]
            first.sharing.close()
            await until(lambda: sorted([second.role, third.role]) == ["guest", "owner"])
        assert list((tmp_path / "run").iterdir()) == [tmp_path / "run/.lock"]

    asyncio.run(go())


def test_the_folder_and_its_sockets_are_for_this_user_alone(tmp_path: Path) -> None:
    async def go() -> None:
        run = Run(tmp_path / ("a" * 120) / "run", Provider())
        async with opened(run):
            folder = tmp_path / ("a" * 120) / "run"
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600

    asyncio.run(go())


def test_runs_share_a_cap_evenly_whoever_owns_it(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Provider(cap=12)
        runs = [Run(tmp_path / "run", provider, left=300, most=None) for _ in range(3)]
        async with opened(*runs):
            for run in runs:
                run.pump()
            await until(lambda: sum(run.answered for run in runs) >= 300)
            shares = [run.answered for run in runs]
            refused = provider.refused
        assert max(shares) < 1.7 * min(shares), shares
        assert refused < 0.2 * 300
        assert all(run.notes == [] for run in runs)

    asyncio.run(go())


def test_a_guest_uses_what_the_owner_has_no_use_for(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Provider()
        owner, guest = (
            Run(tmp_path / "run", provider, most=30),
            Run(tmp_path / "run", provider, 200, most=30),
        )
        async with opened(owner, guest):
            guest.pump()
            await until(lambda: guest.answered == 200)
            assert guest.peak == 30, "as many as its user named"
            await until(lambda: owner.lane.in_flight == owner.lane.others == 0)

    asyncio.run(go())


def test_calls_in_flight_still_count_after_their_owner_is_gone(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Provider(cap=10, latency_s=0.15)
        runs = [Run(tmp_path / "run", provider, left=200, most=None) for _ in range(3)]
        async with opened(*runs):
            for run in runs:
                run.pump()
            await until(lambda: sum(run.answered for run in runs) > 30)
            learnt, runs[0].left = runs[0].lane.limit.value, 0
            runs[0].sharing.close()
            await until(lambda: sorted(run.role for run in runs[1:]) == ["guest", "owner"])
            owner, guest = sorted(runs[1:], key=lambda run: run.role, reverse=True)
            await until(lambda: owner.lane.others == guest.in_flight > 0)
            assert owner.lane.in_flight == owner.in_flight + guest.in_flight
            assert owner.lane.limit.value == learnt
            answered = sum(run.answered for run in runs)
            await until(lambda: sum(run.answered for run in runs) > answered + 10)

    asyncio.run(go())


@pytest.mark.parametrize("most", [1, 7])
def test_each_run_keeps_to_its_own_number(tmp_path: Path, most: int) -> None:
    async def go() -> None:
        provider = Provider()
        runs = [Run(tmp_path / "run", provider, left=10 * most, most=most) for _ in range(3)]
        async with opened(*runs):
            for run in runs:
                run.pump()
            await until(lambda: all(run.answered == 10 * most for run in runs))
        assert [run.peak for run in runs] == [most] * 3

    asyncio.run(go())


@pytest.mark.parametrize("changed", ["owner", "guest"])
@pytest.mark.parametrize(("before", "after"), [(12, 3), (3, 12)])
def test_a_run_that_is_given_another_number_keeps_to_that(
    tmp_path: Path, changed: str, before: int, after: int
) -> None:
    """The other run keeps its own number, and no call is lost while the guest greets the owner again."""

    async def go() -> None:
        provider = Provider()
        runs = [Run(tmp_path / "run", provider, left=90, most=before) for _ in range(2)]
        async with opened(*runs):
            one, other = runs if changed == "owner" else runs[::-1]
            assert one.role == changed
            for run in runs:
                run.pump()
            await until(lambda: one.answered >= 20)
            one.lane.retune(after, fixed=True, start=after)
            one.pump()
            await until(lambda: one.in_flight == after)
            one.peak = 0
            await until(lambda: not (one.left or other.left or one.in_flight or other.in_flight))
            assert (one.peak, other.peak) == (after, before)
            assert [run.answered for run in runs] == [90, 90]

    asyncio.run(go())


# --- owners that go, pause or are replaced -----------------------------------------------------


def test_an_owner_that_gives_no_sign_of_life_is_replaced_and_notices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "BEAT_S", 0.1)
    monkeypatch.setattr(lane_share, "SILENT_S", 0.4)
    monkeypatch.setattr(lane_share, "LEASE_S", 0.3)

    async def go() -> None:
        provider = Provider(latency_s=0.01)
        owner, guest = Run(tmp_path / "run", provider), Run(tmp_path / "run", provider, left=10_000, most=2)
        async with opened(owner, guest):
            guest.pump()
            visitors = list(owner.share._reception._visitors)
            for visitor in visitors:  # it hears and says nothing
                owner.loop.remove_reader(visitor.channel._sock.fileno())
                visitor.channel.send = lambda message: None  # type: ignore[method-assign]
            owner.loop.remove_reader(owner.share._reception.claim.sock.fileno())
            took = await until(lambda: guest.role == "owner")
            assert took > 0.25
            started = guest.started
            await until(lambda: guest.started > started + 5)
            await until(lambda: owner.role == "guest")

    asyncio.run(go())


def test_an_owner_that_was_stopped_looks_before_it_starts_a_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sharing, "BEAT_S", 1000.0)

    async def go() -> None:
        provider = Provider()
        owner = Run(tmp_path / "run", provider)
        async with opened(owner):
            folder = SocketFolder(tmp_path / "run")
            claim = folder.claim(NAME, owner.share._reception.claim.file)
            assert claim is not None
            assert claim.owned
            # So much later that the lease is over, and before any beat.
            assert owner.lane.earliest_start(owner.loop.time() + 5.0) > owner.loop.time() + 5.0
            await until(lambda: owner.role == "looking")
            claim.sock.close()
            folder.close()
            await until(lambda: owner.role == "owner")

    asyncio.run(go())


def test_a_lane_that_is_stopped_leaves_the_others_theirs(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Provider()
        owner, guest = (Run(tmp_path / "run", provider, left=100) for _ in range(2))
        async with opened(owner, guest):
            owner.lane.stop(Failure(kind=FailureKind.UNAVAILABLE, message="key refused", lane_down=True))
            guest.pump()
            await until(lambda: guest.answered == 100)
            assert (owner.role, guest.role) == ("alone", "owner")

    asyncio.run(go())


def test_a_socket_of_nobody_and_a_lock_of_somebody_stopped_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr(lane_share, "_LONGEST_LOCK_S", 0.2)

    async def go() -> None:
        folder = SocketFolder(tmp_path / "run")
        claim = folder.claim(NAME)
        assert claim is not None
        claim.sock.close()
        with (tmp_path / "run/.lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            run = Run(tmp_path / "run", Provider(), left=20)
            run.sharing.open()
            run.pump()
            assert (run.role, run.started) == ("looking", 0)
            took = await until(lambda: run.role == "owner")
            assert took > 0.15
            await until(lambda: run.answered == 20)
            run.sharing.close()
        folder.close()

    asyncio.run(go())


def test_old_sockets_at_which_nobody_listens_are_taken_away(tmp_path: Path) -> None:
    folder = SocketFolder(tmp_path / "run")
    names = {name: f"{name * 24}" for name in "abc"}
    claims = {name: folder.claim(names[name]) for name in "abc"}
    for name, claim in claims.items():
        assert claim is not None
        if name != "c":
            claim.sock.close()
    old = time.time() - 2 * 86400
    for path in (tmp_path / "run" / names["a"], tmp_path / "run" / names["c"]):
        os.utime(path, (old, old))
    (tmp_path / "run" / ("d" * 24)).write_text("no socket")
    other = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    other.bind(str(tmp_path / "run/12-evaluation.sock"))
    other.close()
    os.utime(tmp_path / "run/12-evaluation.sock", (old, old))
    folder.sweep()
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == {".lock", names["b"], names["c"], "d" * 24, "12-evaluation.sock"}
    assert claims["c"] is not None
    claims["c"].sock.close()
    folder.close()


def test_no_room_for_another_open_file_is_waited_for_without_work(tmp_path: Path) -> None:
    async def go() -> None:
        owner = Run(tmp_path / "run", Provider())
        async with opened(owner):
            tried = 0

            def accept() -> None:
                nonlocal tried
                tried += 1
                raise OSError(errno.EMFILE, "too many open files")

            real = owner.share._reception.claim.sock
            told = SimpleNamespace(accept=accept, fileno=real.fileno, close=real.close)
            object.__setattr__(owner.share._reception.claim, "sock", told)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as peer:
                peer.connect(str(tmp_path / "run" / NAME))
                await asyncio.sleep(0.1)
            assert tried == 1

    asyncio.run(go())
