"""How a process that makes many calls keeps its memory."""

from __future__ import annotations

import contextlib
import gc
import sys

_M_MMAP_THRESHOLD = -3


def settle_memory() -> None:
    """What was imported stays, so the collector need not look at it again; large blocks go back at once."""
    gc.freeze()
    gc.enable()
    # Calls make many objects and hardly any cycles: at the usual pace, collecting takes a tenth of the time.
    gc.set_threshold(20_000, 20, 50)
    if sys.platform == "linux":
        import ctypes

        # Left alone, glibc keeps blocks of 20 MB for later once it has seen some, and they add up.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 1 << 20)
