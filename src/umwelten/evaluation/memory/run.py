"""Learning from its first call to the facts in the store, for the command line and the library alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from umwelten.config.settings import Settings
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.memory.collection import Learnt, collect
from umwelten.evaluation.memory.learning import Learning
from umwelten.evaluation.memory.merging import Merging
from umwelten.evaluation.run_start import CallSubset
from umwelten.evaluation.scoring.jury import spent_nusd
from umwelten.events import RunStatus
from umwelten.phrases import Spelling
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Vendor
from umwelten.store.memory.store import MemoryStore
from umwelten.types import NANO, FrozenStruct

MakeCalls = Callable[[Evaluation, CallSubset | None], RunStatus]
"""Makes the calls of an evaluation, or just these, and shows how it goes."""


class LearnRun(FrozenStruct):
    """How it ended. `unaffordable`: the limit of costs was spent before facts could be merged."""

    status: RunStatus
    learnt: Learnt
    unaffordable: bool = False


def learn(
    learning: Learning,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    spelling: Spelling,
    make_calls: MakeCalls,
) -> LearnRun:
    """Ask about what is new, and take in all that was answered, also by a run that was stopped.

    Raises EvaluationBusy if another process changes the store, and what preparing an evaluation raises;
    then nothing is left behind.
    """
    # First of all: nothing is paid for that another process keeps from being stored.
    with MemoryStore.open(learning.spec.output.output_dir, learning.store) as store:
        try:
            evaluation = Evaluation.prepare(learning.spec, settings, vendors, spelling)
        except BaseException:
            store.withdraw()
            raise
        try:
            status = make_calls(evaluation, None)
        finally:
            evaluation.close()
        capabilities = evaluation.capabilities[learning.spec.models[0]]
        if learning.merge == "add":
            return LearnRun(status=status, learnt=collect(learning, store, capabilities))
        return _merge(learning, settings, vendors, spelling, make_calls, store, capabilities, status)


def _merge(
    learning: Learning,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    spelling: Spelling,
    make_calls: MakeCalls,
    store: MemoryStore,
    capabilities: Capabilities,
    status: RunStatus,
) -> LearnRun:
    merging = Merging(learning, store, capabilities)
    try:
        if not merging.waiting or status in (RunStatus.STOPPED, RunStatus.INTERRUPTED):
            return LearnRun(status=status, learnt=merging.result())
        max_cost = settings.get("max_cost")
        left = None if max_cost is None else max_cost - spent_nusd(learning.folder) / NANO
        if left is not None and left <= 0:
            return LearnRun(status=RunStatus.STOPPED, learnt=merging.result(), unaffordable=True)
        evaluation = Evaluation.prepare(merging.spec(left), settings, vendors, spelling)
        try:
            merged = make_calls(evaluation, merging.calls(evaluation))
        finally:
            evaluation.close()
        # Of two runs, the one that went worse tells.
        return LearnRun(status=status if merged is RunStatus.COMPLETE else merged, learnt=merging.result())
    finally:
        merging.close()
