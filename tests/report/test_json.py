from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from report.making import FLASH, GEMMA, Done, answer, change, failure, spec, two_models, work
from umwelten.report.render.json import render_json
from umwelten.store.reader import Reader

FIGURES = {
    "calls",
    "succeeded",
    "failed",
    "pending",
    "success_rate",
    "wall_s",
    "sequential_s",
    "speedup",
    "average_response_s",
    "p50_s",
    "p95_s",
    "throughput_per_s",
    "peak_in_flight",
}
COST = {"total_usd", "priced_calls", "unpriced_calls", "usage"}


def report(folder: Path) -> dict[str, object]:
    return json.loads(report_text(folder))


def report_text(folder: Path) -> str:
    out = io.StringIO()
    with Reader.open(folder) as reader:
        render_json(reader, out)
    return out.getvalue()


def test_the_keys_are_those_promised_and_no_others(tmp_path):
    two_models(tmp_path / "demo")
    found = report(tmp_path / "demo")
    assert list(found) == [
        "evaluation", "summary", "cost", "models", "results", "errors",
        "settings", "picks", "most_expensive", "left_out", "attempts", "throttling", "attributions", "schema",
    ]  # fmt: skip
    assert set(found["evaluation"]) == {
        "id",
        "type",
        "prompt",
        "system",
        "models",
        "started_at",
        "finished_at",
        "status",
    }
    assert set(found["summary"]) == FIGURES
    assert set(found["cost"]) == COST
    assert set(found["cost"]["usage"]) == {"input_tokens", "output_tokens", "cached_tokens", "total_tokens"}
    for model in found["models"]:
        assert (
            set(model)
            == {"model", "prompt", "cost", "ttft_p50_s", "tokens_per_s", "cost_per_1k_usd"} | FIGURES
        )
        assert set(model["cost"]) == COST
    for result in found["results"]:
        assert list(result) == [
            "model", "provider", "prompt", "file", "repeat", "status", "response", "data", "marks",
            "finish_reason", "metrics", "error",
        ]  # fmt: skip
        assert set(result["metrics"]) == {
            "response_s", "ttft_s", "attempts", "input_tokens", "output_tokens", "cost_usd",
        }  # fmt: skip
    assert {frozenset(result["error"] or ()) for result in found["results"]} == {
        frozenset(),
        frozenset({"kind", "message"}),
    }
    assert [set(error) for error in found["errors"]] == [{"kind", "count", "example"}]


def test_figures_are_those_of_the_calls(tmp_path):
    two_models(tmp_path / "demo")
    found = report(tmp_path / "demo")
    assert found["evaluation"] == {
        "id": "demo",
        "type": "batch",
        "prompt": "Say what it is.",
        "system": None,
        "models": ["ollama:gemma3:12b", "google:gemini-2.5-flash"],
        "started_at": "2027-01-15T08:00:00.000Z",
        "finished_at": "2027-01-15T08:00:10.000Z",
        "status": "incomplete",
    }
    assert found["summary"] == {
        "calls": 6,
        "succeeded": 4,
        "failed": 1,
        "pending": 1,
        "success_rate": 0.8,
        "wall_s": 10.0,
        "sequential_s": 12.0,
        "speedup": 1.2,
        "average_response_s": 2.5,
        "p50_s": 2.0,
        "p95_s": 4.0,
        "throughput_per_s": 0.5,
        "peak_in_flight": 2,
    }
    assert found["cost"] == {
        "total_usd": 0.00123,
        "priced_calls": 4,
        "unpriced_calls": 1,
        "usage": {"input_tokens": 130, "output_tokens": 32, "cached_tokens": None, "total_tokens": 162},
    }
    assert found["errors"] == [{"kind": "bad_request", "count": 1, "example": "model not found"}]


def test_a_models_figures_are_its_own(tmp_path):
    two_models(tmp_path / "demo")
    gemma, flash = report(tmp_path / "demo")["models"]
    # Gemma: 0–1, 1–3, 2–5: the second and third overlap. Flash: 0–4 and 4–6, one after the other.
    assert (gemma["model"], gemma["wall_s"], gemma["peak_in_flight"], gemma["p50_s"]) == (
        str(GEMMA),
        5.0,
        2,
        2.0,
    )
    assert (flash["model"], flash["wall_s"], flash["peak_in_flight"], flash["p50_s"]) == (
        str(FLASH),
        6.0,
        1,
        4.0,
    )
    assert [gemma[name] for name in ("calls", "succeeded", "failed", "pending")] == [3, 3, 0, 0]
    assert [flash[name] for name in ("calls", "succeeded", "failed", "pending")] == [3, 1, 1, 1]
    assert gemma["cost"]["total_usd"] == 0
    assert flash["cost"]["total_usd"] == 0.00123


