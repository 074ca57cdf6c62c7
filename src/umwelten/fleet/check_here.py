"""The check of answers at the coordinator, where it needs what is only there: tools, or a class as schema."""

from __future__ import annotations

import msgspec

from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.engine.interfaces import AttemptResult
from umwelten.types import Call, Failure, Reply, Turn


class CheckHere:
    """Checks what workers were answered, an `interfaces.OutcomeCheck`."""

    def __init__(self, check: OutcomeCheck) -> None:
        self._check = check

    def about(self, call: Call, turns: tuple[Turn, ...]) -> bytes | None:
        """Return what a conversation is about so far, `None` where that may change."""
        return self._check.about(call) if turns else None

    async def __call__(
        self, call: Call, turns: tuple[Turn, ...], result: AttemptResult, *, late: bool = False
    ) -> AttemptResult:
        """Return the result with what its answer comes to; `late`: of an attempt that had been given up."""
        outcome = result.outcome
        if not isinstance(outcome, Reply | Failure):  # it was checked
            return result
        checked = await self._check(call, result.content, outcome, turns, late=late)
        return msgspec.structs.replace(result, outcome=checked)
