"""`--hedge` on real sockets: both attempts of a call are in the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

CALLS, SLOW_S = 120, 1.0
TAIL = Profile(default=Behaviour(latency_s=(*[0.03] * 44, SLOW_S)))
"""One request of 45 takes thirty times as long."""


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(CALLS):
        (tmp_path / "in" / f"{n:03}.txt").write_text(f"text {n}\n")
    return tmp_path


def _batch(cli, env, name, *more):
    return cli(
        *("eval", "batch", "-p", "go", "-m", "openai:a", "-i", name, "--directory", "in", "-v"),
        *("--max-concurrency", "20", "--progress", "plain", *more),
        env=env,
    )


def test_every_attempt_of_a_call_that_is_sent_twice_is_stored(cli, texts):
    with provider(TAIL) as server:
        code, _, err = _batch(cli, server.env(), "on", "--hedge", "0.05")
        assert code == 0, err
        requests = server.idle().requests
    assert "sent a second time, as it takes long" in err
    report = _report(cli, "on")
    sums = {row["outcome"]: (row["attempts"], row["cost_usd"]) for row in report["attempts"]}
    assert sums["answered"][0] == CALLS
    again, cost = sums["superseded"]
    assert cost is None
    # One may be broken off before the server has seen it.
    assert CALLS < requests <= CALLS + again <= CALLS * 1.05
    hedged = [row for row in report["results"] if row["metrics"]["attempts"] == 2]
    assert len(hedged) == again
    assert all(row["metrics"]["cost_usd"] is None for row in hedged)
    seen = [sorted(_attempts(cli, row["file"])) for row in hedged]
    assert [(1, False, "superseded"), (2, True, "answered")] in seen


def test_calls_with_tools_are_sent_once(cli, texts):
    with provider(TAIL) as server:
        tools = 'tools=[{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]'
        code, _, err = _batch(cli, server.env(), "on", "--hedge", "0.05", "--param", tools)
        assert code == 0, err
        assert "tools are not sent a second time" in err
        assert server.idle().requests == CALLS


def test_a_dry_run_names_what_it_may_cost_more(cli, texts):
    with provider(TAIL) as server:
        code, out, _ = _batch(cli, server.env(), "on", "--hedge", "0.05", "--dry-run")
    assert code == 0
    assert "hedge    up to 6 calls of the slowest are sent a second time" in out


@pytest.mark.parametrize("share", ["1.5", "5%"])
def test_a_share_is_a_part_of_one(cli, texts, share):
    code, _, err = cli("eval", "run", "-p", "x", "-m", "openai:a", "--hedge", share)
    assert code == 2
    assert f"{share}' is not allowed" in err
    assert "0 to 1" in err


def _attempts(cli, file):
    code, out, err = cli("eval", "show", "on", file, "--json")
    assert code == 0, err
    return [(each["number"], each["hedge"], each["outcome"]) for each in json.loads(out)["attempts"]]


def _report(cli, name):
    code, out, err = cli("eval", "report", "-i", name, "--format", "json")
    assert code == 0, err
    return json.loads(out)
