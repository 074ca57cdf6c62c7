"""Taking answers over from other evaluations: those whose calls are the same as pending ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from umwelten.errors import InputError, StoreError, UmweltenError, UsageError
from umwelten.evaluation.spec import EvaluationSpec, hash_reader
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.sources import is_same_folder
from umwelten.phrases import Phrase
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.records import CallRecord
from umwelten.store.database import has_database
from umwelten.store.reader import Reader
from umwelten.store.reusable_answers import ReusableAnswers, ReusedAnswer, answered_calls
from umwelten.store.store import Store
from umwelten.text.suggestions import did_you_mean
from umwelten.types import Call, FoundInput, Input, ModelRef, Timing


@contextmanager
def reusable_answers(spec: EvaluationSpec) -> Iterator[ReusableAnswers | None]:
    """Yield the answers that `spec.reuse` allows to take over, `None` if it names no evaluation.

    Raises `InputError` for one that is not there, and `UsageError` for the evaluation itself.
    """
    if not spec.reuse:
        yield None
        return
    folders = check_reuse(spec)
    try:
        answers = ReusableAnswers.open(folders, spec.request, spec.models, coerce=spec.coerce)
    except StoreError as error:
        raise InputError(error.wording, error.hint_wording, argument="reuse") from error
    try:
        yield answers
    finally:
        answers.close()


def check_reuse(spec: EvaluationSpec) -> list[Path]:
    """Return the folders of the evaluations in `spec.reuse`. Raises as `reusable_answers` does."""
    output = spec.output
    folders = [output.output_dir / id for id in dict.fromkeys(spec.reuse)]
    for folder in folders:
        if output.id is not None and is_same_folder(folder, output.output_dir / output.id):
            raise UsageError(
                Phrase("{option:reuse={id}} and {option:id={id}} are the same evaluation", id=output.id),
                Phrase("{option:resume} keeps its own answers."),
                argument="reuse",
            )
        if not has_database(folder):
            nearest = nearest_name(folder)
            name = nearest.name if nearest is not None and has_database(nearest) else None
            raise InputError(
                f"there is no evaluation {folder.name!r} in {folder.parent}",
                did_you_mean(name, "{!r}") or "umwelten eval list shows the evaluations.",
                argument="reuse",
            )
    return folders


_Call = tuple[str, bytes]
"""The identity of a call, and the hash of what is sent of its input."""


class _Keys:
    """The identities of an evaluation's calls, before they are made."""

    def __init__(self, spec: EvaluationSpec, builder: RequestBuilder, answers: ReusableAnswers) -> None:
        self._builder, self._answers, self._read = builder, answers, hash_reader(spec)
        self._texts = {prompt.name: prompt.text for prompt in spec.request.prompts}
        self._is_plain = spec.inputs is None or spec.inputs.added is None
        self._last: tuple[object, bytes | None] = (None, None)

    def of(
        self, source: Input | FoundInput | None, model: ModelRef, prompt: str, repeat: int
    ) -> _Call | None:
        """Return a call's identity; `None` for an input that can't be read, with which its call will fail."""
        content = b"" if source is None or not source.name else self._content(source, prompt)
        return None if content is None else (self._builder.key(model, content, repeat, prompt), content)

    def _content(self, source: Input | FoundInput, prompt: str) -> bytes | None:
        place = (source.path, source.part, prompt, source.name)
        if self._last[0] != place:
            self._last = (place, self._hash(source, self._texts[prompt]))
        return self._last[1]

    def _hash(self, source: Input | FoundInput, text: str) -> bytes | None:
        if self._is_plain:
            known = self._answers.content(source.path, source.part, source.stamp, text)
            if known is not None:
                return known
        try:
            return self._read(source.path, source.part, text, source.name)
        except UmweltenError:
            return None


def take_over(spec: EvaluationSpec, store: Store, builder: RequestBuilder) -> dict[str, int]:
    """Take over what `spec.reuse` has of the pending calls; return how many by evaluation.

    Raises what `reusable_answers` does, and `StoreError`.
    """
    counts = Counter[str]()
    with reusable_answers(spec) as answers:
        if answers is None:
            return {}
        for key, started_at in store.answered():
            answers.discard(key, started_at)
        keys = _Keys(spec, builder, answers)
        for number, model in store.models.items():
            prompt = store.prompts[number]
            for calls in store.all_pending(number):
                records = []
                for call in calls:
                    known = keys.of(call.input, model, prompt, call.repeat)
                    found = answers.take(known[0]) if known is not None else None
                    if known is not None and found is not None:
                        counts[answers.ids[found.source]] += 1
                        records.append(_record(call, known, answers.answer(found)))
                store.take_over(records)
    return dict(counts)


def _record(call: Call, known: _Call, answer: ReusedAnswer) -> CallRecord:
    key, content = known
    return CallRecord(
        call=call,
        key=key,
        content=content,
        outcome=answer.reply,
        timing=Timing(started_at=answer.started_at, latency_s=0.0),
        attempts=0,
        time_s=0.0,
        cost_nusd=0,
    )


class ReuseCount:
    """Counts what would be taken over, for a preview that changes nothing; `counts` by evaluation."""

    def __init__(
        self, spec: EvaluationSpec, builder: RequestBuilder, answers: ReusableAnswers, own: Reader | None
    ) -> None:
        """`own`: the evaluation that would be resumed, whose answers stay."""
        self._spec, self._answers, self._keys = spec, answers, _Keys(spec, builder, answers)
        self.counts = Counter[str]()
        rows = [] if own is None else answered_calls(own.connection)
        self._own = Counter(key for key, _ in rows)
        for key, started_at in rows:
            answers.discard(key, started_at)

    def of(self, source: FoundInput, model: ModelRef) -> int:
        """Return how many of the calls about this input to this model would be taken over."""
        return sum(
            self._is_taken(source, model, prompt.name, repeat)
            for prompt in self._spec.request.prompts
            for repeat in range(1, self._spec.repeats + 1)
        )

    def _is_taken(self, source: FoundInput, model: ModelRef, prompt: str, repeat: int) -> bool:
        known = self._keys.of(source, model, prompt, repeat)
        if known is None:
            return False
        if self._own[known[0]]:
            self._own[known[0]] -= 1
            return False
        found = self._answers.take(known[0])
        if found is not None:
            self.counts[self._answers.ids[found.source]] += 1
        return found is not None
