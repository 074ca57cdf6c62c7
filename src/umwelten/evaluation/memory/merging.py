"""`--merge update`: a model says which known facts new ones bring up to date.

It is an evaluation as well, over the answers of the one that learnt: `NAME.learn-….merge`. Of a scope, one
answer is merged after the other, in their order, as each one changes what is known; scopes are merged side by
side. A model is never shown our numbers, and can end a fact only by putting another in its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import msgspec

from umwelten.errors import InputError, StoreError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.memory.collection import (
    InputGone,
    Kept,
    Learnt,
    Reread,
    kept_facts,
    learnt_of,
    new_answers,
    with_more,
    with_taken,
)
from umwelten.evaluation.memory.learning import Learning
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.identity import content_hash
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.sources import answers_as_inputs
from umwelten.providers.capabilities import Capabilities
from umwelten.records import Derived
from umwelten.schema import OutputSchema
from umwelten.schema.definitions import schema_of
from umwelten.store.database import has_database
from umwelten.store.derived import MERGE
from umwelten.store.memory.facts import MAX_FACT, LearntInput, norm
from umwelten.store.memory.reader import best
from umwelten.store.memory.store import MemoryStore, Update
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.stored_calls import ANSWER_PART, scorable_answer, scorable_answers
from umwelten.types import Call, Problem, Prompt, RequestSettings

MOST_KNOWN = 20
"""Known facts that a model is shown: those that have most to do with the new ones. More are skimmed."""

_PROMPT = """\
Known facts about {{scope}}:
{{known}}

New facts about {{scope}}, learnt later:
{{new}}{{answer}}{{file.name}}"""
# The last two are empty, see `_bare`. With them, nothing of the answer follows the prompt, and what was said
# of one is not taken for what is to be said of another.
_SYSTEM = """\
You keep facts up to date. For each new fact, say what becomes of it:

- ADD: nothing that is known says it or contradicts it.
- UPDATE: it brings the known fact `old` up to date, or makes it more exact. `text` is the fact as it is \
now, in one sentence, with what still holds of the old one.
- NONE: the known fact `old` says it already.

Give exactly one entry for each new fact. `new` and `old` are the numbers in the lists. `old` is null for \
ADD, and `text` is null for ADD and NONE."""
_NUMBER: dict[str, Any] = {"type": "integer", "minimum": 1}
_SCHEMA: dict[str, Any] = {
    "title": "changes",
    "type": "object",
    "properties": {
        "ops": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "new": _NUMBER,
                    "op": {"type": "string", "enum": ["ADD", "UPDATE", "NONE"]},
                    "old": {"anyOf": [_NUMBER, {"type": "null"}]},
                    "text": {"type": ["string", "null"]},
                },
                "required": ["new", "op", "old", "text"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["ops"],
    "additionalProperties": False,
}


class Op(msgspec.Struct):
    """What a model says about a new fact."""

    new: int
    op: Literal["ADD", "UPDATE", "NONE"]
    old: int | None = None
    text: str | None = None


class _Ops(msgspec.Struct):
    ops: list[Op]


class Question(msgspec.Struct, frozen=True):
    """What is asked about an input: its `new` facts, and the (number, text) of those `known` of its scope."""

    learnt: LearntInput
    new: tuple[int, ...]
    known: tuple[tuple[int, str], ...]

    @property
    def values(self) -> dict[str, str]:
        """The values of the prompt's placeholders."""
        facts = self.learnt.facts
        return {
            "scope": self.learnt.scope,
            "known": _numbered([text for _, text in self.known]),
            "new": _numbered([facts[at].text for at in self.new]),
        }

    def content(self, text: str) -> bytes:
        """Return the hash of what is sent about the answer with this text, as `with_added` makes it."""
        values = msgspec.json.encode(dict(sorted(self.values.items())))
        return content_hash(text.encode()) + content_hash(values)

    def problems(self, ops: Sequence[Op]) -> Iterator[str]:
        """Yield what is wrong with an answer. Nothing in it is guessed."""
        numbers = [op.new for op in ops]
        for number in range(1, len(self.new) + 1):
            if numbers.count(number) != 1:
                yield f"new fact {number} needs exactly one entry, and has {numbers.count(number)}"
        renewed = [op.old for op in ops if op.op == "UPDATE"]
        for op in ops:
            if op.new > len(self.new):
                yield f"there is no new fact {op.new}: they are 1 to {len(self.new)}"
            if op.op != "ADD" and (op.old is None or not 1 <= op.old <= len(self.known)):
                yield f"there is no known fact {op.old}: they are 1 to {len(self.known)}"
            elif op.op == "UPDATE" and renewed.count(op.old) > 1:
                yield f"known fact {op.old} is brought up to date twice: put all of it into one entry"
            if op.op == "UPDATE" and len(op.text or "") > MAX_FACT:
                yield f"the text about new fact {op.new} has more than {MAX_FACT} characters"

    def updates(self, ops: Sequence[Op]) -> list[Update]:
        """Return what becomes of the input's facts, of an answer without problems."""
        said = {self.new[op.new - 1]: op for op in ops}
        found = []
        for at, fact in enumerate(self.learnt.facts):
            op = said.get(at)
            if op is None or op.op == "ADD" or op.old is None:
                found.append(Update(fact))
                continue
            old = self.known[op.old - 1][0]
            text = (op.text or "").strip() or fact.text
            found.append(Update(fact, old, text if op.op == "UPDATE" else None))
        return found