def test_results_stand_by_input_and_model(tmp_path):
    two_models(tmp_path / "demo")
    results = report(tmp_path / "demo")["results"]
    assert [(r["file"], r["provider"], r["status"], r["response"]) for r in results] == [
        ("a.txt", "ollama", "succeeded", "answer 1"),
        ("a.txt", "google", "succeeded", "flash"),
        ("b.txt", "ollama", "succeeded", "answer 2"),
        ("b.txt", "google", "failed", None),
        ("sub/c.txt", "ollama", "succeeded", "answer 3"),
    ]
    assert results[3]["error"] == {"kind": "bad_request", "message": "model not found"}
    assert results[3]["metrics"]["cost_usd"] is None
    assert results[0]["metrics"]["cost_usd"] == 0


def test_an_unknown_cost_is_null_and_never_0(tmp_path):
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: Done(answer(tokens=(None, None)), cost=None))
    found = report(tmp_path / "demo")
    assert found["cost"]["total_usd"] is None
    assert found["cost"]["unpriced_calls"] == 2
    assert found["cost"]["usage"] == {
        "input_tokens": None,
        "output_tokens": None,
        "cached_tokens": None,
        "total_tokens": None,
    }
    assert found["results"][0]["metrics"]["cost_usd"] is None


def test_all_failed(tmp_path):
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: Done(failure(), cost=None), status="failed")
    found = report(tmp_path / "demo")
    assert found["evaluation"]["status"] == "failed"
    assert found["summary"]["success_rate"] == 0
    assert found["summary"]["average_response_s"] is None
    assert found["summary"]["p50_s"] is None
    assert found["errors"][0]["count"] == 2


def test_an_evaluation_in_which_nothing_ended_yet(tmp_path):
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: None, status="stopped")
    found = report(tmp_path / "demo")
    assert (found["summary"]["calls"], found["summary"]["pending"]) == (2, 2)
    assert found["summary"]["success_rate"] is None
    assert found["evaluation"]["status"] == "incomplete"
    assert found["results"] == found["errors"] == []


def test_a_run_has_no_file(tmp_path):
    work(tmp_path / "demo", spec("run"), None, lambda call: Done(answer("42")))
    found = report(tmp_path / "demo")
    assert found["evaluation"]["type"] == "run"
    assert [(r["file"], r["response"]) for r in found["results"]] == [(None, "42")]
    assert found["evaluation"]["status"] == "complete"


def test_calls_of_files_that_left_the_plan_no_longer_count(tmp_path):
    work(tmp_path / "demo", spec(), ["a", "b"], lambda call: Done(answer(), took=2, cost=7))
    work(tmp_path / "demo", spec(), ["b", "c"], lambda call: None)
    found = report(tmp_path / "demo")
    assert [r["file"] for r in found["results"]] == ["b"]
    assert (found["summary"]["calls"], found["summary"]["pending"]) == (2, 1)
    assert found["summary"]["sequential_s"] == 2


@pytest.mark.parametrize("n", range(3))
def test_the_figures_agree_with_the_stores_own_counts(tmp_path, n):
    from umwelten.store.store import Store

    two_models(tmp_path / "demo")
    if n:
        change(tmp_path / "demo", "UPDATE inputs SET version = version + 1 WHERE id = ?", (n,))
    with Store.resume(tmp_path / "demo", spec(models=(GEMMA, FLASH))) as store:
        counts = store.counts()
    summary = report(tmp_path / "demo")["summary"]
    assert (counts.total, counts.succeeded, counts.failed, counts.pending) == tuple(
        summary[name] for name in ("calls", "succeeded", "failed", "pending")
    )


def test_control_characters_reach_no_terminal_and_survive_in_the_value(tmp_path):
    nasty = "\x1b[31mred\x9b31m \u202eabc\u2066 \x7f é 😀 \u2028"
    work(tmp_path / "demo", spec(), ["a"], lambda call: Done(answer(nasty)))
    text = report_text(tmp_path / "demo")
    assert json.loads(text)["results"][0]["response"] == nasty
    assert not set(text) & set("\x1b\x9b\u202e\u2066\x7f")
    assert "é 😀" in text


MEASURE = """
import io, resource, sys
from pathlib import Path
from umwelten.report.render.json import render_json
from umwelten.store.reader import Reader

class Counting(io.TextIOBase):
    rows = 0
    def write(self, text):
        self.rows += text.startswith(('\\n', ',\\n'))
        return len(text)

def peak():  # in kB; ru_maxrss starts at the size of the process that this one was forked from
    if sys.platform == "linux":
        return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

out = Counting()
with Reader.open(Path(sys.argv[1])) as reader:
    before = peak()
    render_json(reader, out)
    after = peak()
print(out.rows, after - before)
"""


def test_a_report_of_20_000_results_needs_little_memory(tmp_path):
    # 40 MB of answers; a report that collected them would need at least as much.
    text = "x" * 2000
    work(tmp_path / "demo", spec(), [f"{n:05}" for n in range(20_000)], lambda call: Done(answer(text)))
    ran = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "demo")], capture_output=True, text=True, check=True
    )
    rows, kilobytes = map(int, ran.stdout.split())
    assert rows >= 20_000
    assert kilobytes < 20_000
