"""From the answers of an evaluation that learns to facts in a memory store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from umwelten.errors import InputError
from umwelten.evaluation.memory.learning import SCOPE, Learning
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.added_values import AddedValues, widened, with_added
from umwelten.inputs.content import Content
from umwelten.inputs.reader import read
from umwelten.inputs.workers.worker import convert_now
from umwelten.prompts.request_builder import row_use
from umwelten.prompts.template import MEMORY, ROW, Template
from umwelten.providers.capabilities import Capabilities
from umwelten.store.inputs import original_path
from umwelten.store.memory.facts import FACT_TYPES, MAX_FACT, LearntInput, NewFact, flat, is_quoted, norm
from umwelten.store.memory.store import MemoryStore, Taken
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import ScorableAnswer, scorable_answers
from umwelten.types import FrozenStruct, Text

GROUP = 500
"""Inputs a transaction: each waits for the disk once, and what a kill loses is taken in again at no cost."""


class Learnt(FrozenStruct):
    """What came of the answers that were not taken in before: `inputs` of them, and the facts in them.

    `status` is that of the run: "complete", "failed" if calls failed, "stopped" or "interrupted".

    `added`, `known`, `updated` and `ended` are as in `Taken`. Left out are facts that are `unquoted` (their
    quotes are not in the input) or `empty`; those `cut` were longer than a fact may be. `unchecked` inputs
    have no text in which quotes could be found. `changed` inputs are not what was asked about any more: they
    are asked about again by the next run. `before` were taken in before; the facts of those
    `waiting` are not merged yet.
    """

    status: str | None = None
    inputs: int = 0
    before: int = 0
    waiting: int = 0
    changed: int = 0
    added: int = 0
    known: int = 0
    updated: int = 0
    ended: int = 0
    unquoted: int = 0
    empty: int = 0
    cut: int = 0
    unchecked: int = 0


def with_more(learnt: Learnt, **more: int) -> Learnt:
    """Return the figures with so many more of these."""
    return msgspec.structs.replace(learnt, **{name: getattr(learnt, name) + n for name, n in more.items()})


def with_taken(learnt: Learnt, taken: Taken) -> Learnt:
    """Return the figures with what was taken in."""
    return with_more(learnt, **taken._asdict())


class InputGone(Exception):
    """The input of an answer is not what was asked about any more."""


class Reread:
    """The inputs of an evaluation, read again as they were sent: for their texts and their scopes."""

    def __init__(self, spec: EvaluationSpec, capabilities: Capabilities) -> None:
        assert spec.inputs is not None
        self._added: AddedValues | None = spec.inputs.added
        prompt = spec.request.prompts[0].text
        self._used = Template(prompt).names
        self._use = widened(row_use(spec.request, prompt), self._added, self._used)
        self._pdf, self._capabilities = spec.request.pdf, capabilities
        self._timeout_s = spec.limits.timeout_s

    def content(self, answer: ScorableAnswer) -> Content:
        """Return the input with its scope. Raises `InputGone`."""
        call = answer.call
        path, name = original_path(call.path), call.file or ""
        try:
            content = read(
                path,
                name=name,
                part=call.part,
                stamp=answer.stamp,
                capabilities=self._capabilities,
                pdf=self._pdf,
                use=msgspec.structs.replace(self._use, again=True),
            )
            content = with_added(content, self._added, self._used, name, path)
        except InputError as error:
            raise InputGone(str(error)) from error
        if content.digest != answer.content:
            raise InputGone(name)
        return content

    def text(self, content: Content) -> str:
        """Return the words of an input, "" where there are none, as in a picture. Raises `InputGone`."""
        texts: list[str] = []
        at: Content | None = content
        while at is not None:
            parts = at.parts
            if at.convert is not None:
                try:
                    parts = convert_now(at.convert, self._timeout_s).parts
                except InputError as error:
                    raise InputGone(str(error)) from error
            texts += [part.text for part in parts if isinstance(part, Text)]
            # In a row's JSON, quotes and ends of lines are not as models read and quote them.
            texts += [text for name, text in at.values.items() if name.startswith(ROW)]
            if at.question is not None:
                texts.append(at.question.prompt)
            at = None if at.question is None else at.question.content
        return "\n".join(texts)


def collect(learning: Learning, store: MemoryStore, capabilities: Capabilities) -> Learnt:
    """Take in all answers that were not yet. Raises StoreError."""
    reread = Reread(learning.spec, capabilities)
    learnt, group = Learnt(), list[LearntInput]()
    with Reader.open(learning.folder) as reader:
        for answer in new_answers(learning, store, reader):
            if answer is None:
                learnt = with_more(learnt, before=1)
                continue
            try:
                kept = kept_facts(answer, reread)
            except InputGone:
                learnt = with_more(learnt, changed=1)
                continue
            learnt = with_more(learnt, inputs=1, **kept.counts)
            group.append(learnt_of(answer, kept, learning.id))
            if len(group) >= GROUP:
                learnt = with_taken(learnt, store.take(group))
                group.clear()
    return with_taken(learnt, store.take(group)) if group else learnt


def new_answers(learning: Learning, store: MemoryStore, reader: Reader) -> Iterator[ScorableAnswer | None]:
    """Yield the answers that were not taken in, `None` for each that was."""
    for answer in scorable_answers(reader):
        known = store.call_of(learning.id, answer.call.file or "")
        yield None if known == answer.key else answer


class Kept(NamedTuple):
    """Which facts of an answer are kept, by their places, and how many were left out and why."""

    scope: str
    places: tuple[int, ...]
    counts: Mapping[str, int]


def kept_facts(answer: ScorableAnswer, reread: Reread) -> Kept:
    """Return which facts of an answer are kept: those whose quotes are in its input. Raises `InputGone`."""
    content = reread.content(answer)
    text = _without_recalled(flat(reread.text(content)), content)
    places, counts = list[int](), Counter[str](unchecked=int(not text))
    for place, fact in enumerate(_said(answer)):
        if not norm(fact.text):
            counts["empty"] += 1
        elif text and not is_quoted(fact.quote or "", text):
            counts["unquoted"] += 1
        else:
            counts["cut"] += len(fact.text) > MAX_FACT
            places.append(place)
    return Kept(content.values[SCOPE], tuple(places), counts)


def _without_recalled(text: str, content: Content) -> str:
    """Return a flat text without the facts that were recalled for it: it is no source of those."""
    for line in content.values.get(MEMORY, "").splitlines():
        text = text.replace(flat(line.removeprefix("- ")) or " ", " ")
    return text


def learnt_of(answer: ScorableAnswer, kept: Kept, evaluation: str) -> LearntInput:
    """Return what was learnt by an answer."""
    said = _said(answer)
    facts = (said[place] for place in kept.places)
    return LearntInput(
        evaluation=evaluation,
        name=answer.call.file or "",
        call=answer.key,
        scope=kept.scope,
        facts=tuple(map(_short, facts)),
        found=len(said),
        unquoted=kept.counts["unquoted"],
        cut=kept.counts["cut"],
    )


def _short(fact: NewFact) -> NewFact:
    quote = (fact.quote or "")[:MAX_FACT]
    return NewFact(type=fact.type, text=fact.text[:MAX_FACT], quote=quote or None)


def _said(answer: ScorableAnswer) -> list[NewFact]:
    """Return the facts in an answer, as they are."""
    record: Any = msgspec.json.decode(answer.call.data or "{}")
    found = record.get("facts") if isinstance(record, dict) else None
    return [
        NewFact(
            type=fact["type"] if fact.get("type") in FACT_TYPES else "other",
            text=str(fact.get("text", "")).strip(),
            quote=str(fact.get("quote", "")),
        )
        for fact in found or ()
        if isinstance(fact, dict)
    ]