_asked: ContextVar[Question | None] = ContextVar("asked", default=None)
"""The question of the attempt that is under way in this task, against which its answer is checked."""


def _numbered(texts: Sequence[str]) -> str:
    return "\n".join(f"{number}. {' '.join(text.split())}" for number, text in enumerate(texts, 1))


def _bare(values: Mapping[str, str]) -> Mapping[str, str]:
    return {**values, "answer": "", "file.name": ""}


def _check(data: str) -> tuple[Problem, ...]:
    question = _asked.get()
    if question is None:
        return ()
    ops = msgspec.json.decode(data, type=_Ops).ops
    return tuple(Problem(message=message) for message in dict.fromkeys(question.problems(ops)))


def _call_in(part: str) -> int:
    """Return the call whose answer this part of an evaluation is."""
    return int(part.removeprefix(ANSWER_PART).split()[0])


class Merging:
    """Merges the answers of an evaluation that learnt, which were not taken in yet, into the store."""

    def __init__(self, learning: Learning, store: MemoryStore, capabilities: Capabilities) -> None:
        self.learning, self.id, self.learnt = learning, f"{learning.id}.merge", Learnt()
        self.waiting: dict[str, deque[str]] = {}
        self._store, self._reread = store, Reread(learning.spec, capabilities)
        self._reader = Reader.open(learning.folder)
        self._calls: dict[str, int] = {}
        self._kept: dict[str, Kept] = {}
        self._added = AddedValues(names=("scope", "known", "new"), of=self._values, framed=_bare, apart=True)
        self._before: Mapping[int, tuple[bytes, str]] = {}
        self._find()

    def result(self) -> Learnt:
        """Return what came of it so far."""
        waiting = sum(map(len, self.waiting.values()))
        return with_more(self.learnt, inputs=-waiting, waiting=waiting)

    def close(self) -> None:
        """Close what it reads from. Twice is fine."""
        self._reader.close()

    @property
    def folder(self) -> Path:
        """The folder of its evaluation."""
        return self.learning.folder.with_name(self.id)

    def _answered(self) -> dict[int, tuple[bytes, str]]:
        """What was answered before about what is waiting, (content, record) by the call that it is about."""
        waiting = set(self._calls.values())
        if not waiting or not has_database(self.folder):
            return {}
        with Reader.open(self.folder) as reader:
            return {
                call: (answer.content, answer.call.data)
                for answer in scorable_answers(reader)
                if answer.call.data is not None and (call := _call_in(answer.call.part)) in waiting
            }

    def _find(self) -> None:
        """Find what is to be merged, by scope, and take in what needs no model."""
        for answer in new_answers(self.learning, self._store, self._reader):
            if answer is None:
                self.learnt = with_more(self.learnt, before=1)
                continue
            try:
                kept = kept_facts(answer, self._reread)
            except InputGone:
                self.learnt = with_more(self.learnt, changed=1)
                continue
            name = answer.call.file or ""
            self.learnt = with_more(self.learnt, inputs=1, **kept.counts)
            self._calls[name], self._kept[name] = answer.call.id, kept
            self.waiting.setdefault(kept.scope, deque()).append(name)
        self._before = self._answered()
        for scope in list(self.waiting):
            self.advance(scope)

    def call_of(self, name: str) -> int:
        """Return the call of the answer about an input."""
        return self._calls[name]

    def advance(self, scope: str, said: tuple[bytes, str] | None = None) -> None:
        """Take in what needs no model, or was answered, until the scope's next input needs an answer.

        `said`: what was answered just now about its first input, as (content, record).
        """
        queue = self.waiting[scope]
        while queue:
            question, text = self._question(queue[0])
            ops: list[Op] | None = []
            if question.new and question.known:
                ops = self._ops(question, queue[0], text, said or self._before.get(self._calls[queue[0]]))
            if ops is None:
                return
            taken = self._store.take([question.learnt], [question.updates(ops)])
            self.learnt, said = with_taken(self.learnt, taken), None
            self._kept.pop(queue.popleft())
        del self.waiting[scope]

    def _question(self, name: str) -> tuple[Question, str]:
        """Return what is to be asked about an input as of now, and the answer that its facts are from."""
        answer = scorable_answer(self._reader, self._calls[name])
        if answer is None:
            raise StoreError(f"{self.learning.folder} was changed while its facts were merged")
        learnt = learnt_of(answer, self._kept[name], self.learning.id)
        known = self._store.known(learnt.scope)
        forms = {norm(text) for _, text in known}
        new = tuple(at for at, fact in enumerate(learnt.facts) if norm(fact.text) not in forms)
        near = best(known, " ".join(learnt.facts[at].text for at in new)) if len(known) > MOST_KNOWN else []
        texts = dict(known)
        order = dict.fromkeys((*near, *texts))
        shown = tuple((number, texts[number]) for number in islice(order, MOST_KNOWN))
        return Question(learnt=learnt, new=new, known=shown), answer.call.text or ""

    def _ops(
        self, question: Question, name: str, text: str, said: tuple[bytes, str] | None
    ) -> list[Op] | None:
        """Return what was answered, `None` unless it was to exactly this question."""
        if said is None or said[0] != question.content(text):
            return None
        ops = msgspec.json.decode(said[1], type=_Ops).ops
        return None if any(question.problems(ops)) else ops

    # --- what a model is asked ---

    def spec(self, max_cost_usd: float | None) -> EvaluationSpec:
        """Return the evaluation that asks about all that is waiting."""
        learning, base = self.learning, self.learning.spec
        only = frozenset(self._calls[name] for queue in self.waiting.values() for name in queue)
        seq = str(self._store.seq())
        # What is known may have changed since an answer was given: another stamp has that looked at.
        inputs = answers_as_inputs(learning.folder, only=only, beside=lambda name, path: seq)
        schema = schema_of(_SCHEMA, name="changes", source="", where="merging")
        return msgspec.structs.replace(
            base,
            request=RequestSettings(
                prompts=(Prompt(name="", text=_PROMPT),),
                system=_SYSTEM,
                parameters=base.request.parameters,
                schema=schema,
                source="answers",
                variants=base.request.variants,
            ),
            inputs=msgspec.structs.replace(inputs, added=self._added),
            output_schema=OutputSchema(schema, _check),
            output=msgspec.structs.replace(base.output, id=self.id, mode="resume"),
            limits=msgspec.structs.replace(base.limits, max_cost_usd=max_cost_usd),
            derived=Derived(role=MERGE, of=learning.store, scorer=learning.id),
        )

    def _values(self, content: Content) -> Mapping[str, str]:
        name = content.values["file.name"]
        if name not in self._kept:
            raise InputError(f"the facts of {name} are merged already")
        question, _ = self._question(name)
        _asked.set(question)
        return question.values

    def calls(self, evaluation: Evaluation) -> CallSubset:
        """Return the calls of its evaluation: of each scope one at a time, the next when that is merged."""
        (model,) = evaluation.store.models
        waiting = sum(map(len, self.waiting.values()))
        return CallSubset(source=_Scopes(self, evaluation.store, model), calls={model: waiting})


