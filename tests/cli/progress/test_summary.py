from __future__ import annotations

import io
import json

import msgspec

from cli.progress.happenings import (
    BAD,
    FLASH,
    GEMMA,
    NASTY,
    REFUSED,
    THROTTLED,
    again,
    bad,
    begun,
    call,
    dropped,
    finished,
    good,
)  # fmt: skip
from umwelten.cli.summary import print_summary
from umwelten.control.attribution import Attribution, advice
from umwelten.events import (
    CallStarted,
    LaneStopped,
    LaneTime,
    ModelCalls,
    RunFinished,
    StopCode,
    WorkerChanged,
    WorkerState,
)
from umwelten.report.run_summary import RecordCount, RunSummary, summarize
from umwelten.tally import Tally
from umwelten.types import Failure, FailureKind

LISTING = "umwelten eval show demo --failed"
ADDRESSES = {"google": "GOOGLE_BASE_URL (127.0.0.1:1)"}


def unsent(message: str) -> Failure:
    return Failure(kind=FailureKind.BAD_REQUEST, message=message, code="unsupported_input", retry=False)


def summary(*events, resume="umwelten eval batch --id demo --resume") -> RunSummary:
    tally, seen = Tally(), RecordCount()
    for event in events:
        tally(event)
        seen(event)
    return summarize(
        tally, folder="output/demo", resume=resume, seen=seen, addresses=ADDRESSES, listing=LISTING
    )


def printed(found: RunSummary, style: str = "auto") -> list[str]:
    stderr = io.StringIO()
    print_summary(found, stderr=stderr, style=style)
    return stderr.getvalue().splitlines()


def test_all_went_well():
    found = summary(begun(3), *(good(n) for n in range(3)), finished(0, "complete"))
    assert printed(found) == [
        "demo: all 3 calls succeeded",
        "  time     2.00 s; 3 calls took 3.60 s together: 1.8× faster than one at a time",
        "  tokens   936 in, 144 out",
        "  cost     $0.00036",
        "  outputs  output/demo",
    ]


def test_calls_that_were_sent_twice_are_counted():
    sent = [CallStarted(call=call(n), model=FLASH, lane="google", attempt=2, hedge=True) for n in range(2)]
    found = summary(begun(2), *sent, dropped(), good(0, cost=None), dropped(THROTTLED, hedge=True), good(1))
    assert (found.hedged, found.hedges_won) == (2, 1)
    text = " ".join(" ".join(printed(found)).split())
    assert "hedged 2 slow calls were sent a second time, and 1 was answered that way first" in text


def test_lost_workers_are_named_with_what_may_be_paid_twice():
    gone = WorkerChanged(number=1, node="head", state=WorkerState.LOST, at_unix=0.0, why="its process ended")
    lost = Failure(kind=FailureKind.LOST, message="worker 1 left")
    found = summary(begun(2), gone, again(0, failure=lost), again(1, failure=lost), good(0), good(1))
    assert (found.lost_workers, found.lost_attempts) == (1, 2)
    text = " ".join(" ".join(printed(found)).split())
    assert "workers 1 was lost; 2 calls that were in flight there were made again and may have been" in text
    text = " ".join(" ".join(printed(msgspec.structs.replace(found, free=True))).split())
    assert "2 calls that were in flight there were made again" in text
    assert "charged" not in text
    assert "workers" not in " ".join(printed(summary(begun(1), again(), good())))


def test_one_call_is_not_plural():
    lines = printed(summary(begun(1), good(cost=None), finished(0, "complete")))
    assert lines[0] == "demo: 1 call succeeded"
    assert "  cost     unknown (1 call)" in lines
    assert "1 call took 1.20 s" in lines[1]


def test_failures_have_a_count_an_example_and_advice():
    found = summary(begun(4), good(), bad(2), bad(3), finished(1, "failed"))
    lines = printed(found)
    assert lines[0] == "demo: 1 of 4 calls succeeded, 2 failed, 1 pending"
    assert any(line.startswith("  failed   2 × bad_request: 404: no such model ") for line in lines)
    assert any("→ check the model's name" in line for line in lines)
    assert "  cost     $0.00012 + 2 calls of unknown price" in lines
    assert lines[-1] == "  resume   umwelten eval batch --id demo --resume"


def test_a_stopped_lane_names_the_variable_of_its_key():
    stop = RunFinished(
        status="stopped", reason="google is unavailable", wall_s=1, pending=4, peak_in_flight=1,
        reason_code=StopCode.UNAVAILABLE,
    )  # fmt: skip
    lines = printed(summary(begun(4), LaneStopped(lane="google", failure=REFUSED), stop))
    assert lines[0] == "demo: 0 of 4 calls succeeded, 4 pending"
    assert lines[1] == "  stopped  google: 401: API key not valid"
    assert "GOOGLE_GENERATIVE_AI_API_KEY" in " ".join(lines)
    assert not any(line.startswith("  ended") for line in lines)


