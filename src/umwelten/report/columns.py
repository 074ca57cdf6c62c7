"""The columns of a report's tables. One that is added here is in every format that its entry names.

`MODEL_COLUMNS` are a model's figures: in the tables of the Markdown and the HTML report, and in CSV and
Parquet when short. `CALL_COLUMNS` are a call's: in CSV, Parquet and data frames.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from umwelten.report.models import CallResult, ModelRow, ModelToolFigures
from umwelten.text import formatting
from umwelten.types import FrozenStruct

Row = TypeVar("Row")
CellType = type[str] | type[int] | type[float] | type[bool]


class ReportColumn(FrozenStruct, Generic[Row]):
    """One column: its name in files, which holds the unit, and how people see it.

    `value` is what CSV and Parquet get, `show` the same as text for people. `html` and `markdown` are its
    titles in those reports, which leave out a column without one. `of_tools`: it is there only where an
    evaluation's calls were offered tools.
    """

    name: str
    type: CellType
    value: Callable[[Row], object]
    show: Callable[[Row], str] = str
    html: str = ""
    markdown: str = ""
    of_tools: bool = False


def _figure(
    name: str,
    type: CellType,
    value: Callable[[ModelRow], Any],
    form: Callable[[Any], str] = str,
    html: str = "",
    markdown: str = "",
) -> ReportColumn[ModelRow]:
    """A model's figure whose text is made of its value alone."""
    return ReportColumn(
        name=name, type=type, value=value, show=lambda row: form(value(row)), html=html, markdown=markdown
    )


def _cost(row: ModelRow) -> str:
    """With the number of calls of unknown price, which is a column of its own in files."""
    return formatting.cost(row.cost.total_usd, row.cost.unpriced_calls)


def _of_tools(
    name: str, type: CellType, value: Callable[[ModelToolFigures], object]
) -> ReportColumn[ModelRow]:
    return ReportColumn(
        name=name,
        type=type,
        value=lambda row: None if row.tools is None else value(row.tools),
        of_tools=True,
    )


_count, _seconds = formatting.tokens, formatting.seconds

PROMPT = "prompt"
"""The column that is there only where one of the evaluations has several prompts."""

# name in files, type, value, then for reports: its text, title in HTML, title in Markdown
MODEL_COLUMNS = (
    _figure("model", str, lambda row: row.model),
    _figure(PROMPT, str, lambda row: row.prompt),
    _figure("calls", int, lambda row: row.figures.calls, _count, "calls"),
    _figure("succeeded", int, lambda row: row.figures.succeeded, _count, "", "succeeded"),
    _figure("failed", int, lambda row: row.figures.failed, _count, "failed", "failed"),
    _figure("pending", int, lambda row: row.figures.pending, _count, "pending", "pending"),
    _figure(
        "success_rate", float, lambda row: row.figures.success_rate, formatting.percent, "answered", "success"
    ),
    _figure("wall_s", float, lambda row: row.figures.wall_s),
    _figure("sequential_s", float, lambda row: row.figures.sequential_s),
    _figure("speedup", float, lambda row: row.figures.speedup),
    _figure("average_response_s", float, lambda row: row.figures.average_response_s),
    _figure("p50_s", float, lambda row: row.figures.p50_s, _seconds, "p50", "p50"),
    _figure("p95_s", float, lambda row: row.figures.p95_s, _seconds, "p95", "p95"),
    _figure("throughput_per_s", float, lambda row: row.figures.throughput_per_s),
    _figure("peak_in_flight", int, lambda row: row.figures.peak_in_flight),
    _figure("ttft_p50_s", float, lambda row: row.service.ttft_p50_s, _seconds, "first token", "first token"),
    _figure(
        "tokens_per_s", float, lambda row: row.service.tokens_per_s, formatting.rate, "tokens/s", "tokens/s"
    ),
    _figure("input_tokens", int, lambda row: row.cost.usage.input_tokens, _count, "tokens in", "in"),
    _figure("output_tokens", int, lambda row: row.cost.usage.output_tokens, _count, "tokens out", "out"),
    _figure("cached_tokens", int, lambda row: row.cost.usage.cached_tokens),
    ReportColumn(
        name="cost_usd",
        type=float,
        value=lambda row: row.cost.total_usd,
        show=_cost,
        html="cost",
        markdown="cost",
    ),
    _figure("unpriced_calls", int, lambda row: row.cost.unpriced_calls),
    _figure(
        "cost_per_1k_usd",
        float,
        lambda row: row.service.cost_per_1k_usd,
        formatting.money,
        "per 1,000 calls",
        "per 1,000 calls",
    ),
    _of_tools("steps", int, lambda tools: tools.steps),
    _of_tools("tool_calls", int, lambda tools: tools.tool_calls),
    _of_tools("tool_errors", int, lambda tools: tools.tool_errors),
    _of_tools("tool_s", float, lambda tools: tools.tool_s),
)


def html_columns() -> list[ReportColumn[ModelRow]]:
    """Those of the HTML report; the success rate leads, as a model that fails needs no further look."""
    return sorted((column for column in MODEL_COLUMNS if column.html), key=lambda c: c.name != "success_rate")


def markdown_columns() -> list[ReportColumn[ModelRow]]:
    """Those of the Markdown report; the cost, which may be long, comes last."""
    return sorted((column for column in MODEL_COLUMNS if column.markdown), key=lambda c: c.name == "cost_usd")


def _of_call(
    name: str, type: CellType, value: Callable[[CallResult], object], *, of_tools: bool = False
) -> ReportColumn[CallResult]:
    return ReportColumn(name=name, type=type, value=value, of_tools=of_tools)


def _known(value: object) -> object:
    return None if value is msgspec.UNSET else value


CALL_COLUMNS = (
    _of_call("file", str, lambda call: call.file),
    _of_call("model", str, lambda call: call.model),
    _of_call("provider", str, lambda call: call.provider),
    _of_call(PROMPT, str, lambda call: call.prompt),
    _of_call("repeat", int, lambda call: call.repeat),
    _of_call("status", str, lambda call: call.status),
    _of_call("finish_reason", str, lambda call: call.finish_reason),
    _of_call("response_s", float, lambda call: call.metrics.response_s),
    _of_call("ttft_s", float, lambda call: call.metrics.ttft_s),
    _of_call("attempts", int, lambda call: call.metrics.attempts),
    _of_call("input_tokens", int, lambda call: call.metrics.input_tokens),
    _of_call("output_tokens", int, lambda call: call.metrics.output_tokens),
    _of_call("cost_usd", float, lambda call: call.metrics.cost_usd),
    _of_call("steps", int, lambda call: _known(call.metrics.steps), of_tools=True),
    _of_call("tool_calls", int, lambda call: _known(call.metrics.tool_calls), of_tools=True),
    _of_call("tool_errors", int, lambda call: _known(call.metrics.tool_errors), of_tools=True),
    _of_call("tool_s", float, lambda call: _known(call.metrics.tool_s), of_tools=True),
    _of_call("error_kind", str, lambda call: call.error.kind if call.error else None),
    _of_call("error_message", str, lambda call: call.error.message if call.error else None),
    _of_call("response", str, lambda call: call.response),
)
