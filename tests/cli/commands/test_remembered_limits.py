"""Limits that a run finds are there for the next one of the same account, and are forgotten on demand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from provider import provider
from umwelten.accounts.account_id import account_ids
from umwelten.accounts.limits_file import NAME, Key, read_limits, update_limits
from umwelten.clock import unix_clock
from umwelten.control.memory import LaneMemory, Rate
from umwelten.simulate import profile as p
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.types import Secret

SECRET = "test-key-remembered-40c1d7"
LIMITED = Profile(
    default=Behaviour(latency_s=0.01),
    limiters=(p.Bucket(rate=50.0, burst=10.0, hints="none", headers="none"),),
)
LEARNT = LaneMemory(rate=Rate(a_second=40.0))


@pytest.fixture
def state() -> Path:
    return Path(os.environ["XDG_STATE_HOME"]) / "umwelten"


def _run(cli: Any, url: str, *more: str, prompts: int = 1) -> tuple[int, str, str]:
    env = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": SECRET}
    result: tuple[int, str, str] = cli(
        *("eval", "run", "-p", "go", "-m", "openai:m", "--repeat", str(prompts), *more), env=env
    )
    return result


def _remember(state: Path, url: str) -> tuple[Key, Key]:
    key = Key(account_ids(state).id(f"{url}/v1", Secret(SECRET)), "openai:m")
    other = Key("f" * 32, "openai:m")
    update_limits(state, {key: LEARNT, other: LEARNT}, unix_clock()())
    return key, other


def test_a_limit_that_was_found_is_kept_without_key_or_address(cli, state):
    with provider(LIMITED) as server:
        code, _, err = _run(cli, server.url, "--max-concurrency", "40", prompts=150)
        assert code == 0, err
        found = read_limits(state, unix_clock()())
        key = account_ids(state).id(f"{server.url}/v1", Secret(SECRET))
        assert found.keys() == {Key(key, "openai:m")}
        for path in state.rglob("*"):
            assert SECRET not in path.name and str(server.port) not in path.name
            content = path.read_bytes() if path.is_file() else b""
            assert SECRET.encode() not in content
            assert str(server.port).encode() not in content and b"127.0.0.1" not in content


@pytest.mark.parametrize(
    ("flags", "stays"),
    [
        (("--forget-limits",), False),
        (("--forget-limits", "--dry-run"), True),
        (("--no-remember-limits",), True),
    ],
)
def test_the_limits_of_the_accounts_in_use_are_forgotten_on_demand(cli, state, flags, stays):
    with provider(Profile()) as server:
        key, other = _remember(state, server.url)
        before = (state / NAME).read_bytes()
        code, _, err = _run(cli, server.url, *flags)
        assert code == 0, err
        found = read_limits(state, unix_clock()())
        assert other in found and (key in found) == stays
        assert ((state / NAME).read_bytes() == before) == stays


@pytest.mark.parametrize("flags", [(), ("--forget-limits",)])
def test_a_run_that_learns_nothing_keeps_nothing(cli, state, flags):
    with provider(Profile()) as server:
        assert _run(cli, server.url, *flags)[0] == 0
    assert not (state / NAME).exists()


def test_a_file_that_is_damaged_is_a_note_and_the_run_goes_on(cli, state):
    state.mkdir(parents=True)
    (state / NAME).write_text("{")
    (state / NAME).chmod(0o600)
    with provider(Profile()) as server:
        code, _, err = _run(cli, server.url)
    assert code == 0
    assert f"limits are not remembered: {state / NAME} is damaged" in " ".join(err.split())


def test_settings_may_turn_memory_off_but_not_forget(cli, tmp_path):
    (tmp_path / "umwelten.toml").write_text("[defaults]\nremember_limits = false\n")
    shown = json.loads(cli("config", "show", "--json")[1])
    assert "remember_limits" in json.dumps(shown)
    (tmp_path / "umwelten.toml").write_text("[defaults]\nforget_limits = true\n")
    code, _, err = cli("config", "show")
    assert code == 2 and "forget_limits" in err
