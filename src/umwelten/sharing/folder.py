"""The folder of sockets, and which process listens on one.

A socket's file says who owns what it is named by. Whoever wants it asks under a lock that is held for less
than a millisecond: it gets a connection to the owner or, if nobody answers there, a socket of its own, which
is renamed over the old one. So there is no moment without an owner's file, and an owner that was replaced
sees another file than its own.
"""

from __future__ import annotations

import os
import re
import socket
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

SUPPORTED = hasattr(socket, "AF_UNIX") and fcntl is not None and os.name == "posix"

_LOCK = ".lock"
_BACKLOG = 64
_LONGEST_PATH = 100
"""Bytes of a socket's path; Linux takes 107, macOS 103."""

_SOCKET_NAME = re.compile(r"[0-9a-f]{24}(\.\d+)?")
_OLD_S = 86400.0
"""A run that listens nowhere any more is seldom waited for that long."""

FileId = tuple[int, int]
"""Device and inode."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What `SocketFolder.claim` found: a listening socket of one's own, or a connection to the owner."""

    sock: socket.socket
    file: FileId
    owned: bool


def this_machine() -> str:
    """Return what tells this machine from others that use the same folder, until it is started anew."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return socket.gethostname()


class SocketFolder:
    """A folder that only this user can enter. Close it."""

    def __init__(self, path: Path) -> None:
        """Make or open it. Raises OSError if it can't be made or others have access to it."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = path
        self._number = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        status = os.fstat(self._number)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            self.close()
            raise PermissionError(f"{path} belongs to others, or others can enter it")

    def close(self) -> None:
        """Close it; the files stay."""
        if self._number >= 0:
            os.close(self._number)
            self._number = -1

    def claim(self, name: str, silent: FileId | None = None, *, break_lock: bool = False) -> Claim | None:
        """Return a connection to whoever owns a name, or the name itself; `None` if that must be tried again.

        `silent`: an owner that does not answer is replaced. `break_lock`: so is the lock, whose holder does
        not go on. Raises OSError.
        """
        if break_lock:
            with suppress(FileNotFoundError):
                os.unlink(_LOCK, dir_fd=self._number)
        with self._locked() as held:
            if not held:
                return None
            file = self.file(name)
            if file is not None and file != silent:
                sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                sock.setblocking(False)
                try:
                    sock.connect(self._address(name))
                    return Claim(sock, file, owned=False)
                except BlockingIOError:  # it has not taken in those who came before
                    sock.close()
                    return None
                except (ConnectionRefusedError, FileNotFoundError):
                    sock.close()
                except BaseException:
                    sock.close()
                    raise
            return self._own(name)

    def file(self, name: str) -> FileId | None:
        """Return which socket is there under a name, `None` if there is none."""
        try:
            status = os.lstat(name, dir_fd=self._number)
        except OSError:
            return None
        return (status.st_dev, status.st_ino) if stat.S_ISSOCK(status.st_mode) else None

    def give_up(self, name: str, file: FileId) -> None:
        """Take a socket's file away, if it is still that one."""
        with suppress(OSError), self._locked() as held:
            if held and self.file(name) == file:
                os.unlink(name, dir_fd=self._number)

    def sweep(self) -> None:
        """Take away old sockets at which nobody listens, as of runs that were killed.

        One of a run on another machine that uses the same folder looks alike; that run makes it anew.
        """
        old = time.time() - _OLD_S
        with suppress(OSError), self._locked() as held:
            for name in os.listdir(self._number) if held else ():  # noqa: PTH208  the folder may be renamed
                status = os.lstat(name, dir_fd=self._number)
                if stat.S_ISSOCK(status.st_mode) and status.st_mtime < old and self._is_deserted(name):
                    os.unlink(name, dir_fd=self._number)

    def _is_deserted(self, name: str) -> bool:
        if _SOCKET_NAME.fullmatch(name) is None:
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.setblocking(False)
            try:
                sock.connect(self._address(name))
            except ConnectionRefusedError:
                return True
            except OSError:
                pass
        return False

    def _own(self, name: str) -> Claim:
        new = f"{name}.{os.getpid()}"
        with suppress(FileNotFoundError):
            os.unlink(new, dir_fd=self._number)
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            sock.bind(self._address(new))
            os.chmod(new, 0o600, dir_fd=self._number)
            sock.listen(_BACKLOG)
            file = self.file(new)
            if file is None:
                raise FileNotFoundError(new)
            os.rename(new, name, src_dir_fd=self._number, dst_dir_fd=self._number)
        except BaseException:
            sock.close()
            with suppress(OSError):
                os.unlink(new, dir_fd=self._number)
            raise
        return Claim(sock, file, owned=True)

    def _address(self, name: str) -> str:
        """A path that is short enough for a socket, wherever the folder is."""
        if sys.platform == "linux" and Path("/proc/self/fd").exists():
            return f"/proc/self/fd/{self._number}/{name}"
        path = str(self.path / name)
        if len(os.fsencode(path)) > _LONGEST_PATH:
            raise OSError(f"the path of {self.path} is too long for a socket")
        return path

    @contextmanager
    def _locked(self) -> Iterator[bool]:
        """Hold the folder's lock; False if another process does."""
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        number = os.open(_LOCK, flags, 0o600, dir_fd=self._number)
        try:
            try:
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            status = os.fstat(number)
            try:
                there = os.lstat(_LOCK, dir_fd=self._number)
            except FileNotFoundError:
                yield False
                return
            # The lock may have been replaced while this process waited for it.
            yield (status.st_dev, status.st_ino) == (there.st_dev, there.st_ino)
        finally:
            os.close(number)
