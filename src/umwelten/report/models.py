"""The values of a report, in the shape of the JSON report's objects.

- `calls` = `succeeded` + `failed` + `pending`; `success_rate` = succeeded / (succeeded + failed), 0 to 1.
- `wall_s`: of all runs together, from start to end, or to the last sign of life of one that was killed.
  Of a model: from its first attempt to its last in each run.
- `sequential_s`: time in flight of all attempts of the calls; `speedup` = sequential_s / wall_s.
- `average_response_s`, `p50_s`, `p95_s`: of the answers' last attempts (percentiles by nearest rank).
- `throughput_per_s`: calls that ended, either way, per second of wall time.
- Answers that were taken over from another evaluation succeeded, at a cost of 0, and count in no figure of
  time, tokens or price.
- `peak_in_flight`: the most attempts under way at one moment.
- `ttft_p50_s`: median time to the first token, of the answers that were streamed.
- `tokens_per_s`: output tokens / response time, of the answers whose tokens are known, each summed; where
  tools were called, the time of all requests.
- `cost_per_1k_usd`: known cost / calls of known cost, times 1,000; unknown where
  all that is known is 0 and the cost of other calls is not.

With several prompts, each model with each of them has a row of its own: `prompt` is the prompt's name
there, and `None` where there is one prompt alone.
"""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.report.change_words import author_words, change_words
from umwelten.types import FrozenStruct


class ReportedPrompt(FrozenStruct):
    """A prompt. `messages` is there when it has several: `text` has all of them, each after its role."""

    name: str
    text: str
    messages: tuple[dict[str, str], ...] | msgspec.UnsetType = msgspec.UNSET


class EvaluationInfo(FrozenStruct, kw_only=True):
    """What was asked. Times are ISO 8601 in UTC; `finished_at` is null while a run is at work.

    `prompts` is there when there are several; `prompt` is then what the store keeps in its place. `messages`
    is there when the only prompt has several, which `prompt` has as one text.
    """

    id: str
    type: str
    prompt: str
    messages: tuple[dict[str, str], ...] | msgspec.UnsetType = msgspec.UNSET
    prompts: tuple[ReportedPrompt, ...] | msgspec.UnsetType = msgspec.UNSET
    system: str | None
    models: tuple[str, ...]
    started_at: str
    finished_at: str | None
    status: str


class Figures(FrozenStruct):
    """The figures of all calls, or of one model's."""

    calls: int
    succeeded: int
    failed: int
    pending: int
    success_rate: float | None
    wall_s: float
    sequential_s: float
    speedup: float | None
    average_response_s: float | None
    p50_s: float | None
    p95_s: float | None
    throughput_per_s: float | None
    peak_in_flight: int


class UsageSums(FrozenStruct):
    """Sums of the tokens that are known; `None` when those of no call are."""

    input_tokens: int | None
    output_tokens: int | None
    cached_tokens: int | None
    total_tokens: int | None


class Cost(FrozenStruct):
    """The sum of the costs that are known; `None` when calls were made and no cost is known."""

    total_usd: float | None
    priced_calls: int
    unpriced_calls: int
    usage: UsageSums


class Service(FrozenStruct):
    """How fast and how expensive a model's answers are."""

    ttft_p50_s: float | None
    tokens_per_s: float | None
    cost_per_1k_usd: float | None


def model_label(model: str, prompt: str | None) -> str:
    """The model's name, with the prompt's where there are several: `google:gemini-3.5-flash · short`."""
    return model if prompt is None else f"{model} · {prompt}"


class ModelToolFigures(FrozenStruct):
    """What a model did with the tools that it was offered, in its calls that ended.

    `asked` calls had `steps` requests that were answered; `answered` of them succeeded, `last_turns` of these
    after the model was told to call no more tools. `tool_s` is the time of all `tool_calls` together;
    `tool_errors` came to no result.
    """

    asked: int
    answered: int
    steps: int
    tool_calls: int
    tool_errors: int
    tool_s: float
    last_turns: int


