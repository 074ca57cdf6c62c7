"""From what a user wants to what an evaluation's store keeps of it."""

from __future__ import annotations

from umwelten.plan import Plan
from umwelten.store.records import Spec
from umwelten.wanted import Wanted


def spec_of(wanted: Wanted, plan: Plan, id_: str) -> Spec:
    """The settings as the store keeps and compares them."""
    return Spec(
        id=id_,
        kind=wanted.kind,
        prompt=wanted.prompt,
        models=wanted.models,
        system=wanted.system,
        parameters=wanted.parameters,
        attachments=plan.attachments,
        repeats=wanted.repeats,
        schema=wanted.schema,
        prompts=wanted.prompts,
        coerce=wanted.coerce,
        pdf=wanted.pdf,
        source=wanted.source,
    )
