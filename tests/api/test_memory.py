"""However many answers there are, reading them needs the memory of a few."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

import umwelten
from provider import Profile, provider_process, run_python
from umwelten.records import CallRecord, StoredSpec
from umwelten.simulate.faultserver.profile import Behaviour
from umwelten.store.store import Store
from umwelten.types import ModelRef, Prompt, Reply, RequestSettings, Timing

MANY = 20_000
ALLOWED = 40 << 20
LETTERS = 5_000


def stored(folder: Path, count: int) -> None:
    """An evaluation with `count` answers of `LETTERS` letters each."""
    request = RequestSettings(prompts=(Prompt(name="", text="go"),))
    spec = StoredSpec(
        id=folder.name, kind="run", models=(ModelRef("openai", "a"),), request=request, repeats=count
    )
    timing = Timing(started_at=1_800_000_000.0, latency_s=1.0)
    with Store.create(folder, spec) as store:
        store.set_no_inputs()
        store.start_run({})
        while calls := store.lease(1, 500):
            for call in calls:
                reply = Reply(text=f"{call.repeat} " + "x" * LETTERS)
                store.submit(
                    CallRecord(
                        call=call, key="", content=b"", outcome=reply, timing=timing, attempts=1, time_s=1.0
                    )
                )
        store.end_run("complete", None, 1)


# The kernel's other figure, ru_maxrss, starts at the size of the process that this one was forked from.
MEASURE = """
try:
    kilobytes = int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
except OSError:
    from resource import RUSAGE_SELF, getrusage
    kilobytes = getrusage(RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)
print(kilobytes)
"""


def peak_bytes(code: str, cwd: Path, env: Mapping[str, str]) -> int:
    """The most memory that a program held. It must end well."""
    ran = run_python(["-c", f"import sys\n{code}\n{MEASURE}"], cwd=cwd, env=env)
    assert ran.code == 0, ran.err
    return int(ran.out) << 10


@pytest.mark.parametrize(
    "use",
    [
        "assert sum(len(answer.text) for answer in results) > {count} * {letters}",
        "assert len(results) == results.summary.succeeded == {count} and results[{count} - 1].text",
    ],
    ids=["iterating", "length, index, summary"],
)
def test_twenty_thousand_answers_are_read_in_the_memory_of_a_few(tmp_path: Path, use: str) -> None:
    peaks = []
    for count in (20, MANY):
        stored(tmp_path / "output" / f"n{count}", count)
        opened = f"import umwelten\nresults = umwelten.open('n{count}')\n"
        peaks.append(peak_bytes(opened + use.format(count=count, letters=LETTERS), tmp_path, {}))
    assert MANY * LETTERS > 2 * ALLOWED
    assert peaks[1] - peaks[0] < ALLOWED


def test_answers_that_wait_for_a_slow_reader_take_no_memory(tmp_path: Path) -> None:
    """The run is over before the first answer is looked at: none of the others is held."""
    text = "x" * 50_000
    code = """
import time, umwelten
job = umwelten.run("go", "openai:a", id="n{count}", repeat={count}, max_concurrency=20)
for number, answer in enumerate(job):
    while number == 0 and not repr(job).endswith("ended>"):
        time.sleep(0.01)
assert number + 1 == {count}
"""
    with provider_process(Profile(default=Behaviour(text=text), records=0)) as server:
        few, many = (peak_bytes(code.format(count=count), tmp_path, server.env()) for count in (50, 2_000))
    assert 2_000 * len(text) > 2 * ALLOWED
    assert many - few < ALLOWED


def test_the_evaluation_of_the_test_is_as_large_as_it_says(tmp_path: Path) -> None:
    stored(tmp_path / "n", 600)
    results = umwelten.Results(tmp_path / "n")
    assert [answer.repeat for answer in results] == list(range(1, 601))
