"""Answers that must fit a schema: checked, and sent back to the model with their faults where they do not.

One that was cut off is not asked for again: under the same limit it would be cut again, and paid for again.
"""

from __future__ import annotations

import re

import msgspec

from umwelten.phrases import Phrase, Spelling, by_name, spell
from umwelten.schema import CUT, OutputSchema, Problem, correction_turns, failure
from umwelten.scoring.json_text import names_twice
from umwelten.types import Continue, Failure, FinishReason, Message, Reply, Turn

_CUT = Phrase("{cut}; thinking counts too: raise {option:max_tokens}", cut=CUT)
_SEVERAL = Problem(message="the reply holds more than one record; give exactly one, and nothing else")
_LAST_OF_SEVERAL = "last of several"
_CUT_BY_PROVIDER = re.compile(r"max(?:imum)?[ _](?:\w+[ _])?tokens (?:reached|exceeded)", re.IGNORECASE)
"""What a provider that checks answers itself says of one that was cut off, in place of the answer."""


class StructuredOutput:
    """Checks answers against one schema; `coerce` as in `EvaluationSpec`, `spelling` of the options.

    `single`: a reply with further records, or with a name twice in one, does not fit.
    """

    def __init__(
        self,
        shape: OutputSchema,
        *,
        coerce: bool = False,
        single: bool = False,
        spelling: Spelling = by_name,
    ) -> None:
        self._shape, self._coerce, self._single = shape, coerce, single
        self._cut = Problem(message=spell(_CUT, spelling))

    def check(self, reply: Reply, turns: tuple[Turn, ...] = ()) -> Reply | Continue:
        """Return the reply with its record, or the conversation that continues with its problems.

        `turns` are the conversation so far, after the question.
        """
        answer = self._shape.read(reply.text, coerce=self._coerce)
        if (
            self._single
            and answer.data is not None
            and (_LAST_OF_SEVERAL in answer.marks or names_twice(reply.text))
        ):
            answer = msgspec.structs.replace(answer, data=None, problems=(_SEVERAL,))
        # A repaired end is a guess where the limit of tokens cut the answer off.
        if answer.data is not None and (reply.finish_reason is not FinishReason.LENGTH or not answer.marks):
            retried = ("asked again",) if any(isinstance(turn, Message) for turn in turns) else ()
            return msgspec.structs.replace(
                reply, data=answer.data, marks=(*reply.marks, *answer.marks, *retried)
            )
        is_cut = reply.finish_reason is FinishReason.LENGTH
        if is_cut:
            answer = msgspec.structs.replace(answer, problems=(self._cut,))
        failed = failure(answer, reply.text, reply.usage)
        failed = msgspec.structs.replace(
            failed, request_id=reply.request_id, hints=reply.hints, retry=not is_cut
        )
        return _follow_up(failed, turns)

    def follow_rejection(self, rejection: Failure, turns: tuple[Turn, ...] = ()) -> Continue:
        """Return the same for an answer that the provider rejected itself and returned with its error."""
        said = f"{rejection.message}\n{(rejection.partial or '')[:200]}"
        is_cut = _CUT_BY_PROVIDER.search(said) is not None
        problem = self._cut if is_cut else Problem(message=rejection.message)
        failed = msgspec.structs.replace(
            rejection, code=None, message=problem.message, problems=(problem,), retry=not is_cut
        )
        return _follow_up(failed, turns)


def _follow_up(failed: Failure, turns: tuple[Turn, ...]) -> Continue:
    correction = correction_turns(failed.partial or "", failed.problems)
    return Continue(turns=(*turns, *correction), failure=failed)
