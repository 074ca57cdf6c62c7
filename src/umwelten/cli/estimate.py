"""`--estimate N`: make a few of the calls first, say what all will cost, and ask before going on."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

import click
import msgspec

from umwelten.cli.dry_run import ITEMS, columns, hedge_line
from umwelten.cli.json_output import print_json
from umwelten.cli.runner import EXIT, OutputOptions, closing, resume_command, run_some
from umwelten.config.engine_types import LOCAL
from umwelten.errors import UsageError
from umwelten.evaluation.estimate import Estimate, ModelEstimate, choose, estimate, least
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.request_terms import hedge_share
from umwelten.evaluation.sampling import Range
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.events import RunStatus
from umwelten.phrases import Wording
from umwelten.report.progress.worker_words import workers_on
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

STOPPED = EXIT[RunStatus.STOPPED]


def check_sample(spec: EvaluationSpec, n: int) -> None:
    """Raises `UsageError` where so few calls tell nothing."""
    fewest = least(len(spec.models), spec.repeats if spec.inputs is None else None)
    if n < fewest:
        models = formatting.count(len(spec.models), "model")
        raise UsageError(
            f"--estimate {n} is too few for {models}: give at least {fewest}",
            "30 calls a model make a good estimate.",
        )


def estimate_first(
    evaluation: Evaluation, look: OutputOptions, notes: list[Wording], n: int, *, yes: bool
) -> int | None:
    """Run the sample and show its estimate. Return the exit status if it ends there, `None` to continue.

    The notes are shown and removed. Closes the evaluation unless it continues.
    """
    status: int | None = STOPPED
    try:
        status = _estimate_first(evaluation, look, notes, n, yes=yes)
    finally:
        if status is not None:
            evaluation.close()
    return status


def _estimate_first(
    evaluation: Evaluation, look: OutputOptions, notes: list[Wording], n: int, *, yes: bool
) -> int | None:
    pending = sum(evaluation.store.to_do().values())
    if pending <= n:
        notes.append(f"--estimate {n}: there is no more to do than that; all of it runs")
        return None
    sample = choose(evaluation, n)
    result, tally = run_some(evaluation, look, notes, sample.only)
    notes.clear()
    found = estimate(evaluation, sample)
    if result.status in (RunStatus.STOPPED, RunStatus.INTERRUPTED) or not found.succeeded:
        closing(evaluation, tally, look)
        return EXIT[result.status]
    for line in layout(found, evaluation.spec.limits.max_cost_usd, hedge_share(evaluation.spec)):
        click.echo(line, err=True)
    engine = evaluation.spec.engine
    if engine.kind != LOCAL:
        click.echo(f"  the rest is made by {workers_on(engine.workers, engine.address)}", err=True)
    if yes or confirm():
        return None
    click.echo(f"stopped after the estimate; continue with: {resume_command(evaluation)}", err=True)
    click.echo("--yes continues without asking; the answers so far are kept.", err=True)
    if look.as_json:
        print_json(as_data(found))
    return STOPPED


def confirm() -> bool:
    """Ask whether to continue; without a terminal, do not."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    return click.confirm("Continue?", default=False, err=True)


def as_data(found: Estimate) -> dict[str, object]:
    """The estimate as JSON shows it: money in nano-USD."""
    models = [{**msgspec.structs.asdict(one), "model": str(one.model)} for one in found.models]
    return {**msgspec.structs.asdict(found), "models": models}


def layout(found: Estimate, max_cost_usd: float | None = None, hedge: float = 0.0) -> Iterator[str]:
    """The estimate as lines."""
    tried = sum(one.sampled for one in found.models)
    calls = sum(one.calls for one in found.models)
    failed = sum(one.failed for one in found.models)
    lost = f", {failed:,} of them failed" if failed else ""
    yield f"estimate from {tried:,} of {formatting.count(calls, 'call')}{lost}"
    rows = [["model", "cost, and likely range", "calls", *(f"{n:,} items" for n in ITEMS)]]
    rows += [_row(one) for one in found.models]
    if len(found.models) > 1:
        rows.append(["total", _range(found.total), f"{calls:,}", *_sums(found)])
    yield from (f"  {line}" for line in columns(rows, indent=2))
    dated = f"; prices of {found.prices_of}" if found.prices_of else ""
    yield f"  an item is one call of each model{dated}"
    yield "  of 20 such estimates, 19 have a cost within their likely range"
    asked = [(one.requests, one.sampled) for one in found.models if one.requests is not None]
    if any(requests > 1 for requests, _ in asked):
        mean = sum(requests * sampled for requests, sampled in asked) / sum(sampled for _, sampled in asked)
        yield f"  with tools, {mean:.1f} requests a call"
    yield from _rest(found)
    if again := int(hedge * calls):
        yield f"  {hedge_line(again, None if found.total is None else int(hedge * found.total.high))}"
    if max_cost_usd is not None and found.total is not None and found.total.high > max_cost_usd * 1e9:
        sure = "would" if found.total.low > max_cost_usd * 1e9 else "may"
        yield f"  --max-cost {formatting.money(max_cost_usd)} {sure} stop it before the end"


def total_line(found: Sequence[Estimate], max_cost_usd: float | None) -> str:
    """Return what several evaluations will cost together, and whether the limit stops them."""
    totals = [one.total for one in found]
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return "at unknown cost"
    # The ends are added, which is the wider interval: the errors of tasks need not be independent.
    total = Range(
        low=sum(one.low for one in known),
        mean=sum(one.mean for one in known),
        high=sum(one.high for one in known),
    )
    text = _range(total)
    if max_cost_usd is not None and total.high > max_cost_usd * 1e9:
        sure = "would" if total.low > max_cost_usd * 1e9 else "may"
        text += f"; --max-cost {formatting.money(max_cost_usd)} {sure} stop it before the end"
    return text


def _rest(found: Estimate) -> Iterator[str]:
    if found.spent:
        yield f"  {formatting.money(found.spent / 1e9)} of it is spent"
    if found.seconds is not None:
        low, high = (formatting.minutes(seconds) for seconds in found.seconds)
        yield f"  the rest takes about {low}" if low == high else f"  the rest takes {low} to {high}"


def _row(one: ModelEstimate) -> list[str]:
    mean = None if one.per_call is None else one.per_call.mean
    return [one_line(str(one.model), 60), _range(one.cost), f"{one.calls:,}", *_scale_cost(mean)]


def _sums(found: Estimate) -> list[str]:
    means = [one.per_call.mean for one in found.models if one.per_call is not None]
    return _scale_cost(sum(means) if len(means) == len(found.models) else None)


def _scale_cost(mean: float | None) -> list[str]:
    if mean is None:
        return [formatting.UNKNOWN] * len(ITEMS)
    return [formatting.money(mean * items / 1e9) if mean else "free" for items in ITEMS]


def _range(cost: Range | None) -> str:
    if cost is None:
        return "unknown"
    if not cost.high:
        return "free"
    mean, low, high = (formatting.money(value / 1e9) for value in (cost.mean, cost.low, cost.high))
    return f"about {mean}" if low == high else f"about {mean}, {low} to {high}"
