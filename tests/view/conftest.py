from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from viewkit import Asked, viewed


@pytest.fixture
def serve() -> Iterator[Callable[..., Asked]]:
    """Start a server of a directory; returns what asks it, with its cookie."""
    with ExitStack() as stack:

        def start(output_dir: Path, **options: object) -> Asked:
            return stack.enter_context(viewed(output_dir, **options))

        yield start
