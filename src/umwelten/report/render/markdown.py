"""The report as Markdown, written row by row. Foreign text is inert: it is shown, never interpreted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.report import tables, wording
from umwelten.report.advice import advice
from umwelten.report.inert import one_line, safe
from umwelten.report.rows import Cost, Figures, ModelRow, Overview, Result
from umwelten.report.tables import Source

_CELL = 160
_MESSAGE = 300
_PUNCTUATION = re.compile(r"[\\`*\[\]|~$]|(?<![^\W_])_|_(?![^\W_])")
_TICKS = re.compile(r"`+")


def render_markdown(reader: Source, out: TextIO, *, vendors: Mapping[str, Vendor] = VENDORS) -> None:
    """Write the report: settings, summary, models side by side, failures with advice, every result.

    Answers are whole for a run, shortened to one line for a batch. `vendors`: as for `advice`.
    """
    with tables.snapshot(reader):
        overview = tables.overview(reader)
        _settings(reader, overview, out)
        _summary(overview, out)
        _models(overview.models, out)
        _failures(reader, overview, out, vendors)
        _results(reader, overview, out)


def cell(text: str, width: int = _CELL) -> str:
    """Foreign text for a table cell or a line of prose: one line, all that Markdown reads escaped."""
    line = one_line(text, width).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _PUNCTUATION.sub(r"\\\g<0>", line)


def fenced(text: str) -> str:
    """Foreign text word for word, in a fence that nothing in it can close."""
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{safe(text).rstrip()}\n{fence}\n"


# --- sections ------------------------------------------------------------------------------------


def _settings(reader: Source, overview: Overview, out: TextIO) -> None:
    evaluation = overview.evaluation
    out.write(f"# {cell(evaluation.id)}\n\n")
    settings = tables.settings(reader)
    rows = [("status", _status(reader, overview)), ("type", evaluation.type)]
    rows.append(("started", evaluation.started_at))
    rows.append(("finished", evaluation.finished_at or wording.UNKNOWN))
    rows.append(("models", ", ".join(cell(name) for name in evaluation.models)))
    if settings.repeats > 1:
        rows.append(("repeats", str(settings.repeats)))
    rows += [(cell(name), cell(value)) for name, value in settings.parameters]
    if settings.attachments:
        rows.append(("attachments", ", ".join(cell(name) for name in settings.attachments)))
    _table(out, ("setting", "value"), rows)
    out.write(f"Prompt:\n\n{fenced(evaluation.prompt)}\n")
    if evaluation.system is not None:
        out.write(f"System:\n\n{fenced(evaluation.system)}\n")


def _status(reader: Source, overview: Overview) -> str:
    word = overview.evaluation.status
    runs = tables.runs(reader)
    reason = runs[-1].reason if runs and word in ("incomplete", "interrupted") else None
    return f"{word}: {cell(reason)}" if reason else word


def _summary(overview: Overview, out: TextIO) -> None:
    figures, usage = overview.summary, overview.cost.usage
    speed = wording.speedup(figures.speedup)
    together = f"{wording.seconds(figures.sequential_s)} of calls in {wording.seconds(figures.wall_s)}"
    out.write("## Summary\n\n")
    rows = [
        ("calls", _calls(figures)),
        ("time", f"{together}: {speed}" if speed else together),
        ("in flight", f"{figures.peak_in_flight:,} at most"),
        ("throughput", _per_second(figures)),
        ("tokens", f"{wording.tokens(usage.input_tokens)} in, {wording.tokens(usage.output_tokens)} out"),
        ("cost", _cost(overview.cost)),
    ]
    _table(out, ("", ""), rows)


def _models(models: Sequence[ModelRow], out: TextIO) -> None:
    head = ("model", "succeeded", "failed", "pending", "success", "p50", "p95", "in", "out", "cost")
    out.write("## Models\n\n")
    _table(out, head, map(_model, models), numbers_from=1)


def _model(row: ModelRow) -> tuple[str, ...]:
    figures, usage = row.figures, row.cost.usage
    return (
        cell(row.model),
        f"{figures.succeeded:,}",
        f"{figures.failed:,}",
        f"{figures.pending:,}",
        wording.percent(figures.success_rate),
        wording.seconds(figures.p50_s),
        wording.seconds(figures.p95_s),
        wording.tokens(usage.input_tokens),
        wording.tokens(usage.output_tokens),
        _cost(row.cost),
    )


def _failures(reader: Source, overview: Overview, out: TextIO, vendors: Mapping[str, Vendor]) -> None:
    providers = [name.partition(":")[0] for name in overview.evaluation.models]
    rows = [
        (cell(group.kind), f"{group.count:,}", cell(group.example, _MESSAGE),
         advice(group.kind, message=group.example, providers=providers, vendors=vendors))
        for group in overview.errors
    ]  # fmt: skip
    if rows:
        out.write("## Failures\n\n")
        _table(out, ("kind", "calls", "example", "what to do"), rows)
    refused = tables.refused(reader) if overview.summary.pending else ()
    if refused:
        out.write("## Stopped\n\nThese models' calls are pending, because the provider refused them all.\n\n")
        stopped = [
            (cell(row.model), cell(row.message, _MESSAGE),
             advice("unavailable", message=row.message, providers=(row.provider,), vendors=vendors))
            for row in refused
        ]  # fmt: skip
        _table(out, ("model", "reason", "what to do"), stopped)


def _results(reader: Source, overview: Overview, out: TextIO) -> None:
    if not overview.summary.succeeded + overview.summary.failed:
        return
    results = tables.results(reader)
    repeats = tables.settings(reader).repeats > 1
    if overview.evaluation.type == "run":
        out.write("## Answers\n\n")
        for result in results:
            out.write(_answer(result, repeats))
        return
    head = ("file", "model", *(("repeat",) if repeats else ()), "time", "tokens", "cost", "answer")
    out.write("## Results\n\n")
    _table(out, head, (_result(result, repeats) for result in results))


def _answer(result: Result, repeats: bool) -> str:
    title = cell(result.model) + (f" ({result.repeat})" if repeats else "")
    time, used, cost = _facts(result)
    facts = f"{time}, {used} tokens, {cost}"
    if result.error is not None:
        message = f"**failed** ({cell(result.error.kind)}): {cell(result.error.message, _MESSAGE)}"
        return f"### {title}\n\n{facts}\n\n{message}\n\n"
    return f"### {title}\n\n{facts}\n\n{fenced(result.response or '')}\n"


def _result(result: Result, repeats: bool) -> tuple[str, ...]:
    if result.error is None:
        answer = cell(result.response or "")
    else:
        answer = f"**failed** ({cell(result.error.kind)}): {cell(result.error.message)}"
    number = (str(result.repeat),) if repeats else ()
    return (cell(result.file or ""), cell(result.model), *number, *_facts(result), answer)


def _facts(result: Result) -> tuple[str, str, str]:
    metrics = result.metrics
    used = f"{wording.tokens(metrics.input_tokens)} → {wording.tokens(metrics.output_tokens)}"
    return wording.seconds(metrics.response_s), used, wording.money(metrics.cost_usd)


# --- pieces --------------------------------------------------------------------------------------


def _calls(figures: Figures) -> str:
    parts = [f"{wording.count(figures.calls, 'call')}: {figures.succeeded:,} succeeded"]
    parts += [f"{figures.failed:,} failed"] if figures.failed else []
    parts += [f"{figures.pending:,} pending"] if figures.pending else []
    return ", ".join(parts)


def _per_second(figures: Figures) -> str:
    rate = figures.throughput_per_s
    return wording.UNKNOWN if rate is None else f"{wording.short(rate)} calls/s"


def _cost(cost: Cost) -> str:
    return wording.cost(cost.total_usd, cost.unpriced_calls)


def _table(
    out: TextIO, head: Sequence[str], rows: Iterable[Sequence[str]], *, numbers_from: int | None = None
) -> None:
    rule = ["---" if numbers_from is None or n < numbers_from else "---:" for n in range(len(head))]
    out.write(f"| {' | '.join(head)} |\n| {' | '.join(rule)} |\n")
    for row in rows:
        out.write(f"| {' | '.join(row)} |\n")
    out.write("\n")
