"""The tool of umwelten that models call in `benchmarks.tools --peers`."""

import asyncio


async def look(topic: str) -> str:
    """Look something up.

    Args:
        topic: What to look up.
    """
    await asyncio.sleep(1.0)
    return "found"