def test_a_rule_that_ended_the_run_is_named():
    stop = RunFinished(
        status="stopped", reason="the cost cap is reached", wall_s=1, pending=3, peak_in_flight=1
    )
    assert "  ended    the cost cap is reached" in printed(summary(begun(4), good(), stop))


def test_a_resumed_run_counts_what_was_there():
    lines = printed(summary(begun(4, done=3), good(), finished(0, "complete")))
    assert lines[0] == "demo: all 4 calls succeeded (3 in earlier runs)"


def test_nothing_to_do_is_said():
    lines = printed(summary(begun(4, done=4), finished(0, "complete")))
    assert lines == ["demo: nothing to do, all 4 calls were answered before", "  outputs  output/demo"]


def test_local_models_are_free():
    found = summary(begun(1, models=(GEMMA,)), good(cost=0, lane="ollama"), finished(0, "complete"))
    assert "  cost     free (local models)" in printed(found)


def test_lines_fit_80_columns_and_commands_stay_whole():
    command = "umwelten eval batch " + "--models google:gemini-2.5-flash " * 5
    lines = printed(summary(begun(4), bad(), finished(3), resume=command.strip()))
    assert lines[-1] == f"  resume   {command.strip()}"
    assert all(len(line) <= 80 for line in lines[:-1])


def test_it_is_inert():
    assert NASTY in BAD.message
    text = "\n".join(printed(summary(begun(4), bad(), finished(3))))
    assert not set("\x1b\x9b\u202e") & set(text)


def test_in_json_it_is_the_last_event():
    (line,) = printed(summary(begun(4), good(cost=None), finished(3)), "json")
    found = json.loads(line)
    assert (found["type"], found["succeeded"], found["pending"], found["cost_usd"]) == ("summary", 1, 3, None)


def test_a_file_that_was_never_sent_is_no_matter_of_the_provider():
    one, two = unsent("a.zip is an archive. Unpack it."), unsent("b.mp4: unsupported. Leave it out.")
    lines = printed(summary(begun(3), bad(1, one), bad(2, two), good(3), finished(0)))
    assert lines[1:4] == [
        "  failed   1 × bad_request: a.zip is an archive. Unpack it. (scan.jpg)",
        "           1 × bad_request: b.mp4: unsupported. Leave it out. (scan.jpg)",
        f"           all of them: {LISTING}",
    ]
    assert not any("provider" in line for line in lines)
    assert lines[-1].endswith("→ correct what the messages name first")


def test_all_failures_are_listed_only_where_one_example_does_not_tell_them():
    same = printed(summary(begun(2), bad(1), bad(2), finished(0)))
    assert not any("--failed" in line for line in same)
    alone = printed(summary(begun(1), bad(1, unsent("a.zip is an archive.")), finished(0)))
    assert not any("--failed" in line for line in alone)
    other = Failure(kind=FailureKind.BAD_REQUEST, message="too large", status=413)
    assert any(LISTING in line for line in printed(summary(begun(2), bad(1), bad(2, other), finished(0))))


def test_a_silent_address_of_ones_own_is_named_and_no_key():
    message = "127.0.0.1:1 refused the connection"
    down = Failure(kind=FailureKind.UNAVAILABLE, message=message, code="refused", lane_down=True)
    lines = printed(summary(begun(1), LaneStopped(lane="google", failure=down), finished(1, "stopped")))
    text = " ".join(line.strip() for line in lines)
    assert "→ check the address in GOOGLE_BASE_URL (127.0.0.1:1) and that a server is running there" in text
    assert "API_KEY" not in text
    lost = Failure(kind=FailureKind.CONNECTION, message="host name not found: foo", code="dns")
    lines = printed(summary(begun(1), bad(1, lost), finished(0)))
    assert any(line.endswith("→ check the address in GOOGLE_BASE_URL (127.0.0.1:1)") for line in lines)


def test_a_refused_key_at_an_address_of_ones_own_names_both():
    lines = printed(summary(begun(1), LaneStopped(lane="google", failure=REFUSED), finished(1, "stopped")))
    text = " ".join(line.strip() for line in lines)
    assert text.index("GEMINI_API_KEY") < text.index("the address in GOOGLE_BASE_URL (127.0.0.1:1)")


def test_a_run_that_its_cap_ended_wants_a_higher_one():
    stop = RunFinished(
        status="stopped", reason="$0.05 is spent, which --max-cost $0.05 allows at most", wall_s=1,
        pending=3, peak_in_flight=1, reason_code=StopCode.MAX_COST,
    )  # fmt: skip
    assert printed(summary(begun(4), good(), stop))[-1].endswith("→ with a higher cap in place of MORE")


def test_what_a_reason_says_is_not_what_ended_the_run():
    said = "cannot read run--max-cost/google is unavailable.csv"
    stop = RunFinished(
        status="stopped", reason=said, wall_s=1, pending=3, peak_in_flight=1, reason_code=StopCode.INPUTS
    )
    lines = printed(summary(begun(4), good(), stop))
    assert f"  ended    {said}" in lines
    assert not any("MORE" in line for line in lines)


