"""A Ray cluster of one run: frames there and back, a worker that dies, and nothing left at the end."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from raykit import Heard, of_session, until
from umwelten.errors import UmweltenError
from umwelten.fleet.ray_carrier import RayCarrier

pytest.importorskip("ray")
if not Path("/proc/self/stat").exists():
    pytest.skip("looks for processes in /proc", allow_module_level=True)

KEY = "sk-marked-0123456789"
SENT_KEY = "sk-marked-sent"
COORDINATOR = """
import asyncio, sys
from umwelten.fleet import ray_cluster

async def main():
    ray_cluster._HEAD = sys.argv[1]
    cluster = ray_cluster.start_cluster(1, ())
    await cluster.wait_until_ready()
    print(cluster.address, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""
HEAD = """
import pathlib, subprocess, sys
program = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
child = subprocess.Popen((sys.executable, "-c", program), process_group=0)
folder = pathlib.Path(sys.argv[1])
(folder / "address.new").write_text(f"{child.pid} {folder}")
(folder / "address.new").rename(folder / "address")
child.wait()
"""
"""In place of Ray: a process that starts one of its own, as Ray's daemons are."""


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    path = (str(Path(__file__).parent), os.environ.get("PYTHONPATH", ""))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))


def folder_of(worker: int) -> Path:
    """Return the folder of the cluster that has a process."""
    variables = Path(f"/proc/{worker}/environ").read_bytes().split(b"\0")
    (token,) = [each for each in variables if each.startswith(b"RAY_AUTH_TOKEN_PATH=")]
    return Path(os.fsdecode(token).partition("=")[2]).parent


def holders(secret: str, folder: Path, processes: list[int]) -> list[Path]:
    """Return files of a cluster, and of its processes, that have a secret."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    for process in processes:
        files += [Path(f"/proc/{process}/environ"), Path(f"/proc/{process}/cmdline")]
    found = []
    for path in files:
        try:
            if secret.encode() in path.read_bytes():
                found.append(path)
        except OSError:  # it ended
            continue
    return found


LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
"""As the kernel writes 127.0.0.1, ::1 and ::ffff:127.0.0.1."""


def listening(processes: list[int]) -> set[str]:
    """Return the addresses at which processes listen for connections, as the kernel writes them."""
    opened = set()
    for process in processes:
        for descriptor in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):  # it was closed
                opened.add(str(descriptor.readlink()))
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in opened:
                found.add(local.partition(":")[0])
    return found


async def run() -> None:
    heard, asked_to_end = Heard(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, asked_to_end.set)
    carrier = RayCarrier(None, 2, maker="ray_echo:Echo", hidden=("A_KEY",))
    await carrier.open(heard)
    try:
        session, folder = os.getsid(heard.joined[1].pid), folder_of(heard.joined[1].pid)
        assert sorted(heard.joined) == [1, 2]
        numbers = [str(number).encode() for number in range(500)]
        for number in numbers:
            carrier.send(1, number)
        await until(lambda: heard.words(1) == numbers)

        large = b"x" * 3_000_000
        carrier.ship(1, "a", large)
        carrier.ship(2, "a", large)
        await until(lambda: heard.words(1)[-1:] == [large] == heard.words(2)[-1:])
        carrier.forget("a")

        carrier.send(2, SENT_KEY.encode())
        carrier.send(2, b"path")
        carrier.send(2, b"env A_KEY")
        carrier.send(2, b"env RAY_AUTH_MODE")
        await until(lambda: heard.words(2)[-1:] == [b"token"])
        assert heard.words(2)[-3:] == [b"not", b"set", b"token"]
        assert SENT_KEY.encode() in heard.words(2)
        assert os.fsencode(Path(__file__).parent) in heard.words(2)  # the path is there
        assert os.fsencode(Path.cwd()) not in heard.words(2)
        processes = of_session(session)
        assert len(processes) > 4
        assert listening([*processes, os.getpid()]) <= set(LOOPBACK)
        assert listening(processes)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert holders(KEY, folder, processes) == holders(SENT_KEY, folder, processes) == []

        os.kill(os.getpid(), signal.SIGTERM)  # Ray must not end this process, nor print anything
        await asked_to_end.wait()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

        os.kill(heard.joined[1].pid, signal.SIGKILL)
        await until(lambda: 1 in heard.left)
        carrier.send(1, b"to nobody")
        await until(lambda: 3 in heard.joined)
        carrier.send(3, b"new")
        await until(lambda: heard.words(3) == [b"new"])
        assert list(heard.left) == [1]

        signs = heard.signs(2)
        await until(lambda: heard.signs(2) > signs + 1)
        for worker in (2, 3):
            carrier.send(worker, b"leave")
    finally:
        await carrier.close(20.0)
    assert of_session(session) == []
    assert not folder.exists()


def test_frames_workers_that_die_and_the_end(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    monkeypatch.setenv("RAY_AUTH_TOKEN", "of-another-cluster")
    monkeypatch.chdir(tmp_path)  # a folder of a project, whose modules are not for workers
    handler = signal.getsignal(signal.SIGTERM)
    asyncio.run(run())
    assert signal.getsignal(signal.SIGTERM) == handler
    assert "".join(capfd.readouterr()) == ""


def test_a_machine_without_room_for_files_is_said_to_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**more: str | None) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/tmp/umw-1")

    monkeypatch.setattr("tempfile.mkdtemp", full)
    with pytest.raises(UmweltenError, match="could not be started on this machine") as raised:
        asyncio.run(RayCarrier(None, 1).open(Heard()))
    assert raised.value.exit_code == 2


def test_nothing_is_left_of_a_run_that_was_killed() -> None:
    with subprocess.Popen((sys.executable, "-c", COORDINATOR, HEAD), stdout=subprocess.PIPE) as coordinator:
        assert coordinator.stdout is not None
        process, _, name = coordinator.stdout.readline().decode().strip().partition(" ")
        session, folder = os.getsid(int(process)), Path(name)
        assert folder.exists()
        coordinator.kill()
    asyncio.run(until(lambda: of_session(session) == [] and not folder.exists()))
