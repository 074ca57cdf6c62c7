"""Asking runs of this machine, one or all at once: for the command line, and for what draws screens."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from umwelten.evaluation.run_state import Change, RunState
from umwelten.live.run_files import RunFile, connect, is_dead, run_files
from umwelten.live.run_folder import run_folder
from umwelten.types import FrozenStruct

ANSWER_S = 5.0
"""A run answers within a tenth of a second, also when it is busy."""

_MOST_BYTES = 4 << 20
T = TypeVar("T")
Key = tuple[int, str, float]
Call = dict[str, Any]


class RunError(Exception):
    """A run did not do what it was asked."""


class NoAnswer(RunError):
    """It did not answer in time, or not as it should."""


class RunGone(RunError):
    """Nobody listens for it any more: it has ended, or was killed."""


class Refused(RunError):
    """It said no, and why. `status` is that of HTTP."""

    def __init__(self, message: str, hint: str | None, status: int) -> None:
        super().__init__(message)
        self.hint, self.status = hint, status


class _Page(FrozenStruct):
    calls: list[Call]


class Run:
    """A run that has files, whether it goes on or not."""

    def __init__(self, folder: Path, file: RunFile, timeout_s: float = ANSWER_S) -> None:
        self.folder, self.file, self._timeout_s = folder, file, timeout_s

    def __repr__(self) -> str:
        return f"Run({self.file.id!r}, pid={self.file.pid})"

    @property
    def id(self) -> str:
        """Return the evaluation's id."""
        return self.file.id

    @property
    def key(self) -> Key:
        """Return what tells it from others of the same id."""
        return self.file.pid, self.file.id, self.file.started_at

    @property
    def is_dead(self) -> bool:
        """Return whether nobody listens any more, so that it ended without taking its files away."""
        return is_dead(self.folder, self.file)

    def state(self) -> RunState:
        """Return what the run is doing. Raises `RunError`."""
        return _decode(self, self.get("/status"), RunState)

    def change(self, method: str, path: str, body: Mapping[str, Any]) -> Change:
        """Change something; returns what came of it. Raises `RunError`, `Refused` if the run said no."""
        return _decode(self, self._ask(method, path, msgspec.json.encode(body)), Change)

    def calls(self, **query: object) -> list[Call]:
        """Return a page of its calls. Raises `RunError`."""
        return _decode(self, self.get("/calls", **query), _Page).calls

    def call(self, number: int, **query: object) -> Call:
        """Return a call that has ended, with its attempts. Raises `RunError`, `Refused` if there is none."""
        return _decode(self, self.get(f"/calls/{number}", **query), Call)

    def get(self, path: str, **query: object) -> bytes:
        """Return the JSON of what is at a path. Raises `RunError`."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._ask("GET", f"{path}?{urlencode(given)}" if given else path)

    def events(
        self, after: int = 0, *, text: bool = False, silence_s: float = 60.0
    ) -> Iterator[tuple[int | None, str, dict[str, Any]]]:
        """Yield the run's events after that one as (number, name, facts), until it ends.

        Pieces of answers have no number. Raises `RunError`, also after so long without a word.
        """
        with self._asked("GET", f"/events?after={after}{'&text=1' if text else ''}", None, silence_s) as (
            response
        ):
            number, name = None, ""
            while line := response.readline(_MOST_BYTES):
                field, _, value = line.decode().rstrip("\n").partition(": ")
                match field:
                    case "id":
                        number = int(value)
                    case "event":
                        name = value
                    case "data":
                        yield number, name, msgspec.json.decode(value)
                        number, name = None, ""

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        with self._asked(method, path, body, self._timeout_s) as response:
            return response.read(_MOST_BYTES)

    def _asked(self, method: str, path: str, body: bytes | None, timeout_s: float) -> _Exchange:
        return _Exchange(self, self.folder, method, path, body, timeout_s)


class _Exchange:
    """One request and its response, of which errors are made while the block lasts."""

    def __init__(
        self, run: Run, folder: Path, method: str, path: str, body: bytes | None, timeout_s: float
    ) -> None:
        self._run, self._folder, self._timeout_s = run, folder, timeout_s
        self._request = method, path, body
        self._connection = http.client.HTTPConnection("localhost", timeout=timeout_s)

    def __enter__(self) -> http.client.HTTPResponse:
        try:
            return self._open()
        except BaseException as error:
            self.__exit__(type(error), error, None)
            raise

    def _open(self) -> http.client.HTTPResponse:
        method, path, body = self._request
        headers = {} if body is None else {"Content-Type": "application/json"}
        if self._run.file.token is not None:
            headers["Authorization"] = f"Bearer {self._run.file.token}"
        self._connection.sock = connect(self._folder, self._run.file, self._timeout_s)
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        if response.status >= 400:
            said = response.read(_MOST_BYTES)
            facts: Any = {}
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                facts = msgspec.json.decode(said)
            facts = facts if isinstance(facts, dict) else {}
            hint = facts.get("hint")
            raise Refused(
                str(facts.get("error") or f"HTTP {response.status}"),
                None if hint is None else str(hint),
                response.status,
            )
        return response

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._connection.close()
        match error:
            case ConnectionRefusedError() | FileNotFoundError():
                raise RunGone(f"{self._run.id} (pid {self._run.file.pid}) is dead") from None
            case TimeoutError():
                raise NoAnswer(f"no answer in {self._timeout_s:g} s") from None
            case ConnectionError() | http.client.RemoteDisconnected():
                raise RunGone(f"{self._run.id} (pid {self._run.file.pid}) has ended") from None
            case OSError():
                raise NoAnswer(error.strerror or str(error)) from None
            case http.client.HTTPException():
                raise NoAnswer(f"not an answer: {error!r}") from None


def all_runs(folder: Path | None = None, timeout_s: float = ANSWER_S) -> list[Run]:
    """Return the runs that have files on this machine, the oldest first. Nobody is asked yet."""
    found = run_folder() if folder is None else folder
    if found is None:
        return []
    return [Run(found, file, timeout_s) for _, file in run_files(found)]


def is_listed(run: Run) -> bool:
    """Return whether it still has files: one that ended took them away, a killed one did not."""
    return run.key in (other.key for other in all_runs(run.folder))


def ask_all(runs: Sequence[Run], ask: Callable[[Run], T]) -> list[T | RunError]:
    """Ask all runs at once; returns what each said, or what went wrong, in their order."""
    said: list[T | RunError] = [NoAnswer("not asked")] * len(runs)

    def one(at: int) -> None:
        try:
            said[at] = ask(runs[at])
        except RunError as error:
            said[at] = error

    threads = [threading.Thread(target=one, args=(at,), daemon=True) for at in range(len(runs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return said


def _decode(run: Run, content: bytes, shape: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NoAnswer(f"it runs umwelten {run.file.version}, which answers otherwise: {error}") from None
