"""Work that takes long, beside the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


async def run_in_thread(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What `work` returns, done in a thread; done here where the interpreter takes no further threads.

    It takes none while it ends, and answers that come then must be kept all the same.
    """
    try:
        return await asyncio.to_thread(work, *args, **kwargs)
    except RuntimeError as error:
        if "cannot schedule new futures" not in str(error):
            raise
        return work(*args, **kwargs)
