"""All formats say the same, to the digit; and what each table of a report means."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from html import unescape

import msgspec
import pytest

from report.making import FLASH, GEMMA, NOON, Done, answer, change, failure, spec, two_models, work
from store.making import downgrade
from umwelten.cli.flag_names import as_flag
from umwelten.report import recommendations
from umwelten.report.models import Cost, Figures, ModelRow, Service, UsageSums
from umwelten.report.queries import overviews
from umwelten.report.queries.performance import cost_per_1k
from umwelten.report.queries.quantiles import quantiles
from umwelten.report.queries.timeline import timeline
from umwelten.report.render.csv import render_csv
from umwelten.report.render.html import render_html
from umwelten.report.render.json import render_json
from umwelten.report.render.markdown import render_markdown
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.types import FailureKind


def rendered(folder, render, **options) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render(reader, out, **options)
    return out.getvalue()


def markdown_rows(text: str, heading: str) -> list[list[str]]:
    table = text.split(f"## {heading}\n")[1].strip().split("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def html_rows(text: str, name: str) -> list[list[str]]:
    table = re.search(f'aria-label="{name}"><table>.*?<tbody>(.*?)</tbody>', text, re.DOTALL)[1]
    return [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[hd].*?>(.*?)</t[hd]>", row)]
        for row in re.findall("<tr>(.*?)</tr>", table)
    ]


def test_the_models_have_the_same_figures_in_every_format(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    full = json.loads(rendered(folder, render_json))["models"]
    flat = list(
        csv.DictReader(io.StringIO(rendered(folder, lambda r, out: render_csv([r], out, short=True))))
    )
    marked = markdown_rows(rendered(folder, render_markdown), "Models")
    paged = html_rows(rendered(folder, lambda r, out: render_html([r], out)), "Models side by side")
    assert len(full) == len(flat) == len(marked) == len(paged) == 2
    for one, row, line, page in zip(full, flat, marked, paged, strict=True):
        for name in ("calls", "p50_s", "p95_s", "wall_s", "ttft_p50_s", "tokens_per_s", "cost_per_1k_usd"):
            assert (None if row[name] == "" else float(row[name])) == one[name], name
        words = [
            one["model"], str(one["succeeded"]), str(one["failed"]), str(one["pending"]),
            formatting.percent(one["success_rate"]), formatting.seconds(one["p50_s"]),
            formatting.seconds(one["p95_s"]), formatting.seconds(one["ttft_p50_s"]),
            formatting.rate(one["tokens_per_s"]),
            formatting.tokens(one["cost"]["usage"]["input_tokens"]),
            formatting.tokens(one["cost"]["usage"]["output_tokens"]),
            formatting.money(one["cost_per_1k_usd"]),
            formatting.cost(one["cost"]["total_usd"], one["cost"]["unpriced_calls"]),
        ]  # fmt: skip
        assert line == words
        assert sorted(page) == sorted([*words[:1], str(one["calls"]), *words[2:]])


def test_every_call_has_the_same_figures_in_json_csv_and_html(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    full = json.loads(rendered(folder, render_json))["results"]
    flat = list(csv.DictReader(io.StringIO(rendered(folder, lambda r, out: render_csv([r], out)))))
    page = rendered(folder, lambda r, out: render_html([r], out))
    rows = json.loads(re.search('id="rows">(.*?)</script>', page, re.DOTALL)[1])
    assert len(full) == len(flat) == len(rows)
    for one, line, row in zip(full, flat, rows, strict=True):
        metrics = one["metrics"]
        names = ["response_s", "ttft_s", "attempts", "input_tokens", "output_tokens", "cost_usd"]
        assert row[4:10] == [metrics[name] for name in names]
        assert [None if line[name] == "" else float(line[name]) for name in names] == row[4:10]


def test_attempts_add_up_to_the_calls_of_each_model(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    found = json.loads(rendered(folder, render_json))
    for model in found["models"]:
        own = [row for row in found["attempts"] if row["model"] == model["model"]]
        assert sum(row["attempts"] for row in own) == model["succeeded"] + model["failed"]
        assert sum(row["time_s"] for row in own) == model["sequential_s"]
        assert sum(row["cost_usd"] or 0 for row in own) == (model["cost"]["total_usd"] or 0)
    assert [(row["outcome"], row["attempts"]) for row in found["attempts"]] == [
        ("answered", 3), ("answered", 1), ("bad_request", 1),
    ]  # fmt: skip


# --- which model ---


def model(name: str, *, rate: float = 1.0, p50: float = 1.0, price: float | None = 1.0) -> ModelRow:
    figures = Figures(
        calls=100, succeeded=round(100 * rate), failed=100 - round(100 * rate), pending=0, success_rate=rate,
        wall_s=10, sequential_s=100, speedup=10, average_response_s=p50, p50_s=p50, p95_s=p50,
        throughput_per_s=10, peak_in_flight=10,
    )  # fmt: skip
    usage = UsageSums(input_tokens=1, output_tokens=1, cached_tokens=0, total_tokens=2)
    cost = Cost(total_usd=price, priced_calls=100, unpriced_calls=0, usage=usage)
    return ModelRow(
        model=name, figures=figures, cost=cost,
        service=Service(ttft_p50_s=None, tokens_per_s=None, cost_per_1k_usd=price),
    )  # fmt: skip


def picked(*models: ModelRow) -> dict[str, str]:
    return {pick.what: pick.model for pick in recommendations.picks(models)}


def test_best_value_is_the_cheapest_of_those_that_are_quick_enough():
    slow, middle, quick = model("a", p50=9, price=0.1), model("b", p50=2, price=1), model("c", p50=1, price=5)
    assert picked(slow, middle, quick) == {"cheapest": "a", "fastest": "c", "best value": "b"}


def test_a_model_that_fails_more_often_is_no_bargain():
    assert picked(model("a", rate=0.5, p50=0.1, price=0), model("b", p50=3, price=9)) == {
        "cheapest": "b", "fastest": "b", "best value": "b",
    }  # fmt: skip
    assert picked(model("a", rate=0.96, price=0), model("b", price=9))["cheapest"] == "a"


def test_a_model_whose_price_is_unknown_is_not_the_cheapest_for_calls_that_were_refused_for_nothing():
    usage = UsageSums(input_tokens=1, output_tokens=1, cached_tokens=0, total_tokens=2)
    refused = Cost(total_usd=0.0, priced_calls=1, unpriced_calls=19, usage=usage)
    assert cost_per_1k(refused) is None
    assert cost_per_1k(msgspec.structs.replace(refused, unpriced_calls=0)) == 0
    assert cost_per_1k(msgspec.structs.replace(refused, total_usd=0.002)) == 2


def test_who_is_left_out_is_told_with_the_calls_that_decided(tmp_path):
    models = model("a", rate=0.87, p50=0.1, price=0), model("b", price=9), model("c", rate=0, price=None)
    a, c = recommendations.left_out(models)
    assert (a.model, a.why) == ("a", "87.0% answered (13 of 100 failed; best 100%)")
    assert (c.model, c.why) == ("c", "0% answered (100 of 100 failed; best 100%)")
    assert recommendations.most_expensive(models).model == "b"
    assert recommendations.most_expensive(models[1:]) is None
    assert recommendations.left_out(models[1:]) == ()

    folder = tmp_path / "demo"
    ends = {1: Done(answer(), cost=1000), 2: Done(failure(), cost=0)}
    work(
        folder, spec(models=(GEMMA, FLASH)), ["a.txt", "b.txt"],
        lambda call: ends[call.input.id] if call.model == 2 else Done(answer(), cost=2000),
    )  # fmt: skip
    words = "50.0% answered (1 of 2 failed; best 100%)"
    found = json.loads(rendered(folder, render_json))
    assert [(row["model"], row["why"], row["failed"]) for row in found["left_out"]] == [
        (str(FLASH), words, 1)
    ]
    assert found["most_expensive"]["model"] == str(GEMMA)
    assert f"Left out of cheapest, fastest and best value: {FLASH}, {words}." in rendered(
        folder, render_markdown
    )
    page = re.sub("<.*?>", "", rendered(folder, lambda r, out: render_html([r], out)))
    assert f"Left out of cheapest, fastest and best value: {FLASH}, {words}." in page


def test_unknown_prices_are_never_the_cheapest_and_one_model_is_no_choice():
    assert picked(model("a", price=None), model("b", price=9))["cheapest"] == "b"
    assert picked(model("a", price=None), model("b", price=None)) == {"fastest": "a"}
    assert picked(model("a")) == {}


def test_a_projection_multiplies_what_was_seen():
    one, ten, hundred = recommendations.projection([model("a", price=2.5)])
    assert (one.cost_usd, ten.cost_usd, hundred.cost_usd) == (2.5, 25, 250)
    assert ten.wall_s == 1000
    assert recommendations.projection([model("a", price=None)])[0].cost_usd is None


# --- over time ---


def test_time_in_flight_is_kept_by_the_plot_to_the_second(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    with Reader.open(folder) as reader:
        found = timeline(reader, steps=20)
    assert [lane.name for lane in found.lanes] == ["ollama", str(FLASH)]
    area = [sum(lane.in_flight) * found.step_s for lane in found.lanes]
    assert area == pytest.approx([6, 6])
    # Gemma: 0–1, 1–3, 2–5; half a second a step.
    assert found.lanes[0].in_flight[:10] == (1, 1, 1, 1, 2, 2, 1, 1, 1, 1)


def test_pauses_between_runs_are_left_out(tmp_path):
    folder = tmp_path / "demo"
    work(folder, spec(), ["a", "b"], lambda call: Done(answer()) if call.input.id == 1 else None, wall_s=2)
    work(folder, spec(), ["a", "b"], lambda call: Done(answer(), at=10_000), wall_s=2)
    change(
        folder, "UPDATE runs SET started_at = ?, ended_at = ? WHERE id = 2", (NOON + 10_000, NOON + 10_002)
    )
    with Reader.open(folder) as reader:
        found = timeline(reader, steps=4)
    assert (found.step_s, found.breaks) == (1, (2,))
    assert found.lanes[0].in_flight == (1, 0, 1, 0)


def test_refusals_and_limits_stand_where_they_happened(tmp_path):
    folder = tmp_path / "demo"
    refusal = Done(failure("slow down", FailureKind.RATE_LIMIT), at=4.5, took=1)
    work(folder, spec(models=(FLASH,)), ["a"], lambda call: refusal)
    for at, limit in ((2, 8), (5.5, 4), (7, 5)):
        values = (NOON + at, str(FLASH), limit)
        change(folder, "INSERT INTO limit_changes VALUES (1, ?, ?, ?, 1, 'x')", values)
    with Reader.open(folder) as reader:
        (lane,) = timeline(reader, steps=10).lanes
        (row,) = overviews.overview(reader).throttling
    assert lane.refused == (0, 0, 0, 0, 0, 1, 0, 0, 0, 0)
    assert lane.limit == (None, None, 8, 8, 8, 4, 4, 5, 5, 5)
    assert (row.changes, row.cuts, row.lowest, row.highest, row.last) == (3, 1, 4, 8, 5)


def test_what_a_lane_waited_for_is_summed_over_its_runs(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    with Reader.open(folder) as reader:
        assert overviews.overview(reader).attributions == ()
    for run, reason, seconds in ((1, "cpu", 2.5), (2, "cpu", 1.0), (1, "backoff", 0.5)):
        change(folder, "INSERT INTO attributions VALUES (?, 'google', ?, ?)", (run, reason, seconds))
    first, second = json.loads(rendered(folder, render_json))["attributions"]
    assert first == {"lane": "google", "reason": "cpu", "seconds": 3.5, "share": 0.875}
    assert (second["seconds"], second["share"]) == (0.5, 0.125)
    assert "| google | the processor of this machine | 3.50 s | 87.5% |" in rendered(folder, render_markdown)
    (row,) = html_rows(rendered(folder, lambda r, out: render_html([r], out)), "Waits")
    assert row[2] == "the processor of this machine 3.50 s, 87.5%the wait before a retry 0.50 s, 12.5%"


def test_a_store_from_before_there_were_attributions_is_read(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    downgrade(folder, 1)
    assert json.loads(rendered(folder, render_json))["attributions"] == []


def test_the_drawn_spread_has_the_percentiles_of_the_table(tmp_path):
    work(
        tmp_path / "demo", spec(), [f"{n}" for n in range(37)], lambda c: Done(answer(), took=c.input.id**1.5)
    )
    with Reader.open(tmp_path / "demo") as reader:
        models = overviews.overview(reader).models
        spread = quantiles(reader, models)[1]
    assert len(spread) == 100
    assert (spread[49], spread[94]) == (models[0].figures.p50_s, models[0].figures.p95_s)
    assert spread[99] == pytest.approx(37**1.5)


def test_numbers_that_no_provider_can_mean_break_no_report(tmp_path):
    enormous = (1 << 63) - 1
    work(
        tmp_path / "demo",
        spec(),
        ["a", "b"],
        lambda c: Done(answer(tokens=(enormous, enormous)), cost=enormous),
    )
    assert json.loads(rendered(tmp_path / "demo", render_json))["summary"]["succeeded"] == 2


def test_a_run_whose_clock_was_set_back_took_what_its_lanes_account_for(tmp_path):
    folder = tmp_path / "demo"
    work(folder, spec(), ["a", "b"], lambda call: Done(answer()), wall_s=-3600)
    change(folder, "DELETE FROM attributions")
    for lane, reason, seconds in (
        ("google", "latency", 6.0),
        ("google", "rate", 2.5),
        ("ollama", "latency", 8.0),
    ):
        change(folder, "INSERT INTO attributions VALUES (1, ?, ?, ?)", (lane, reason, seconds))
    with Reader.open(folder) as reader:
        assert overviews.overview(reader).summary.wall_s == 8.5
    change(folder, "DELETE FROM attributions")
    with Reader.open(folder) as reader:
        assert overviews.overview(reader).summary.wall_s == 0


# --- what was sent ---

GIVEN = {
    "kind": "batch", "folder": "/somewhere", "umwelten": "0.1.0",
    "options": {
        "prompt": {"value": {"text": "Say it's <b>"}, "source": "--prompt", "given": True},
        "directory": {"value": {"path": "in"}, "source": "--directory", "given": True},
        "param": {"withheld": "key", "given": True},
        "recursive": {"value": True, "given": True},
        "file_limit": {"value": 7, "source": "umwelten.toml"},
        "x; rm -rf": {"value": 1, "given": True},
    },
}  # fmt: skip


def test_the_page_says_how_a_run_was_started_and_what_was_changed(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    limits = {"max_concurrency": 4, "timeout_s": 120.0, "retries": 6, "provider_concurrency": {"google": 2}}
    change(
        folder,
        "UPDATE runs SET settings = ?, given = ?",
        (json.dumps(limits), json.dumps({"options": GIVEN})),
    )
    change(
        folder, "INSERT INTO changes VALUES (1, 1, ?, 'Ada', 'ctl', 'max_cost', '', '1', '2', 'why')", (NOON,)
    )
    page = rendered(folder, lambda r, out: render_html([r], out, spelling=as_flag))
    rows = dict(html_rows(page, "Settings of demo"))
    assert rows["inputs"] == "3 inputs of /data"
    for name, value in {
        "max concurrency": "4", "timeout": "2 min 00 s", "retries": "6", "repeats": "1", "directory": "in",
        "provider concurrency": "google=2", "param": "not kept: it may hold a key", "file limit": "7",
    }.items():  # fmt: skip
        assert rows[name] == value
    again = unescape(re.search("To do it again</h3><pre>(.*?)</pre>", page)[1])
    prompt = shlex.quote("Say it's <b>")
    assert again == f"umwelten eval batch --prompt {prompt} --directory in --param '…' --recursive"
    ((_, changed, by),) = html_rows(page, "Changes to demo")
    assert changed == "max-cost 1 → 2"
    assert "Ada" in by
    assert "To do it again" not in rendered(folder, lambda r, out: render_html([r], out))


def test_what_another_version_kept_of_its_options_breaks_no_report(tmp_path):
    folder = tmp_path / "demo"
    two_models(folder)
    for given in ("[]", '{"options": 7}', '{"options": {"options": {"prompt": 3}}}'):
        change(folder, "UPDATE runs SET given = ?", (given,))
        assert "What was sent" in rendered(folder, lambda r, out: render_html([r], out, spelling=as_flag))
