"""One call, and a list of calls, as text for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

import msgspec

from umwelten.report.queries.attempts import ANSWERED
from umwelten.report.queries.call_scores import CallVerdict, UnscoredReason
from umwelten.report.queries.call_steps import CallStep
from umwelten.report.queries.calls import Attempt, CallDetail, CallSummary
from umwelten.report.queries.shown_scores import ScoredCallDetail, ShownScore, expected_text
from umwelten.report.queries.workers import AttemptWorker
from umwelten.report.render.asked import render_asked
from umwelten.report.render.call_steps import called
from umwelten.report.render.scores_text import KINDS, share
from umwelten.store.stored_pairs import PAIR_PART
from umwelten.text import formatting
from umwelten.text.sanitize import json_safe, one_line, safe
from umwelten.types import FailureKind


def render_lines(lines: Iterable[CallSummary], out: IO[str], *, prompts: bool = False) -> None:
    """A call a line, separated by tabs for other programs: the first column is the call's id.

    `prompts`: there are several, so each line has the prompt's name behind the model.
    """
    titles = ("CALL", "FILE", "MODEL", *(("PROMPT",) if prompts else ()), *_TITLES)
    out.write("\t".join(titles) + "\n")
    for line in lines:
        cells = (
            str(line.call),
            one_line(line.file or formatting.UNKNOWN, 500),
            one_line(line.model, 500),
            *((one_line(line.prompt or formatting.UNKNOWN, 500),) if prompts else ()),
            str(line.repeat),
            _status(line),
            formatting.seconds(line.response_s),
            str(line.attempts),
            formatting.tokens(line.output_tokens),
            formatting.money(line.cost_usd),
        )
        out.write("\t".join(cells) + "\n")


_TITLES = ("REPEAT", "STATUS", "TIME", "ATTEMPTS", "TOKENS OUT", "COST")


def _status(line: CallSummary) -> str:
    if line.error_kind:
        return f"{line.status}: {line.error_kind}"
    return f"{line.status}: {', '.join(line.marks)}" if line.marks else line.status


def render_call(call: CallDetail, out: IO[str], *, most_lines: int | None = None, whole: str = "cut") -> None:
    """All about a call: settings, what was sent, attempts, then the answer or why there is none.

    `most_lines`: of each text that was sent, at most so many lines; `whole` says how to get all of them.
    """
    _pairs(out, _facts(call))
    _block(out, "SYSTEM", call.system)
    render_asked(call, out, most_lines, whole)
    for made in _made(call):
        _write_attempt(call, made, out) if isinstance(made, Attempt) else _write_step(call, made, out)
    _block(out, "REASONING", call.reasoning)
    if call.data is not None:
        _block(out, "RECORD", json_safe(msgspec.json.format(bytes(call.data)).decode()))
    _block(out, "ANSWER", call.response)
    _block(out, "FAILED", call.error.message if call.error else None)
    if isinstance(call, ScoredCallDetail):
        for name, score in call.scores.items():
            title = name if name == score.type else f"{name} ({score.type})"
            out.write(f"\nSCORE {one_line(title, 80)}\n")
            _pairs(out, _score(score))


def _made(call: CallDetail) -> Iterator[Attempt | CallStep]:
    """The attempts in order; in place of those that were answered, the steps that they led to."""
    left = list(call.attempts)
    for step in call.steps or ():
        own = [attempt for attempt in left if attempt.step == step.number]
        yield from (attempt for attempt in own if attempt.outcome != ANSWERED)
        yield step
        left = [attempt for attempt in left if attempt not in own]
    yield from left


def _write_attempt(call: CallDetail, attempt: Attempt, out: IO[str]) -> None:
    step = f" OF STEP {attempt.step}" if attempt.step else ""
    out.write(f"\nATTEMPT {attempt.number}{step}{_of_run(call, attempt.run)}\n")
    _pairs(out, _attempt(attempt))
    unfit = attempt.outcome == FailureKind.SCHEMA
    _block(out, "ANSWER THAT DOES NOT FIT" if unfit else "CAME BEFORE THE FAILURE", attempt.partial)


def _write_step(call: CallDetail, step: CallStep, out: IO[str]) -> None:
    out.write(f"\nSTEP {step.number}{_of_run(call, step.run)}\n")
    _pairs(out, _step(step))


def _of_run(call: CallDetail, run: int) -> str:
    return f" OF RUN {run}" if len({attempt.run for attempt in call.attempts}) > 1 else ""


def _step(step: CallStep) -> Iterator[tuple[str, str]]:
    yield from _known(("served by", step.served_by))
    yield "started", step.started_at
    yield "time", formatting.seconds(step.response_s)
    yield "tokens", _tokens(step)
    yield "cost", "unknown" if step.cost_usd is None else formatting.money(step.cost_usd)
    if step.cut:
        yield "cut off", "at the limit of tokens"
    for one in step.calls:
        yield from called(one)


def _score(score: ShownScore) -> Iterator[tuple[str, str]]:
    word = {True: "passes", False: "does not pass", None: "no threshold"}[score.passed]
    yield "value", _unscored(score.unscored) if score.value is None else f"{share(score.value)}, {word}"
    expected = score.expected
    if expected is not None:
        yield "expected", expected_text(expected)
    yield from _known(("read", score.label), ("reason", score.reason))
    for part in score.parts:
        yield part.name, ", ".join(filter(None, (share(part.value), part.label, part.message)))
    for verdict in score.verdicts:
        yield "verdict", _verdict(verdict)


def _unscored(why: UnscoredReason | None) -> str:
    if why is None:
        return "unscored"
    kind = KINDS.get(why.kind, why.kind)
    return f"unscored, {kind}: {why.message}" if why.message else f"unscored, {kind}"


def _verdict(verdict: CallVerdict) -> str:
    of = ", ".join(filter(None, (verdict.judge, verdict.criterion, f"sample {verdict.sample}")))
    said = _unscored(verdict.unscored) if verdict.value is None else share(verdict.value)
    label = f" ({verdict.label})" if verdict.label else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    return f"{of}: {said}{label}{reason}"


def _facts(call: CallDetail) -> Iterator[tuple[str, str]]:
    yield "call", str(call.call)
    yield "evaluation", call.evaluation
    yield from _known(("file", call.file), ("path", _path(call)))
    yield "model", call.model
    yield from _known(("prompt", call.prompt_name))
    asked = call.model.removesuffix(f"@{call.variant}") if call.variant else call.model
    if call.served_model and not asked.endswith(call.served_model):
        yield "served by", call.served_model
    yield "repeat", str(call.repeat)
    yield "status", f"{call.status} ({call.error.kind})" if call.error else call.status
    yield from _known(("record" if call.data is not None else "marks", ", ".join(call.marks)))
    yield from call.parameters.items()
    if call.attachments:
        yield "attachments", ", ".join(call.attachments)
    if call.time_s is None:
        return
    yield "time", _time(call.response_s, call.ttft_s)
    if len(call.attempts) > 1:
        yield "all attempts", formatting.seconds(call.time_s)
    yield "tokens", _tokens(call)
    yield "cost", "unknown" if call.cost_usd is None else formatting.money(call.cost_usd)
    if call.tool_calls:
        yield "tools", _tools(call)
    yield from _known(("ended by", call.finish_reason), ("text file", call.output))


def _tools(call: CallDetail) -> str:
    """`5 calls, 1 error, 1.20 s`."""
    errors = [formatting.count(call.tool_errors, "error")] if call.tool_errors else []
    time = formatting.duration(call.tool_s or 0.0)
    return ", ".join((formatting.count(call.tool_calls or 0, "call"), *errors, time))


def _path(call: CallDetail) -> str | None:
    """Where the input is; of a row, its number too."""
    if not call.path or not call.part:
        return call.path
    words = 3 if call.part.startswith(PAIR_PART) else 2  # what follows is for whoever reads the input
    return f"{call.path}, {' '.join(call.part.split()[:words])}"


def _attempt(attempt: Attempt) -> Iterator[tuple[str, str]]:
    yield from _known(("served by", attempt.served_by))
    if attempt.worker is not msgspec.UNSET:
        yield "worker", _worker(attempt.worker)
    yield "started", attempt.started_at
    yield "time", _time(attempt.response_s, attempt.ttft_s)
    yield (
        "outcome",
        attempt.outcome if attempt.http_status is None else f"{attempt.outcome} ({attempt.http_status})",
    )
    if attempt.hedge:
        yield "hedge", "the attempt before was under way"
    if attempt.late is True:
        yield "late", "it ended after it had been given up as lost"
    if attempt.error:
        yield "message", attempt.error.message
    yield from _known(("code", attempt.error_code), ("request id", attempt.request_id))
    if attempt.retry_after_s is not None:
        yield "asked to wait", formatting.seconds(attempt.retry_after_s)
    if attempt.input_tokens is not None or attempt.output_tokens is not None:
        yield "tokens", _tokens(attempt)
    yield "cost", "unknown" if attempt.cost_usd is None else formatting.money(attempt.cost_usd)


def _worker(worker: AttemptWorker) -> str:
    """`3, node 5f2a (10.0.0.7)`."""
    node = "" if worker.node is None else f", node {worker.node}"
    return f"{worker.worker}{node}" + (f" ({worker.address})" if worker.address else "")


def _known(*pairs: tuple[str, str | None]) -> Iterator[tuple[str, str]]:
    return ((name, value) for name, value in pairs if value)


def _time(seconds: float | None, ttft: float | None) -> str:
    first = "" if ttft is None else f", first token after {formatting.seconds(ttft)}"
    return formatting.seconds(seconds) + first


def _tokens(used: CallDetail | Attempt | CallStep) -> str:
    parts = [f"{formatting.tokens(used.input_tokens)} in, {formatting.tokens(used.output_tokens)} out"]
    parts += [f"{used.cached_tokens:,} cached"] if used.cached_tokens else []
    parts += [f"{used.reasoning_tokens:,} reasoning"] if used.reasoning_tokens else []
    more = None if isinstance(used, CallStep) else used.usage_details
    if more:
        parts += [f"{more.cache_write_tokens:,} written to the cache"] if more.cache_write_tokens else []
        parts += [f"{count:,} {name.replace('_', ' ')}" for name, count in more.details.items() if count]
        parts += [f"service tier {more.service_tier}"] if more.service_tier else []
        parts += [f"API {more.api}"] if more.api else []
    return ", ".join(parts)


def _pairs(out: IO[str], pairs: Iterable[tuple[str, str]]) -> None:
    for name, value in pairs:
        out.write(f"{one_line(name, 40):<14} {one_line(value, 2000)}\n")


def _block(out: IO[str], title: str, text: str | None) -> None:
    if text is not None:
        out.write(f"\n{title}\n{safe(text).rstrip()}\n")
