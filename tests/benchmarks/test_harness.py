"""The benchmark harness at a small scale: that it measures what it says, not how fast anything is."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.child import Ran, run
from benchmarks.provider import provider

from benchmarks import contestants, limits, rounds, solo

ROOT = Path(__file__).parents[2]


def harness(*arguments: str, peers: Path) -> tuple[str, str]:
    """stdout and stderr of `python -m …` with peers in a folder of the test's own."""
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env={**os.environ, "BENCH_PEERS": str(peers)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def rows(tables: str, who: str) -> list[list[str]]:
    """The cells of the rows that begin with a name."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in tables.splitlines()]
    return [row for row in cells if row[0] == who]


def python(script: str, folder: Path, limit_s: float = 30.0) -> Ran:
    return run([sys.executable, "-c", script], cwd=folder, env=os.environ, limit_s=limit_s)


# --- the whole -------------------------------------------------------------------------------


def test_every_contestant_present_gets_all_its_answers(tmp_path: Path) -> None:
    who = ("--only", "umwelten", "--only", "bare aiohttp")
    out, _ = harness("benchmarks.wire", "unary", "stream", "--small", "--rounds", "1", *who, peers=tmp_path)
    for name in ("umwelten", "bare aiohttp"):
        unary, longer, stream = rows(out, name)
        assert unary[-1] == longer[-1] == stream[-1] == "all"
        assert int(unary[3]) == 12, "12 calls with 50 ms latency are all in flight at once"


def test_a_missing_peer_is_skipped_by_name(tmp_path: Path) -> None:
    who = ("--only", "umwelten", "--only", "litellm", "--only", "promptfoo")
    out, err = harness("benchmarks.wire", "images", "--small", "--rounds", "1", *who, peers=tmp_path)
    assert "skipped litellm: " in err
    assert "skipped promptfoo: " in err
    assert not rows(out, "litellm")
    assert rows(out, "umwelten")[0][-1] == "all"


def test_a_hidden_limit_is_met_and_counted(tmp_path: Path) -> None:
    out, _ = harness("benchmarks.limits", "40 at a time", "--small", "--only", "umwelten", peers=tmp_path)
    (fixed,) = rows(out, "umwelten")
    assert fixed[-1] == "all"
    assert 0 < float(fixed[1]) <= 1.05


# --- its parts -------------------------------------------------------------------------------


def test_cpu_of_a_child_counts_its_children_too(tmp_path: Path) -> None:
    busy = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    ran = python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])", tmp_path)
    assert ran.status == 0
    assert 0.3 <= ran.cpu_s < 3


def test_a_contestant_whose_time_is_up_is_ended_with_its_children(tmp_path: Path) -> None:
    script = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    ran = python(script, tmp_path, limit_s=0.3)
    assert ran.late
    assert ran.wall_s < 10


def test_what_a_child_said_is_kept(tmp_path: Path) -> None:
    ran = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)", tmp_path)
    assert (ran.status, ran.late) == (3, False)
    assert sorted(ran.said.split()) == ["err", "out"]


def test_a_contestant_that_failed_is_not_done_and_not_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    fails = contestants.Contestant(
        name="fails",
        missing=lambda: None,
        command=lambda work: ([sys.executable, "-c", "raise SystemExit('no luck')"], dict(os.environ)),
    )
    job = rounds.Job(calls=2, in_flight=1)
    with provider() as served:
        shots = rounds.in_turn([("fails", fails, job)], 3, served)
    assert [shot.done(2) for shot in shots["fails"]] == [False]
    assert "no luck" in capsys.readouterr().err


def test_the_span_is_from_the_first_request_to_the_last_answer() -> None:
    job = rounds.Job(calls=6, in_flight=2, behaviour={"latency_s": 0.1}, records=True)
    with provider() as served:
        shot = rounds.shoot(contestants.FLOOR, job, served)
    assert shot.done(6)
    assert shot.peak == 2
    assert shot.span_s is not None
    assert 0.3 <= shot.span_s < shot.ran.wall_s


def test_a_figure_shows_its_median_and_extremes() -> None:
    assert rounds.figure([3.0, 1.0, 2.0]).text(1) == "2.0 (1.0–3.0)"
    assert rounds.figure([2.0]).text(1) == "2.0"


@pytest.mark.parametrize(
    ("calls", "rate", "ideal"), [(600, 20, 29.5), (10, 20, 0.5)], ids=["refills", "burst"]
)
def test_the_ideal_of_a_bucket_is_burst_then_refill_then_the_last_answer(
    calls: int, rate: float, ideal: float
) -> None:
    assert limits.bucket_ideal_s(rate, calls) == pytest.approx(ideal)


def test_lateness_is_read_from_the_histogram(tmp_path: Path) -> None:
    counts = [0] * 2000
    counts[0], counts[7], counts[31] = 980, 15, 5
    path = tmp_path / "late"
    path.write_bytes(struct.pack("2000Q", *counts))
    assert solo.late_ms(path) == (8.0, 32.0)


def test_no_efficiency_is_shown_for_work_that_was_not_done() -> None:
    ran = Ran(began=0.0, wall_s=5.0, cpu_s=1.0, peak_mb=1.0, status=0, late=True, said="")
    shot = rounds.Shot(ran=ran, answered=3, refused=0, peak=1, span_s=2.0, provider_share=0.0)
    assert rounds.figure([shot.efficiency(4, ideal_s=1.0)]).text() == "–"
    assert shot.state(4) == "3 of 4 after 5 s"
    assert shot.efficiency(3, ideal_s=1.0) == 0.5
