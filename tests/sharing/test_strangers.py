"""What comes to a socket and is no guest, and what lies in its place."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest

from sharing.runs import NAME, Provider, Run, opened, until
from umwelten import version
from umwelten.sharing import messages, reception
from umwelten.sharing.folder import SocketFolder


def test_other_protocols_do_not_share_and_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        provider = Provider()
        owner = Run(tmp_path / "run", provider)
        async with opened(owner):
            monkeypatch.setattr(reception, "PROTOCOL", 2)
            other = Run(tmp_path / "run", provider, left=20)
            other.sharing.open()
            other.pump()
            await until(lambda: other.answered == 20)
            assert other.role == "alone"
            assert [why for why, _ in other.notes] == ["version"]
            assert owner.notes == []
            other.sharing.close()

    asyncio.run(go())


def _frame(body: bytes, size: int | None = None) -> bytes:
    return (len(body) if size is None else size).to_bytes(4, "big") + body


HELLO = messages.frame([messages.Hello(version=version.__version__)])
HOSTILE = {
    "not JSON": _frame(b"\xff\x00 nonsense"),
    "not an array": _frame(b'{"is": "hello"}'),
    "no greeting": _frame(b"[]"),
    "other tags": _frame(b'[{"is": "grant", "number": 1, "at": 0}]'),
    "other types": _frame(b'[{"is": "hello", "clock": "now", "in_flight": {}}]'),
    "a huge frame": _frame(b"x", 1 << 31),
    "half a frame": _frame(b"[", 100),
    "another clock": HELLO,
    "HTTP": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "nothing": b"",
}


def test_a_guest_that_leaves_right_after_its_greeting_holds_nothing(tmp_path: Path) -> None:
    async def go() -> None:
        owner = Run(tmp_path / "run", Provider())
        async with opened(owner):
            for refused in (False, True):
                stranger = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                stranger.connect(str(tmp_path / "run" / NAME))
                hello = messages.Hello(
                    version="" if refused else version.__version__, clock=owner.loop.time(), in_flight=7
                )
                stranger.sendall(messages.frame([hello]))
                stranger.close()
                await asyncio.sleep(0.05)
            assert owner.share._reception._visitors == owner.share._reception.desk.guests == []
            assert owner.lane.in_flight == owner.lane.others == 0

    asyncio.run(go())


@pytest.mark.parametrize("sent", HOSTILE.values(), ids=HOSTILE)
def test_what_is_no_guest_does_not_disturb_those_that_are(tmp_path: Path, sent: bytes) -> None:
    async def go() -> None:
        provider = Provider(latency_s=0.005)
        owner, guest = (Run(tmp_path / "run", provider, left=60, most=5) for _ in range(2))
        async with opened(owner, guest):
            stranger = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            stranger.connect(str(tmp_path / "run" / NAME))
            stranger.sendall(sent)
            owner.pump()
            guest.pump()
            await until(lambda: owner.answered == guest.answered == 60)
            stranger.close()
            await until(lambda: len(owner.share._reception._visitors) == 1)
            assert (owner.role, guest.role) == ("owner", "guest")

    asyncio.run(go())


def test_a_guest_that_asks_and_reads_nothing_is_dismissed_with_what_it_was_granted(tmp_path: Path) -> None:
    async def go() -> None:
        provider = Provider(cap=1000, latency_s=0.005)
        owner = Run(tmp_path / "run", provider, left=0, most=5)
        async with opened(owner):
            slow = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            slow.connect(str(tmp_path / "run" / NAME))
            slow.sendall(
                messages.frame(
                    [
                        messages.Hello(
                            version=version.__version__,
                            clock=owner.loop.time(),
                            ceiling=5,
                            start=5,
                            fixed=True,
                        )
                    ]
                )
            )
            wants = messages.frame([messages.Want(seen=0, sizes=((1, None),) * 100)])
            slow.sendall(wants)
            await until(lambda: owner.lane.others == 5)
            ends = [messages.End(number=n, started_at=0.0) for n in (0, -1, 1 << 60)]
            slow.sendall(messages.frame([*ends, messages.Return(number=3), messages.Error(started_at=9e99)]))
            owner.left = 50
            owner.pump()
            await until(lambda: owner.answered == 50)
            assert owner.lane.others == 5
            slow.close()
            await until(lambda: owner.lane.others == 0)
            assert owner.lane.in_flight == 0

    asyncio.run(go())


def test_an_owner_that_speaks_no_sense_is_left_alone(tmp_path: Path) -> None:
    async def go() -> None:
        folder = SocketFolder(tmp_path / "run")
        claim = folder.claim(NAME)
        assert claim is not None

        def answer() -> None:
            peer, _ = claim.sock.accept()
            peer.sendall(_frame(b"nonsense"))
            peer.close()

        loop = asyncio.get_running_loop()
        loop.add_reader(claim.sock.fileno(), answer)
        run = Run(tmp_path / "run", Provider(), left=20)
        run.sharing.open()
        await until(lambda: run.answered == 20)
        assert (run.role, [why for why, _ in run.notes]) == ("alone", ["owner"])
        loop.remove_reader(claim.sock.fileno())
        claim.sock.close()
        run.sharing.close()
        folder.close()

    asyncio.run(go())


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(PermissionError):
        SocketFolder(folder)
    folder.chmod(0o700)
    (tmp_path / "link").symlink_to(folder)
    with pytest.raises(OSError):
        SocketFolder(tmp_path / "link")
