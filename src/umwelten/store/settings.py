"""The evaluation's settings as a row, and what differs between two of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.identity import settings_hash
from umwelten.prompts.messages import readable
from umwelten.records import Derived, Recall, StoredSpec
from umwelten.store.rows import clean, clean_optional, json_text
from umwelten.store.tables import MAX_REPEATS
from umwelten.tool_calls import OfferedTool, ToolSettings
from umwelten.types import ModelRef, Parameters, Prompt, RequestSettings, Schema, VariantSettings

_SHOWN = 60
_NONE = "none"
_NO_TEXTS = """SELECT 1 FROM models
    WHERE typeof(name) || typeof(provider) || typeof(slug) || typeof(variant) <> 'texttexttexttext'
    UNION ALL SELECT 1 FROM prompts WHERE typeof(name) || typeof(text) <> 'texttext'"""
_COLUMNS = ("prompts", "system", "parameters", "schema", "attachments", "variants", "tools")
"""The fields of `RequestSettings` that have a column or table of their own."""


def insert_settings(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    """Write the one row of `evaluation`."""
    request = msgspec.structs.replace(spec.request, system=clean_optional(spec.request.system))
    prompt = clean(request.prompt)
    attachments = [[clean(name), content.hex()] for name, content in request.attachments]
    connection.execute(
        "INSERT INTO evaluation (id, kind, prompt, system, parameters, attachments, repeats, settings_hash,"
        " created_at, umwelten, schema, tools) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            clean(spec.id),
            spec.kind,
            prompt,
            request.system,
            json_text(request.parameters),
            json_text(attachments),
            spec.repeats,
            settings_hash(request, prompt),
            time.time(),
            _version(),
            # Its fields stay in their order, which `json_text` would not keep.
            "" if request.schema is None else clean(msgspec.json.encode(request.schema).decode()),
            "" if request.tools is None else clean(msgspec.json.encode(request.tools).decode()),
        ),
    )


def update_settings(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    """Write what may differ from one plan to the next."""
    options = {"coerce": spec.coerce, **_without_column(spec.request)}
    if spec.derived is not None:
        options["derived"] = msgspec.to_builtins(spec.derived)
    if spec.recall is not None:
        options["recall"] = msgspec.to_builtins(spec.recall)
    connection.execute("UPDATE evaluation SET repeats = ?, options = ?", (spec.repeats, json_text(options)))


def read_settings(connection: sqlite3.Connection) -> StoredSpec | None:
    """Return the settings with the models and prompts of the latest plan; None: it was never started."""
    row = connection.execute(
        "SELECT id, kind, prompt, system, parameters, attachments, repeats, schema, options, tools"
        " FROM evaluation"
    ).fetchone()
    if row is None:
        return None
    try:
        _check_values(row[0], row[1], row[2], row[3], row[6])
        attachments = msgspec.json.decode(row[5], type=list[tuple[str, str]])
        options = msgspec.json.decode(row[8], type=dict[str, Any])
        columns = {
            "prompts": _active_prompts(connection) or (Prompt(name="", text=row[2]),),
            "system": row[3],
            "parameters": msgspec.json.decode(row[4], type=Parameters),
            "schema": msgspec.json.decode(row[7], type=Schema) if row[7] else None,
            "attachments": tuple((name, bytes.fromhex(digest)) for name, digest in attachments),
            "variants": _active_variants(connection),
            "tools": msgspec.json.decode(row[9], type=ToolSettings) if row[9] else None,
        }
        models = tuple(dict.fromkeys(active_models(connection).values()))
        if not models or connection.execute(_NO_TEXTS).fetchone():
            raise ValueError("models or prompts are not as they were stored")
        return StoredSpec(
            id=row[0],
            kind=row[1],
            models=models,
            request=msgspec.convert(options | columns, RequestSettings),
            repeats=row[6],
            coerce=options.get("coerce", False),
            derived=msgspec.convert(options.get("derived"), Derived | None),
            recall=msgspec.convert(options.get("recall"), Recall | None),
        )
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"the settings of evaluation {row[0]!r} cannot be read: {error}") from error


def _check_values(id: object, kind: object, prompt: object, system: object, repeats: object) -> None:
    """Raise ValueError for what no umwelten has stored: what is read may come from somebody else."""
    texts = isinstance(id, str) and isinstance(prompt, str) and isinstance(system, str | None)
    if not texts or kind not in ("run", "batch"):
        raise ValueError("a column is not of its type")
    if not isinstance(repeats, int) or not 0 < repeats <= MAX_REPEATS:
        raise ValueError(f"{repeats!r} repeats")


def _without_column(request: RequestSettings) -> dict[str, Any]:
    """The fields that the column `options` holds."""
    return {name: value for name, value in msgspec.structs.asdict(request).items() if name not in _COLUMNS}


def active_models(connection: sqlite3.Connection) -> dict[int, ModelRef]:
    """Return the models of the latest plan by variant: all prompts and settings of one, then of the next."""
    rows = connection.execute(
        # A server that swaps models should see all variants of one in a row.
        "SELECT id, provider, name, variant FROM models WHERE active ORDER BY"
        " min(id) OVER (PARTITION BY substr(name, 1, length(name) - length(variant) - (variant <> ''))),"
        " min(id) OVER (PARTITION BY name), prompt_id"
    )
    return {number: _model(provider, name, variant) for number, provider, name, variant in rows}


def _model(provider: str, name: str, variant: str) -> ModelRef:
    model = name.removeprefix(provider + ":")
    return ModelRef(provider, model.removesuffix(f"@{variant}") if variant else model, variant)


def all_models(connection: sqlite3.Connection) -> dict[str, ModelRef]:
    """Return all models that there ever were, by name."""
    rows = connection.execute("SELECT DISTINCT provider, name, variant FROM models")
    return {name: _model(provider, name, variant) for provider, name, variant in rows}


def all_variants(connection: sqlite3.Connection) -> dict[str, VariantSettings]:
    """Return all variants that there ever were, by name, in the order of their names."""
    rows = connection.execute("SELECT name, system, parameters FROM variants ORDER BY name")
    return {
        name: VariantSettings(
            name=name, system=system, parameters=msgspec.json.decode(parameters, type=Parameters)
        )
        for name, system, parameters in rows
    }


def _active_variants(connection: sqlite3.Connection) -> tuple[VariantSettings, ...]:
    """Return those of the latest plan. Raises ValueError where one is missing."""
    known = all_variants(connection)
    rows = connection.execute("SELECT DISTINCT variant FROM models WHERE active AND variant <> ''")
    names = sorted(name for (name,) in rows)
    if lost := [name for name in names if name not in known]:
        raise ValueError(f"the settings of variant {lost[0]!r} are missing")
    return tuple(known[name] for name in names)


def prompt_names(connection: sqlite3.Connection) -> dict[int, str]:
    """Return the prompts' names of the latest plan by variant; "" where there is one prompt alone."""
    rows = connection.execute(
        "SELECT m.id, coalesce(p.name, '') FROM models m LEFT JOIN prompts p ON p.id = m.prompt_id"
        " WHERE m.active ORDER BY m.id"
    )
    return dict(rows.fetchall())


