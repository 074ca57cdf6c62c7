"""Put every text of a folder to a model and look at the answers as they come.

    python examples/library.py ollama:gemma3:12b examples/articles

Again: answers that are stored are not asked for a second time.
"""

from __future__ import annotations

import asyncio
import sys

import umwelten


async def main(model: str, folder: str) -> None:
    job = umwelten.batch(
        "Say in one sentence what this text is about.",
        model,
        id="library-example",
        directory=folder,
        file_pattern="*.txt",
        max_concurrency=4,
        max_tokens=60,
        temperature=0,
        resume=True,
    )
    async for answer in job:
        print(f"{answer.file}: {answer.text if answer.ok else answer.error}")

    results = await job
    summary = results.summary
    cost = "unknown" if summary.cost_usd is None else f"${summary.cost_usd:.6f}"
    print(f"{summary.succeeded} answered, {summary.failed} failed, {summary.wall_s:.1f} s, cost {cost}")
    results.report("library-example.html")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
