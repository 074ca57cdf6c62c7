"""Child processes: that none outlives its parent, however that ends, and what they may use."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import threading
import weakref
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Protocol

_PR_SET_PDEATHSIG = 1
_MOST_FILES = 64
"""Open files of a limited process: an import holds a few, a conversion one or two."""
_SECRET = re.compile(
    r"(?:^|_)(?:API_?)?(?:KEY|KEYS|TOKEN|TOKENS|SECRET|SECRETS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?)(?:_|$)",
    re.IGNORECASE,
)
_SHORTEST_SECRET = 6


class Killable(Protocol):
    """A process, by `subprocess` or `asyncio`."""

    def kill(self) -> None:
        """End it at once."""


# State of the process, as its children are.
_children: weakref.WeakSet[Killable] = weakref.WeakSet()
# A set that another thread adds to cannot be copied meanwhile.
_lock = threading.Lock()


def remember(child: Killable) -> None:
    """End this child in `end_all`, if it is still running then."""
    with _lock:
        _children.add(child)


def end_all() -> None:
    """End all of them at once."""
    with _lock:
        children = tuple(_children)
    for child in children:
        with contextlib.suppress(OSError):
            child.kill()


def says_secret(name: str) -> bool:
    """Whether a variable's name says that it holds a key, a token or a password."""
    return _SECRET.search(name) is not None


def without_keys(environment: Mapping[str, str], secrets: Collection[str]) -> dict[str, str]:
    """Return the environment without variables that say key, token or password, or hold a secret."""
    hidden = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    return {
        name: value
        for name, value in environment.items()
        if not says_secret(name) and not any(secret in value for secret in hidden)
    }


# --- in the child ---------------------------------------------------------------------------------


def exit_with_parent(parent: int) -> None:
    """On Linux, have the kernel kill this process when the parent's thread that started it ends."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:  # it ended before the request to the kernel
            os._exit(0)


def limit_resources(memory_bytes: int, file_bytes: int) -> None:
    """Limit what this process may use where the system can: not on Windows, memory not on macOS."""
    with contextlib.suppress(OSError):
        # Where the machine itself has no memory left, this process is the one to end.
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        import resource
    except ImportError:
        return
    limits = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: _MOST_FILES,
        resource.RLIMIT_FSIZE: file_bytes,
        resource.RLIMIT_AS: memory_bytes,
    }
    for limit, most in limits.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(limit, (most, most))
