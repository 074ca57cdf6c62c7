"""The line about records in the closing summary of a run."""

from __future__ import annotations

import io
import json

import pytest

from report.making import GEMMA, answer, book, failure, unfit
from umwelten.cli.summary import print_summary
from umwelten.events import CallFailed, CallSucceeded, RunFinished, RunStarted
from umwelten.report.run_summary import RecordCount, RunSummary, summarize
from umwelten.tally import Tally
from umwelten.types import Call, Failure, FailureKind, Outcome, Timing


def ended(n: int, outcome: Outcome) -> CallSucceeded | CallFailed:
    more = {
        "call": Call(id=n, model=1, input=None), "model": GEMMA, "lane": "ollama", "attempts": 1,
        "time_s": 1.0, "timing": Timing(started_at=0, latency_s=1), "cost_nusd": 0,
    }  # fmt: skip
    if isinstance(outcome, Failure):
        return CallFailed(failure=outcome, **more)
    return CallSucceeded(reply=outcome, **more)


def summary_of(*outcomes: Outcome, pending: int = 0) -> RunSummary:
    tally, count = Tally(), RecordCount()
    start = RunStarted(
        id="demo", total=len(outcomes) + pending, done=0, models=(GEMMA,), max_concurrency=1, at_unix=0.0
    )
    calls = [ended(n, outcome) for n, outcome in enumerate(outcomes, 1)]
    end = RunFinished(status="failed", reason=None, wall_s=2, pending=pending, peak_in_flight=1)
    for event in (start, *calls, end):
        tally(event)
        count(event)
    return summarize(tally, folder="out/demo", resume="again", seen=count)


def printed(summary: RunSummary, style: str = "plain") -> str:
    out = io.StringIO()
    print_summary(summary, stderr=out, style=style)
    return out.getvalue()


def test_the_summary_counts_the_records_of_the_run():
    outcomes = (
        book(title="a"), book("mended", "asked again", title="b"), book("fenced", "mended", title="c"),
        unfit(), unfit(), failure(),
    )  # fmt: skip
    text = printed(summary_of(*outcomes))
    assert "  records  3 valid (1 repaired, 1 retried), 2 failed\n" in text
    assert "loosen the schema" in text


@pytest.mark.parametrize("outcome", [answer(), failure()])
def test_a_run_without_a_schema_has_no_line_about_records(outcome):
    assert "records" not in printed(summary_of(outcome))


def test_the_summary_for_programs_has_the_counts():
    found = json.loads(printed(summary_of(book("coerced", title="a")), "json"))
    assert (found["records"]["valid"], found["records"]["coerced"], found["records"]["failed"]) == (1, 1, 0)


def test_failures_stand_in_the_order_of_their_number_then_of_their_kind():
    kinds = ("server", "server", "timeout", "rate_limit", "timeout", "connection", "bad_request", "timeout")
    summary = summary_of(*(failure(f"of {kind}", FailureKind(kind)) for kind in kinds))
    assert [(group.kind, group.count, group.varied) for group in summary.failures] == [
        ("timeout", 3, False), ("server", 2, False), ("bad_request", 1, False), ("connection", 1, False),
        ("rate_limit", 1, False),
    ]  # fmt: skip
    assert [group.example for group in summary.failures][:2] == ["404: of timeout", "404: of server"]


@pytest.mark.parametrize(
    ("outcomes", "pending", "note"),
    [
        ((failure(),), 0, "correct what the message names first"),
        ((failure(), failure("other")), 0, "correct what the messages name first"),
        ((failure(), answer()), 0, "correct what the message names first"),
        ((failure(),), 3, None),
        ((failure(kind=FailureKind.SERVER),), 0, None),
        ((failure(), failure(kind=FailureKind.SERVER)), 0, None),
    ],
)
def test_what_must_be_corrected_before_a_resume_is_said(outcomes, pending, note):
    assert summary_of(*outcomes, pending=pending).resume_note == note
