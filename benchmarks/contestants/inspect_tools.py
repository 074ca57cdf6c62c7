"""The task of `inspect_task.py` with the tool of `look.py`."""

import asyncio
import os
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.solver import generate, use_tools
from inspect_ai.tool import Tool, tool


@tool
def look() -> Tool:
    async def execute(topic: str) -> str:
        """Look something up.

        Args:
            topic: What to look up.
        """
        await asyncio.sleep(1.0)
        return "found"

    return execute


@task
def bench() -> Task:
    texts = Path(os.environ["BENCH_TEXTS"]).read_text().splitlines()
    dataset = MemoryDataset([Sample(input=text) for text in texts])
    return Task(dataset=dataset, solver=[use_tools(look()), generate()])
