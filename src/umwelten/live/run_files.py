"""The files by which runs that go on are found: a socket each, and a `.json` that says what it is of.

They lie in a folder that only this user can enter. Where there are no sockets of that kind, or the path is
too long for one, a run listens at 127.0.0.1 instead, and its `.json` has the token that must be sent along.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
import stat
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from umwelten.private_files import read_private, write_private
from umwelten.types import FrozenStruct, Secret
from umwelten.version import __version__

_SOCKET, _JSON = ".sock", ".json"
_LONGEST_PATH = 103
"""Bytes of a socket's path that every system and every client takes: macOS has room for 104 with the end."""

_LEAST_NAME = 24
"""Characters of a run's name at least: its process, and the beginning of its id."""

_LONGEST_NAME = 80
"""A path within `/proc/self/fd` has to have room for it."""

_MOST_BYTES = 64 << 10
_BACKLOG = 128
_CONNECT_S = 1.0
_AGAIN_S = 0.01
_UNNAMED = re.compile(r"\.\d+-[0-9a-f]{8}")
_UNFINISHED_S = 60.0
"""A run makes its socket and its `.json` within a few milliseconds of each other."""

_ABANDONED_S = 7 * 86_400.0
"""Nobody on this machine can tell whether a run on another one, with the same folder, still goes on."""


# State of the process, as its runs' names are: two of them that start at once must not choose the same.
_naming = threading.Lock()


class RunFile(FrozenStruct):
    """What is known of a run without asking it: the content of its `.json`.

    `folder` is that of the evaluation. `socket` is the name of the socket beside the file; else the run
    listens at `port` of 127.0.0.1, and wants the `token`. `started_at` is in Unix seconds.
    """

    id: str
    folder: str
    pid: int
    started_at: float
    version: str
    host: str
    socket: str | None = None
    port: int | None = None
    token: str | None = None

    def __repr__(self) -> str:
        return f"RunFile({self.id!r}, pid={self.pid})"


class Listener:
    """A run's listening socket, and its files. `close` takes them away."""

    def __init__(
        self, sock: socket.socket, path: Path, files: tuple[Path, ...], token: Secret | None
    ) -> None:
        self.sock, self.path, self.token = sock, path, token
        self._files = files

    @property
    def address(self) -> str:
        """Return where it listens: the path of the socket, or a URL."""
        if self.token is None:
            return str(self.path)
        return f"http://127.0.0.1:{self.sock.getsockname()[1]}"

    def close(self) -> None:
        """Take the files away, and close the socket unless somebody has taken it over. Twice is fine."""
        for path in self._files:
            with suppress(OSError):
                path.unlink()
        self._files = ()


def prepare(folder: Path) -> None:
    """Make the folder, and take away what runs that were killed have left there.

    Raises OSError, also if others can enter it.
    """
    _make(folder)
    sweep(folder)


def listen(folder: Path, id: str, evaluation: Path) -> Listener:
    """Listen for a run of this process, with its files in the folder. Raises OSError."""
    with _naming:
        return _listen(folder, id, evaluation)


def _listen(folder: Path, id: str, evaluation: Path) -> Listener:
    name = _free_name(folder, id)
    facts = RunFile(
        id=id,
        folder=str(evaluation.absolute()),
        pid=os.getpid(),
        started_at=time.time(),
        version=__version__,
        host=socket.gethostname(),
    )
    path = folder / f"{name}{_SOCKET}"
    sock = _bind_unix(path)
    token = None
    if sock is None:
        sock, token = _bind_loopback(), Secret(secrets.token_urlsafe(32))
        facts = msgspec.structs.replace(facts, port=sock.getsockname()[1], token=token.reveal())
    else:
        facts = msgspec.structs.replace(facts, socket=path.name)
    record = folder / f"{name}{_JSON}"
    try:
        write_private(record, msgspec.json.encode(facts) + b"\n")
    except BaseException:
        sock.close()
        with suppress(OSError):
            path.unlink()
        raise
    return Listener(sock, path, (path, record) if token is None else (record,), token)


