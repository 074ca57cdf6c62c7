"""The control channel of a run: a thread with a loop of its own that answers while the run works.

It begins once the first calls have gone and a run has lasted a little, so that neither the start of a run
nor a short one pays for it. Where it cannot begin, a note says so and the run goes on.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from umwelten.events import CallStarted, Event, Note, NoteLevel, Observer, RunFinished, RunStarted
from umwelten.live.launch import launch_record
from umwelten.live.run_folder import run_folder
from umwelten.threads import new_event_loop

if TYPE_CHECKING:
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.evaluation.run_control import RunControl
    from umwelten.live.run_files import Listener

_SHORT_S = 0.25
"""After the first call: most runs of a test or a script are over by then, and nobody types faster."""

_LATEST_S = 1.0
"""After the start, also if no call could go yet."""

_CANNOT = "this run cannot be watched or changed from outside"
_END_S = 1.5
"""For who watches to be told of the end."""


class ControlServer:
    """An observer of a run that lets others watch and change it. Made by `controlled`.

    `folder` is that of the evaluation. `tell` is told why it cannot be done, `conceal` takes out of errors
    what is not to be shown.
    """

    def __init__(
        self,
        id: str,
        folder: Path,
        run_control: RunControl,
        tell: Observer,
        conceal: Callable[[str], str] = str,
        *,
        short_s: float = _SHORT_S,
    ) -> None:
        from umwelten.live.events import EventRing

        self._id, self._folder, self._run_control, self._tell = id, folder, run_control, tell
        self._conceal, self._short_s = conceal, short_s
        self._ring = EventRing(time.time, run_control.tell_texts)
        self._record = launch_record()
        self._called, self._closed = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._listener: Listener | None = None
        self._run_loop: asyncio.AbstractEventLoop | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._thread: threading.Thread | None = None

    def __call__(self, event: Event) -> None:
        """Take note of an event, in the run's loop."""
        self._ring(event)
        if isinstance(event, RunStarted) and self._thread is None:
            self._run_loop = asyncio.get_running_loop()
            # A daemon: nothing it does is worth waiting for when the process ends.
            self._thread = threading.Thread(target=self._work, name="umwelten-control", daemon=True)
            self._thread.start()
        elif isinstance(event, CallStarted | RunFinished) and not self._called.is_set():
            self._called.set()

    def close(self) -> None:
        """Take the files away at once, and end; who watches is told the rest."""
        self._closed.set()
        self._called.set()
        with self._lock:
            listener, loop, ended = self._listener, self._loop, self._ended
            if listener is not None:
                listener.close()
        if loop is not None and ended is not None and self._thread is not None:
            with suppress(RuntimeError):  # it has just ended by itself
                loop.call_soon_threadsafe(ended.set)
            self._thread.join(_END_S)
        if self._record is not None:
            self._record.write(id=self._id, folder=self._folder, address=None)

    # --- in the thread ---------------------------------------------------------------------------

    def _work(self) -> None:
        if self._record is None:
            self._called.wait(_LATEST_S)
            self._closed.wait(self._short_s)
        if self._closed.is_set():
            return
        try:
            if self._open():
                with asyncio.Runner(loop_factory=new_event_loop) as runner:
                    runner.run(self._serve())
        except OSError as error:
            self._note(f"{_CANNOT}: {error.filename or run_folder()}: {error.strerror or error}")
        except Exception as error:  # noqa: BLE001 - a run does not end for want of being watched
            self._note(f"this run can no longer be controlled: {error!r}")
        finally:
            with self._lock:
                if self._listener is not None:
                    self._listener.close()
                    self._listener.sock.close()

    def _open(self) -> bool:
        from umwelten.live.run_files import listen, prepare

        folder = run_folder()
        if folder is None:
            # As where limits are to be shared: it is so in many containers, and nothing is wrong.
            self._note(f"{_CANNOT}: the home directory of this user is not known", NoteLevel.DETAIL)
            return False
        prepare(folder)
        # Under the lock, so that a run that ends at this moment leaves no files behind.
        with self._lock:
            if self._closed.is_set():
                return False
            self._listener = listen(folder, self._id, self._folder)
        return True

    async def _serve(self) -> None:
        from aiohttp import web

        from umwelten.live.door import FIRST_S, Door
        from umwelten.live.routes import Routes

        assert self._listener is not None
        routes = Routes(self._run_control, self._ring, self._folder, self._listener.token, self._conceal)
        runner = web.AppRunner(
            routes.application(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=_END_S / 3,
            keepalive_timeout=FIRST_S,
            logger=_silent(),
        )
        await runner.setup()
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        # Such as no room for another open file: it is no matter of the run's, nor of its terminal.
        loop.set_exception_handler(lambda loop, context: None)
        assert runner.server is not None
        door = Door(runner.server)
        routes.on_request = door.note
        sock = self._listener.sock
        if self._listener.token is None:
            server = await loop.create_unix_server(door, sock=sock)
        else:
            server = await loop.create_server(door, sock=sock)
        with self._lock:
            self._loop, self._ended = loop, ended
        try:
            if self._record is not None:
                self._record.write(id=self._id, folder=self._folder, address=self._listener.address)
            if not self._closed.is_set():
                await ended.wait()
        finally:
            server.close()
            await routes.close()
            await runner.cleanup()

    def _note(self, text: str, level: NoteLevel = NoteLevel.WARNING) -> None:
        """Tell of it in the run's loop, where observers are called."""
        note = Note(text=text, level=level)
        if self._run_loop is not None and not self._closed.is_set():
            with suppress(RuntimeError):
                self._run_loop.call_soon_threadsafe(self._tell, note)


def _silent() -> logging.Logger:
    """Return what takes aiohttp's reports on requests that make no sense, which would go to the terminal."""
    logger = logging.getLogger("umwelten.live")
    logger.disabled = True
    return logger


@contextmanager
def controlled(
    evaluation: Evaluation, run_control: RunControl, tell: Observer
) -> Iterator[Sequence[Observer]]:
    """Let others watch and change a run while the block lasts, unless the user said no.

    Returns what is to observe the run. `tell` is told, in the run's loop, why it cannot be done.
    """
    if evaluation.settings.get("control") is False:
        yield (run_control,)
        return
    server = ControlServer(
        evaluation.store.spec.id, evaluation.folder, run_control, tell, evaluation.settings.conceal
    )
    try:
        yield (run_control, server)
    finally:
        server.close()
