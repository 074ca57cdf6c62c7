"""What converting files in worker processes costs: ordinary files, here and in workers, taking turns.

    python -m benchmarks.conversions [ROUNDS]

Prints wall and CPU seconds (of all processes) for 200 Word documents, 200 pages, 50 PDFs and 50 images: one
after the other in this process, in threads of it, and by the workers of a run.
"""

from __future__ import annotations

import asyncio
import io
import resource
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.rounds import table
from umwelten.file_types import DOCX, HTML, PDF, PNG
from umwelten.inputs.content import Conversion
from umwelten.inputs.convert.dispatch import convert
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.providers.capabilities import Capabilities

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from corpus import office, pdfs, pictures

_LINE = "The harvest of 1912 was the best in ten years, as the oldest farmers of the valley said. "
_THREADS = 6
"""Those of asyncio's executor on two cores."""


def files() -> list[Conversion]:
    """Files of usual size: 7 pages of text, a page of 13 kB, five pages, an image of 2 megapixels."""
    paragraphs = "".join(f"<w:p><w:r><w:t>{_LINE * 5}</w:t></w:r></w:p>" for _ in range(40))
    page = "<html><body>" + f"<h2>A</h2><p>{_LINE} <a href='/b'>b</a> <b>c</b></p><ul><li>d</li></ul>" * 100
    image = io.BytesIO()
    pictures.drawn((1600, 1200)).save(image, "PNG")
    made = (
        (200, "document", DOCX.mime, office.docx(paragraphs)),
        (200, "document", HTML.mime, page.encode()),
        (50, "pdf", PDF.mime, pdfs.text([_LINE * 8] * 5)),
        (50, "picture", PNG.mime, image.getvalue()),
    )
    takes = Capabilities(picture_side=1000)
    # Mixed, as in a directory.
    found = [
        (n / count, Conversion(step=step, mime=mime, data=data, name="f", capabilities=takes))  # type: ignore[arg-type]
        for count, step, mime, data in made
        for n in range(count)
    ]
    return [conversion for _, conversion in sorted(found, key=lambda pair: pair[0])]


def one_by_one(work: list[Conversion]) -> None:
    """In this process."""
    for each in work:
        convert(each)


def in_threads(work: list[Conversion]) -> None:
    """As before there were workers."""
    with ThreadPoolExecutor(_THREADS) as threads:
        list(threads.map(convert, work))


def in_workers(work: list[Conversion]) -> None:
    """With the start of the processes, and their end."""

    async def go() -> None:
        pool = ConversionPool(120)
        await asyncio.gather(*(pool.convert(each) for each in work))
        await pool.close()

    asyncio.run(go())


WAYS: tuple[Callable[[list[Conversion]], None], ...] = (one_by_one, in_threads, in_workers)


def _cpu_s() -> float:
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def main(rounds: int) -> None:
    """Measure and print."""
    work = files()
    one_by_one(work[:40])  # imports
    figures: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in WAYS}
    for _ in range(rounds):
        for way in WAYS:
            began, before = time.perf_counter(), _cpu_s()
            way(work)
            figures[way.__name__].append((time.perf_counter() - began, _cpu_s() - before))
    rows = [
        [name.replace("_", " "), *(f"{statistics.median(column):.2f}" for column in zip(*found, strict=True))]
        for name, found in figures.items()
    ]
    print(table(f"{len(work)} conversions, medians of {rounds} rounds", ("", "wall s", "CPU s"), rows))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
