"""What holds for every test: no key in the environment or left in a file, no connection to elsewhere."""

from __future__ import annotations

import ipaddress
import itertools
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from forked import FORKS
from provider import Ran
from reliability.leaks import leaks

# How long a draw takes says how busy the machine is.
settings.register_profile("umwelten", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("umwelten")

_IN_MEMORY = Path("/dev/shm")
_TEMPORARY_BYTES = 4 << 30  # the suite leaves 2.7 GB
_FREE_BYTES = 8 << 30  # of memory, as the files are in it


class _Guard:
    """Refuses connections that leave this machine while `on`, and remembers them.

    An audit hook cannot be taken away again, so there is one for the process, which asks the guard.
    It sees Python's own sockets; those of uvloop are made in C.
    """

    def __init__(self) -> None:
        self.on = False
        self.refused: list[object] = []

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect" and self.on:
            address = arguments[1]
            if isinstance(address, tuple) and not _is_loopback(str(address[0])):
                self.refused.append(address)
                raise RuntimeError(f"a test tried to connect to {address!r}")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


_guard = _Guard()
sys.addaudithook(_guard)


def _is_setting(name: str) -> bool:
    if name == "UMWELTEN_CACHE_DIR":
        return False
    return (
        name.endswith(("_API_KEY", "_BASE_URL"))
        or name in ("OLLAMA_HOST", "GITHUB_TOKEN", "LM_API_TOKEN")
        or name.startswith("UMWELTEN_")
    )


_states = itertools.count()


@pytest.fixture(autouse=True)
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[object]]:
    """Take providers' settings out of the environment; fail a test that reached for another machine.

    What runs remember is each test's own.
    """
    os.environ["XDG_STATE_HOME"] = f"{tmp_path_factory.getbasetemp()}/state-{next(_states)}"
    taken = {name: os.environ.pop(name) for name in list(os.environ) if _is_setting(name)}
    _guard.on = True
    _guard.refused.clear()
    yield _guard.refused
    _guard.on = False
    for name in [name for name in os.environ if _is_setting(name)]:
        del os.environ[name]
    os.environ.update(taken)
    assert not _guard.refused, "connections that left this machine were refused"


def pytest_configure() -> None:
    """Put temporary files into memory, where there is room: tests of the store wait most of all for a disk.

    Not where `--basetemp` or PYTEST_DEBUG_TEMPROOT say otherwise.
    """
    if _has_room():
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))


def _has_room() -> bool:
    try:
        available = Path("/proc/meminfo").read_text().split("MemAvailable:")[1].split()[0]
        return int(available) << 10 > _FREE_BYTES and shutil.disk_usage(_IN_MEMORY).free > _TEMPORARY_BYTES
    except (OSError, IndexError):
        return False


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search what all tests left behind for their keys; a find fails the session. Each worker has its own."""
    config: Any = session.config
    root = Path(config._tmp_path_factory.getbasetemp())
    if hasattr(config, "workeroutput"):
        config.workeroutput["leaks"] = _leaks(root)
        return
    found = _left_by_workers if config.pluginmanager.hasplugin("dsession") else _leaks(root)
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = config.pluginmanager.getplugin("terminalreporter")
        for line in found[:20]:
            reporter.write_line(line, red=True)
    if session.exitstatus == pytest.ExitCode.OK and root.is_relative_to(_IN_MEMORY):
        shutil.rmtree(root, ignore_errors=True)


def _leaks(root: Path) -> list[str]:
    return [f"LEAK: {path} holds the key of {name}" for path, name in leaks(root)]


_left_by_workers: list[str] = []


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take what a worker has found."""
    _left_by_workers.extend(getattr(node, "workeroutput", {}).get("leaks", ()))


class Cli(Protocol):
    """The real command line as a child process, without the start of Python (`forked`)."""

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60.0,
        cwd: Path | None = None,
    ) -> Ran: ...


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all tests that need one: it takes seconds to start."""
    from report.browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="session", autouse=True)
def forks() -> Iterator[None]:
    """End the process of which commands are forks."""
    yield
    FORKS.close()


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """Run `umwelten` with these arguments in `tmp_path`, in a clean environment plus `env`."""

    def run(
        *arguments: str,
        env: Mapping[str, str] | None = None,
        stdin: str = "",
        timeout: float = 60.0,
        cwd: Path | None = None,
    ) -> Ran:
        words = ["-m", "umwelten", *arguments]
        return FORKS.run(words, cwd=cwd or tmp_path, env=env, stdin=stdin, timeout_s=timeout)

    return run
