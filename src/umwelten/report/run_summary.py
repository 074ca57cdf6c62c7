"""The figures of the closing summary, folded from a run's events."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from umwelten.control.attribution import Reason, advice_on_failures
from umwelten.control.lane_failure import ONLY_REFUSED
from umwelten.events import (
    AttemptFailed,
    CallFailed,
    CallsRequeued,
    CallSucceeded,
    Event,
    LaneTime,
    RunFinished,
    RunStatus,
    StopCode,
)
from umwelten.phrases import Spelling, by_name, spell
from umwelten.providers.common.tool_refusals import NO_TOOLS
from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.report import stats
from umwelten.report.advice import LIMITED, WITHOUT_TOOLS, advice, advice_on_model, queues, says_itself
from umwelten.report.failure_groups import FailureGroups, MessageGroup
from umwelten.report.model_summaries import ModelSummary, ModelTimes, model_summaries
from umwelten.report.queries.schema_validation import Records, record_group
from umwelten.tally import Tally
from umwelten.types import Failure, FailureKind, FrozenStruct

_WORTH_ADVICE_S = 5.0
_HELD_BACK = 0.25


class FailureGroup(FrozenStruct):
    """The calls of this run that failed with one kind; `example` is the first one's message.

    `varied`: there are other messages too.
    """

    kind: str
    count: int
    example: str
    advice: str
    varied: bool = False


class StoppedLane(FrozenStruct):
    """A lane that took no more calls, why, and what to do."""

    lane: str
    kind: str
    reason: str
    advice: str


class ToolSummary(FrozenStruct):
    """The calls of tools of a run, of `tools` different ones; `errors` of them came to no result.

    `seconds` is the time of all of them together. `requests_per_call`: those that were answered, over the
    calls that ended.
    """

    calls: int
    tools: int
    errors: int
    seconds: float
    requests_per_call: float | None


class RunSummary(FrozenStruct):
    """How a run ended. `total` = `done_before` + `succeeded` + `failed` + `pending`.

    `reason_code` says for programs what `reason` says in words. Times are seconds; `speedup` is
    `sequential_s / wall_s`. `cost_usd` is the sum of the known costs, `None` when none is known;
    `unpriced_calls` have an unknown one. `free`: only local models were asked. `folder` is where the
    outputs are, `resume` the command that continues, `None` when there is nothing left to do.
    `queues`: only servers on this machine or network were asked, which work off their calls in turn, so
    that calls at the same time take longer each and `speedup` says nothing. `cut_off` answers reached
    their longest length. `pace` says for each lane that mattered what its time went on. `records` are
    those of this run's answers, `None` where no answer was to have a shape. `listing` is the command that
    shows all failed calls, where one example does not say it all; `resume_note` what `resume` needs first.
    `missing_texts` answers have no text file: it could not be written. `hedged` calls were sent a second time
    because they took long, and `hedges_won` of them were answered the second time first. `reused` answers
    were taken over from other evaluations, by their ids; they are part of `done_before`. `tools` is there
    where models might call some, and `never_called` names those models that answered and did not. `changes`
    counts how often somebody changed the run while it went on. `lost_workers` ended while the run went on,
    and `lost_attempts` that they had in flight were made again.
    """

    id: str
    status: RunStatus
    reason: str | None
    total: int
    done_before: int
    succeeded: int
    failed: int
    pending: int
    retries: int
    failures: tuple[FailureGroup, ...]
    stopped: tuple[StoppedLane, ...]
    wall_s: float
    sequential_s: float
    speedup: float | None
    peak_in_flight: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced_calls: int
    free: bool
    folder: str
    resume: str | None
    queues: bool = False
    cut_off: int = 0
    pace: tuple[str, ...] = ()
    records: Records | None = None
    listing: str | None = None
    resume_note: str | None = None
    reason_code: StopCode | None = None
    missing_texts: int = 0
    hedged: int = 0
    hedges_won: int = 0
    changes: int = 0
    lost_workers: int = 0
    lost_attempts: int = 0
    reused: dict[str, int] = msgspec.field(default_factory=dict)
    tools: ToolSummary | None = None
    never_called: tuple[str, ...] = ()
    models: tuple[ModelSummary, ...] = ()
    failure_groups: tuple[MessageGroup, ...] = ()
    cost_of_all_runs_usd: float | None = None
    unpriced_calls_of_all_runs: int = 0
    next_steps: dict[str, str] = msgspec.field(default_factory=dict)


class RecordCount:
    """Counts the records of a run's answers, and what the tally leaves out of its failures.

    An observer of the run's events, in constant memory. `varied` are the kinds of failed calls with more
    than one message, `providers` those of the failed calls by kind, `again` the failed attempts that were
    made again, by lane and kind.
    """

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._first: dict[str, str] = {}
        self.varied: set[str] = set()
        self.providers: dict[str, dict[str, None]] = {}
        self.again: dict[str, Counter[str]] = {}
        self.groups = FailureGroups()
        self.times = ModelTimes()

    def __call__(self, event: Event) -> None:
        if isinstance(event, CallSucceeded):
            self.times.add(event)
        if isinstance(event, CallSucceeded) and event.reply.data is not None:
            self._counts.update(("valid", record_group(event.reply.marks)))
        elif isinstance(event, CallFailed):
            self._failed(event)
        elif isinstance(event, CallsRequeued):
            self.groups.take_back(event.kinds)
            self._counts["failed"] -= event.kinds.get(FailureKind.SCHEMA, 0)
        elif isinstance(event, AttemptFailed):
            self.again.setdefault(event.lane, Counter())[str(event.failure.kind)] += 1

    def _failed(self, event: CallFailed) -> None:
        kind, message = str(event.failure.kind), event.failure.message
        self._counts["failed"] += event.failure.kind is FailureKind.SCHEMA
        if self._first.setdefault(kind, message) != message:
            self.varied.add(kind)
        self.providers.setdefault(kind, {})[event.model.provider] = None
        file = event.call.input.name if event.call.input is not None else None
        self.groups.add(event.failure, file=file, provider=event.model.provider)

    @property
    def records(self) -> Records | None:
        """The counts; `None` if there was no record and none failed."""
        return Records(**self._counts) if any(self._counts.values()) else None


def capped(tally: Tally) -> bool:
    """Whether the run ended because of its cost cap: with the same one, a resume would end at once."""
    return tally.finished is not None and tally.finished.reason_code is StopCode.MAX_COST


def summarize(
    tally: Tally,
    *,
    folder: str,
    resume: str,
    vendors: Mapping[str, Vendor] = VENDORS,
    seen: RecordCount | None = None,
    addresses: Mapping[str, str] | None = None,
    listing: str = "",
    spelling: Spelling = by_name,
    cost_of_all_runs_usd: float | None = None,
    unpriced_calls_of_all_runs: int = 0,
    next_steps: Mapping[str, str] | None = None,
) -> RunSummary:
    """The closing figures of the run that `tally` observed from start to end.

    `resume` is the command line that continues; it is kept only if calls failed or are pending.
    `vendors`, `addresses`, `spelling`: as for `report.advice.advice`. `seen`: it observed the run too.
    `listing`: the command that shows all failed calls; kept where it tells more than the examples do.
    `cost_of_all_runs_usd`, `unpriced_calls_of_all_runs`, `next_steps`: as in the summary.
    """
    ended = tally.finished
    pending = ended.pending if ended else max(tally.total - tally.done_before - tally.done, 0)
    wall_s = ended.wall_s if ended else 0.0
    providers = tuple(dict.fromkeys(m.provider for m in tally.started.models)) if tally.started else ()
    advise = partial(advice, vendors=vendors, addresses=addresses, spelling=spelling)
    failures = _failures(tally, seen, providers, advise)
    missing = ended.missing_texts if ended else 0
    left = bool(pending or tally.failed or missing)
    cost = stats.total_cost(tally.cost_nusd, tally.priced, tally.unpriced)
    return RunSummary(
        id=tally.started.id if tally.started else "",
        status=ended.status if ended else RunStatus.INTERRUPTED,
        reason=ended.reason if ended else None,
        reason_code=ended.reason_code if ended else None,
        total=tally.total,
        done_before=tally.done_before,
        succeeded=tally.succeeded,
        failed=tally.failed,
        pending=pending,
        retries=tally.retries,
        failures=failures,
        stopped=tuple(
            _stopped(lane, failure, advise, vendors, spelling) for lane, failure in tally.stopped.items()
        ),
        wall_s=round(wall_s, stats.DIGITS),
        sequential_s=round(tally.time_s, stats.DIGITS),
        speedup=stats.ratio(tally.time_s, wall_s) if tally.done else None,
        peak_in_flight=ended.peak_in_flight if ended else 0,
        input_tokens=tally.input_tokens,
        output_tokens=tally.output_tokens,
        cost_usd=stats.usd(cost),
        unpriced_calls=tally.unpriced,
        free=bool(providers) and all(name in vendors and vendors[name].is_free for name in providers),
        folder=folder,
        resume=resume if left else None,
        queues=queues(providers, vendors),
        cut_off=tally.cut_off,
        pace=_pace(ended, wall_s, seen),
        records=None if seen is None else seen.records,
        listing=listing if _worth_listing(tally, failures) else None,
        resume_note=_resume_note(tally, pending) if left else None,
        missing_texts=missing,
        changes=tally.changes,
        lost_workers=tally.workers.lost if tally.workers else 0,
        lost_attempts=tally.lost,
        hedged=tally.hedged,
        hedges_won=tally.hedges_won,
        reused=tally.started.reused if tally.started else {},
        tools=_tools(tally),
        never_called=_never_called(tally),
        models=model_summaries(tally, None if seen is None else seen.times),
        failure_groups=tuple(map(_as_group, failures))
        if seen is None
        else seen.groups.told(advise, reason_of, says_itself),
        cost_of_all_runs_usd=cost_of_all_runs_usd,
        unpriced_calls_of_all_runs=unpriced_calls_of_all_runs,
        next_steps=dict(next_steps or {}),
    )


def _as_group(failures: FailureGroup) -> MessageGroup:
    """Return calls that failed with one kind as a group, where nobody noted their messages."""
    return MessageGroup(
        kind=failures.kind,
        count=failures.count,
        example=failures.example,
        file=None,
        advice=failures.advice,
    )


def _tools(tally: Tally) -> ToolSummary | None:
    if tally.started is None or not tally.started.tools:
        return None
    return ToolSummary(
        calls=tally.tools.calls.total(),
        tools=len(tally.tools.calls),
        errors=tally.tools.errors,
        seconds=round(tally.tools.seconds, stats.DIGITS),
        requests_per_call=stats.ratio(tally.tools.steps + tally.succeeded, tally.done),
    )


def _never_called(tally: Tally) -> tuple[str, ...]:
    """The models that answered and called no tool; where a run resumes, they may have before."""
    if tally.started is None or not tally.started.tools or tally.done_before:
        return ()
    return tuple(str(model) for model in tally.answers if model not in tally.tools.callers)


def _worth_listing(tally: Tally, failures: tuple[FailureGroup, ...]) -> bool:
    """Whether there are several messages of a kind, or several files or rows of which one is named."""
    return any(
        group.varied or (group.count > 1 and says_itself(tally.examples[group.kind])) for group in failures
    )


def _resume_note(tally: Tally, pending: int) -> str | None:
    if capped(tally):
        return "with a higher cap in place of MORE"
    refused = sum(failure.model_down for failure in tally.stopped.values())
    of_requests = not pending and tally.failures.keys() == {str(FailureKind.BAD_REQUEST)}
    if of_requests or (refused and refused == len(tally.stopped)):
        one = tally.failed + refused == 1
        return "correct what the message names first" if one else "correct what the messages name first"
    return None


def _pace(ended: RunFinished | None, wall_s: float, seen: RecordCount | None) -> tuple[str, ...]:
    """The lanes' advice, where the run was long enough for it to matter."""
    if ended is None or wall_s < _WORTH_ADVICE_S:
        return ()
    again = {} if seen is None else seen.again
    lines = (_advice(lane, again.get(lane.lane, Counter())) for lane in ended.lane_times)
    return tuple(line for line in lines if line)


