"""The start of a run: its row in the store, and what is told of what lies ahead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from umwelten.attempts.target import Target, left_out
from umwelten.config.settings import Settings
from umwelten.engine.interfaces import Source
from umwelten.evaluation.engine_choice import engine_settings
from umwelten.evaluation.lanes import sums_by_lane
from umwelten.evaluation.request_terms import any_tools, callable_tools
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.evaluation.text_file_note import TextFileNote
from umwelten.events import Grown, ModelCalls, Note, NoteLevel, Observer, RunStarted
from umwelten.phrases import Spelling
from umwelten.store.grid import Counts
from umwelten.store.store import Store
from umwelten.types import FrozenStruct


class CallSubset(FrozenStruct):
    """Some of the pending calls: where they come from, and how many they are by model.

    `sample`: they are few, and made first, by this process whatever the engine of the run.
    """

    source: Source
    calls: Mapping[int, int]
    sample: bool = False


@dataclass(frozen=True, slots=True)
class RunStart:
    """What is known when a run starts. `limit`: the cap over all providers; `reused`: answers taken over, by
    evaluation; `price_day`: that of the list of prices; `given`: the options, as JSON.
    """

    spec: EvaluationSpec
    store: Store
    targets: Mapping[int, Target]
    settings: Settings
    spelling: Spelling
    clock: Callable[[], float]
    limit: int | None
    reused: Mapping[str, int]
    price_day: str | None
    given: str

    def begin(self, tell: Observer, only: CallSubset | None, standing: tuple[Counts, dict[int, int]]) -> None:
        """Open the run in the store and report what lies ahead; inputs found later are reported then."""
        spec, limits, store = self.spec, self.spec.limits, self.store
        loop = asyncio.get_running_loop()
        counts, to_do = standing
        pending = sums_by_lane(self.targets, to_do if only is None else only.calls)
        each = sums_by_lane(self.targets, dict.fromkeys(store.models, spec.repeats))
        note_text_files = TextFileNote(spec, self.settings, self.spelling, tell)

        def grown(more: int, complete: bool) -> None:
            total = counts.total + more * spec.repeats * len(store.models)
            now = {lane: n + more * each[lane] for lane, n in pending.items()}
            found = self._by_model(total, to_do, more * spec.repeats)
            loop.call_soon_threadsafe(
                tell, Grown(total=total, pending=now, complete=complete, by_model=found)
            )
            loop.call_soon_threadsafe(note_text_files, sum(now.values()))

        if only is None and not store.complete:
            store.on_growth(grown)
        if limits.hedge and any_tools(spec):
            text = "calls with tools are not sent a second time, however long they take"
            tell(Note(text=text, level=NoteLevel.WARNING))
        if spec.tools is not None:
            spec.tools.notes.listen(
                lambda text: loop.call_soon_threadsafe(tell, Note(text=text, level=NoteLevel.WARNING))
            )
        for text in left_out(self.targets.values(), spec.request):
            tell(Note(text=text, level=NoteLevel.WARNING))
        store.start_run(
            {
                "max_concurrency": limits.max_concurrency,
                "provider_concurrency": dict(limits.provider_concurrency),
                "timeout_s": limits.timeout_s,
                "retries": limits.retries,
                "max_wait_s": limits.max_wait_s,
                **({"hedge": limits.hedge} if limits.hedge else {}),
                "stream": spec.stream,
                **({} if only is not None and only.sample else engine_settings(spec.engine)),
                **({"reused": self.reused} if self.reused else {}),
                **({} if self.price_day is None else {"prices": self.price_day}),
            },
            self.clock,
            given=self.given,
        )
        tell(
            RunStarted(
                id=store.spec.id,
                total=counts.total if only is None else sum(only.calls.values()),
                done=counts.succeeded if only is None else 0,
                models=tuple(dict.fromkeys(store.models.values())),
                max_concurrency=self.limit,
                at_unix=self.clock(),
                pending=pending,
                complete=only is not None or store.complete,
                reused=dict(self.reused) if only is None else {},
                tools=callable_tools(spec.request),
                by_model=self._by_model(counts.total, to_do)
                if only is None
                else self._by_model(None, only.calls),
            )
        )
        note_text_files(sum(pending.values()))

    def _by_model(self, total: int | None, to_do: Mapping[int, int], more: int = 0) -> dict[str, ModelCalls]:
        """Return what each model has to do: of so many calls in all, `None` where those to do are all."""
        models, sums = self.store.models, dict[str, ModelCalls]()
        for number, ref in models.items():
            pending = to_do.get(number, 0) + more
            own = pending if total is None else total // len(models)
            before = sums.get(str(ref), ModelCalls(total=0, pending=0))
            sums[str(ref)] = ModelCalls(total=before.total + own, pending=before.pending + pending)
        return sums
