"""`--engine`, `--workers` and their like on every command that has them. No cluster is started here."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from provider import environment, provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

ENV = environment(9)
RUN = ("run", "-p", "hi", "-m", "openai:a")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*RUN, "--engine", "dask"), ["--engine", "dask", "ray:HOST:PORT"]),
        ((*RUN, "--engine", "ray:head"), ["ray:head", "ray:auto"]),
        ((*RUN, "--engine", "ray", "--workers", "0"), ["--workers", "1 to 1000"]),
        ((*RUN, "--engine", "ray", "--ray-env", "conda"), ["conda", "pip"]),
        (("run", "-p", "hi", "-m", "local:smollm2,openai:a", "--engine", "ray"), ["local:smollm2", "vllm:"]),
        (("score", "none", "--scorer", "exact", "--num-workers", "3"), ["--workers"]),
        # Before a server of tools is started, which this is none of.
        (
            ("run", "-p", "hi", "-m", "local:smollm2", "--engine", "ray", "--mcp", "no-such-server"),
            ["local:smollm2"],
        ),
        ((*RUN, "--ray"), ["--engine ray"]),
        (("batch", "-p", "hi", "-m", "openai:a", "--cluster", "x"), ["--engine ray:HOST:PORT"]),
    ],
    ids=lambda v: " ".join(v)[-40:] if isinstance(v, tuple) else "",
)
def test_what_cannot_be_meant_is_said_before_anything_starts(cli, tmp_path, arguments, words):
    code, out, err = cli("eval", *arguments, env=ENV)
    assert (code, out) == (2, ""), err
    assert not (tmp_path / "output").exists()
    said = " ".join(err.split())
    assert all(word in said for word in words), err


def test_a_projects_file_that_names_a_cluster_stops_before_anything_is_sent(cli, tmp_path):
    (tmp_path / "umwelten.toml").write_text(
        '[defaults]\nengine = "ray:evil.example:6379"\nship_keys = true\n'
    )
    code, _, err = cli("eval", *RUN, env=ENV)
    assert (code, "umwelten trust" in err) == (2, True)
    assert "evil.example:6379" in err and "API keys" in err
    assert not (tmp_path / "output").exists()


def test_a_dry_run_says_who_makes_the_calls_and_starts_nobody(cli, tmp_path):
    wanted = (*RUN, "--engine", "ray:127.0.0.1:9", "--workers", "3", "--dry-run")
    code, out, err = cli("eval", *wanted, env=ENV)
    assert code == 0, err
    assert "workers  3 workers on the Ray cluster at 127.0.0.1:9" in out
    code, out, err = cli("eval", *wanted, "--json", env=ENV)
    plan = json.loads(out)
    assert (code, plan["engine"], plan["workers"]) == (0, "ray:127.0.0.1:9", 3)
    code, out, err = cli("eval", *RUN, "--dry-run", "--workers", "3", env=ENV)
    assert (code, "workers" in out) == (0, False)
    assert "--workers does nothing without --engine ray" in err
    # As to go on in one process with a run that had workers.
    _, _, err = cli("eval", *RUN, "--dry-run", "--workers", "3", "--engine", "local", env=ENV)
    assert "does nothing" not in err


def test_an_evaluation_goes_on_with_another_engine_and_not_with_a_strangers(cli, tmp_path):
    failing = Profile(rules=(Rule(first=1, behaviour=Behaviour(fault=400)),))
    with provider(failing) as server:
        code, _, err = cli("eval", *RUN, "-i", "demo", "--engine", "local", env=server.env())
        assert code == 1, err
        _say_as_a_stranger(tmp_path / "output" / "demo", '"value":"local"', '"value":"ray:evil.example:6379"')
        code, _, err = cli("eval", "resume", "demo", env=server.env())
        assert (code, "evil.example:6379" in err, "--trust" in err) == (2, True, True)
        code, _, err = cli("eval", "resume", "demo", "--engine", "local", env=server.env())
    assert code == 0, err


def _say_as_a_stranger(folder: Path, old: str, new: str) -> None:
    with sqlite3.connect(folder / "evaluation.db") as connection:
        (given,) = connection.execute("SELECT given FROM runs").fetchone()
        assert old in given
        connection.execute("UPDATE runs SET given = ?", (given.replace(old, new),))
    connection.close()