def test_the_pace_after_failures_names_the_attempts():
    waited = LaneTime(
        lane="google",
        seconds={"backoff": 9.0, "latency": 1.0},
        advice=advice(Attribution(lane="google", wall_s=10, backoff_s=9, latency_s=1)),
    )
    end = RunFinished(
        status="complete", reason=None, wall_s=10, pending=0, peak_in_flight=1, lane_times=(waited,)
    )
    text = " ".join(line.strip() for line in printed(summary(begun(1), again(), again(), good(), end)))
    assert "waiting after failures 90 % of the time (attempts made again: 2 × rate_limit)" in text


def test_lanes_of_which_the_same_follows_are_named_together():
    lanes = ("openai:a", "google:b", "x:c")
    sheets = [
        Attribution(lane=n, wall_s=10, concurrency_s=9, limit=4, capped_by_user=True) for n in lanes[:2]
    ]
    sheets.append(Attribution(lane="x:c", wall_s=10, requests_s=9, latency_s=1))
    reasons = ("concurrency", "concurrency", "requests")
    times = tuple(
        LaneTime(lane=sheet.lane, seconds={reason: 9.0, "latency": 1.0}, advice=str(advice(sheet)))
        for sheet, reason in zip(sheets, reasons, strict=True)
    )
    end = RunFinished(
        status="complete", reason=None, wall_s=10, pending=0, peak_in_flight=1, lane_times=times
    )
    text = " ".join(line.strip() for line in printed(summary(begun(1), good(), end)))
    assert "openai:a was full 90 % of the time, google:b was full 90 % of the time: more than 4" in text
    assert text.count("auto finds out") == 1
    assert "x:c was limited by requests per minute 90 % of the time: a higher tier would help" in text


def test_failures_of_a_kind_are_told_apart_by_what_they_need():
    """What varies from call to call, as numbers, ids and the file's name do, makes no difference."""
    pdf = 'needs pip install "umwelten[pdf]"'
    failures = [unsent(f"in/{n}.pdf is a PDF of {n} pages, which {pdf}") for n in range(3)]
    failures += [
        Failure(kind=FailureKind.BAD_REQUEST, message=f"too large (req_{n}f)", status=413) for n in (1, 2)
    ]
    files = ["in/0.pdf", "in/1.pdf", "in/2.pdf", "x.png", "y.png"]
    ends = [bad(n, failure, name=name) for n, (failure, name) in enumerate(zip(failures, files, strict=True))]
    found = summary(begun(5), *ends, finished(0))
    assert [(group.count, group.file) for group in found.failure_groups] == [(3, "in/0.pdf"), (2, "x.png")]
    assert [group.kind for group in found.failures] == ["bad_request"]
    assert printed(found)[1:5] == [
        "  failed   3 × bad_request: in/0.pdf is a PDF of 0 pages, which needs pip",
        '           install "umwelten[pdf]"',
        "           2 × bad_request: 413: too large (req_1f) (the first: x.png)",
        "           → send smaller files",
    ]


def test_the_same_advice_is_given_once():
    bare = [Failure(kind=FailureKind.SERVER, message=words, status=500) for words in ("broken", "no reply")]
    lines = printed(summary(begun(5), bad(1, bare[0]), bad(2, bare[1]), bad(3), finished(0)))
    text = " ".join(line.strip() for line in lines)
    assert text.count("look at the provider's status page") == 1
    assert text.index("broken") < text.index("no reply") < text.index("status page")
    assert text.count("→ check the model's name") == 1


def test_several_models_have_a_line_each():
    ends = [good(1), good(2, cost=None), bad(3)]
    by_model = {
        "google:gemini-2.5-flash": ModelCalls(total=4, pending=4),
        "ollama:gemma3:12b": ModelCalls(0, 0),
    }
    one = msgspec.structs.replace(begun(4), by_model=by_model)
    assert summary(one, *ends).models[0].pending == 1
    both = {**by_model, "ollama:gemma3:12b": ModelCalls(total=2, pending=2)}
    lines = printed(summary(msgspec.structs.replace(one, by_model=both), *ends, finished(3)))
    assert lines[1:4] == [
        "  model                    answers  failed  pending    mean  tokens        cost",
        "  google:gemini-2.5-flash        2       1        1  1.20 s     720  $0.00012+?",
        "  ollama:gemma3:12b              0       0        2       –       0           –",
    ]


def test_the_next_steps_come_last_and_the_cost_tells_which_runs_it_is_of():
    found = summary(begun(4, done=3), good(), finished(0, "complete"))
    found = msgspec.structs.replace(
        found, cost_of_all_runs_usd=0.5, next_steps={"report": "umwelten eval report demo -o demo.html"}
    )
    lines = printed(found)
    assert lines[-1] == "  report   umwelten eval report demo -o demo.html"
    assert "  cost     $0.00012 in this run, $0.50 in all runs" in lines
    text = " ".join(map(str.strip, printed(msgspec.structs.replace(found, unpriced_calls_of_all_runs=2))))
    assert "in this run, $0.50 + 2 calls of unknown price in all runs" in text