def _advice(lane: LaneTime, retried: Counter[str]) -> str:
    """The lane's advice, if something held it back that somebody could change."""
    whole = sum(lane.seconds.values())
    reason, longest = max(lane.seconds.items(), key=lambda item: item[1], default=(Reason.NO_WORK, 0.0))
    if reason in (Reason.NO_WORK, Reason.LATENCY, Reason.PAUSED) or longest < _HELD_BACK * whole:
        return ""
    if reason == Reason.BACKOFF:
        return str(advice_on_failures(lane.lane, longest / whole, dict(retried.most_common())))
    return lane.advice


def reason_of(failure: Failure) -> str:
    """`401: API key not valid`."""
    return f"{failure.status}: {failure.message}" if failure.status else failure.message


def _failures(
    tally: Tally,
    seen: RecordCount | None,
    providers: tuple[str, ...],
    advise: Callable[..., str],
) -> tuple[FailureGroup, ...]:
    def group(kind: str, count: int) -> FailureGroup:
        failure = tally.examples[kind]
        example = reason_of(failure)
        text = advise(
            kind,
            message=example,
            providers=providers if seen is None else seen.providers.get(kind, providers),
            code=failure.code,
        )
        varied = seen is not None and kind in seen.varied
        return FailureGroup(kind=kind, count=count, example=example, advice=text, varied=varied)

    by_count = sorted(tally.failures.items(), key=lambda item: (-item[1], item[0]))
    return tuple(group(kind, count) for kind, count in by_count)


def _stopped(
    lane: str,
    failure: Failure,
    advise: Callable[..., str],
    vendors: Mapping[str, Vendor],
    spelling: Spelling,
) -> StoppedLane:
    reason = reason_of(failure)
    if failure.kind is FailureKind.RATE_LIMIT or failure.message.startswith(ONLY_REFUSED):
        text = spell(LIMITED, spelling)
        return StoppedLane(lane=lane, kind=str(failure.kind), reason=reason, advice=text)
    if failure.code == NO_TOOLS:
        text = spell(WITHOUT_TOOLS, spelling)
        return StoppedLane(lane=lane, kind=str(failure.kind), reason=reason, advice=text)
    if failure.model_down:
        text = advice_on_model(lane, reason, vendors)
        return StoppedLane(lane=lane, kind=str(failure.kind), reason=reason, advice=text)
    provider = re.split("[:@#]", lane, maxsplit=1)[0]
    key, known = lane.partition("#")[2], dict(vendors)
    if key and provider in known:
        known[provider] = msgspec.structs.replace(known[provider], key_env=(key,))
    text = advise(str(failure.kind), message=reason, providers=(provider,), code=failure.code, vendors=known)
    return StoppedLane(lane=lane, kind=str(failure.kind), reason=reason, advice=text)
