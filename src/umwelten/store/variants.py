"""What an evaluation asks for, settled in its database: settings, prompts, and models by variant."""

from __future__ import annotations

import itertools
import sqlite3

import msgspec

from umwelten.errors import EvaluationChanged, UsageError
from umwelten.phrases import Phrase
from umwelten.records import StoredSpec
from umwelten.store import text_file_names
from umwelten.store.rows import clean, clean_optional, json_text
from umwelten.store.settings import (
    differences,
    insert_settings,
    prompt_texts,
    read_settings,
    update_settings,
    variant_differences,
)
from umwelten.store.tables import MAX_MODELS, MAX_REPEATS


def check_size(spec: StoredSpec) -> StoredSpec:
    """Return the spec itself. Raises UsageError if it has more than a call's number can tell apart."""
    prompts = spec.request.prompts
    if not 1 <= len(spec.models) * len(prompts) <= MAX_MODELS:
        times = f" × {len(prompts)} prompts" if spec.request.named_prompts else ""
        raise UsageError(f"{len(spec.models)} models{times}; 1 to {MAX_MODELS} are possible")
    if not 1 <= spec.repeats <= MAX_REPEATS:
        raise UsageError(f"{spec.repeats} repeats; 1 to {MAX_REPEATS} are possible")
    return spec


def write_plan(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    """Settle settings, models and repeats in the database. Raises EvaluationChanged."""
    stored = read_settings(connection)
    if stored is None:
        insert_settings(connection, spec)
    else:
        refuse_changes(connection, stored, spec)
        # Another one is stored with its inputs, see `Store.set_inputs`.
        spec = msgspec.structs.replace(spec, recall=stored.recall)
    update_settings(connection, spec)
    _write_variants(connection, spec)


def refuse_changes(connection: sqlite3.Connection, stored: StoredSpec, spec: StoredSpec) -> None:
    """Raise EvaluationChanged for settings that would mix answers with those that are stored."""
    changed = differences(stored, spec, prompt_texts(connection))
    changed += variant_differences(connection, spec)
    if changed:
        raise EvaluationChanged(
            f"evaluation {spec.id!r} was started with other settings; going on would mix answers:\n  "
            + "\n  ".join(changed),
            Phrase("use a new {option:id}, or {option:overwrite}"),
        )


def _write_variants(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    connection.executemany(
        "INSERT OR IGNORE INTO prompts (name, text) VALUES (?, ?)",
        ((prompt.name, clean(prompt.text)) for prompt in spec.request.named_prompts),
    )
    connection.executemany(
        "INSERT OR IGNORE INTO variants (name, system, parameters) VALUES (?, ?, ?)",
        (
            (variant.name, clean_optional(variant.system), json_text(variant.parameters))
            for variant in spec.request.variants
        ),
    )
    numbers = {"": 0, **dict(connection.execute("SELECT name, id FROM prompts").fetchall())}
    prompts = {numbers[prompt.name]: prompt.name for prompt in spec.request.prompts}
    connection.execute("UPDATE models SET active = 0")
    for ref, (number, prompt) in itertools.product(spec.models, prompts.items()):
        if not connection.execute(
            "UPDATE models SET active = 1 WHERE name = ? AND prompt_id = ?", (str(ref), number)
        ).rowcount:
            slug = text_file_names.slug(
                ref, prompt, slugs_of(connection).values(), lambda slug: _ends_stem(connection, slug)
            )
            connection.execute(
                "INSERT INTO models (name, provider, slug, prompt_id, variant) VALUES (?, ?, ?, ?, ?)",
                (str(ref), ref.provider, slug, number, ref.variant),
            )


def slugs_of(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the variants' parts of text files' names, by variant."""
    return dict(connection.execute("SELECT id, slug FROM models").fetchall())


def first_variant(connection: sqlite3.Connection) -> int:
    """Return the number of the first model and prompt that there ever were."""
    return int(connection.execute("SELECT min(id) FROM models").fetchone()[0])


def _ends_stem(connection: sqlite3.Connection, slug: str) -> bool:
    # Inputs that were there before the model: their names stay, so the model's has to give way.
    ending = "." + slug
    rows = connection.execute(
        "SELECT 1 FROM inputs WHERE substr(stem, ?) = ? COLLATE NOCASE LIMIT 1", (-len(ending), ending)
    )
    return rows.fetchone() is not None
