"""Providers that are several accounts or several servers: `keys` and `base_urls`."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from provider import Provider, provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

KEYS = {"GATE_A": "test-key-gate-a-1f09c7", "GATE_B": "test-key-gate-b-77d1e2"}
QUICK = Profile(default=Behaviour(latency_s=0.01))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(24):
        (tmp_path / "in" / f"{n:02}.txt").write_text("word " * (n + 5))
    return tmp_path


def _section(folder: Path, *lines: str, name: str = "gate") -> None:
    text = "\n".join([f"[providers.{name}]", *lines])
    (folder / "umwelten.toml").write_text(text + "\n")


def _batch(cli: Any, *more: str, env: dict[str, str], models: str = "gate:small") -> tuple[int, str, str]:
    result: tuple[int, str, str] = cli(
        *("eval", "batch", "-p", "go", "-m", models, "-i", "s", "--directory", "in"),
        *("--max-concurrency", "8", *more),
        env=env,
    )
    return result


def _served(folder: Path) -> Counter[tuple[str, str | None]]:
    with sqlite3.connect(folder / "output" / "s" / "evaluation.db") as store:
        rows = store.execute("SELECT served_by, error_kind FROM attempts").fetchall()
    store.close()
    return Counter(rows)


def _address(server: Provider) -> str:
    return f"{server.url}/v1"


def test_two_servers_share_the_calls_and_each_attempt_says_which_made_it(cli, texts):
    with provider(QUICK) as a, provider(QUICK) as b:
        _section(texts, 'wire = "openai"', f'base_urls = ["{_address(a)}", "{_address(b)}"]')
        code, _, err = _batch(cli, env={})
        assert code == 0, err
        counts = [server.idle().totals.answered for server in (a, b)]
        assert sum(counts) == 24
        assert min(counts) >= 6
        names = [f"gate@127.0.0.1:{server.port}" for server in (a, b)]
        assert _served(texts) == {(name, None): n for name, n in zip(names, counts, strict=True)}
        code, out, _ = cli("eval", "show", "s", "00.txt")
        assert code == 0
        assert "served by      gate@127.0.0.1:" in out
        shown = json.loads(cli("eval", "show", "s", "00.txt", "--json")[1])
        assert shown["attempts"][0]["served_by"] in names


@pytest.mark.parametrize("fault", [401, 429])
def test_a_member_that_refuses_stops_or_waits_alone_and_its_calls_go_to_the_other(cli, texts, fault):
    refuses = Behaviour(fault=fault, retry_after_s=3600.0 if fault == 429 else None)
    with provider(Profile(default=refuses)) as a, provider(QUICK) as b:
        _section(texts, 'wire = "openai"', f'base_urls = ["{_address(a)}", "{_address(b)}"]')
        code, _, err = _batch(cli, env={})
        assert code == 0, err
        assert b.idle().totals.answered == 24
        assert a.idle().requests <= 8
        assert f"gate@127.0.0.1:{a.port}" in err
    assert {name for name, kind in _served(texts) if kind is None} == {f"gate@127.0.0.1:{b.port}"}
    report = json.loads(cli("eval", "report", "-i", "s", "--format", "json")[1])
    assert report["evaluation"]["status"] == "complete"


def test_a_server_that_goes_away_in_the_middle_is_left_out(cli, texts):
    broken = Profile(default=Behaviour(fault="reset"), rules=(Rule(first=4, behaviour=Behaviour()),))
    with provider(broken) as a, provider(QUICK) as b:
        _section(texts, 'wire = "openai"', f'base_urls = ["{_address(a)}", "{_address(b)}"]')
        code, _, err = _batch(cli, "--retries", "2", env={})
        assert code == 0, err
        assert (a.idle().totals.answered, b.idle().totals.answered) == (4, 20)


def test_a_member_without_the_model_is_named(cli, texts):
    has, lacks = (Profile(only_models=True, models=models) for models in (("small",), ("large",)))
    with provider(has) as a, provider(lacks) as b:
        _section(texts, 'wire = "openai"', f'base_urls = ["{_address(a)}", "{_address(b)}"]')
        code, _, err = _batch(cli, env={})
        assert code == 0, err
        assert a.idle().totals.answered == 24
        said = f"gate@127.0.0.1:{b.port} does not serve gate:small (404)"
        assert " ".join(err.split()).count(said) == 1


def test_each_account_gets_its_own_key_and_none_is_shown(cli, texts):
    with provider(QUICK) as server:
        _section(texts, 'wire = "openai"', f'base_url = "{_address(server)}"', 'keys = ["GATE_A", "GATE_B"]')
        code, out, err = _batch(cli, "--verbose", env=KEYS)
        assert code == 0, err
        keys = Counter(record.key for record in server.idle().records)
        assert len(keys) == 2
        assert min(keys.values()) >= 6
    served = _served(texts)
    assert {name for name, _ in served} == {"gate#GATE_A", "gate#GATE_B"}
    assert sorted(served.values()) == sorted(keys.values())
    dump = (texts / "output" / "s" / "evaluation.db").read_bytes().decode("latin-1") + out + err
    assert not any(key in dump for key in KEYS.values())


def test_keys_and_addresses_make_a_member_of_each_pair(cli, texts):
    with provider(QUICK) as a, provider(QUICK) as b:
        urls = f'base_urls = ["{_address(a)}", "{_address(b)}"]'
        _section(texts, 'wire = "openai"', urls, 'keys = ["GATE_A", "GATE_B"]')
        assert _batch(cli, env=KEYS)[0] == 0
        assert all(len({record.key for record in server.idle().records}) == 2 for server in (a, b))
    assert len({name for name, _ in _served(texts)}) == 4


def test_members_are_shown_before_anything_is_sent(cli, texts):
    _section(texts, 'base_urls = ["http://127.0.0.1:7001", "http://127.0.0.1:7002/x"]', name="vllm")
    code, out, err = _batch(cli, "--dry-run", env={}, models="vllm:m")
    assert code == 0, err
    assert "vllm@127.0.0.1:7001 is reached at http://127.0.0.1:7001/v1" in " ".join(out.split())
    assert "vllm@127.0.0.1:7002 is reached at http://127.0.0.1:7002/x" in " ".join(out.split())
    shown = json.loads(cli("config", "show", "--json")[1])
    (row,) = [row for row in shown["providers"] if row["name"] == "vllm"]
    assert [member["name"] for member in row["members"]] == ["vllm@127.0.0.1:7001", "vllm@127.0.0.1:7002"]
    assert "2 members" in cli("config", "show")[1]


def test_known_limits_are_shown_and_count_before_anything_is_sent(cli, texts):
    _section(
        texts,
        'base_urls = ["http://127.0.0.1:7001", "http://127.0.0.1:7002"]',
        "rpm = 6",
        "share = 0.5",
        name="vllm",
    )
    code, out, err = _batch(cli, "--rate", "openai:gpt-5=1/s", "--dry-run", env={}, models="vllm:m")
    assert code == 0, err
    assert "limit    vllm: at most 6 requests/min" in out
    assert "time     3 min 50 s," in out
    assert "--rate: no model of this run is held to that of openai:gpt-5" in err
    assert "no model" not in _batch(cli, "--rate", "vllm=1/s", "--dry-run", env={}, models="vllm:m")[2]


@pytest.mark.parametrize(
    ("lines", "env", "says"),
    [
        (['keys = ["GATE_A", "GATE_B"]'], {"GATE_A": "k-1234567890"}, "GATE_B is not set"),
        (['keys = ["GATE_A", "GATE_B"]'], {}, "GATE_A is not set"),
        (['keys = ["GATE_A", "GATE_B"]'], dict.fromkeys(KEYS, "k-1234567890"), "hold the same key"),
        (['keys = ["GATE_A", "GATE_A"]'], KEYS, "each variable once"),
        (["keys = []"], {}, "list of environment variables"),
        (['keys = "GATE_A"'], KEYS, "list of environment variables"),
        (['keys = ["sk-live/1234567890"]'], {}, "not the keys themselves"),
        (['keys = ["GATE_A"]', 'api_key_env = "GATE_B"'], KEYS, "exclude each other"),
        (["base_urls = []"], {}, "list of addresses"),
        (['base_urls = ["http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1"]'], {}, "each address once"),
        (['base_urls = ["http://127.0.0.1:1/v1", "http://127.0.0.1:1/v1/"]'], {}, "there twice"),
        (['base_urls = ["http://127.0.0.1:1/v1", "a b"]'], {}, "base_urls"),
        (['base_url = "http://127.0.0.1:1/v1"', 'base_urls = ["http://b/v1"]'], {}, "exclude each other"),
    ],
)
def test_what_cannot_be_meant_is_an_error_before_anything_starts(cli, texts, lines, env, says):
    address = [] if any("base_url" in line for line in lines) else ['base_url = "http://127.0.0.1:1/v1"']
    _section(texts, 'wire = "openai"', *address, *lines)
    code, _, err = _batch(cli, env=env)
    assert code == 2, err
    assert says in " ".join(err.split())
    assert "1234567890" not in err
    assert not (texts / "output").exists()


def test_an_evaluation_goes_on_when_members_come_and_go(cli, texts):
    with provider(QUICK) as a, provider(QUICK) as b:
        _section(texts, 'wire = "openai"', f'base_url = "{_address(a)}"')
        assert _batch(cli, env={})[0] == 0
        (texts / "in" / "new.txt").write_text("more")
        _section(texts, 'wire = "openai"', f'base_urls = ["{_address(b)}"]')
        code, _, err = _batch(cli, "--resume", env={})
        assert code == 0, err
        assert (a.idle().totals.answered, b.idle().totals.answered) == (24, 1)


def test_the_cap_of_a_provider_holds_for_its_members_together(cli, texts):
    slow = Profile(default=Behaviour(latency_s=0.05))
    with provider(slow) as server:
        _section(texts, 'wire = "openai"', f'base_url = "{_address(server)}"', 'keys = ["GATE_A", "GATE_B"]')
        code, _, err = _batch(cli, "--provider-concurrency", "gate=3", env=KEYS)
        assert code == 0, err
        assert server.idle().peak_in_flight == 3
        assert len({record.key for record in server.ledger.records}) == 2