def run_files(folder: Path) -> list[tuple[Path, RunFile]]:
    """Return the runs that have files in the folder, the oldest first, whether they go on or not.

    Files that are damaged, or that others could have written, are left out.
    """
    found = []
    with suppress(OSError):
        for path in folder.iterdir():
            if path.suffix == _JSON and not path.name.startswith("."):
                with suppress(OSError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                    content = read_private(path, _MOST_BYTES)
                    found.append((path, msgspec.json.decode(content, type=RunFile)))
    return sorted(found, key=lambda item: (item[1].started_at, item[0]))


def sweep(folder: Path) -> None:
    """Take away the files of runs of which nobody listens any more."""
    for path, run in run_files(folder):
        old = time.time() - run.started_at > _ABANDONED_S
        if (run.host == socket.gethostname() or old) and is_dead(folder, run):
            for name in (path, *([] if run.socket is None else [folder / Path(run.socket).name])):
                with suppress(OSError):
                    name.unlink()
    _sweep_sockets(folder)


def _sweep_sockets(folder: Path) -> None:
    """Take away sockets of runs that were killed before they wrote what they were of."""
    with suppress(OSError):
        for path in folder.iterdir():
            is_ours = path.suffix == _SOCKET or _UNNAMED.fullmatch(path.name)
            if is_ours and not path.with_suffix(_JSON).exists():
                with suppress(OSError):
                    if time.time() - path.lstat().st_mtime > _UNFINISHED_S:
                        path.unlink()


def is_dead(folder: Path, run: RunFile) -> bool:
    """Return whether nobody listens for the run any more."""
    try:
        connect(folder, run, _CONNECT_S).close()
    except (ConnectionRefusedError, FileNotFoundError):
        return True
    except OSError:
        pass  # it is there, and busy
    return False


def connect(folder: Path, run: RunFile, timeout_s: float) -> socket.socket:
    """Return a connection to the run.

    Raises OSError: ConnectionRefusedError or FileNotFoundError if it is dead.
    """
    if run.socket is None:
        return socket.create_connection(("127.0.0.1", run.port or 0), timeout_s)
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(errno.EAFNOSUPPORT, "this system has no such sockets")
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deadline = time.monotonic() + timeout_s
    try:
        sock.settimeout(timeout_s)
        with _short(folder / Path(run.socket).name) as address:
            while True:
                try:
                    sock.connect(address)
                    return sock
                except BlockingIOError:  # Linux does not wait for room where many ask at once
                    if time.monotonic() > deadline:
                        raise TimeoutError from None
                    time.sleep(_AGAIN_S)
    except BaseException:
        sock.close()
        raise


def _make(folder: Path) -> None:
    """Make the folder. Raises OSError if others can enter it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name == "posix":
        status = folder.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise PermissionError(errno.EACCES, "it belongs to others, or others can enter it", str(folder))


def _free_name(folder: Path, id: str) -> str:
    """Return a name, within this process: two evaluations in different folders may have the same id."""
    room = _LONGEST_PATH - len(os.fsencode(folder)) - 1 - len(_SOCKET)
    room = min(max(room, _LEAST_NAME), _LONGEST_NAME)
    name, number = f"{os.getpid()}-{id}"[:room], 1
    while (folder / f"{name}{_JSON}").exists() or (folder / f"{name}{_SOCKET}").exists():
        number += 1
        name = f"{os.getpid()}-{number}-{id}"[:room]
    return name


def _bind_unix(path: Path) -> socket.socket | None:
    """Return a listening socket; `None` where there can be none of that kind. Raises OSError."""
    if not hasattr(socket, "AF_UNIX") or os.name != "posix":
        return None
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # Under another name until it listens: who finds one where nobody does takes its run for dead.
    new = path.with_name(f".{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with _short(new) as address:
            sock.bind(address)
        new.chmod(0o600)
        sock.listen(_BACKLOG)
        new.replace(path)
    except OSError as error:
        sock.close()
        with suppress(OSError):
            new.unlink()
        # A file system without sockets, or a path that is too long for one.
        if isinstance(error, _TooLong) or error.errno in (errno.EOPNOTSUPP, errno.ENOTSUP, errno.EPERM):
            return None
        raise
    except BaseException:
        sock.close()
        raise
    return sock


def _bind_loopback() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.bind(("127.0.0.1", 0))
        sock.listen(_BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


class _TooLong(OSError):
    """The path of a socket is longer than there is room for."""


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a path to a socket that there is room for, wherever the folder is. Raises OSError."""
    text = str(path)
    if len(os.fsencode(text)) <= _LONGEST_PATH:
        yield text
        return
    if sys.platform != "linux" or not Path("/proc/self/fd").exists():
        raise _TooLong(errno.ENAMETOOLONG, "the path is too long for a socket", text)
    number = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{number}/{path.name}"
    finally:
        os.close(number)
