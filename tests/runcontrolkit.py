"""A run in a thread that a test changes while it goes on, against a server of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from provider import Provider
from umwelten.api.argument_names import as_argument
from umwelten.config.endpoints import vendors
from umwelten.config.settings import load
from umwelten.engine.interfaces import RunResult
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.run_control import Author, RunControl
from umwelten.events import Event, RunStarted
from umwelten.tally import Tally
from umwelten.threads import new_event_loop

BY = Author(via="ctl", name="ada", reason="a test")
CONFIG = """
[providers.one]
wire = "openai"
base_url = "{url}/v1"
api_key_env = "K"
[providers.two]
like = "vllm"
base_url = "{url}/v1"
[prices."one:a"]
input = 2.0
output = 10.0
[prices."one:b"]
input = 2.0
output = 10.0
"""
PATIENCE_S = 20.0


class ControlledRun:
    """An evaluation that runs in a thread, its `run_control` and its `tally`."""

    def __init__(self, evaluation: Evaluation, *, texts: bool = True) -> None:
        self.evaluation, self.tally, self._texts = evaluation, Tally(), texts
        self.run_control = RunControl(evaluation, self.tally)
        self.events: list[Event] = []
        self.result: RunResult | None = None
        self.error: BaseException | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._started.wait(PATIENCE_S)

    def end(self) -> RunResult:
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the run does not end"
        if self.error is not None:
            raise self.error
        assert self.result is not None
        return self.result

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, RunStarted):
            self._started.set()

    def _work(self) -> None:
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                observers = [self.tally, self.run_control, self._note]
                self.result = runner.run(self.evaluation.run(observers, texts=self._texts))
        except BaseException as error:  # noqa: BLE001 - `end` raises it
            self.error = error
        finally:
            self._started.set()
            self.evaluation.close()


@contextmanager
def controlled_run(
    folder: Path, server: Provider, models: list[str], **options: Any
) -> Iterator[ControlledRun]:
    """Start a run of 'x' for each of these models; with `files`, over so many. It is stopped at the end."""
    (folder / "umwelten.toml").write_text(CONFIG.format(url=server.url))
    files, texts = options.pop("files", None), options.pop("texts", True)
    kind, given = "run", {"models": models, "prompt": "x", **options}
    if files is not None:
        kind = "batch"
        (folder / "in").mkdir(exist_ok=True)
        for number in range(files):
            (folder / "in" / f"{number:04}.txt").write_text(f"text {number}")
        given["directory"] = folder / "in"
    settings = load(folder, {"K": "k"}, folder).with_flags(
        {"id": "s", "output_dir": folder / "output", **given}, as_argument, arguments=True
    )
    known = vendors(settings)
    spec = build_spec(kind, settings, known, [])  # type: ignore[arg-type]
    run = ControlledRun(Evaluation.prepare(spec, settings, known, as_argument), texts=texts)
    try:
        run.start()
        yield run
    finally:
        run.evaluation.stop("the test ended", grace_s=0) if run.evaluation.live is None else _stop(run)
        run._thread.join(PATIENCE_S)


def _stop(run: ControlledRun) -> None:
    live = run.evaluation.live
    if live is not None:
        live.loop.call_soon_threadsafe(lambda: run.evaluation.stop("the test ended", grace_s=0))


def until(come: Callable[[], bool], what: str) -> None:
    """Wait until that has come about."""
    end = time.monotonic() + PATIENCE_S
    while not come():
        assert time.monotonic() < end, what
        time.sleep(0.002)
