"""All that can fail: right kinds, right counts, right exit status, and nothing called a success."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path

import pytest

from provider import environment, provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

FILES = 3


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(FILES):
        (tmp_path / "in" / f"{n}.txt").write_text(f"text {n}\n")
    return tmp_path


def _batch(cli, env, models="openai:a", *more):
    usual = {"--max-concurrency": "3", "--timeout": "1s"}
    flags = [word for flag, value in usual.items() if flag not in more for word in (flag, value)]
    return cli(
        *("eval", "batch", "-p", "go", "-m", models, "-i", "f", "--directory", "in", "--progress", "none"),
        *(*flags, *more),
        env=env,
    )


def _look(cli) -> tuple[dict, dict]:
    code, out, err = cli("eval", "report", "-i", "f", "--format", "json")
    assert code == 0, err
    code, listed, err = cli("eval", "list", "--json")
    assert code == 0, err
    return json.loads(out), json.loads(listed)[0]


RECORDED = [
    # fault, retries, kind, attempts a call
    (500, "1", "server", 2),
    (502, "1", "server", 2),
    ("garbage", "1", "server", 2),
    ("cut_json", "1", "server", 2),
    ("no_choices", "1", "server", 2),
    ("empty", "1", "server", 2),
    ("no_text", "0", "empty", 1),
    ("no_text", "6", "empty", 3),
    ("reset_before", "1", "connection", 2),
    ("hang", "0", "timeout", 1),
    (422, "3", "bad_request", 1),
    (400, "3", "bad_request", 1),
    (413, "3", "bad_request", 1),
]


@pytest.mark.parametrize(("fault", "retries", "kind", "attempts"), RECORDED, ids=str)
def test_calls_that_fail_are_recorded_with_their_kind(cli, texts, fault, retries, kind, attempts):
    with provider(Profile(default=Behaviour(fault=fault))) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--retries", retries)
        assert server.idle().requests == FILES * attempts
    assert code == 1, err
    assert f"0 of {FILES} calls succeeded" in err
    assert kind in err
    report, row = _look(cli)
    assert report["summary"]["failed"] == row["failed"] == FILES
    assert report["summary"]["succeeded"] == row["done"] == 0
    assert report["evaluation"]["status"] == row["status"] == "failed"
    assert [(e["kind"], e["count"]) for e in report["errors"]] == [(kind, FILES)]
    assert {r["metrics"]["attempts"] for r in report["results"]} == {attempts}
    assert not list((texts / "output" / "f").glob("*.txt"))


@pytest.mark.parametrize("fault", [401, 403, 402])
def test_a_refused_account_stops_its_lane_and_leaves_its_calls_pending(cli, texts, fault):
    with provider(Profile(default=Behaviour(fault=fault))) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--max-concurrency", "1")
        assert server.idle().requests == 1
    assert code == 3
    assert "OPENAI_API_KEY" in err
    assert "umwelten eval resume f" in err
    report, _ = _look(cli)
    assert report["summary"]["pending"] == FILES
    assert report["summary"]["failed"] == report["summary"]["succeeded"] == 0


def test_nobody_listening_stops_the_lane_and_others_finish(cli, texts):
    with socket.socket() as held, provider() as server:
        held.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused
        env = {**server.env(), "OLLAMA_HOST": f"127.0.0.1:{held.getsockname()[1]}"}
        started = time.monotonic()
        code, _, err = _batch(cli, env, "ollama:x,openai:a")
        assert time.monotonic() - started < 20
        assert server.idle().requests == FILES
    assert code == 3, err
    report, _ = _look(cli)
    assert report["summary"]["succeeded"] == FILES
    assert report["summary"]["pending"] == FILES


def test_a_lane_that_refuses_gives_its_share_away(cli, texts):
    refuse = Profile(
        default=Behaviour(latency_s=0.05), rules=(Rule(wire="gemini", behaviour=Behaviour(fault=401)),)
    )
    with provider(refuse) as server:
        code, _, err = _batch(cli, server.env(), "google:g,openai:a")
        assert server.idle().requests <= FILES + 2
        # The other lane used all three slots, not its half.
        assert server.ledger.peak_in_flight == 3
    assert code == 3, err


def test_a_provider_that_hangs_leaves_the_other_its_whole_share(cli, texts):
    hang = Profile(
        default=Behaviour(latency_s=0.1), rules=(Rule(wire="ollama", behaviour=Behaviour(fault="hang")),)
    )
    for n in range(FILES, 8):
        (texts / "in" / f"{n}.txt").write_text(f"text {n}\n")
    with provider(hang) as server:
        code, _, err = _batch(
            cli,
            server.env(),
            "openai:a,ollama:x",
            "--max-concurrency",
            "4",
            "--timeout",
            "2s",
            "--retries",
            "0",
        )
        answered = [record for record in server.idle().records if record.wire == "openai"]
    assert code == 1, err
    assert len(answered) == 8
    # Two slots of four, 0.1 s a call: 0.4 s; the first of the others times out only after 2 s.
    assert answered[-1].at_s - answered[0].at_s < 2.0
    report, _ = _look(cli)
    assert report["errors"][0]["kind"] == "timeout"


@pytest.mark.parametrize(("hint", "max_wait"), [(None, "700ms"), (0.2, "700ms"), (90.0, "80s")])
def test_a_provider_that_only_refuses_is_stopped_when_patience_ends(cli, texts, hint, max_wait):
    busy = Profile(default=Behaviour(fault=429, retry_after_s=hint))
    began = time.monotonic()
    with provider(busy) as server:
        code, _, err = _batch(
            cli, server.env(), "openai:a", "--retries", "0", "--max-errors", "1", "--max-wait", max_wait
        )
    assert time.monotonic() - began < 30
    assert code == 3, err
    assert f"{FILES} pending" in err
    assert "--max-wait" in err
    assert "failed" not in err


def test_rate_limits_use_up_no_retries(cli, texts):
    busy = Profile(
        rules=(Rule(first=2, counting="prompt", behaviour=Behaviour(fault=429, retry_after_s=0.05)),)
    )
    with provider(busy) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--retries", "0")
        assert code == 0, err
        assert server.idle().requests == FILES * 3
    report, _ = _look(cli)
    assert {r["metrics"]["attempts"] for r in report["results"]} == {3}


def test_a_dropped_parameter_is_said_and_the_call_succeeds(cli, texts):
    body = json.dumps(
        {
            "error": {
                "message": "Unsupported value: 'temperature' does not support 0 with this model.",
                "type": "invalid_request_error",
                "param": "temperature",
                "code": "unsupported_value",
            }
        }
    )
    picky = Profile(rules=(Rule(first=1, behaviour=Behaviour(fault=400, body=body)),))
    with provider(picky) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "-t", "0", "--max-concurrency", "1")
        assert code == 0, err
        assert server.idle().requests == FILES + 1
    assert "temperature" in err


# --- refusals of one request, of a model, of an account ---------------------------------------

MANY = 40


@pytest.fixture
def many(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(MANY):
        (tmp_path / "in" / f"{n:03}.txt").write_text(f"text {n}\n")
    return tmp_path


def _error(status: int, message: str, **fields: object) -> Behaviour:
    return Behaviour(fault=status, body=json.dumps({"error": {"message": message, **fields}}))


EMPTY_ACCOUNTS = {
    "zhipu, in words to come": _error(429, "Please mind your resources", code=1113),
    "cloudflare": Behaviour(fault=429, body='{"errors":[{"code":3036,"message":"used up"}],"success":false}'),
    "litellm": _error(400, "Budget has been exceeded! Team=x Current cost: 10.1", type="budget_exceeded"),
}


@pytest.mark.parametrize("name", EMPTY_ACCOUNTS)
def test_an_empty_account_is_asked_at_most_once_a_slot(cli, many, name):
    with provider(Profile(default=EMPTY_ACCOUNTS[name])) as server:
        code, _, err = _batch(cli, server.env(), "openai:a")
        assert server.idle().requests <= 3 + 1
    assert code == 3, err
    report, _ = _look(cli)
    assert (report["summary"]["failed"], report["summary"]["pending"]) == (0, MANY)


NO_MODEL = _error(404, "The model `a` does not exist.", code="model_not_found")
NOT_FOR_THIS_KEY = _error(401, "key not allowed to access model. This key can only access models=['b']")


@pytest.mark.parametrize(
    ("wire", "refusal"), [("openai", NOT_FOR_THIS_KEY), ("google", NO_MODEL)], ids=["401", "404"]
)
def test_a_refused_model_is_asked_at_most_once_a_slot_and_others_of_the_account_go_on(
    cli, many, wire, refusal
):
    with provider(Profile(rules=(Rule(model="a", behaviour=refusal),))) as server:
        code, _, err = _batch(cli, server.env(), f"{wire}:a,{wire}:b")
        asked = [record.model for record in server.idle().records]
    assert code == 3, err
    assert asked.count("a") <= 3 + 1
    assert f"umwelten models list -p {wire}" in " ".join(err.split())
    report, _ = _look(cli)
    totals = report["summary"]
    assert (totals["succeeded"], totals["failed"], totals["pending"]) == (MANY, 0, MANY)


def test_what_a_single_request_is_refused_for_stops_nothing(cli, many):
    rules = (
        Rule(prompt="text 5\n", behaviour=_error(402, "You requested up to 9 tokens, but can only afford 5")),
        Rule(prompt="text 7\n", behaviour=_error(404, "The model `a` does not exist.")),
        Rule(prompt="text 9\n", behaviour=_error(403, "Content violates usage guidelines.")),
        Rule(prompt="text 11\n", behaviour=Behaviour(fault=403, body="<html><title>403 Forbidden</title>")),
    )
    with provider(Profile(rules=rules)) as server:
        code, _, err = _batch(cli, server.env(), "openai:a")
        assert server.idle().requests <= MANY + 1
    assert code == 1, err
    report, _ = _look(cli)
    totals = report["summary"]
    assert (totals["succeeded"], totals["failed"], totals["pending"]) == (MANY - 4, 4, 0)


def test_a_stopped_model_is_asked_again_by_a_resume(cli, texts):
    with provider(Profile(default=NO_MODEL)) as server:
        assert _batch(cli, server.env())[0] == 3
    with provider(Profile()) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--resume")
        assert code == 0, err
        assert server.idle().requests == FILES


def test_a_value_out_of_range_is_said_with_its_option(cli, texts):
    refusal = _error(400, "Invalid value for temperature: must be between 0 and 1")
    with provider(Profile(default=refusal)) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "-t", "1.5")
        assert server.idle().requests == FILES
    assert code == 1
    assert "--temperature" in err


def test_a_key_is_in_no_file_and_on_no_screen(cli, texts):
    with provider(Profile(rules=(Rule(every=2, behaviour=Behaviour(fault=500)),))) as server:
        env = server.env()
        models = "openai:a,google:g,anthropic:c,openai/router"
        _, out, err = _batch(cli, env, models, "--debug", "--retries", "2", "--progress", "plain")
    keys = [value for name, value in env.items() if name.endswith("_KEY")]
    assert keys
    files = [path.read_bytes() for path in (texts / "output").rglob("*") if path.is_file()]
    for key in keys:
        assert key not in out + err
        assert all(key.encode() not in content for content in files)


def test_a_cost_cap_stops_and_resume_goes_on(cli, texts):
    (texts / "umwelten.toml").write_text('[prices."openai:a"]\ninput = 1.0\noutput = 1000.0\n')
    with provider(Profile(default=Behaviour(input_tokens=10, output_tokens=100))) as server:
        # 100 tokens out at $1000 per million: $0.10 a call.
        code, _, err = _batch(cli, server.env(), "openai:a", "--max-tokens", "100", "--max-cost", "0.25")
        assert code == 3, err
        assert server.idle().requests == 2
        assert "--max-cost" in err
        code, _, err = _batch(
            cli, server.env(), "openai:a", "--max-tokens", "100", "--max-cost", "9", "--resume"
        )
        assert code == 0, err
        assert server.idle().requests == FILES
    report, _ = _look(cli)
    assert report["cost"]["total_usd"] == pytest.approx(0.30, rel=0.01)


def test_an_unknown_price_is_null_and_never_0(cli, texts):
    with provider() as server:
        assert _batch(cli, server.env(), "openai:nobody-knows-this")[0] == 0
    report, row = _look(cli)
    assert report["cost"]["total_usd"] is None
    assert report["cost"]["unpriced_calls"] == FILES
    assert row["cost_usd"] is None
    assert all(r["metrics"]["cost_usd"] is None for r in report["results"])


def test_the_environment_points_every_provider_at_this_machine():
    assert all("127.0.0.1" in value for name, value in environment(1).items() if "KEY" not in name)


@pytest.mark.parametrize("models", ["openai:a", "google:a", "anthropic:a", "ollama:a"])
def test_an_empty_answer_is_paid_for_and_one_more_attempt_may_bring_a_better_one(cli, texts, models):
    once = Rule(behaviour=Behaviour(fault="no_text"), first=1, counting="prompt")
    with provider(Profile(default=Behaviour(text="Fine."), rules=(once,))) as server:
        code, _, err = _batch(cli, server.env(), models)
        assert server.idle().requests == 2 * FILES
    assert code == 0, err
    report, _ = _look(cli)
    assert [r["response"] for r in report["results"]] == ["Fine."] * FILES
    assert {r["metrics"]["attempts"] for r in report["results"]} == {2}


def test_nothing_at_all_is_no_answer_to_a_schema_either(cli, texts):
    with provider(Profile(default=Behaviour(fault="no_text"))) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--schema", "title")
        assert server.idle().requests == 3 * FILES
    assert code == 1
    assert f"{FILES} × empty" in err and "× schema" not in err


# --- servers that cut their input ------------------------------------------------------------

READ = Behaviour(text="A summary.", input_tokens=2050, output_tokens=9)
LONG = " ".join(f"word{n}" for n in range(12_000))


@pytest.mark.parametrize(
    ("model", "remedy"),
    [("ollama:a", "--param num_ctx=32768"), ("lmstudio:a", "LM Studio"), ("openai:a", "start the server")],
)
def test_an_input_that_the_server_cut_is_told_once_and_marked_on_each_answer(cli, texts, model, remedy):
    for name in ("x.txt", "y.txt"):
        (texts / "in" / name).write_text(LONG)
    with provider(Profile(default=READ, keep_bodies=True)) as server:
        code, _, err = _batch(cli, server.env(), model)
        bodies = [json.loads(record.body) for record in server.idle().records]
    assert code == 0, err
    told = " ".join(err.split())
    assert told.count("the server cut off") == 1
    assert re.search(r"read 2,050 tokens of [xy]\.txt, which has at least 9,00\d: ", told) and remedy in told
    report, _ = _look(cli)
    marks = {r["file"]: r.get("marks") for r in report["results"]}
    assert marks == {
        "x.txt": ["cut input"],
        "y.txt": ["cut input"],
        **{f"{n}.txt": [] for n in range(FILES)},
    }
    if model == "ollama:a":
        told_off = {len(body["messages"][0]["content"]) > 2048: body.get("truncate") for body in bodies}
        assert told_off == {True: False, False: None}
