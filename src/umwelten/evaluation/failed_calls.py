"""The failed calls of an evaluation, to make them again and no other."""

from __future__ import annotations

from collections.abc import Sequence

from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.run_start import CallSubset
from umwelten.store.store import Store
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import Call, FailureKind

_STEP = 500
"""Cells that are looked up at a time."""


def failed_calls(
    evaluation: Evaluation, kinds: Sequence[str] = (), models: Sequence[str] = ()
) -> CallSubset | None:
    """Return the failed calls of these kinds and models, all where none are named; `None` if there are none.

    Raises `UsageError` for a model that the evaluation does not have.
    """
    store = evaluation.store
    names = {number: str(ref) for number, ref in store.models.items()}
    for model in models:
        if model not in names.values():
            known = list(dict.fromkeys(names.values()))
            raise UsageError(
                f"model {model!r} is not one of this evaluation",
                did_you_mean(closest(model, known)) or f"There are {', '.join(known)}.",
            )
    wanted = [number for number, name in names.items() if not models or name in models]
    counts = {number: store.failed_count(number, kinds) for number in wanted}
    if not any(counts.values()):
        return None
    return CallSubset(source=_Failed(store, kinds, wanted), calls=counts)


def check_kinds(kinds: Sequence[str]) -> list[str]:
    """Return the kinds of failure that are named, also several in one text. Raises `UsageError`."""
    words = [word.strip() for kind in kinds for word in kind.split(",") if word.strip()]
    known = [str(kind) for kind in FailureKind if kind is not FailureKind.SUPERSEDED]
    for word in words:
        if word not in known:
            raise UsageError(
                f"{word!r} is no kind of failure",
                did_you_mean(closest(word, known)) or f"There are {', '.join(known)}.",
            )
    return words


class _Failed:
    """A source of the failed calls, read from the store in steps."""

    complete = True
    problem: UmweltenError | None = None

    def __init__(self, store: Store, kinds: Sequence[str], models: Sequence[int]) -> None:
        self._store = store
        self._cells = {model: store.failed_cells(model, kinds, _STEP) for model in models}
        self._left: dict[int, list[Call]] = {}

    def lease(self, model: int, n: int) -> list[Call]:
        """Return up to `n` further ones."""
        if model not in self._cells:
            return []
        left = self._left.setdefault(model, [])
        while len(left) < n and (cells := next(self._cells[model], None)) is not None:
            left += self._store.pick(model, cells)
        self._left[model] = left[n:]
        return left[:n]
