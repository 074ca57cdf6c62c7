"""What a run says about the one that goes on with it."""

from __future__ import annotations

import json

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

RUN = ("eval", "run", "-p", "hi", "-m", "openai:a,openai:b")


def test_going_on_with_what_is_not_there_begins_it_and_asks_what_was_meant(cli, tmp_path):
    with provider() as server:
        assert cli(*RUN, "-i", "tides-1", env=server.env())[0] == 0
        code, _, err = cli(*RUN, "-i", "tides-2", "--resume", env=server.env())
        assert code == 0
        assert "there is no evaluation 'tides-2' yet; starting it; did you mean 'tides-1'?" in err
        code, _, err = cli(*RUN, "-i", "other", "--resume", env=server.env())
        assert code == 0
        assert "there is no evaluation 'other' yet; starting it" in err
        assert "did you mean" not in err
        code, _, err = cli(*RUN, "-i", "other", "--resume", env=server.env())
        assert "this begins it" not in err
    assert (tmp_path / "output" / "tides-2").is_dir()


def test_going_on_after_the_cost_cap_wants_a_higher_one(cli, tmp_path):
    prices = [f'[prices."openai:{name}"]\ninput = 1.0\noutput = 1000.0\n' for name in "ab"]
    (tmp_path / "umwelten.toml").write_text("".join(prices))
    wanted = (*RUN, "-i", "f", "--max-tokens", "100", "--max-cost", "0.001")
    with provider(Profile(default=Behaviour(input_tokens=10, output_tokens=100))) as server:
        code, _, err = cli(*wanted, env=server.env())
    assert code == 3
    line = next(line for line in err.splitlines() if "eval resume" in line)
    assert line.endswith("umwelten eval resume f --max-cost MORE")
    assert "with a higher cap" in err


def test_a_provider_that_is_named_like_the_flag_wants_no_higher_cost_cap(cli, tmp_path):
    with provider(Profile(default=Behaviour(fault=401))) as server:
        section = (
            f'[providers.x--max-cost]\nwire = "openai"\nbase_url = "{server.url}/v1"\napi_key_env = "KEY"\n'
        )
        (tmp_path / "umwelten.toml").write_text(section)
        wanted = ("eval", "run", "-p", "go", "-m", "x--max-cost:a", "-i", "f")
        code, _, err = cli(*wanted, "--progress", "json", env={**server.env(), "KEY": "k"})
    assert code == 3
    *_, finished, summary = map(json.loads, err.splitlines())
    assert (finished["reason"], finished["reason_code"]) == ("x--max-cost is unavailable", "unavailable")
    assert (summary["reason"], summary["reason_code"]) == ("x--max-cost is unavailable", "unavailable")
    assert summary["resume"] == "umwelten eval resume f"


@pytest.mark.parametrize(("fault", "status"), [(404, 3), (400, 1)], ids=["model", "request"])
def test_what_every_call_is_refused_for_needs_mending_first(cli, fault, status):
    with provider(Profile(default=Behaviour(fault=fault))) as server:
        code, _, err = cli(*RUN, "-i", "f", env=server.env())
    assert code == status
    assert "umwelten eval resume f" in err
    assert err.rstrip().endswith("→ correct what the messages name first")


def test_an_address_without_a_scheme_ends_it_before_anything_starts(cli, tmp_path):
    with provider() as server:
        code, _, err = cli(*RUN, "-i", "f", env={**server.env(), "OPENAI_BASE_URL": "llm.example.com"})
    assert code == 2
    assert "OPENAI_BASE_URL: 'llm.example.com' has no scheme: write https://llm.example.com" in err
    assert not (tmp_path / "output").exists()


def test_nobody_at_an_address_of_ones_own_names_its_variable(cli):
    with provider() as server:
        env = {**server.env(), "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"}
        code, _, err = cli(*RUN, "-i", "f", env=env)
    assert code == 3
    assert "check the address in OPENAI_BASE_URL (127.0.0.1:1)" in " ".join(err.split())
    assert "OPENAI_API_KEY" not in err


def test_an_address_of_ones_own_whose_host_is_not_there_names_its_variable(cli):
    with provider() as server:
        env = {**server.env(), "OPENAI_BASE_URL": "https://api-key-401.invalid/v1"}
        code, _, err = cli(*RUN, "-i", "f", "--retries", "0", env=env)
    assert code == 1
    assert "refused" not in err
    said = " ".join(err.split())
    assert "→ check the address in OPENAI_BASE_URL (api-key-401.invalid)" in said
    assert "and that a server is running there" not in said


def test_answers_that_the_plan_leaves_out_are_told(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("x", "y"):
        (tmp_path / "in" / f"{name}.txt").write_text(name)
    batch = ("eval", "batch", "-p", "go", "-i", "f", "--directory", "in", "--progress", "plain")
    with provider() as server:
        assert cli(*batch, "-m", "openai:a,openai:b", env=server.env())[0] == 0
        _, _, err = cli(*batch, "-m", "openai:a,openai:b", "--resume", env=server.env())
        assert "are kept" not in err
        (tmp_path / "in" / "y.txt").unlink()
        code, _, err = cli(*batch, "-m", "openai:a", "--resume", env=server.env())
    assert code == 0
    assert (
        "3 answers of earlier runs are kept but not part of this plan (models: openai:b; 1 input)"
        in " ".join(err.split())
    )
