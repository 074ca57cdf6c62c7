"""Answers that must fit a schema: checked, and sent back to the model with their faults where they do not."""

from __future__ import annotations

import msgspec

from umwelten.schema import OutputSchema, Problem, correction_turns, failure
from umwelten.types import Continue, Failure, FinishReason, Message, Reply

CUT = "the answer was cut off at the limit of tokens (max_tokens)"


class StructuredOutput:
    """Checks answers against one schema; `coerce` as in `EvaluationSpec`."""

    def __init__(self, shape: OutputSchema, *, coerce: bool = False) -> None:
        self._shape, self._coerce = shape, coerce

    def check(self, reply: Reply, turns: tuple[Message, ...] = ()) -> Reply | Continue:
        """Return the reply with its record, or the conversation that continues with its problems.

        `turns` are the conversation so far, after the question.
        """
        answer = self._shape.read(reply.text, coerce=self._coerce)
        # A repaired end is a guess where the limit of tokens cut the answer off.
        if answer.data is not None and (reply.finish_reason is not FinishReason.LENGTH or not answer.marks):
            retried = ("asked again",) if turns else ()
            return msgspec.structs.replace(
                reply, data=answer.data, marks=(*reply.marks, *answer.marks, *retried)
            )
        if reply.finish_reason is FinishReason.LENGTH:
            cut = Problem(message=CUT)
            answer = msgspec.structs.replace(answer, problems=(cut, *answer.problems))
        failed = failure(answer, reply.text, reply.usage)
        failed = msgspec.structs.replace(failed, request_id=reply.request_id, hints=reply.hints)
        return _follow_up(failed, turns)

    def follow_rejection(self, rejection: Failure, turns: tuple[Message, ...] = ()) -> Continue:
        """Return the same for an answer that the provider rejected itself and returned with its error."""
        problem = Problem(message=rejection.message)
        return _follow_up(msgspec.structs.replace(rejection, code=None, problems=(problem,)), turns)


def _follow_up(failed: Failure, turns: tuple[Message, ...]) -> Continue:
    correction = correction_turns(failed.partial or "", failed.problems)
    return Continue(turns=(*turns, *correction), failure=failed)