def prompt_texts(connection: sqlite3.Connection) -> dict[str, str]:
    """Return all prompts that there ever were, by name."""
    return dict(connection.execute("SELECT name, text FROM prompts ORDER BY id").fetchall())


def _active_prompts(connection: sqlite3.Connection) -> tuple[Prompt, ...]:
    rows = connection.execute(
        "SELECT name, text FROM prompts WHERE id IN (SELECT prompt_id FROM models WHERE active) ORDER BY id"
    )
    return tuple(Prompt(name=name, text=text) for name, text in rows)


def differences(old: StoredSpec, new: StoredSpec, texts: Mapping[str, str]) -> list[str]:
    """Return what would mix answers, a line each: `prompt: "old" → "new"`. Empty: nothing.

    `texts` are the prompts that there ever were, by name: further ones may be added.
    """
    before, after = (
        {
            "kind": spec.kind,
            "prompt": clean(spec.request.prompt),
            "system": clean_optional(spec.request.system),
            **_without_column(spec.request),
        }
        for spec in (old, new)
    )
    lines = [
        _line(name, _shown(before[name]), _shown(after[name]))
        for name in before
        if before[name] != after[name]
    ]
    lines += _prompt_lines(old.request, new.request, texts)
    lines += _schema_lines(old.request.schema, new.request.schema)
    lines += _tool_lines(old.request.tools, new.request.tools)
    lines += _parameter_lines(old.request.parameters, new.request.parameters)
    lines += _attachment_lines(old.request, new.request)
    return lines


def variant_differences(connection: sqlite3.Connection, new: StoredSpec) -> Iterator[str]:
    """Yield what would mix answers of models with settings of their own, a line each.

    Further variants may be added; one that was asked before has to be as it was.
    """
    models, known = all_models(connection), all_variants(connection)
    for model in new.models:
        before = models.get(str(model), model)
        if before != model:
            yield _line(f"model {model}", _told(before), _told(model))
    for variant in new.request.variants:
        old = known.get(variant.name)
        if old is None:
            continue
        name, system = f"variant {variant.name}", clean_optional(variant.system)
        if old.system != system:
            yield _line(f"{name}, system", _shown(old.system), _shown(system))
        yield from (f"{name}, {line}" for line in _parameter_lines(old.parameters, variant.parameters))


