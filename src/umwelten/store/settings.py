"""The evaluation's settings as a row, and what differs between two of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping

import msgspec

from umwelten.errors import StoreError
from umwelten.identity import settings_hash
from umwelten.records import StoredSpec
from umwelten.store.rows import clean, cleaned, json_text
from umwelten.types import FrozenStruct, ModelRef, Parameters, Prompt, Schema

_SHOWN = 60
_NONE = "none"


class _OptionsJson(FrozenStruct):
    """What the column `options` holds."""

    coerce: bool = False
    pdf: str = "auto"
    source: str = "files"


def insert_settings(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    """Write the one row of `evaluation`."""
    prompt, system = clean(spec.prompt), cleaned(spec.system)
    digest = settings_hash(
        prompt=prompt,
        system=system,
        parameters=spec.parameters,
        schema=None if spec.schema is None else spec.schema.json,
        attachments=[content for _, content in spec.attachments],
        pdf=spec.pdf,
        source=spec.source,
    )
    attachments = [[clean(name), content.hex()] for name, content in spec.attachments]
    connection.execute(
        "INSERT INTO evaluation (id, kind, prompt, system, parameters, attachments, repeats, settings_hash,"
        " created_at, umwelten, schema) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            clean(spec.id),
            spec.kind,
            prompt,
            system,
            json_text(spec.parameters),
            json_text(attachments),
            spec.repeats,
            digest,
            time.time(),
            _version(),
            # Its fields stay in their order, which `json_text` would not keep.
            "" if spec.schema is None else clean(msgspec.json.encode(spec.schema).decode()),
        ),
    )


def update_settings(connection: sqlite3.Connection, spec: StoredSpec) -> None:
    """What may differ from one plan to the next."""
    options = _OptionsJson(coerce=spec.coerce, pdf=spec.pdf, source=spec.source)
    connection.execute("UPDATE evaluation SET repeats = ?, options = ?", (spec.repeats, json_text(options)))


def read_settings(connection: sqlite3.Connection) -> StoredSpec | None:
    """The settings with the models and prompts of the latest plan; None: it was never started."""
    row = connection.execute(
        "SELECT id, kind, prompt, system, parameters, attachments, repeats, schema, options FROM evaluation"
    ).fetchone()
    if row is None:
        return None
    try:
        parameters = msgspec.json.decode(row[4], type=Parameters)
        attachments = msgspec.json.decode(row[5], type=list[tuple[str, str]])
        options = msgspec.json.decode(row[8], type=_OptionsJson)
        return StoredSpec(
            id=row[0],
            kind=row[1],
            prompt=row[2],
            system=row[3],
            parameters=parameters,
            attachments=tuple((name, bytes.fromhex(digest)) for name, digest in attachments),
            repeats=row[6],
            models=tuple(dict.fromkeys(active_models(connection).values())),
            prompts=_active_prompts(connection),
            schema=msgspec.json.decode(row[7], type=Schema) if row[7] else None,
            coerce=options.coerce,
            pdf=options.pdf,
            source=options.source,
        )
    except (ValueError, msgspec.MsgspecError) as error:
        raise StoreError(f"the settings of evaluation {row[0]!r} cannot be read: {error}") from error


def active_models(connection: sqlite3.Connection) -> dict[int, ModelRef]:
    """The models of the latest plan by variant: all prompts of one, then all of the next."""
    found = connection.execute(
        "SELECT id, provider, name FROM models WHERE active"
        " ORDER BY min(id) OVER (PARTITION BY name), prompt_id"
    )
    return {number: ModelRef(provider, name.removeprefix(provider + ":")) for number, provider, name in found}


def prompt_names(connection: sqlite3.Connection) -> dict[int, str]:
    """The names of the prompts of the latest plan by variant; "" where there is one prompt alone."""
    found = connection.execute(
        "SELECT m.id, coalesce(p.name, '') FROM models m LEFT JOIN prompts p ON p.id = m.prompt_id"
        " WHERE m.active ORDER BY m.id"
    )
    return dict(found.fetchall())


def prompt_texts(connection: sqlite3.Connection) -> dict[str, str]:
    """All prompts that there ever were, by name."""
    return dict(connection.execute("SELECT name, text FROM prompts ORDER BY id").fetchall())


def _active_prompts(connection: sqlite3.Connection) -> tuple[Prompt, ...]:
    found = connection.execute(
        "SELECT name, text FROM prompts WHERE id IN (SELECT prompt_id FROM models WHERE active) ORDER BY id"
    )
    return tuple(Prompt(name=name, text=text) for name, text in found)


def differences(old: StoredSpec, new: StoredSpec, texts: Mapping[str, str]) -> list[str]:
    """What would mix answers, a line each: `prompt: "old" → "new"`. Empty: nothing.

    `texts` are the prompts that there ever were, by name: further ones may be added.
    """
    found = [
        _line(name, _shown(before), _shown(after))
        for name, before, after in (
            ("kind", old.kind, new.kind),
            ("prompt", old.prompt, clean(new.prompt)),
            ("system", old.system, cleaned(new.system)),
            ("pdf", old.pdf, new.pdf),
            ("source", old.source, new.source),
        )
        if before != after
    ]
    found += _prompt_lines(bool(old.prompts), new, texts)
    found += _schema_lines(old.schema, new.schema)
    found += _parameter_lines(old.parameters, new.parameters)
    if [content for _, content in old.attachments] != [content for _, content in new.attachments]:
        found.append(_line("attachments", _attachments(old), _attachments(new)))
    return found


def _prompt_lines(several: bool, new: StoredSpec, texts: Mapping[str, str]) -> Iterator[str]:
    if several != bool(new.prompts):
        yield _line("prompts", ", ".join(texts) or _NONE, ", ".join(one.name for one in new.prompts) or _NONE)
    for one in new.prompts:
        before = texts.get(one.name)
        if before is not None and before != clean(one.text):
            yield _line(f"prompt {one.name}", _shown(before), _shown(clean(one.text)))


def _schema_lines(old: Schema | None, new: Schema | None) -> Iterator[str]:
    before, after = (_NONE if one is None else json_text(one.json) for one in (old, new))
    if before == after:
        return
    if old is not None and new is not None and old.source != new.source:
        before, after = old.source, new.source
    yield _line("schema", before, after)


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
    found = {name: _shown(value) for name, value in named.items() if value is not None}
    return found | {f"param {name}": json_text(value) for name, value in same.extra.items()}


def _attachments(spec: StoredSpec) -> str:
    return ", ".join(f"{clean(name)} ({content.hex()[:8]})" for name, content in spec.attachments) or _NONE


def _line(name: str, before: str, after: str) -> str:
    start = next((i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    return f"{name}: {_short(before, start)} → {_short(after, start)}"


def _shown(value: object) -> str:
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
