"""What was sent beside the prompt, as reports show it."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.report.models import ReportedSettings, ReportedTools, ReportedVariant
from umwelten.store.reader import Reader
from umwelten.tool_calls import ToolSettings
from umwelten.types import Parameters


def reported_settings(reader: Reader) -> ReportedSettings:
    """Return what was sent beside the prompt."""
    row = reader.connection.execute("SELECT repeats, parameters, attachments FROM evaluation").fetchone()
    variants = tuple(
        ReportedVariant(name=one.name, parameters=parameter_texts(one.parameters), system=one.system)
        for one in reader.spec().request.variants
    )
    return ReportedSettings(
        repeats=row["repeats"],
        parameters=_texts(msgspec.json.decode(row["parameters"])),
        attachments=tuple(name for name, _ in msgspec.json.decode(row["attachments"])),
        price_lists=_price_lists(reader.connection) or msgspec.UNSET,
        variants=variants or msgspec.UNSET,
        tools=_tools(reader.spec().request.tools),
    )


def _tools(offered: ToolSettings | None) -> ReportedTools | msgspec.UnsetType:
    if offered is None:
        return msgspec.UNSET
    names = tuple(tool.name for tool in offered.tools)
    return ReportedTools(names=names, choice=offered.choice, max_steps=offered.max_steps)


def parameter_texts(parameters: Parameters) -> tuple[tuple[str, str], ...]:
    """Return those that are set by name, as texts."""
    return _texts(msgspec.to_builtins(parameters, order="deterministic"))


def _texts(given: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    given |= given.pop("extra", None) or {}
    return tuple((name, _as_text(value)) for name, value in given.items() if value is not None)


class _RunSettings(msgspec.Struct):
    prices: str | None = None


def _price_lists(connection: sqlite3.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT settings FROM runs").fetchall()
    try:
        runs = [msgspec.json.decode(row["settings"], type=_RunSettings) for row in rows]
    except msgspec.MsgspecError as error:
        raise StoreError(f"the database is damaged: the settings of a run cannot be read: {error}") from error
    return tuple(sorted({run.prices for run in runs if run.prices is not None}))


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