class ToolFigures(FrozenStruct):
    """The calls of one tool, of calls that ended. `source` is `None` if a model made it up.

    `errors` came to no result, `timeouts` of them because of the time that they took. `p50_s`: the median
    time of those that were run.
    """

    tool: str
    source: str | None
    calls: int
    errors: int
    timeouts: int
    p50_s: float | None


class ToolUse(FrozenStruct):
    """What became of the tools that were offered; `models` by number.

    `never_allowed`: models were let call none.
    """

    tools: tuple[ToolFigures, ...]
    models: dict[int, ModelToolFigures]
    never_allowed: bool


class ModelRow(FrozenStruct):
    """The figures of one model, or of one with one of several prompts. `number` is the store's.

    `tools`: `None` where none were offered, or none of its calls has ended.
    """

    model: str
    figures: Figures
    cost: Cost
    service: Service
    prompt: str | None = None
    number: int = 0
    tools: ModelToolFigures | None = None

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class Pick(FrozenStruct, kw_only=True):
    """A model that stands out. `what` is "cheapest", "fastest" or "best value"; `why` has the figures."""

    what: str
    model: str
    prompt: str | None = None
    why: str

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class LeftOut(FrozenStruct, kw_only=True):
    """A model that no pick could be, and why: it answered too few of its calls, or no time of it is known.

    `best_rate` is the share of calls that the most reliable model answered.
    """

    model: str
    prompt: str | None = None
    succeeded: int
    failed: int
    success_rate: float | None
    best_rate: float
    why: str

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class AttemptSums(FrozenStruct, kw_only=True):
    """A model's attempts with one outcome: "answered", or the kind of failure. All runs together.

    `time_s` is their time in flight; `cost_usd` the sum of the known costs, `None` when none is known.
    """

    model: str
    prompt: str | None = None
    outcome: str
    attempts: int
    time_s: float
    cost_usd: float | None

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class Throttling(FrozenStruct):
    """What became of a lane's limit of calls in flight: how often it moved, was cut, and where it was."""

    lane: str
    changes: int
    cuts: int
    lowest: float
    highest: float
    last: float


class LaneAttribution(FrozenStruct):
    """Seconds of a lane's wall time by what it waited for, all runs together; `share` of the lane's sum."""

    lane: str
    reason: str
    seconds: float
    share: float


class Metrics(FrozenStruct):
    """One call's figures. Durations of the last attempt; tokens and cost of all.

    With tools there are the requests that were answered, and the calls of tools with their seconds.
    """

    response_s: float | None
    ttft_s: float | None
    attempts: int
    input_tokens: int | None
    output_tokens: int | None
    cost_usd: float | None
    steps: int | msgspec.UnsetType | None = msgspec.UNSET
    tool_calls: int | msgspec.UnsetType | None = msgspec.UNSET
    tool_errors: int | msgspec.UnsetType | None = msgspec.UNSET
    tool_s: float | msgspec.UnsetType | None = msgspec.UNSET


class Error(FrozenStruct):
    """Why a call failed. `answer` is there for the kind "schema": the last answer, which did not fit."""

    kind: str
    message: str
    answer: str | msgspec.UnsetType | None = msgspec.UNSET


class CallResult(FrozenStruct, kw_only=True):
    """One call that ended. `file` is `None` without one; `status` is "succeeded" or "failed".

    `data` is the record in the answer, where a schema asked for one, and `marks` say what it took to get
    it: "fenced", "mended", "coerced", "last of several", "asked again"; and what is wrong with the answer:
    "cut input", "media dropped"; or that it came after the model was told to call no more tools: "last turn
    without tools".
    """

    model: str
    provider: str
    prompt: str | None = None
    file: str | None
    repeat: int
    status: str
    response: str | None
    data: msgspec.Raw | None = None
    marks: tuple[str, ...] = ()
    finish_reason: str | None
    metrics: Metrics
    error: Error | None

    @property
    def label(self) -> str:
        """Model and prompt as one text."""
        return model_label(self.model, self.prompt)


