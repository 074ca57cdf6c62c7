"""Random worlds by their seeds: named where one breaks a promise, and played from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def named(seed: int) -> Iterator[None]:
    """Name the world in which something fails."""
    try:
        yield
    except BaseException as error:
        error.add_note(f"seed {seed}")
        raise


def play_range(play: Callable[[int], object]) -> None:
    """Play the worlds from the first to before the second argument of the command."""
    for seed in range(int(sys.argv[1]), int(sys.argv[2])):
        play(seed)
