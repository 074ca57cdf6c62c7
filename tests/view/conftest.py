from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from umwelten.view.server import ViewServer
from viewkit import Asked


@contextmanager
def served(output_dir: Path, **options: object) -> Iterator[ViewServer]:
    """A server that answers meanwhile."""
    server = ViewServer(output_dir, **options)  # type: ignore[arg-type]
    ready = threading.Event()
    thread = threading.Thread(target=server.serve, args=(ready.set,), daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., Asked]]:
    """Start a server of a directory; returns what asks it, with its cookie."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def start(output_dir: Path, **options: object) -> Asked:
            return Asked(stack.enter_context(served(output_dir, **options)))

        yield start