class ErrorGroup(FrozenStruct):
    """The failed calls of one kind, with the message of the first."""

    kind: str
    count: int
    example: str


class RefusedModel(FrozenStruct):
    """A model whose account or host refused calls in the latest run; they stay pending."""

    model: str
    provider: str
    message: str


class RunChange(FrozenStruct):
    """A row of the table `changes`. `at` is ISO 8601 in UTC; `old` and `new` are values of JSON."""

    at: str
    key: str
    scope: str
    old: Any
    new: Any
    via: str
    author: str
    reason: str

    @property
    def words(self) -> str:
        """What was changed."""
        return change_words(self.key, self.old, self.new, self.scope)

    @property
    def by(self) -> str:
        """Who changed it, and why."""
        return author_words(self.via, self.author, self.reason)


class WorkerSums(FrozenStruct, kw_only=True):
    """A worker of a run on several processes, and its attempts: `failures` by kind, `mean_s` their mean time.

    `worker` counts from 1 within the `run`. `node` is what its cluster calls the machine. Times are ISO 8601
    in UTC; `left_at` is `None` while it is there, `why` says why it left. `cpu_s`: processor time, `None` if
    not known.
    """

    run: int
    worker: int
    node: str
    address: str
    pid: int
    joined_at: str
    left_at: str | None
    why: str
    attempts: int
    answered: int
    failures: dict[str, int]
    mean_s: float | None
    cpu_s: float | None


class Overview(FrozenStruct):
    """All of a report but the results."""

    evaluation: EvaluationInfo
    summary: Figures
    cost: Cost
    models: tuple[ModelRow, ...]
    errors: tuple[ErrorGroup, ...]
    settings: ReportedSettings
    picks: tuple[Pick, ...]
    attempts: tuple[AttemptSums, ...]
    throttling: tuple[Throttling, ...]
    attributions: tuple[LaneAttribution, ...]
    tools: ToolUse | None = None
    most_expensive: Pick | None = None
    left_out: tuple[LeftOut, ...] = ()
    changes: tuple[RunChange, ...] = ()
    workers: tuple[WorkerSums, ...] = ()


class EvaluationSummary(FrozenStruct):
    """What a list of evaluations shows of one."""

    evaluation: EvaluationInfo
    calls: int
    succeeded: int
    failed: int
    cost: Cost


class ReportedVariant(FrozenStruct):
    """The settings of the models named `model@name`, where they differ from those of all.

    `system`: `None` is that of all models, "" none.
    """

    name: str
    parameters: tuple[tuple[str, str], ...]
    system: str | None = None

    @property
    def words(self) -> str:
        """The settings in one line, without the text of a system prompt."""
        system = {None: (), "": ("no system prompt",)}.get(self.system, ("a system prompt of its own",))
        return ", ".join((*(f"{name} {value}" for name, value in self.parameters), *system)) or "nothing else"


class ReportedTools(FrozenStruct):
    """The tools that were offered, by name, and the most requests that a call may have had."""

    names: tuple[str, ...]
    choice: str
    max_steps: int


class ReportedSettings(FrozenStruct):
    """What was sent beside the prompt: (name, value as text) of each parameter, names of attachments.

    `price_lists` are the days of the price lists by which runs were billed, where they were. `variants` is
    there when models have settings of their own, `tools` when some were offered.
    """

    repeats: int
    parameters: tuple[tuple[str, str], ...]
    attachments: tuple[str, ...]
    price_lists: tuple[str, ...] | msgspec.UnsetType = msgspec.UNSET
    variants: tuple[ReportedVariant, ...] | msgspec.UnsetType = msgspec.UNSET
    tools: ReportedTools | msgspec.UnsetType = msgspec.UNSET
