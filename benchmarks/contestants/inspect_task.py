"""A task of inspect_ai with one sample a line of the file named by BENCH_TEXTS; nothing is scored."""

import os
from pathlib import Path

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.solver import generate


@task
def bench() -> Task:
    texts = Path(os.environ["BENCH_TEXTS"]).read_text().splitlines()
    return Task(dataset=MemoryDataset([Sample(input=text) for text in texts]), solver=generate())
