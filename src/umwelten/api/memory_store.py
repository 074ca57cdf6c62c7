"""Memory stores from Python: what is known, and learning as a job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from umwelten.api.background_job import BackgroundJob
from umwelten.config.options import OF_LEARN, OPTIONS
from umwelten.errors import UsageError
from umwelten.evaluation.memory.collection import Learnt
from umwelten.store.memory.facts import Fact, NewFact, check_fact
from umwelten.store.memory.reader import MemoryReader, has_store
from umwelten.store.memory.store import MemoryStore
from umwelten.store.memory.tables import check_name
from umwelten.text.suggestions import closest, did_you_mean

if TYPE_CHECKING:
    from umwelten.api.background_run import Prepare, Work
    from umwelten.events import Event


_by_hand = threading.Lock()
"""One change by hand at a time in this process: threads wait for each other, and only for that."""


class Memory:
    """A memory store: facts by scope. It is made when something is first added.

    >>> people = umwelten.memory("people")
    >>> people.add("Likes green tea.", scope="alice", type="preference")
    True
    >>> [fact.text for fact in people.facts(scope="alice")]
    ['Likes green tea.']
    >>> results = umwelten.run("{{memory}} Suggest a drink.", "openai:gpt-5.4-mini",
    ...                        recall="people", scope="alice").wait()
    """

    def __init__(self, name: str, output_dir: Path) -> None:
        """Use `umwelten.memory`."""
        self.name, self._output_dir = check_name(name), output_dir

    def facts(self, *, scope: str | None = None, type: str | None = None) -> list[Fact]:
        """Return what is known, by scope, the newest first.

        Raises `UsageError` for a type that there is not, `StoreError`.
        """
        with self._reader() as reader:
            return list(reader.facts(scope, type))

    def search(self, words: str, *, scope: str | None = None, most: int = 20) -> list[Fact]:
        """Return the facts that have most to do with these words, the best first. Raises `StoreError`."""
        with self._reader() as reader:
            return reader.search(words, scope, most)

    def history(self, id: int) -> list[Fact]:
        """Return a fact with those before and after it, the oldest first; an empty list if there is none."""
        with self._reader() as reader:
            return reader.history(id)

    @property
    def scopes(self) -> dict[str, int]:
        """The scopes with the number of facts that are known of each."""
        with self._reader() as reader:
            return dict(reader.scopes())

    def add(self, text: str, *, scope: str, type: str = "other") -> bool:
        """Add a fact by hand; returns whether it was not known. Longer than 1,000 characters, it is cut.

        Raises `UsageError` for an empty text or scope and a type that there is not, `EvaluationBusy` if
        another process changes the store.
        """
        facts = [check_fact(scope, NewFact(type=type, text=text))]
        with _by_hand, MemoryStore.open(self._output_dir, self.name) as store:
            return bool(store.add(facts).added)

    def delete(self, *ids: int) -> list[int]:
        """End these facts; returns the numbers of those that were known. Their history stays."""
        if not has_store(self._output_dir, self.name):
            return []
        with _by_hand, MemoryStore.open(self._output_dir, self.name) as store:
            return store.delete(ids)

    def clear(self, scope: str | None = None) -> int:
        """Remove all facts of a scope, or of all, for good and with their history; returns how many."""
        if not has_store(self._output_dir, self.name):
            return 0
        with _by_hand, MemoryStore.open(self._output_dir, self.name) as store:
            return store.clear(scope)

    def learn(
        self,
        models: str | Sequence[str] | None = None,
        *,
        prompt: str | Path | None = None,
        merge: Literal["add", "update"] = "add",
        on_event: Callable[[Event], None] | None = None,
        grace_s: float = 10.0,
        **options: Any,
    ) -> LearnJob:
        """Ask a model which facts in files, rows or answers are worth remembering. Nothing is sent before the
        job is used.

        The arguments are the flags of `umwelten memory learn`: `scope`, and one of `rows`, `directory`,
        `files` and `from_`. Repeated, it asks about what is new or has changed.

        >>> people = umwelten.memory("people")
        >>> learnt = people.learn("openai:gpt-5.4-mini", directory="texts", scope="{{file.stem}}").wait()
        >>> learnt.status
        'complete'
        """
        for name in options:
            if name not in _OPTIONS:
                hint = did_you_mean(closest(name, _OPTIONS), "{!r}")
                raise TypeError(f"learn() got an unexpected keyword argument {name!r}. {hint}".strip())
        if merge not in ("add", "update"):
            raise UsageError(f"merge cannot be {merge!r}", "It is 'add' or 'update'.", argument="merge")
        if not isinstance(rows := options.get("rows"), str | Path | None):
            # What was learnt from is known again by its file.
            raise UsageError(
                f"rows cannot be a value of type {type(rows).__name__} here",
                "Save the rows as a file, such as rows.jsonl, and give its path.",
                argument="rows",
            )
        given = {**options, "models": models, "output_dir": self._output_dir}
        return _learn_job(self.name, given, prompt, merge, on_event, grace_s)

    def _reader(self) -> MemoryReader:
        return MemoryReader.open(self._output_dir, self.name, missing=True)

    def __repr__(self) -> str:
        return f"<Memory {self.name!r}>"


class LearnJob(BackgroundJob[Learnt]):
    """What `Memory.learn` returns. Nothing happens before it is used.

    `await job` or `job.wait()` learns and returns a `Learnt` with the figures; `async with job` or `with job`
    stops it on the way out. Stopped, what was answered is kept, and the next time goes on from there. What
    the user must fix is raised, as a `UmweltenError`, where the job is used; the `status` of what is returned
    is "failed" if calls failed.
    """

    def __init__(self, prepare: Prepare, learnt: list[Learnt], grace_s: float) -> None:
        """Use `Memory.learn`."""
        super().__init__(prepare, name="memory.learn(…)", grace_s=grace_s)
        self._learnt = learnt

    def _outcome(self) -> Learnt:
        self._raise_error()
        return self._learnt[0]


def _learn_job(
    store: str,
    given: Mapping[str, Any],
    prompt: str | Path | None,
    merge: Literal["add", "update"],
    on_event: Callable[[Event], None] | None,
    grace_s: float,
) -> LearnJob:
    learnt: list[Learnt] = []

    def prepare() -> Work:
        from umwelten.api.learning_work import LearningWork
        from umwelten.api.notes import observer

        return LearningWork(store, given, prompt, merge, observer(on_event), learnt.append)

    return LearnJob(prepare, learnt, grace_s)


_OPTIONS = tuple(name for name in OF_LEARN if name != "models" and OPTIONS[name].in_python)
