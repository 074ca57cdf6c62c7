"""A function of the user's program as a scorer: it runs in this process, in the job's thread."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Self

from umwelten.api.answer import answer
from umwelten.api.scorers.function_identity import function_file, function_place
from umwelten.errors import ConfigError
from umwelten.evaluation.scoring.external import ScorerInput
from umwelten.evaluation.scoring.function_calls import ScorerProblem, described, parameters_of, returned
from umwelten.evaluation.scoring.replies import Masked, read_result
from umwelten.scoring.definition import Definition
from umwelten.scoring.score import Result, Unscored
from umwelten.threads import new_event_loop

AT_A_TIME = 16
"""Answers under way with an `async` function: enough that a service is not waited for one by one, and no
more than it lets in without being asked."""
_LOOK_S = 0.2
"""A job that is stopped while an `async` function waits notices it after this long."""

_ERRORS = (Exception, SystemExit, asyncio.CancelledError)
"""What concerns an answer alone. `GeneratorExit` and the like are the job's own."""


class FunctionScorer:
    """Scores answers by a function, which may be `async`. A context manager, as other scorers are.

    `stopped` raises where the job was stopped; `shape` is the class of `Answer.record`, `folder` the
    evaluation's, once it is known. Errors: `ConfigError`
    for a function that cannot be called with what scorers are given.
    """

    def __init__(
        self,
        definition: Definition,
        function: Callable[..., Any],
        *,
        shape: type[Any] | None,
        folder: Callable[[], Path | None] = lambda: None,
        masked: Masked,
        stopped: Callable[[], None],
    ) -> None:
        self.definition, self._function, self._shape = definition, function, shape
        self._masked, self._stopped, self._folder = masked, stopped, folder
        self._runner: asyncio.Runner | None = None
        try:
            self._taken, self.needs_reference = parameters_of(function, function_place(function))
        except ScorerProblem as problem:
            raise ConfigError(f"scorer {definition.name!r}: {problem}", problem.hint or None) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._runner is not None:
            self._runner.close()  # cancels what is under way
            self._runner = None

    def score(self, items: Iterable[ScorerInput]) -> Iterator[Result]:
        """Yield the result of each answer, in order; those of an `async` function are asked for together."""
        waiting: deque[Result | asyncio.Task[Result]] = deque()
        for item in items:
            waiting.append(self._begun(item))
            while waiting and (len(waiting) == AT_A_TIME or _is_done(waiting[0])):
                yield self._ended(waiting.popleft())
        while waiting:
            yield self._ended(waiting.popleft())

    def _begun(self, item: ScorerInput) -> Result | asyncio.Task[Result]:
        if self.needs_reference and item.expected is None:
            return Unscored(kind="no_reference", message="nothing says what the answer should be")
        assert item.call is not None
        given = {
            "answer": answer(item.call, self._shape, self._folder()),
            "expected": item.expected,
            "row": item.row,
            "file": item.file,
            "model": item.model,
        }
        try:
            said = self._function(**{name: given[name] for name in self._taken})
        except _ERRORS as error:
            return self._failed(error)
        if inspect.isawaitable(said):
            return self._loop().create_task(self._awaited(said))
        return self._result(said)

    async def _awaited(self, said: Any) -> Result:
        try:
            return self._result(await said)
        except _ERRORS as error:
            return self._failed(error)

    def _ended(self, one: Result | asyncio.Task[Result]) -> Result:
        if not isinstance(one, asyncio.Task):
            return one
        while not one.done():
            self._stopped()
            self._loop().run_until_complete(asyncio.wait([one], timeout=_LOOK_S))
        return one.result()

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._runner is None:
            self._runner = asyncio.Runner(loop_factory=new_event_loop)
        return self._runner.get_loop()

    def _result(self, said: Any) -> Result:
        return read_result(returned(said), self.definition.at_least, self._masked)

    def _failed(self, error: BaseException) -> Result:
        message = described(error, function_file(self._function))
        return Unscored(kind="scorer_error", message=self._masked(message))


def _is_done(one: Result | asyncio.Task[Result]) -> bool:
    return not isinstance(one, asyncio.Task) or one.done()
