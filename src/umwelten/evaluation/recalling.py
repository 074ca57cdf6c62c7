"""From the options of memory to what a run recalls, and prompts with a place for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

from umwelten.config.settings import Settings
from umwelten.errors import StoreError, UsageError
from umwelten.evaluation.spec import Output
from umwelten.inputs.scopes import Scope, no_scope
from umwelten.inputs.sources import Inputs
from umwelten.phrases import Phrase
from umwelten.prompts.messages import changed, readable
from umwelten.prompts.template import MEMORY, Template
from umwelten.records import Recall
from umwelten.store.database import has_database
from umwelten.store.memory.tables import check_name
from umwelten.store.reader import Reader
from umwelten.types import FrozenStruct, Prompt, RequestSettings

if TYPE_CHECKING:
    from umwelten.inputs.recall import RecalledFacts

_BEFORE = f"What is known from before:\n{{{{{MEMORY}}}}}\n\n"
"""Stands before a prompt that has no place for what is recalled."""


class Wanted(FrozenStruct):
    """Which store a run recalls from, and what for. `learns`: it may be empty, as the run adds to it."""

    store: str
    scope: Scope
    limit: int
    learns: bool


def wanted_memory(kind: Literal["run", "batch"], settings: Settings) -> Wanted | None:
    """Return what the options ask for, `None` without a store. Raises `UsageError`."""
    recall, memory = settings.get("recall"), settings.get("memory")
    if recall is not None and memory is not None:
        raise UsageError(
            Phrase("{option:recall} and {option:memory} exclude each other"),
            Phrase("{option:memory} recalls as well."),
            argument="memory",
        )
    name = recall if memory is None else memory
    if name is None:
        for option in ("scope", "recall_limit", "recall_now"):
            if option in settings.given:
                raise UsageError(
                    Phrase("{option:{name}} goes with {option:recall} or {option:memory}", name=option),
                    "Name the memory store, or leave it out.",
                    argument=option,
                )
        return None
    check_name(name)
    if settings.get("recall_now") and not settings.get("resume"):
        raise UsageError(
            Phrase("{option:recall_now} goes with {option:resume}"),
            "A new evaluation recalls what is known now in any case.",
            argument="recall_now",
        )
    if settings.get("scope") is None:
        raise no_scope()
    scope = Scope(settings.get("scope"))
    if kind == "run" and not scope.is_fixed:
        raise UsageError(
            Phrase("the scope {scope} has a placeholder, and a run has no input", scope=scope.template),
            Phrase("Write the scope itself: {option:scope=alice}"),
            argument="scope",
        )
    return Wanted(store=name, scope=scope, limit=settings.get("recall_limit"), learns=memory is not None)


def with_recalled(
    wanted: Wanted | None,
    settings: Settings,
    output: Output,
    kind: Literal["run", "batch"],
    prompts: tuple[Prompt, ...],
    inputs: Inputs | None,
) -> tuple[Recall | None, tuple[Prompt, ...], Inputs | None, Output]:
    """Return what is recalled, and the others with it. Raises `UsageError`, `StoreError`."""
    if wanted is None:
        check_no_memory(kind, prompts)
        return None, prompts, inputs, output
    facts = recalled(wanted, settings, output)
    # What is recalled is personal: no id of an evaluation is made of it.
    output = msgspec.structs.replace(output, words=prompts[0].text)
    prompts = with_place(prompts)
    if inputs is None:
        return facts.recall, filled_in(prompts, facts), None, output
    return facts.recall, prompts, with_memory(inputs, facts), output


def recalled(wanted: Wanted, settings: Settings, output: Output) -> RecalledFacts:
    """Return the facts of the store as of the run's start, which an evaluation that is resumed has stored.

    Raises `StoreError` for a store that is not there.
    """
    # Imported here because few runs recall anything.
    from umwelten.inputs.recall import RecalledFacts, current_seq

    seq = None if settings.get("recall_now") else _stored_seq(wanted, output)
    if seq is None:
        seq = current_seq(output.output_dir, wanted.store, missing=wanted.learns)
    recall = Recall(store=wanted.store, scope=wanted.scope.template, limit=wanted.limit, seq=seq)
    return RecalledFacts(output.output_dir, recall)


def _stored_seq(wanted: Wanted, output: Output) -> int | None:
    folder = output.output_dir / (output.id or "")
    if output.mode != "resume" or not has_database(folder):
        return None
    try:
        with Reader.open(folder) as reader:
            stored = reader.spec().recall
    except StoreError:
        return None  # what is wrong with it is told when it is opened for good
    return stored.seq if stored is not None and stored.store == wanted.store else None


def with_place(prompts: tuple[Prompt, ...]) -> tuple[Prompt, ...]:
    """Return the prompts, each with a place for what is recalled: before it where it names none."""
    return tuple(
        prompt
        if MEMORY in Template(prompt.text).names
        else msgspec.structs.replace(
            prompt, text=changed(prompt.text, lambda words: _BEFORE + words, only_question=True)
        )
        for prompt in prompts
    )


def filled_in(prompts: tuple[Prompt, ...], facts: RecalledFacts) -> tuple[Prompt, ...]:
    """Return the prompts of a run, which has no input, with what is recalled in its place."""
    # What is recalled is no template.
    text = facts.text(facts.scope.of_values({}), " ".join(readable(p.text) for p in prompts)).replace(
        "{{", "{ {"
    )
    return tuple(
        msgspec.structs.replace(prompt, text=_render(prompt.text, {MEMORY: text})) for prompt in prompts
    )


def _render(text: str, values: Mapping[str, str]) -> str:
    template = Template(text)
    if set(template.names) <= values.keys():
        return changed(text, lambda words: Template(words).render(values))
    return changed(text, lambda words: words.replace(f"{{{{{MEMORY}}}}}", values[MEMORY]))


def with_memory(inputs: Inputs, facts: RecalledFacts) -> Inputs:
    """Return the inputs, with what is recalled for each. Raises `UsageError` for a scope that none has."""
    facts.scope.check(inputs.columns, answers=inputs.source == "answers")
    added = facts.added()
    if inputs.added is not None:
        # Its hash stands beside the input's, which has the others in it.
        added = msgspec.structs.replace(inputs.added, also=added)
    return msgspec.structs.replace(inputs, added=added)


def check_no_memory(kind: Literal["run", "batch"], prompts: tuple[Prompt, ...]) -> None:
    """Raise `UsageError` for `{{memory}}` in the prompts of a run that recalls nothing."""
    # A batch checks all of its placeholders.
    if kind == "run" and any(MEMORY in Template(prompt.text).names for prompt in prompts):
        raise UsageError(
            Phrase("the prompt has {place}, and nothing is recalled", place="{{memory}}"),
            Phrase(
                "Give {option:recall=NAME}; for the literal text write {literal}.", literal="\\{{memory}}"
            ),
            argument="recall",
        )


def check_systems(request: RequestSettings) -> None:
    """Raise `UsageError` for `{{memory}}` in a system prompt, where nothing is filled in."""
    systems = (request.system, *(variant.system for variant in request.variants))
    if any(system and MEMORY in Template(system).names for system in systems):
        raise UsageError(
            Phrase("the system prompt has {place}, and nothing is filled in there", place="{{memory}}"),
            Phrase("Put it in the prompt: system prompts go out as they are."),
            argument="system",
        )
