"""What `umwelten tools` prints."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
import msgspec

from umwelten.attempts.key_mask import KeyMask
from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.table_layout import write_table
from umwelten.config.endpoints import all_keys, vendors
from umwelten.config.settings import Settings, load
from umwelten.config.tool_lists import trusted_lists
from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.tool_schemas import schema_tokens, wire_schemas
from umwelten.evaluation.toolboxes import open_toolbox
from umwelten.text.sanitize import one_line, safe
from umwelten.tool_calls import ToolCall, ToolOutcome
from umwelten.tools.entries import BUILT_IN, LIST, MCP, expand_lists, named_file
from umwelten.tools.rules import ToolRules
from umwelten.tools.runner import ToolRunner
from umwelten.tools.tool import Tool, ToolContext

_ALL = ToolRules(allow=("*",))
"""Of servers, also the tools that are offered only where they are named."""

_WIDEST = 200


class ToolRow(msgspec.Struct, frozen=True, kw_only=True):
    """A tool as `tools list` has it; `name` is what `--tools` takes."""

    name: str
    source: str
    read_only: bool
    description: str


def list_tools(entries: tuple[str, ...], *, as_json: bool) -> None:
    """Print the tools; what cannot be used is told, and the others are listed."""
    settings = load(Path.cwd(), os.environ)
    rows: dict[str, ToolRow] = {}
    problems: list[UmweltenError] = []
    with settings.concealing():
        for entry in _expanded(entries or tuple(_configured(settings)), settings, problems):
            try:
                rows |= {row.name: row for row in _rows(entry, settings)}
            except UmweltenError as error:
                problems.append(error)
    if as_json:
        print_json(list(rows.values()))
    else:
        write_table(
            ("NAME", "FROM", "DESCRIPTION"),
            [(row.name, row.source, _first_line(row.description)) for row in rows.values()],
            shrink=("DESCRIPTION",),
        )
    for problem in problems:
        click.echo(f"Error: {safe(settings.conceal(str(problem.spell(as_flag))))}", err=True)
    if problems:
        raise click.exceptions.Exit(2)


def _configured(settings: Settings) -> Iterator[str]:
    """Yield all that has a name: each by itself, so that one that fails takes no other along."""
    yield from BUILT_IN
    yield from (f"{LIST}{name}" for name in settings.tool_lists)
    yield from (f"{MCP}{name}" for name in settings.mcp)


def _expanded(entries: Iterable[str], settings: Settings, problems: list[UmweltenError]) -> Iterator[str]:
    """Yield the entries with those of lists in place of lists; of a stranger's only if they are trusted."""
    for entry in dict.fromkeys(entries):
        try:
            yield from expand_lists((entry,), trusted_lists((entry,), settings))
        except UmweltenError as error:
            problems.append(error)


def _rows(entry: str, settings: Settings) -> Iterator[ToolRow]:
    with open_toolbox([entry], settings, rules=_ALL, on_note=_note) as toolbox:
        for tool in toolbox.tools:
            yield ToolRow(
                name=_called(entry, tool),
                source=tool.source,
                read_only=tool.read_only,
                description=tool.definition.description,
            )


def _called(entry: str, tool: Tool) -> str:
    """Return what names this tool alone after `--tools`."""
    if tool.source.startswith(MCP):
        return f"{MCP}{tool.name}"
    file = named_file(entry)
    return tool.name if file is None else f"{file[0]}:{file[1] or tool.name}"


def _note(text: str) -> None:
    click.echo(f"note: {safe(text)}", err=True)


def show_tools(entry: str, *, as_json: bool) -> None:
    """Print what models are told of the tools that are named."""
    settings = load(Path.cwd(), os.environ)
    with settings.concealing(), open_toolbox([entry], settings, rules=_ALL, on_note=_note) as toolbox:
        views = [_view(tool) for tool in toolbox.tools]
    if as_json:
        print_json(views)
    else:
        sys.stdout.write("\n".join(line for view in views for line in _lines(view)) + "\n")


