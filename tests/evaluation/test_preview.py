"""What a dry run counts, prices and times, in figures that one computes by hand."""

from __future__ import annotations

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from provider import provider
from umwelten.api.argument_names import as_argument
from umwelten.cli.dry_run import layout
from umwelten.config.endpoints import vendors
from umwelten.config.settings import Settings, load
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.estimate import choose, estimate
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.preview import Preview, preview, wall_s
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.tools.results import LONGEST_RESULT
from umwelten.types import ModelRef

NOON = 1_795_518_000.0
MINE = """
[providers.mine]
wire = "openai"
base_url = "https://llm.example.com/v1"
api_key_env = "K"
[providers.free]
like = "vllm"
base_url = "http://127.0.0.1:2/v1"
[prices."mine:m"]
input = 2.0
output = 10.0
"""
PAID, FREE = ModelRef("mine", "m"), ModelRef("free", "n")


@pytest.fixture
def configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    for number in range(25):
        (tmp_path / "in" / f"{number:02}.txt").write_text("word " * 80)
    (tmp_path / "umwelten.toml").write_text(MINE)
    return load(tmp_path, {"K": "k"}, tmp_path)


def planned(settings: Settings, *models: str, **options: Any) -> tuple[Preview, EvaluationSpec]:
    given = {"models": list(models), "prompt": "Go.", "directory": Path("in"), **options}
    settings = settings.with_flags(given, as_argument, arguments=True)
    made = build_spec("batch", settings, vendors(settings), [])
    return preview(made, settings, vendors(settings), at=NOON), made


def test_calls_tokens_and_costs_are_those_of_all_files_models_and_repeats(configured: Settings) -> None:
    """A file of 400 bytes and a prompt of 3 come to 108 tokens; an answer of no limit is taken for 1,024."""
    plan, _ = planned(configured, "mine:m", "free:n", repeat=3)
    assert (plan.files, plan.file_bytes, plan.first[-1], len(plan.first)) == (25, 10_000, "19.txt", 20)
    assert (plan.calls, plan.done, plan.by_model) == (150, 0, {PAID: 75, FREE: 75})
    assert (plan.input_tokens, plan.text_tokens, plan.picture_tokens) == (150 * 108, 150 * 108, 0)
    assert (plan.output_tokens, plan.output_bounded) == (150 * 1024, False)
    least = 75 * 108 * 2_000
    assert plan.costs == {PAID: (least, least + 75 * 1024 * 10_000), FREE: (0, 0)}
    assert plan.total == plan.costs[PAID]
    assert plan.prices_of is None


def test_a_limit_of_tokens_bounds_the_cost(configured: Settings) -> None:
    plan, _ = planned(configured, "mine:m", max_tokens=10)
    assert (plan.output_tokens, plan.output_bounded) == (250, True)
    assert plan.total == (25 * 108 * 2_000, 25 * 108 * 2_000 + 250 * 10_000)


def test_one_model_without_a_price_leaves_the_total_unknown(configured: Settings) -> None:
    plan, _ = planned(configured, "mine:m", "mine:other")
    assert plan.costs[ModelRef("mine", "other")] is None
    assert plan.total is None


def test_files_that_cannot_be_sent_are_calls_that_cost_nothing(configured: Settings) -> None:
    for number in range(3):
        Path("in", f"data{number}.zip").write_bytes(b"x" * 1000)
    plan, _ = planned(configured, "mine:m", "free:n")
    assert (plan.files, plan.calls) == (28, 56)
    assert (plan.unsendable, plan.unsendable_first) == (3, ("data0.zip", "data1.zip", "data2.zip"))
    assert plan.input_tokens == 50 * 108
    assert plan.seconds == (50 * 2.0, 50 * 20.0)


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        # 25 calls to each of two providers, of 2 to 20 seconds.
        ({"max_concurrency": 1}, (100.0, 1000.0)),
        ({"max_concurrency": 10}, (10.0, 100.0)),
        ({"max_concurrency": 200}, (2.0, 20.0)),
        ({"max_concurrency": 10, "provider_concurrency": {"mine": 1}}, (50.0, 500.0)),
        ({"max_concurrency": 4, "provider_concurrency": {"mine": 100}}, (25.0, 250.0)),
        ({"max_concurrency": "auto", "provider_concurrency": {"mine": 5, "free": 2}}, (25.0, 250.0)),
    ],
)
def test_the_time_is_that_of_the_narrowest_place(
    options: dict[str, Any], seconds: tuple[float, float], configured: Settings
) -> None:
    plan, _ = planned(configured, "mine:m", "free:n", **options)
    assert plan.seconds == seconds


