"""`umwelten models`: what the providers offer and what it costs."""

from __future__ import annotations

import json

from provider import provider
from reliability.listeners import listener
from umwelten.simulate.faultserver.profile import Behaviour, Profile


def test_all_configured_providers_are_listed_and_a_dead_one_is_a_note(cli):
    with provider() as server:
        env = {**server.env(), "GROQ_API_KEY": "x" * 20, "GROQ_BASE_URL": "http://127.0.0.1:9/v1"}
        code, out, err = cli("models", "list", "--json", env=env)
    assert code == 0, err
    providers = {row["provider"] for row in json.loads(out)}
    assert {"openai", "google", "anthropic", "openrouter", "ollama", "lmstudio", "local"} <= providers
    assert "groq" not in providers
    assert "groq" in err


def test_the_first_column_is_what_models_takes(cli):
    with provider() as server:
        code, out, err = cli("models", "list", "-p", "openai", env=server.env())
        assert code == 0, err
        name = out.splitlines()[0].split()[0]
        code, _, err = cli("eval", "run", "-p", "hi", "-m", name, env=server.env())
        assert code == 0, err


def test_a_list_that_cannot_be_had_of_a_named_provider_is_said(cli):
    broken = Profile(listing=Behaviour(fault=401))
    with provider(broken) as server:
        code, out, err = cli("models", "list", "-p", "openai", env=server.env())
    assert (code, out) == (0, "")
    assert "openai" in err


def test_a_provider_with_an_address_that_cannot_be_used_is_a_note(cli):
    with provider() as server:
        code, out, err = cli(
            "models", "list", env={**server.env(), "OPENAI_BASE_URL": "http://example.com/v1"}
        )
    assert code == 0 and "anthropic:small" in out and "openai:small" not in out
    assert "openai: OPENAI_BASE_URL: http://example.com would send keys and prompts unencrypted" in err
    assert "needs a key" not in err


def test_an_unknown_provider_is_an_error_with_the_nearest_name(cli):
    code, _, err = cli("models", "list", "-p", "opnai")
    assert code == 2
    assert "openai" in err


def test_costs_need_no_network_and_take_the_users_prices(cli, tmp_path):
    (tmp_path / "umwelten.toml").write_text('[prices."openai:mine"]\ninput = 2.0\noutput = 10.0\n')
    code, out, err = cli("models", "costs", "-p", "openai", "--json", "--sort-by", "total")
    assert code == 0, err
    rows = json.loads(out)
    mine = next(row for row in rows if row["model"] == "openai:mine")
    # 1,000 calls of 1,000 tokens at $2 and 300 tokens at $10 a million.
    assert mine["example_usd"] == 5.0
    assert mine["source"] == "umwelten.toml"
    examples = [row["example_usd"] for row in rows]
    assert examples == sorted(examples)
    assert any(row["model"] == "openai:gpt-4o" for row in rows)


def test_costs_list_names_that_can_be_asked_for_alone(cli):
    names = {row["model"] for row in json.loads(cli("models", "costs", "--json").out)}
    assert {"openai:gpt-5.4-mini", "google:gemini-3.5-flash", "openrouter:liquid/lfm-7b"} <= names
    for wrong in ("openrouter:lfm-7b", "google:claude-sonnet-4-5", "openai:gpt-4o-mini-2024-07-18.ft-"):
        assert wrong not in names
    assert not [name for name in names if "~" in name or name.endswith(("-", ".")) or ":ft:" in name]


def test_a_list_has_a_header_beside_its_names(cli):
    with provider() as server:
        code, out, err = cli("models", "list", "-p", "openai", env=server.env())
    assert code == 0
    assert all(line.startswith("openai:") for line in out.splitlines())
    assert err.split()[:4] == ["MODEL", "CONTEXT", "IN", "OUT"]


def test_a_search_that_finds_nothing_says_among_how_many(cli):
    with provider() as server:
        listed = cli("models", "list", "-p", "openai", env=server.env())[1].splitlines()
        code, out, err = cli("models", "list", "-p", "openai", "-s", "zzz", env=server.env())
    assert (code, out) == (0, "")
    assert f"none of {len(listed)} model" in err
    assert "holds 'zzz'" in err


def test_costs_of_an_unknown_provider_are_an_error_with_the_nearest_name(cli):
    code, out, err = cli("models", "costs", "-p", "opnai")
    assert (code, out) == (2, "")
    assert "Did you mean openai?" in err
    assert cli("models", "costs", "-p", "ollama")[0] == 0


def test_the_day_on_which_a_model_ends_is_shown_and_in_json(cli):
    body = json.dumps({"data": [{"id": "old", "shutdown_date": "2001-02-03"}, {"id": "gpt-4o"}]}).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with listener(reply) as server:
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}/v1", "OPENAI_API_KEY": "k-123456789"}
        code, out, _ = cli("models", "list", "-p", "openai", env=env)
        assert code == 0
        assert [line.split()[-2:] for line in out.splitlines() if "old" in line] == [["until", "2001-02-03"]]
        rows = json.loads(cli("models", "list", "-p", "openai", "--json", env=env)[1])
    # At another address, a model of that name need not be OpenAI's.
    assert {row["model"]: row["shutdown_date"] for row in rows} == {
        "openai:old": "2001-02-03",
        "openai:gpt-4o": None,
    }


def test_a_list_of_a_stranger_controls_no_terminal_and_takes_little_room(cli):
    names = ["a\x1b]0;pwn\x07", "c1\x9b31m\x7f", "bidi\u202e", "line\nbreak", "\ud800x", "n" * 3_000_000]
    rows = [{"id": name, "name": name, "context_length": 10**99} for name in names]
    rows += [{"id": f"m{n}", "name": "x" * 10_000 if n < 5 else None} for n in range(11_000)]
    body = json.dumps({"data": rows}).encode()
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with listener(reply) as server:
        env = {"LMSTUDIO_BASE_URL": f"http://127.0.0.1:{server.port}/v1"}
        shown = cli("models", "list", "-p", "lmstudio", env=env)
        as_json = cli("models", "list", "-p", "lmstudio", "--json", env=env)
    for code, out, err in (shown, as_json):
        assert code == 0, err
        assert "only the first 10,000" in err
        assert not set(out) & set("\x1b\x07\x9b\x7f\u202e\ud800"), out[:500]
        assert len(out) < 3_000_000
    assert len(shown[1].splitlines()) == 10_000
    assert max(map(len, shown[1].splitlines())) < 300
    listed = json.loads(as_json[1])
    assert [row["model"] for row in listed if "pwn" in row["model"]] == ["lmstudio:a\x1b]0;pwn\x07"]
    assert all(row["context_tokens"] is None for row in listed)


def test_a_run_with_a_model_whose_end_is_announced_prints_it(cli):
    env = {"OPENAI_API_KEY": "k-123456789"}
    code, _, err = cli(
        "eval", "run", "-p", "x", "-m", "openai:gpt-4o,openai:gpt-5.4-mini", "--dry-run", env=env
    )
    assert code == 0
    assert "openai:gpt-4o wi" in err or "openai:gpt-4o was" in err
    with listener(b"") as server:
        env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.port}/v1"
        assert (
            "2027-01-14" not in cli("eval", "run", "-p", "x", "-m", "openai:gpt-4o", "--dry-run", env=env)[2]
        )