def _view(tool: Tool) -> dict[str, Any]:
    schemas = wire_schemas(tool.definition)
    tokens = schema_tokens(schemas)
    return {
        "name": tool.name,
        "source": tool.source,
        "called": tool.definition.name,
        "description": tool.definition.description,
        "read_only": tool.read_only,
        "once": tool.once,
        "sequential": tool.sequential,
        "timeout_s": tool.timeout_s,
        "retries": tool.retries,
        "tokens": max(tokens.values(), default=0),
        "parameters": tool.definition.parameters,
        "wires": schemas,
        "wire_tokens": tokens,
    }


def _lines(view: dict[str, Any]) -> Iterator[str]:
    called = "" if view["called"] == view["name"] else f", called {view['called']} by models"
    yield one_line(f"{view['name']} ({view['source']}){called}", _WIDEST)
    yield safe(view["description"])
    facts = [name.replace("_", " ") for name in ("read_only", "once", "sequential") if view[name]]
    facts += [f"at most {view['timeout_s']:g} s"] if view["timeout_s"] is not None else []
    facts += [f"{view['retries']} retries"] if view["retries"] else []
    if facts:
        yield ", ".join(facts)
    for wires, schema in _grouped(view["wires"]):
        tokens = view["wire_tokens"][wires[0]]
        yield f"\n{', '.join(wires)}, about {tokens:,} tokens in each request:"
        yield safe(json.dumps(schema, indent=2, ensure_ascii=False))
    yield ""


def _grouped(schemas: dict[str, Any]) -> Iterator[tuple[list[str], Any]]:
    """Yield each schema once, with the names of the wire formats that send it."""
    by_text: dict[bytes, list[str]] = {}
    for wire, schema in schemas.items():
        by_text.setdefault(msgspec.json.encode(schema), []).append(wire)
    for wires in by_text.values():
        yield wires, schemas[wires[0]]


def test_tool(entry: str, arguments: str, timeout: str | None, *, as_json: bool) -> None:
    """Call the tool that is named, and print what the model would be told."""
    settings = load(Path.cwd(), os.environ).with_flags({"tool_timeout_s": timeout}, as_flag)
    for note in settings.notes:
        _note(settings.conceal(note))
    with settings.concealing(), open_toolbox([entry], settings, on_note=_note) as toolbox:
        tool = _only(entry, toolbox.tools)
        outcome = asyncio.run(_outcome(tool, arguments, settings))
    if as_json:
        print_json(
            {
                "tool": outcome.tool,
                "state": outcome.state,
                "text": outcome.text,
                "error": outcome.error,
                "took_s": outcome.took_s,
            }
        )
    else:
        if outcome.error is not None:
            click.echo(safe(outcome.error).rstrip(), err=True)
        click.echo(safe(outcome.text) if sys.stdout.isatty() else outcome.text)
    if outcome.is_error:
        raise click.exceptions.Exit(1)


async def _outcome(tool: Tool, arguments: str, settings: Settings) -> ToolOutcome:
    context = ToolContext(model="umwelten:test", call_key="test", started_at=time.time())
    call = ToolCall(id="call_1", name=tool.definition.name, arguments=arguments)
    mask = KeyMask(all_keys(vendors(settings).values(), settings))
    runner = ToolRunner(
        [tool],
        timeout_s=settings.get("tool_timeout_s"),
        concurrency=1,
        masked=mask.text,
        masked_error=mask.words,
    )
    (outcome,) = await runner.run((call,), context)
    return outcome


def _only(entry: str, tools: Iterable[Tool]) -> Tool:
    found = list(tools)
    if len(found) != 1:
        names = ", ".join(_called(entry, tool) for tool in found)
        raise UsageError(f"{entry} has {len(found)} tools", f"Name one of them: {names}." if names else None)
    return found[0]


def _first_line(text: str) -> str:
    return one_line(text.strip().partition("\n")[0], _WIDEST)
