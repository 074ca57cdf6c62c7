"""What an answer comes to: the call's end, a further request for a fitting record, or calls of tools."""

from __future__ import annotations

from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.tool_use import ToolUse
from umwelten.threads import run_in_thread
from umwelten.types import AttemptOutcome, Call, Continue, Failure, FailureKind, Outcome, Reply, Turn

_LONG_ANSWER = 20_000
"""Characters. A longer answer is checked in a thread: repairing one that is badly broken takes seconds."""


class OutcomeCheck:
    """Decides what follows an answer. `structured` `None`: answers are words; `tool_use`: tools are offered.

    With tools it remembers what the conversations under way are about, so there is one for all calls of a
    run.
    """

    def __init__(self, structured: StructuredOutput | None = None, tool_use: ToolUse | None = None) -> None:
        self._structured, self._tool_use = structured, tool_use

    def begin(self, call: Call, content: bytes) -> None:
        """Note what the conversation of a call is about that an earlier run began."""
        if self._tool_use is not None:
            self._tool_use.begin(call, content)

    def about(self, call: Call) -> bytes | None:
        """Return what a call's conversation is about so far, if that must not have changed."""
        return None if self._tool_use is None else self._tool_use.about(call)

    async def __call__(
        self, call: Call, content: bytes, answer: Outcome, turns: tuple[Turn, ...], *, late: bool = False
    ) -> AttemptOutcome:
        """Return what the attempt comes to; `content` is the hash of what the call is about.

        `late`: it had been given up, so that the call's conversation may have gone on without it.
        """
        outcome = await self._check(answer, turns)
        if self._tool_use is not None and not late:
            self._tool_use.note(call, content, outcome)
        return outcome

    async def _check(self, answer: Outcome, turns: tuple[Turn, ...]) -> AttemptOutcome:
        structured = self._structured
        if self._tool_use is not None:
            followed = self._tool_use.outcome(answer, turns)
            if not isinstance(followed, Reply | Failure):
                return followed
            answer = followed
        if isinstance(answer, Reply):
            if structured is None:
                return answer
            if len(answer.text) > _LONG_ANSWER:
                return await run_in_thread(structured.check, answer, turns)
            return structured.check(answer, turns)
        if answer.kind is not FailureKind.SCHEMA:
            return answer
        # The provider checks answers itself, maybe against a schema that came in extra parameters.
        if structured is None:
            return Continue(turns=turns, failure=answer)
        return structured.follow_rejection(answer, turns)
