"""What models did with the tools that they were offered, for people: as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TextIO

from umwelten.report.models import CallResult, ModelRow, Overview, ReportedTools, ToolFigures, ToolUse
from umwelten.report.render.markdown_text import cell
from umwelten.report.render.markdown_text import table as markdown_table
from umwelten.report.render.markup import table, text
from umwelten.text import formatting
from umwelten.tool_calls import LAST_TURN

_MODEL_HEAD = ("model", "requests a call", "tool calls", "errors", "time of tools", "last turn without tools")
_TOOL_HEAD = ("tool", "from", "calls", "errors", "time-outs", "p50")


def tools_as_html(overviews: Sequence[Overview]) -> Iterator[str]:
    """Notes and tables, nothing where no tools were offered."""
    for overview in overviews:
        if overview.tools is not None:
            yield from _part(overview, overview.tools, several=len(overviews) > 1)


def _part(overview: Overview, used: ToolUse, *, several: bool) -> Iterator[str]:
    if several:
        yield f"<h3>{text(overview.evaluation.id)}</h3>\n"
    yield from (f"<p>{text(note)}.</p>\n" for note in notes(overview))
    models = [list(map(text, _model(row))) for row in _asked(overview)]
    yield table(_MODEL_HEAD, models, name="Use of tools by model")
    tools = [list(map(text, _tool(figures))) for figures in used.tools]
    yield table(_TOOL_HEAD, tools, name="Tools", words=2)


def write_markdown(overview: Overview, out: TextIO) -> None:
    """The same as a section; nothing where no tools were offered."""
    if overview.tools is None:
        return
    out.write("## Tools\n\n")
    for note in notes(overview):
        out.write(f"{cell(note)}.\n\n")
    models = (tuple(map(cell, _model(row))) for row in _asked(overview))
    markdown_table(out, _MODEL_HEAD, models, numbers_from=1)
    tools = (tuple(map(cell, _tool(figures))) for figures in overview.tools.tools)
    markdown_table(out, _TOOL_HEAD, tools, numbers_from=2)


def notes(overview: Overview) -> Iterator[str]:
    """`ollama:tiny: tools were offered and never called`, for each such model."""
    if overview.tools is None or overview.tools.never_allowed:
        return
    for row in overview.models:
        if row.tools is not None and row.tools.answered and not row.tools.tool_calls:
            yield f"{row.label}: tools were offered and never called"


def settings_of(tools: ReportedTools) -> str:
    """`calculator, rates.py: rate; at most 5 requests a call`."""
    choice = "" if tools.choice == "auto" else f", tool choice {tools.choice}"
    return f"{', '.join(tools.names)}; at most {formatting.count(tools.max_steps, 'request')} a call{choice}"


def words_of(result: CallResult) -> tuple[str, ...]:
    """`3 requests`, `4 tool calls`, `1 tool error`, as far as there were any."""
    metrics = result.metrics
    counts = (
        (metrics.steps, 2, "request"),
        (metrics.tool_calls, 1, "tool call"),
        (metrics.tool_errors, 1, "tool error"),
    )
    return tuple(formatting.count(n, noun) for n, least, noun in counts if isinstance(n, int) and n >= least)


def cell_of(result: CallResult) -> str:
    """The same in one cell, with the mark of a last turn without tools."""
    return ", ".join((*words_of(result), *(mark for mark in result.marks if mark == LAST_TURN)))


def _asked(overview: Overview) -> Sequence[ModelRow]:
    return [row for row in overview.models if row.tools is not None]


def _model(row: ModelRow) -> tuple[str, ...]:
    used = row.tools
    if used is None:
        return (row.label,)
    counts = (f"{used.tool_calls:,}", f"{used.tool_errors:,}", formatting.duration(used.tool_s))
    return (row.label, f"{used.steps / used.asked:.1f}", *counts, f"{used.last_turns:,}")


def _tool(figures: ToolFigures) -> tuple[str, ...]:
    counts = (f"{n:,}" for n in (figures.calls, figures.errors, figures.timeouts))
    source = "unknown: a model made it up" if figures.source is None else figures.source
    return (figures.tool, source, *counts, formatting.duration(figures.p50_s))
