"""Scorers that ask somebody or something else: a judge, a program, a table, a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any, ClassVar, Literal

from msgspec.structs import replace

from umwelten.api.scorers.function_identity import function_digest, function_place
from umwelten.api.scorers.scorer import PLACE, Scorer
from umwelten.scoring.definition import Definition, read_scorer


class _Asked(Scorer, frozen=True, kw_only=False):
    ask: str | None = None
    model: str | Sequence[str] | None = None


class Judge(_Asked, frozen=True, kw_only=True):
    """What a model, or several, say to the question `ask` about an answer.

    `model` is `provider:model`, a comma list or a list; without one, the argument `judge` says who judges.
    `scale` is "pass/fail" or whole numbers such as "1-5", `labels` maps words to what they are worth;
    `criteria` maps names to questions of their own, which one call answers, with `each=True` a call each.
    `samples`: how often each judge is asked; `combine`: "majority", "mean", "median", "all" or "any" of the
    verdicts. `sees`: what is shown of "prompt", "input", "expected" and "answer". `unsure=False` forbids it
    to say that it cannot tell. `check` is a table of what people said, which it is compared with.

    >>> umwelten.Judge("Is the reply polite?", "openai:gpt-5.4-mini", samples=3).samples
    3
    """

    _type: ClassVar[str] = "judge"

    expected: str | Path | None = None
    check: str | Path | None = None
    scale: str = "pass/fail"
    labels: Mapping[str, float] | None = None
    criteria: Mapping[str, str] | None = None
    each: bool = False
    sees: Sequence[Literal["prompt", "input", "expected", "answer"]] | None = None
    unsure: bool = True
    samples: int = 1
    combine: Literal["majority", "mean", "median", "all", "any"] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    parameters: Mapping[str, Any] = {}

    def _table(self, name: str) -> dict[str, Any]:
        table = super()._table(name)
        if isinstance(self.model, str):
            table["model"] = [model.strip() for model in self.model.split(",")]
        return table


class _OfFile(Scorer, frozen=True, kw_only=False):
    value: str | Path


class Table(_OfFile, frozen=True, kw_only=True):
    """The values that people or another tool gave: a table with `file` and, as needed, `model`, `repeat`."""

    _type: ClassVar[str] = "table"

    column: str = "value"


class Python(_OfFile, frozen=True, kw_only=True):
    """The value of a function in a file, `"checks.py:close"`, which runs in a process of its own.

    `timeout` is that of one answer: seconds or "10s". A function of the program itself needs no class:
    `results.score(close=close)`; `Function` gives it settings.
    """

    _type: ClassVar[str] = "python"

    expected: str | Path | None = None
    timeout: float | str = 10.0


class _OfCommand(Scorer, frozen=True, kw_only=False):
    value: str | Sequence[str]


class Command(_OfCommand, frozen=True, kw_only=True):
    """The value that a program gives, which reads and writes lines of JSON; no shell is involved."""

    _type: ClassVar[str] = "command"

    expected: str | Path | None = None
    timeout: float | str = 10.0


class _OfFunction(Scorer, frozen=True, kw_only=False):
    function: Callable[..., Any]


class Function(_OfFunction, frozen=True, kw_only=True):
    """The value of a function of this program, which runs in this process, in the job's thread.

    The function names what it wants of `answer` (an `Answer`), `expected`, `row` (the values of the input's
    row), `file` and `model`; it may be `async`. It returns True or False, a number from 0 to 1, a `Score`,
    or None if it cannot tell. An exception leaves this answer unscored, as `scorer_error`.

    >>> umwelten.Function(lambda answer: len(answer.text) < 200, at_least=1).at_least
    1
    """

    _type: ClassVar[str] = "python"

    expected: str | Path | None = None

    def _definition(self, name: str) -> Definition:
        table = self._table(name)
        function = table.pop("function")
        place = function_place(function)
        # What a file would have to name is made up, as there is none that would do.
        read = read_scorer(name, table | {"value": "program.py:function"}, PLACE)
        return replace(
            read,
            settings={"value": place},
            table=table | {"value": place},
            content=function_digest(function) or token_hex(20),
        )
