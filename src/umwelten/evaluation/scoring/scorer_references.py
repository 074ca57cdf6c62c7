"""Where each scorer's references are, and whether it can do anything with them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.scoring.spec import ScoringSpec
from umwelten.inputs.references import References, read_references
from umwelten.phrases import Phrase, by_name
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition


def read_all_references(spec: ScoringSpec, output_dir: Path) -> dict[str, References]:
    """Return the references of all scorers by what says where they are.

    Errors: `UsageError` for a scorer that needs some and has none, `InputError`.
    """
    found: dict[str, References] = {}
    for definition in spec.scorers:
        where = place_of_references(definition, spec)
        if where is None:
            _check_needs_none(definition)
            continue
        if where not in found:
            base = spec.bases.get(definition.name, Path()) if definition.expected else spec.base
            with _naming_scorer(definition):
                found[where] = read_references(where, output_dir, base)
        _check_not_fields(definition, where, found[where])
    return found


@contextmanager
def _naming_scorer(definition: Definition) -> Iterator[None]:
    """Let errors about a scorer's own reference name the scorer: it is no option of the command."""
    try:
        yield
    except UmweltenError as error:
        if definition.expected:
            error.wording = f"scorer {definition.name!r}: {error.spell(by_name).message}"
            error.argument = None
        raise


def _check_not_fields(definition: Definition, where: str, references: References) -> None:
    """Refuse a table that has a column for each field where one value is compared: it would score nothing."""
    if references.fields and _compares_one(definition):
        raise UsageError(
            Phrase(
                "scorer {name!r} ({type}) looks for a column 'expected', and {where} has none",
                name=definition.name,
                type=definition.type,
                where=where,
            ),
            Phrase(
                "Its columns are {columns}. Call the one that says what answers should be 'expected', or "
                "take the scorer fields, which compares records field by field.",
                columns=", ".join(references.fields),
            ),
            argument=None if definition.expected else "expected",
        )


def _compares_one(definition: Definition) -> bool:
    needs = CATALOG[definition.type].needs
    return needs not in ("nothing", "group", "fields") and "value" not in definition.settings


def place_of_references(definition: Definition, spec: ScoringSpec) -> str | None:
    """Return what says where a scorer's references are; its own counts over that of all."""
    return definition.expected or spec.expected


def _check_needs_none(definition: Definition) -> None:
    if CATALOG[definition.type].needs == "fields" or _compares_one(definition):
        raise UsageError(
            Phrase(
                "scorer {name!r} ({type}) compares answers with references, and none are given",
                name=definition.name,
                type=definition.type,
            ),
            Phrase(
                "Say where they are with {option:expected}, or give the scorer a value: {type}:Paris",
                type=definition.type,
            ),
            argument="expected",
        )