def test_with_auto_a_provider_bears_at_least_and_at_most_what_is_recommended(configured: Settings) -> None:
    plan, made = planned(configured, "mine:m", max_concurrency="auto")
    few, many = vendors(configured)["mine"].recommended
    assert few < many
    assert plan.seconds == (max(2.0, 50.0 / many), max(20.0, 500.0 / few))
    assert wall_s({}, made, vendors(configured), one_s=(2.0, 20.0)) == (0.0, 0.0)
    assert wall_s({"mine": (7.0, 9000.0)}, made, vendors(configured)) == (7.0 / many, 9000.0 / few)


# --- the same from a sample --------------------------------------------------------------------

BIG = 24_000


@pytest.mark.parametrize("failing", [False, True])
def test_an_estimate_is_of_all_calls(failing: bool, tmp_path: Path, configured: Settings) -> None:
    """Of 26 calls the one with a file of sixty times the size is sure to be drawn; each costs $0.0003."""
    (tmp_path / "in" / "big.txt").write_text("w" * BIG)
    answered = Behaviour(input_tokens=100, output_tokens=10)
    rules = (Rule(model="n", behaviour=Behaviour(fault=400)),) if failing else ()
    with provider(Profile(default=answered, rules=rules)) as server:
        (tmp_path / "umwelten.toml").write_text(MINE.replace("https://llm.example.com", server.url))
        settings = load(tmp_path, {"K": "k"}, tmp_path)
        _, made = planned(settings, "mine:m", "mine:n", id="s", max_tokens=10)
        with closing(Evaluation.prepare(made, settings, vendors(settings))) as evaluation:
            sample = choose(evaluation, 12)
            asyncio.run(evaluation.run(only=sample.only))
            found = estimate(evaluation, sample)
    for one in sample.chosen:
        assert len(one.calls) == 6
        assert [weight for _, weight, sure in one.calls if sure] == [max(w for _, w, _ in one.calls)]
    paid, other = found.models
    assert (paid.calls, paid.sampled, paid.succeeded, paid.failed, paid.spent) == (26, 6, 6, 0, 6 * 300_000)
    assert paid.cost is not None and paid.per_call is not None
    assert paid.cost.mean == pytest.approx(26 * 300_000)
    assert paid.per_call.mean == pytest.approx(300_000)
    assert paid.busy_s is not None
    assert paid.busy_s.low <= paid.busy_s.mean <= paid.busy_s.high
    assert paid.input_tokens is not None and paid.output_tokens is not None
    assert (paid.input_tokens.mean, paid.output_tokens.mean) == (pytest.approx(2600), pytest.approx(260))
    # The other model has no price: its cost, and that of both, is unknown, and what it spent adds nothing.
    answers = 0 if failing else 6
    assert (other.sampled, other.succeeded, other.failed) == (6, answers, 6 - answers)
    assert (other.spent, other.cost, found.total) == (0, None, None)
    assert (found.spent, found.succeeded) == (paid.spent, 6 + answers)
    assert (found.seconds is None) is failing


def test_calls_with_tools_cost_from_one_request_to_as_many_as_they_may_have(configured: Settings) -> None:
    """Each further request sends the answers before it again, and a result of 16 KiB after each."""
    plan, _ = planned(configured, "mine:m", tools=["calculator", "now"], max_steps=3, max_tokens=100)
    assert (plan.tools, plan.max_steps, plan.calls) == (("calculator", "now"), 3, 25)
    first, more = plan.input_tokens // 25, 100 + LONGEST_RESULT // 4
    sent = [first, first + more, first + 2 * more]
    assert plan.most_input_tokens == 25 * sum(sent)
    assert plan.output_tokens == 25 * 3 * 100
    assert plan.total == (25 * first * 2_000, 25 * sum(tokens * 2_000 + 100 * 10_000 for tokens in sent))
    slowest = planned(configured, "mine:m", max_tokens=100)[0].seconds
    assert plan.seconds == (slowest[0], 3 * slowest[1])
    (said,) = [line for line in layout(plan, batch=True) if "requests a call" in line]
    assert said.startswith("         1 to 3 requests a call: $")


def test_inputs_are_called_what_they_are(configured: Settings) -> None:
    plan, _ = planned(configured, "mine:m")
    assert next(line for line in layout(plan, batch=True)).startswith("files    ")
    rows = msgspec.structs.replace(plan, source="rows", files=1)
    assert next(line for line in layout(rows, batch=True)).startswith("rows     1 row (")


@pytest.mark.parametrize("given", [{"tool_choice": "none"}, {"max_steps": 1}])
def test_tools_that_may_not_be_called_cost_no_further_requests(
    configured: Settings, given: dict[str, Any]
) -> None:
    plan, _ = planned(configured, "mine:m", tools=["calculator"], max_tokens=100, **given)
    assert (plan.tools, plan.max_steps, plan.output_tokens) == ((), 1, 25 * 100)
    assert plan.most_input_tokens == plan.input_tokens