class _Scopes:
    """A source of calls that hands out a scope's next call when the one before has been taken in."""

    problem = None

    def __init__(self, merging: Merging, store: Store, model: int) -> None:
        self._merging, self._store, self._model = merging, store, model
        self._inputs = {_call_in(part): number for number, part in store.parts()}
        self._free = deque(merging.waiting)
        self._busy: dict[str, Call] = {}

    @property
    def complete(self) -> bool:
        """Whether no scope has a further call. What was answered is taken in first."""
        self._settle()
        return not self._free and not self._busy

    def lease(self, model: int, n: int) -> list[Call]:
        """Return the next call of each scope of which none is under way."""
        calls = list[Call]()
        while self._free and len(calls) < n:
            scope = self._free.popleft()
            call_id = self._merging.call_of(self._merging.waiting[scope][0])
            # One that is not pending was answered to another question: the next run asks about it.
            picked = self._store.pick(model, [(self._inputs[call_id], 1)])
            if picked:
                self._busy[scope] = picked[0]
                calls += picked
        return calls

    def _settle(self) -> None:
        ended = self._store.records([call.id for call in self._busy.values()])
        for scope, call in list(self._busy.items()):
            if call.id not in ended:
                continue
            del self._busy[scope]
            said = ended[call.id]
            if said is None:
                continue  # what comes after it waits: it would be brought up to date by what is older
            first = self._merging.waiting[scope][0]
            self._merging.advance(scope, said)
            if scope in self._merging.waiting and self._merging.waiting[scope][0] != first:
                self._free.append(scope)
