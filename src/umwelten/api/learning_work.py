"""Learning as the work of a job, and after the calls of one."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from umwelten.api.argument_names import as_argument
from umwelten.config.endpoints import vendors
from umwelten.config.option_types import PlainText
from umwelten.config.settings import Settings, load
from umwelten.errors import UmweltenError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.memory.collection import Learnt
from umwelten.evaluation.memory.learning import Learning, build_learning, check_ahead, learning_after
from umwelten.evaluation.memory.run import learn
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import Note, NoteLevel, RunStatus
from umwelten.phrases import Wording, spell
from umwelten.store.memory.store import MemoryStore

if TYPE_CHECKING:
    from umwelten.api.background_run import Background
    from umwelten.events import Observer


class LearningWork:
    """Learns from inputs: the work of `Memory.learn`. Errors: before any call."""

    def __init__(
        self,
        store: str,
        given: Mapping[str, Any],
        prompt: str | Path | None,
        merge: Literal["add", "update"],
        tell: Observer,
        done: Callable[[Learnt], None],
    ) -> None:
        self._tell, self._done = tell, done
        try:
            configured = load(Path.cwd(), os.environ, profile=given.get("profile"))
            self._settings = configured.with_flags(given, as_argument, arguments=True)
            question = PlainText(prompt) if isinstance(prompt, str) else prompt
            notes = list[Wording](self._settings.notes)
            with self._settings.concealing():
                self._learning = build_learning(
                    store,
                    self._settings,
                    vendors(self._settings),
                    notes,
                    prompt=question,
                    merge=merge,
                )
        except UmweltenError as error:
            raise error.spell(as_argument) from None
        for text in notes:
            tell(Note(text=self._settings.conceal(spell(text, as_argument))))

    def do(self, thread: Background) -> None:
        """Also where the job is stopped, what was answered is taken in."""
        try:
            with self._settings.concealing():
                self._done(_learn(self._learning, self._settings, self._tell, thread))
        except UmweltenError as error:
            raise error.spell(as_argument) from None


def _learn(learning: Learning, settings: Settings, tell: Observer, thread: Background) -> Learnt:
    def make_calls(evaluation: Evaluation, only: CallSubset | None) -> RunStatus:
        return thread.make_calls(evaluation, tell, only)

    run = learn(learning, settings, vendors(settings), as_argument, make_calls)
    return msgspec.structs.replace(run.learnt, status=str(run.status))


class LearningAfter:
    """Learns from the questions and answers of a run when its calls have ended. Errors: before any call."""

    def __init__(self, spec: EvaluationSpec, settings: Settings) -> None:
        check_ahead(spec)
        self._spec, self._settings = spec, settings
        self._store: str = settings.get("memory")
        # Not after the answers are paid for: that another process changes the store, or that it is damaged.
        MemoryStore.open(spec.output.output_dir, self._store).withdraw()

    def run(self, folder: Path, tell: Observer, thread: Background) -> None:
        """Learn. What goes wrong is a note, as the answers are there and can be learnt from later."""
        settings, notes = self._settings, list[Wording]()
        try:
            with settings.concealing():
                known = vendors(settings)
                learning = learning_after(self._store, self._spec, folder, settings, known, notes)
                _learn(learning, settings, tell, thread)
        except UmweltenError as error:
            error.spell(as_argument)
            text = f"nothing was learnt from the answers: {error}\nThey are stored: resume=True goes on"
            tell(Note(text=text, level=NoteLevel.WARNING))