def _told(model: ModelRef) -> str:
    return f"{model.plain} as {model.variant}" if model.variant else "the whole is the model's name"


def _prompt_lines(old: RequestSettings, new: RequestSettings, texts: Mapping[str, str]) -> Iterator[str]:
    if bool(old.named_prompts) != bool(new.named_prompts):
        names = ", ".join(prompt.name for prompt in new.named_prompts)
        yield _line("prompts", ", ".join(texts) or _NONE, names or _NONE)
    for prompt in new.named_prompts:
        before = texts.get(prompt.name)
        if before is not None and before != clean(prompt.text):
            yield _line(f"prompt {prompt.name}", _shown(before), _shown(clean(prompt.text)))


def _schema_lines(old: Schema | None, new: Schema | None) -> Iterator[str]:
    before, after = (_NONE if one is None else json_text(one.json) for one in (old, new))
    if before == after:
        return
    if old is not None and new is not None and old.source != new.source:
        before, after = old.source, new.source
    yield _line("schema", before, after)


def _tool_lines(old: ToolSettings | None, new: ToolSettings | None) -> Iterator[str]:
    before, after = ({tool.name: tool for tool in (one.tools if one else ())} for one in (old, new))
    if list(before) != list(after):
        yield _line("tools", ", ".join(before) or _NONE, ", ".join(after) or _NONE)
    for name in (name for name in before if name in after):
        changed = _tool_changes(before[name], after[name])
        if changed:
            yield f"tool {name}: another {' and another '.join(changed)}"
    if old is not None and new is not None:
        for label, field in (("tool_choice", "choice"), ("max_steps", "max_steps")):
            pair = _shown(getattr(old, field)), _shown(getattr(new, field))
            if pair[0] != pair[1]:
                yield _line(label, *pair)


def _tool_changes(one: OfferedTool, other: OfferedTool) -> list[str]:
    """Return what of a tool is not what it was."""
    changed = []
    if one.definition.description != other.definition.description:
        changed.append("description")
    if json_text(one.definition.parameters) != json_text(other.definition.parameters):
        changed.append("schema")
    # Of a server's tool only those are known, and code with another schema is another in any case.
    is_told = "schema" in changed or (changed and one.source.startswith("mcp:"))
    if one.fingerprint != other.fingerprint and not is_told:
        changed.append("code")
    return changed


def _parameter_lines(old: Parameters, new: Parameters) -> Iterator[str]:
    before, after = _flat(old), _flat(new)
    for name in sorted(before.keys() | after.keys()):
        pair = before.get(name, _NONE), after.get(name, _NONE)
        if pair[0] != pair[1]:
            yield _line(name, *pair)


def _flat(parameters: Parameters) -> dict[str, str]:
    # Through JSON, so that what was stored and what is given are of the same types.
    same = msgspec.json.decode(msgspec.json.encode(parameters), type=Parameters)
    named = {name: getattr(same, name) for name in same.__struct_fields__ if name != "extra"}
    shown = {name: _shown(value) for name, value in named.items() if value is not None}
    return shown | {f"param {name}": json_text(value) for name, value in same.extra.items()}


def _attachment_lines(old: RequestSettings, new: RequestSettings) -> Iterator[str]:
    before, after = ([content for _, content in request.attachments] for request in (old, new))
    if before != after:
        yield _line("attachments", _attachments(old), _attachments(new))


def _attachments(request: RequestSettings) -> str:
    return ", ".join(f"{clean(name)} ({content.hex()[:8]})" for name, content in request.attachments) or _NONE


def _line(name: str, before: str, after: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    return f"{name}: {_short(before, start)} → {_short(after, start)}"


def _shown(value: object) -> str:
    if isinstance(value, str):
        value = readable(value)
    return _NONE if value is None else json_text(value)


def _short(text: str, difference: int) -> str:
    """At most `_SHOWN` characters around the first difference, so that two long texts look different."""
    if len(text) <= _SHOWN:
        return text
    start = max(0, min(difference - 15, len(text) - _SHOWN))
    cut = text[start : start + _SHOWN]
    return ("…" if start else "") + cut + ("…" if start + _SHOWN < len(text) else "")


def _version() -> str:
    # Slow to import, and needed once an evaluation.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("umwelten")
    except PackageNotFoundError:
        return "unknown"
