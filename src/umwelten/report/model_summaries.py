"""What each model did in a run, for the table in the closing summary."""

from __future__ import annotations

from umwelten.events import CallSucceeded
from umwelten.report import stats
from umwelten.tally import Tally
from umwelten.types import FrozenStruct


class ModelSummary(FrozenStruct):
    """A model's calls in one run. `average_response_s` is of its answers, `None` without one.

    `pending` are left to do. `cost_usd` as in `RunSummary`; `unpriced_calls` have an unknown cost.
    """

    model: str
    succeeded: int
    failed: int
    pending: int
    average_response_s: float | None
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    unpriced_calls: int


class ModelTimes:
    """Sums the response times of answers by model."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._answers: dict[str, int] = {}

    def add(self, event: CallSucceeded) -> None:
        """Count an answer."""
        name = str(event.model)
        self._seconds[name] = self._seconds.get(name, 0.0) + event.timing.latency_s
        self._answers[name] = self._answers.get(name, 0) + 1

    def mean(self, model: str) -> float | None:
        """Return the mean response time of a model's answers in seconds; `None` without an answer."""
        return stats.ratio(self._seconds.get(model, 0.0), self._answers.get(model, 0))


def model_summaries(tally: Tally, times: ModelTimes | None) -> tuple[ModelSummary, ...]:
    """Return each model's figures, in the order in which the models were given."""
    names = dict.fromkeys(map(str, tally.started.models)) if tally.started else {}
    return tuple(_summary(tally, name, times) for name in names if _took_part(tally, name))


def _took_part(tally: Tally, name: str) -> bool:
    return name in tally.models or (name in tally.by_model and tally.by_model[name].pending > 0)


def _summary(tally: Tally, name: str, times: ModelTimes | None) -> ModelSummary:
    sums, plan = tally.models.get(name), tally.by_model.get(name)
    done = 0 if sums is None else sums.succeeded + sums.failed
    return ModelSummary(
        model=name,
        succeeded=0 if sums is None else sums.succeeded,
        failed=0 if sums is None else sums.failed,
        pending=0 if plan is None else max(plan.pending - done, 0),
        average_response_s=None if times is None else times.mean(name),
        input_tokens=0 if sums is None else sums.input_tokens,
        output_tokens=0 if sums is None else sums.output_tokens,
        cost_usd=stats.usd(
            0 if sums is None else stats.total_cost(sums.cost_nusd, sums.priced, sums.unpriced)
        ),
        unpriced_calls=0 if sums is None else sums.unpriced,
    )
