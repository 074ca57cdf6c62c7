"""The time left against the truth, in runs of virtual time."""

from __future__ import annotations

import heapq
import math
import random
from dataclasses import dataclass, field

import msgspec
import pytest

from cli.progress.happenings import begun, good, waiting
from umwelten.events import LaneView, ModelCalls
from umwelten.report.progress.board import Board, Watch
from umwelten.report.progress.pace import Pace
from umwelten.report.progress.time_left import Route, Work, time_left
from umwelten.tally import Tally
from umwelten.types import ModelRef


@dataclass
class Model:
    """So many calls in a lane with a limit, whose latencies are log-normal."""

    name: str
    lane: str
    calls: int
    median_s: float
    sigma: float = 0.3
    limit: int = 20
    in_flight: int = 0
    left: int = field(init=False)

    def __post_init__(self) -> None:
        self.left = self.calls


@dataclass
class Run:
    """Fills slots as the pool does: the model with the fewest calls in flight is next.

    `per_s`: the calls that a lane's provider lets in, whatever is in flight.
    """

    models: list[Model]
    slots: int | None
    rng: random.Random
    per_s: dict[str, float] = field(default_factory=dict)
    now: float = 0.0
    looks: list[tuple[float, Board]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.tally, self.opens = Tally(), dict[str, float]()
        self.watch = Watch(self.tally, lambda: self.now)
        self.watch.start(self.views)
        refs = tuple(ModelRef(*model.name.split(":")) for model in self.models)
        by_model = {model.name: ModelCalls(total=model.calls, pending=model.calls) for model in self.models}
        total = sum(model.calls for model in self.models)
        self.tally(msgspec.structs.replace(begun(total, limit=self.slots, models=refs), by_model=by_model))

    def views(self) -> list[LaneView]:
        lanes: dict[str, list[Model]] = {}
        for model in self.models:
            lanes.setdefault(model.lane, []).append(model)
        return [
            LaneView(
                name=name,
                in_flight=sum(model.in_flight for model in of),
                limit=of[0].limit,
                ready=sum(model.left for model in of),
                waiting=0,
                models={model.name: model.in_flight for model in of},
            )
            for name, of in lanes.items()
        ]

    def next_model(self) -> Model | None:
        if self.slots is not None and sum(model.in_flight for model in self.models) >= self.slots:
            return None
        may = [
            model
            for model in self.models
            if model.left
            and sum(each.in_flight for each in self.models if each.lane == model.lane) < model.limit
            and self.opens.get(model.lane, 0.0) <= self.now
        ]
        return min(may, key=lambda model: (model.in_flight, model.calls - model.left), default=None)

    def play(self) -> float:
        """Returns when it ended; `looks` has the boards of sixty times or more."""
        ends: list[tuple[float, int, Model, float]] = []
        work_s = sum(model.calls * model.median_s for model in self.models)
        every = max(0.25, work_s / min(self.slots or 50, 50) / 60)
        look_at, n = every, 0
        while True:
            while (model := self.next_model()) is not None:
                took = model.median_s * math.exp(self.rng.gauss(0, model.sigma))
                model.left, model.in_flight = model.left - 1, model.in_flight + 1
                if model.lane in self.per_s:
                    self.opens[model.lane] = self.now + 1 / self.per_s[model.lane]
                heapq.heappush(ends, (self.now + took, n, model, took))
                n += 1
            opening = [at for at in self.opens.values() if at > self.now]
            if not ends and not opening:
                return self.now
            until = min([ends[0][0]] if ends else [], default=math.inf)
            until = min([until, *opening]) if any(model.left for model in self.models) else until
            if until == math.inf:
                return self.now
            if look_at < until:
                self.now = look_at
                self.looks.append((self.now, self.watch.look()))
                look_at += every
                continue
            self.now = until
            if ends and ends[0][0] <= until:
                _, _, model, took = heapq.heappop(ends)
                model.in_flight -= 1
                event = good(lane=model.lane)
                self.tally(
                    msgspec.structs.replace(event, model=ModelRef(*model.name.split(":")), time_s=took)
                )

    def judged(self) -> tuple[int, int, int]:
        """How many looks there were after a tenth of the calls, those with a time, and those that were right
        within a factor of two, or two seconds.
        """
        took = self.play()
        later = [(at, board) for at, board in self.looks if board.done >= board.total / 10]
        told = [(took - at, board.left_s) for at, board in later if board.left_s is not None]
        right = [1 for real, said in told if real / 2 - 2 <= said <= 2 * real + 2]
        return len(later), len(told), len(right)


def run(seed: int) -> Run:
    """A steady run: up to eight models in up to five lanes, with latencies that differ by forty times."""
    rng = random.Random(seed)
    lanes = [f"lane{n}" for n in range(rng.randint(1, 5))]
    limits = {lane: rng.choice([2, 5, 20, 100]) for lane in lanes}
    per_s = {lane: rng.choice([0.5, 2, 5]) for lane in lanes if rng.random() < 0.2}
    models = []
    for n in range(rng.randint(1, 8)):
        lane = rng.choice(lanes)
        median = 0.3 * 40 ** rng.random()
        models.append(
            Model(f"p:m{n}", lane, rng.choice([20, 50, 150]), median, rng.choice([0.1, 0.4]), limits[lane])
        )
    return Run(models, rng.choice([None, 1, 5, 20, 50]), rng, per_s)


def test_a_tenth_into_a_steady_run_the_time_left_is_there_and_right_within_a_factor_of_two() -> None:
    shares = []
    for seed in range(24):
        looks, told, right = run(seed).judged()
        assert told == looks, seed
        shares += [right / looks] if looks else []
    assert len(shares) > 20
    assert sum(shares) / len(shares) >= 0.9, shares


def test_one_model_that_is_slow_to_answer_hides_nothing() -> None:
    fast, slow = Model("p:fast", "a", 100, 1.0, 0.1), Model("p:slow", "b", 40, 30.0, 0.1)
    of = Run([fast, slow], 10, random.Random(1))
    took = of.play()
    early = [(at, board) for at, board in of.looks if 3 < at < 25]
    assert all(board.left_s is not None and board.left_about for _, board in early)
    late = [(at, board) for at, board in of.looks if at > took / 2]
    assert not any(board.left_about for _, board in late)


def test_nothing_is_known_until_a_call_ended() -> None:
    assert time_left([Route(5, [Work(10, 5)])], 5) is None
    assert time_left([Route(5, [Work(0, 0)])], 5) is not None


def test_slots_of_a_model_that_ends_go_to_the_others() -> None:
    def work(remaining: int, call_s: float) -> Work:
        return Work(remaining, 10, 50, call_s, 10 / call_s, 10, 60)

    left = time_left([Route(20, [work(100, 1.0)]), Route(20, [work(200, 4.0)])], 20)
    assert left is not None
    assert left.seconds == pytest.approx(45, rel=0.02)  # 10 s for 100 and 25 of the others, then 175 by 20


def test_a_lane_that_waits_is_waited_for() -> None:
    def left(wait_s: float) -> float:
        work = Work(20, 0, 50, 1.0, 0.0, 0.0, 60)
        found = time_left([Route(10, [work], wait_s)], 10)
        assert found is not None
        assert found.about is bool(wait_s)
        return found.seconds

    assert left(120) == pytest.approx(120 + left(0))


def test_a_limit_of_calls_by_time_is_not_made_faster_by_more_slots() -> None:
    work = Work(100, 0, 50, 0.5, 1.0, 0.5, 60)
    left = time_left([Route(100, [work])], 100)
    assert left is not None
    assert left.seconds == pytest.approx(100)


def test_a_hundred_models_are_judged_in_little_time() -> None:
    works = [Work(100 + n, 1, 10, 1.0 + n / 10, 1.0, 1.0, 60) for n in range(100)]
    left = time_left([Route(5, works[n : n + 10]) for n in range(0, 100, 10)], 50)
    assert left is not None
    assert left.seconds == pytest.approx(4067, rel=0.05)  # what the last lane has to do, by its limit


def test_a_slower_rate_is_followed_without_a_jump() -> None:
    pace, done = Pace(0), 0
    for step in range(1, 121):
        done = 10 * step // 4
        pace.look(step / 4, done, 0, done * 1.0, 10)
    before = pace.calls_per_s
    assert before == pytest.approx(10, rel=0.05)
    for step in range(1, 481):
        done += step % 4 == 0
        pace.look(30 + step / 4, done, 0, done * 1.0, 10)
        assert abs(pace.calls_per_s - before) < 0.08 * before
        before = pace.calls_per_s
    assert before == pytest.approx(1, rel=0.15)


def test_a_lane_that_stands_still_keeps_a_time() -> None:
    tally, now = Tally(), [0.0]
    view = [LaneView(name="google", in_flight=5, limit=5, ready=50, waiting=0, models={"google:m": 5})]
    watch = Watch(tally, lambda: now[0])
    watch.start(lambda: view)
    ref = ModelRef("google", "m")
    start = begun(100, models=(ref,), limit=5)
    tally(msgspec.structs.replace(start, by_model={"google:m": ModelCalls(total=100, pending=100)}))
    for second in range(1, 11):
        now[0] = second
        for n in range(5):
            tally(msgspec.structs.replace(good(n), model=ref, time_s=1.0))
        watch.look()
    assert watch.look().left_s == pytest.approx(10, rel=0.2)
    view[0] = msgspec.structs.replace(view[0], in_flight=0, models={"google:m": 0}, wait=waiting())
    now[0] = 15.0
    board = watch.look()
    assert board.left_s is not None
    assert board.left_s >= 18
    assert board.models[0].state.startswith("throttled 42 s: 429 slow down")
