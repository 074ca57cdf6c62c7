"""The closing summary on stderr: what was done, what failed and why, what it took, how to continue."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TextIO

from umwelten.cli.table_layout import fitted_table
from umwelten.events import RunStatus, StopCode
from umwelten.report.failure_groups import MessageGroup
from umwelten.report.model_summaries import ModelSummary
from umwelten.report.queries.schema_validation import in_words
from umwelten.report.run_summary import RunSummary, ToolSummary
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_WIDEST, _USUAL = 100, 80
_MESSAGE = 200
_REMEDY = 400
"""Characters of a message that says what to do itself: the remedy comes last in it."""
_MOST_GROUPS = 6
_MOST_MODELS = 30
_MOST_LANES = 4
"""Lanes that are named of which the same follows."""


class Paragraph(NamedTuple):
    """A paragraph of the summary. `label` "" continues the one above; `whole` is never wrapped."""

    label: str
    text: str
    style: str = ""
    whole: bool = False


def print_summary(summary: RunSummary, *, stderr: TextIO, style: str = "auto") -> None:
    """Print it: as the last event in style "json", in colours on a terminal, else as plain text."""
    if style == "json":
        from umwelten.cli.progress.json import as_line

        stderr.write(as_line(summary, time.time()))
        stderr.flush()
    elif stderr.isatty() and style != "plain":
        _print_rich(summary, stderr)
    else:
        for label, line, _ in layout(summary, _USUAL):
            stderr.write(f"{label}{line}\n")
        stderr.flush()


def layout(summary: RunSummary, width: int) -> Iterator[tuple[str, str, str]]:
    """The lines as (label with its padding, text, style of the text)."""
    head = _headline(summary)
    yield "", head.text, head.style
    parts = list(_parts(summary))
    column = max((len(part.label) for part in parts), default=0) + 4
    room = max(width - column, 24)
    for part in parts:
        label = f"  {part.label}"
        if part.label == "models":
            yield from (("", f"  {line}", part.style) for line in _model_lines(summary, width - 2))
            continue
        lines = [part.text] if part.whole else textwrap.wrap(part.text, room, break_on_hyphens=False)
        for line in lines or [""]:
            yield label.ljust(column), line, part.style
            label = ""


def _print_rich(summary: RunSummary, stderr: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    console = Console(file=stderr, highlight=False, markup=False, emoji=False)
    for label, line, style in layout(summary, min(console.width, _WIDEST)):
        console.print(Text.assemble((label, "dim"), (line, style)), soft_wrap=True)


def _headline(summary: RunSummary) -> Paragraph:
    name = f"{one_line(summary.id, 80)}: " if summary.id else ""
    if not summary.total:
        return Paragraph("", f"{name}nothing to do", "bold")
    if summary.total == summary.done_before and not summary.reused:
        answered = f"all {summary.total:,} calls were" if summary.total > 1 else "its call was"
        return Paragraph("", f"{name}nothing to do, {answered} answered before", "bold green")
    succeeded = summary.done_before + summary.succeeded
    if succeeded == summary.total:
        return Paragraph("", f"{name}{_all(summary.total)} succeeded{_before(summary)}", "bold green")
    text = f"{name}{succeeded:,} of {formatting.count(summary.total, 'call')} succeeded{_before(summary)}"
    text += f", {summary.failed:,} failed" if summary.failed else ""
    text += f", {summary.pending:,} pending" if summary.pending else ""
    return Paragraph("", text, "bold red" if not succeeded else "bold yellow")


def _all(total: int) -> str:
    return f"all {formatting.count(total, 'call')}" if total > 1 else formatting.count(total, "call")


def _before(summary: RunSummary) -> str:
    reused = sum(summary.reused.values())
    earlier = summary.done_before - reused
    parts = [f"{reused:,} reused"] * bool(reused) + [f"{earlier:,} in earlier runs"] * bool(earlier)
    return f" ({', '.join(parts)})" if parts else ""


def _parts(summary: RunSummary) -> Iterator[Paragraph]:
    if _reason(summary):
        yield Paragraph("ended", one_line(_reason(summary), _MESSAGE), "yellow")
    if summary.records is not None:
        yield Paragraph("records", in_words(summary.records), "yellow" if summary.records.failed else "")
    for number, (id, count) in enumerate(summary.reused.items()):
        answers = formatting.count(count, "answer")
        yield Paragraph("" if number else "reused", f"{answers} reused from {one_line(id, 80)}, at no cost")
    if len(summary.models) > 1:
        yield Paragraph("models", "")
    yield from _failures(summary)
    if summary.missing_texts:
        files = formatting.count(summary.missing_texts, "text file")
        yield Paragraph(
            "missing", f"{files} of answers that are stored; a resume writes what is missing", "red"
        )
    yield from _stop_paragraphs(summary)
    if summary.succeeded or summary.failed:
        yield Paragraph("time", _time(summary))
        for number, line in enumerate(_pace(summary.pace)):
            yield Paragraph("" if number else "pace", line)
        yield from _changed(summary)
        if summary.hedged:
            yield Paragraph("hedged", _hedged(summary))
        yield from _lost(summary)
        yield from _tools(summary.tools)
        yield Paragraph("tokens", f"{summary.input_tokens:,} in, {summary.output_tokens:,} out")
        yield Paragraph("cost", _cost(summary))
    yield from _notes(summary)
    yield Paragraph("outputs", one_line(summary.folder, 4000), whole=True)
    for name, command in summary.next_steps.items():
        yield Paragraph(name, one_line(command, 4000), whole=True)
    if summary.resume:
        yield Paragraph("resume", one_line(summary.resume, 100_000), "bold", whole=True)
    if summary.resume_note:
        yield Paragraph("", f"→ {summary.resume_note}")


def _pace(lines: Sequence[str]) -> Iterator[str]:
    """Lanes of which the same follows are named together: `a was full 97 % …, b was full 95 % …: …`."""
    lanes: dict[str, list[str]] = {}
    for line in lines:
        lane, colon, follows = line.partition(": ")
        lanes.setdefault(follows if colon else line, []).append(one_line(lane, _MESSAGE))
    for follows, said in lanes.items():
        others = len(said) - _MOST_LANES
        named = ", ".join(said[:_MOST_LANES]) + (f" and {formatting.count(others, 'other')}" * (others > 0))
        yield named if follows in lines else f"{named}: {one_line(follows, _MESSAGE)}"


def _changed(summary: RunSummary) -> Iterator[Paragraph]:
    if summary.changes:
        times = "once" if summary.changes == 1 else f"{summary.changes:,} times"
        yield Paragraph("changed", f"{times} while it ran; `umwelten eval report` lists what")


def _reason(summary: RunSummary) -> str:
    """Why it ended early, unless the stopped lanes say so themselves."""
    if summary.reason is None:
        return "interrupted" if summary.status == RunStatus.INTERRUPTED else ""
    return "" if summary.reason_code is StopCode.UNAVAILABLE else summary.reason


def _failures(summary: RunSummary) -> Iterator[Paragraph]:
    label = "failed"
    for advice, groups in _by_advice(summary.failure_groups[:_MOST_GROUPS]):
        for group in groups:
            yield Paragraph(label, _failure(group), "red")
            label = ""
        if advice:
            yield Paragraph("", f"→ {advice}")
    others = sum(group.count for group in summary.failure_groups[_MOST_GROUPS:])
    if others:
        messages = formatting.count(len(summary.failure_groups) - _MOST_GROUPS, "other message")
        yield Paragraph("", f"and {others:,} with {messages}", "red")
    if summary.listing:
        yield Paragraph("", f"all of them: {one_line(summary.listing, 4000)}", whole=True)


def _by_advice(groups: Sequence[MessageGroup]) -> list[tuple[str, list[MessageGroup]]]:
    """Those with the same advice together, in the order of the largest of each: it is given once."""
    found: dict[str | int, list[MessageGroup]] = {}
    for number, group in enumerate(groups):
        found.setdefault(number if group.itself else group.advice, []).append(group)
    return [(advice if isinstance(advice, str) else "", some) for advice, some in found.items()]


def _failure(group: MessageGroup) -> str:
    """`3 × bad_request: 413: too large (the first: a.txt)`."""
    message = one_line(group.example, _REMEDY if group.itself else _MESSAGE)
    text = f"{group.count:,} × {group.kind}: {message}"
    name = (group.file or "").rpartition("/")[2]
    if not name or name in group.example:
        return text
    return f"{text} ({'the first: ' if group.count > 1 else ''}{one_line(group.file or '', 60)})"


def _model_lines(summary: RunSummary, width: int) -> Iterator[str]:
    """A line a model, under titles."""
    shown = summary.models[:_MOST_MODELS]
    failed, pending = any(row.failed for row in shown), any(row.pending for row in shown)
    titles = [
        "model",
        "answers",
        *["failed"] * failed,
        *["pending"] * pending,
        "mean",
        "tokens",
        "cost",
    ]
    rows = [_model_row(row, failed=failed, pending=pending) for row in shown]
    yield from fitted_table(titles, rows, width=width, shrink=titles[:1], right=titles[1:])
    if len(summary.models) > len(shown):
        yield f"and {formatting.count(len(summary.models) - len(shown), 'model')} more"


def _model_row(row: ModelSummary, *, failed: bool, pending: bool) -> list[str]:
    done = row.succeeded + row.failed
    cost = formatting.short_cost(row.cost_usd, row.unpriced_calls)
    return [
        one_line(row.model, 100),
        f"{row.succeeded:,}",
        *([f"{row.failed:,}"] if failed else []),
        *([f"{row.pending:,}"] if pending else []),
        formatting.seconds(row.average_response_s),
        f"{row.input_tokens + row.output_tokens:,}",
        cost if done else formatting.UNKNOWN,
    ]


def _stop_paragraphs(summary: RunSummary) -> Iterator[Paragraph]:
    label = "stopped"
    for lane in summary.stopped:
        yield Paragraph(label, f"{one_line(lane.lane, 60)}: {one_line(lane.reason, _MESSAGE)}", "red")
        yield Paragraph("", f"→ {lane.advice}")
        label = ""


def _time(summary: RunSummary) -> str:
    wall, together = formatting.seconds(summary.wall_s), formatting.seconds(summary.sequential_s)
    ended = summary.succeeded + summary.failed
    # What tools took is time of the run and of no call.
    used_tools = summary.tools is not None and summary.tools.calls
    has_ratio = ended > 1 and summary.succeeded and not used_tools
    ratio = formatting.speedup(summary.speedup, queues=summary.queues) if has_ratio else ""
    calls = f"{formatting.count(ended, 'call')} took {together}" + (" together" if ended > 1 else "")
    return f"{wall}; {calls}" + (f": {ratio}" if ratio else "")


def _notes(summary: RunSummary) -> Iterator[Paragraph]:
    if summary.cut_off:
        were = "answer was" if summary.cut_off == 1 else "answers were"
        text = f"{summary.cut_off:,} {were} cut off at the longest length: see --max-tokens"
        yield Paragraph("note", text, "yellow")
    if summary.never_called:
        models = ", ".join(one_line(name, 60) for name in summary.never_called)
        yield Paragraph("note", f"tools were offered and never called by {models}", "yellow")


def _tools(used: ToolSummary | None) -> Iterator[Paragraph]:
    """`1,204 calls of 2 tools, 12 errors, 3 min 20 s; 2.9 requests a call`."""
    if used is None or not used.calls:
        return
    errors = f", {formatting.count(used.errors, 'error')}" if used.errors else ""
    each = "" if used.requests_per_call is None else f"; {used.requests_per_call:.1f} requests a call"
    calls = f"{formatting.count(used.calls, 'call')} of {formatting.count(used.tools, 'tool')}"
    yield Paragraph("tools", f"{calls}{errors}, {formatting.duration(used.seconds)}{each}")


def _hedged(summary: RunSummary) -> str:
    """`12 calls were sent a second time, of which 9 were answered first`."""
    were = "call was" if summary.hedged == 1 else "calls were"
    won = "was" if summary.hedges_won == 1 else "were"
    return (
        f"{summary.hedged:,} slow {were} sent a second time, and {summary.hedges_won:,} {won} answered that "
        "way first; what was broken off may have been charged"
    )


def _lost(summary: RunSummary) -> Iterator[Paragraph]:
    """`1 was lost; 10 calls that were in flight there were made again and may have been charged twice`."""
    if not (summary.lost_workers or summary.lost_attempts):
        return
    text = f"{summary.lost_workers:,} {'was' if summary.lost_workers == 1 else 'were'} lost"
    if summary.lost_attempts:
        were = "was" if summary.lost_attempts == 1 else "were"
        calls = formatting.count(summary.lost_attempts, "call")
        text += f"; {calls} that {were} in flight there {were} made again"
        text += "" if summary.free else " and may have been charged twice"
    yield Paragraph("workers", text)


def _cost(summary: RunSummary) -> str:
    if summary.free and summary.cost_usd == 0 and not summary.unpriced_calls:
        return "free (local models)"
    text = formatting.cost(summary.cost_usd, summary.unpriced_calls)
    if summary.cost_of_all_runs_usd is None:
        return text
    all_runs = formatting.cost(summary.cost_of_all_runs_usd, summary.unpriced_calls_of_all_runs)
    return f"{text} in this run, {all_runs} in all runs"
