"""What runs cost, before and while they go on: --dry-run, --estimate, --max-cost, sums in the store."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from forked import FORKS
from provider import provider
from umwelten.pricing import listed
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

PRICES = '[prices."openai:a"]\ninput = 1.0\noutput = 4.0\n[prices."google:b"]\ninput = 2.0\noutput = 8.0\n'


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for n in range(40):
        (tmp_path / "in" / f"{n:02}.txt").write_text("word " * (20 + 13 * n))
    (tmp_path / "umwelten.toml").write_text(PRICES)
    return tmp_path


def _batch(cli, env, models, *more):
    return cli(
        *("eval", "batch", "-p", "go", "-m", models, "-i", "s", "--directory", "in"),
        *("--max-concurrency", "8", *more),
        env=env,
    )


def _sums(folder: Path) -> tuple[int, int, int]:
    with sqlite3.connect(folder / "output" / "s" / "evaluation.db") as store:
        attempts = store.execute("SELECT total(cost_nusd) FROM attempts").fetchone()[0]
        calls = store.execute("SELECT total(cost_nusd) FROM calls").fetchone()[0]
        models = store.execute(
            "SELECT total(s) FROM (SELECT total(cost_nusd) AS s FROM calls GROUP BY model_id)"
        ).fetchone()[0]
    store.close()
    return int(attempts), int(calls), int(models)


def test_attempts_calls_models_and_the_total_come_to_the_same_after_retries(cli, texts):
    # Each third request fails, and is retried; one in five breaks off in the middle.
    faulty = Profile(
        default=Behaviour(input_tokens=101, output_tokens=57, cached_tokens=40, reasoning_tokens=11),
        rules=(Rule(every=3, behaviour=Behaviour(fault=503, retry_after_s=0.01)),),
    )
    with provider(faulty) as server:
        code, _, err = _batch(cli, server.env(), "openai:a,google:b")
        assert code == 0, err
        assert server.idle().requests > 80
    attempts, calls, models = _sums(texts)
    code, out, _ = cli("eval", "report", "-i", "s", "--format", "json")
    report = json.loads(out)
    assert attempts == calls == models == round(report["cost"]["total_usd"] * 1e9)
    assert calls > 0
    assert report["cost"]["unpriced_calls"] == 0


def test_the_sum_goes_on_over_a_resume(cli, texts):
    with provider(Profile(default=Behaviour(input_tokens=10, output_tokens=10))) as server:
        assert _batch(cli, server.env(), "openai:a", "--max-files", "20")[0] == 0
        assert _batch(cli, server.env(), "openai:a", "--resume")[0] == 0
    attempts, calls, models = _sums(texts)
    assert attempts == calls == models == 40 * (10 * 1000 + 10 * 4000)


@pytest.mark.parametrize("cap_calls", [3, 37, 150])
def test_the_cap_holds_at_200_in_flight(cli, texts, cap_calls):
    for n in range(400):
        (texts / "in" / f"more-{n:03}.txt").write_text("word " * 20)
    # 110 words are about 28 tokens for the server; an answer has all the 100 that were asked for.
    dear = Behaviour(latency_s=(0.05, 0.2, 0.1), output_tokens=100)
    a_call = (100 * 4000 + 40 * 1000) / 1e9
    cap = cap_calls * a_call
    with provider(Profile(default=dear)) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in"),
            *("--max-concurrency", "200", "--max-tokens", "100", "--max-cost", f"{cap:.9f}"),
            env=server.env(),
        )
        assert code == 3, err
        assert server.idle().requests > 0
    spent = _sums(texts)[0] / 1e9
    assert 0 < spent <= cap
    # Not by being timid: what was left could not have held another call's bound.
    assert spent > cap - 2 * (100 * 4000 + 1000 * 1000) / 1e9
    said = " ".join(err.split())
    assert "the next call could cost up to" in said
    assert "which would pass --max-cost" in said
    assert "lower --max-tokens or raise the cap" in said


def test_without_max_tokens_one_call_at_most_passes_the_cap(cli, texts):
    with provider(Profile(default=Behaviour(latency_s=0.02, output_tokens=3000, input_tokens=10))) as server:
        code, _, err = cli(
            *("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in"),
            *("--max-concurrency", "30", "--max-cost", "0.1"),
            env=server.env(),
        )
        assert code == 3, err
        server.idle()
    assert _sums(texts)[0] / 1e9 <= 0.1 + 3000 * 4000 / 1e9 + 1e-5
    assert "set --max-tokens" in err


def test_dry_run_tells_words_from_pictures_and_warns_of_what_cannot_be_sent(cli, texts):
    (texts / "in" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (texts / "in" / "b.zip").write_bytes(b"PK\x03\x04")
    with provider() as server:
        code, out, err = _batch(cli, server.env(), "openai:a,google:b,openai:nobody", "--dry-run")
        assert code == 0, err
        assert server.idle().requests == 0
        data = json.loads(_batch(cli, server.env(), "openai:a", "--dry-run", "--json")[1])
    assert "1 file can't be sent: b.zip" in out
    assert "--estimate 30" in out
    assert "of text, 3,000 of images" in out
    assert " KB)" in out
    assert "10,000 items" in out
    assert max(map(len, out.splitlines())) <= 100
    assert "unknown (no price is listed)" in out
    assert data["unsendable"] == 1
    assert data["picture_tokens"] == 1000
    assert data["by_model"] == {"openai:a": 42}
    assert data["costs"]["openai:a"][0] > 0
    assert not (texts / "output").exists()


def test_dry_run_of_one_file_speaks_of_one(cli, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "only.txt").write_text("x")
    with provider() as server:
        _, out, _ = _batch(cli, server.env(), "openai:gpt-4o", "--dry-run")
    assert "1 file (1 byte)" in out
    assert "--estimate" not in out  # a sample of 30 makes no sense of one call
    assert "1 call to make" in out


def _resume(cli, env, *flags):
    """What the dry run says, as JSON, before the run is made."""
    command = ("eval", "batch", "-m", "openai:a", "-i", "s", "--directory", "in", "--resume", *flags)
    code, out, err = cli(*command, "--dry-run", "--json", env=env)
    assert code == 0, err
    code, _, err = cli(*command, env=env)
    assert code == 0, err
    return json.loads(out)


def test_dry_run_counts_answers_of_the_wanted_prompts_alone(cli, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("0.txt", "1.txt"):
        (tmp_path / "in" / name).write_text("hello")
    (tmp_path / "ab.toml").write_text('[prompts]\na = "A"\nb = "B"\n')
    (tmp_path / "bc.toml").write_text('[prompts]\nb = "B"\nc = "C"\n')
    with provider() as server:
        first = _resume(cli, server.env(), "--prompts", "ab.toml")
        assert (first["calls"], first["done"]) == (4, 0)
        assert server.idle().requests == 4
        second = _resume(cli, server.env(), "--prompts", "bc.toml")
        assert (second["calls"], second["done"]) == (2, 2)
        assert server.idle().requests == 6
        # More repeats, and prompts that were left out in between: their answers are still there.
        third = _resume(cli, server.env(), "--prompts", "ab.toml", "--repeat", "2")
        assert (third["calls"], third["done"]) == (4, 4)
        assert server.idle().requests == 10
        fewer = _resume(cli, server.env(), "--prompts", "ab.toml")
        assert (fewer["calls"], fewer["done"]) == (0, 4)
        assert server.idle().requests == 10


def test_dry_run_counts_answers_of_models_that_come_back(cli, texts):
    with provider() as server:
        assert _batch(cli, server.env(), "openai:a")[0] == 0
        assert _batch(cli, server.env(), "google:b", "--resume")[0] == 0
        (texts / "in" / "00.txt").write_text("something else, and longer")
        said = json.loads(_batch(cli, server.env(), "openai:a", "--resume", "--dry-run", "--json")[1])
        assert (said["calls"], said["done"]) == (1, 39)
        assert _batch(cli, server.env(), "openai:a", "--resume")[0] == 0
        assert server.idle().requests == 81


@pytest.mark.parametrize(
    "changed",
    [
        ("-p", "other"),
        ("-p", "go", "--system", "Be brief."),
        ("-p", "go", "--temperature", "0.5"),
        ("-p", "go", "--schema", "name, age int"),
        ("-p", "go", "--attach", "in/00.txt"),
        ("--prompts", "several.toml"),
    ],
)
def test_dry_run_refuses_what_the_run_refuses_in_the_same_words(cli, texts, changed):
    (texts / "several.toml").write_text('[prompts]\na = "go"\n')
    command = ("eval", "batch", "-m", "openai:a", "-i", "s", "--directory", "in", "--resume")
    with provider() as server:
        assert _batch(cli, server.env(), "openai:a", "--max-files", "1")[0] == 0
        dry = cli(*command, *changed, "--dry-run", env=server.env())
        real = cli(*command, *changed, env=server.env())
        assert server.idle().requests == 1
    assert "was started with other settings" in dry[2]
    assert tuple(dry) == tuple(real)
    assert dry[0] == 2


def test_dry_run_takes_a_row_named_like_a_picture_for_words(cli, tmp_path):
    (tmp_path / "table.csv").write_text("name,text\na.png,hello\nb.png,hello\n")
    with provider() as server:
        code, out, err = cli(
            *("eval", "batch", "-p", "{{row.text}}", "-m", "openai:a", "--rows", "table.csv"),
            *("--row-name", "name", "--dry-run", "--json"),
            env=server.env(),
        )
    assert code == 0, err
    assert json.loads(out)["picture_tokens"] == 0


def test_an_estimate_stops_where_nobody_can_be_asked_and_its_answers_are_kept(cli, texts):
    with provider(Profile(default=Behaviour(output_tokens=50))) as server:
        code, out, err = _batch(cli, server.env(), "openai:a,google:b", "--estimate", "20", "--json")
        assert code == 3, err
        assert server.idle().requests == 20
        assert "estimate from 20 of 80 calls" in err
        assert "umwelten eval resume" in err
        assert "--estimate 20" not in err.split("continue with:")[1]
        data = json.loads(out)
        assert [one["sampled"] for one in data["models"]] == [10, 10]
        # The same command goes on, and pays for nothing twice.
        code, _, err = _batch(cli, server.env(), "openai:a,google:b", "--resume")
        assert code == 0, err
        assert server.idle().requests == 80
    real = _sums(texts)[0]
    assert data["total"]["low"] <= real <= data["total"]["high"]
    assert data["spent"] < real


def test_yes_goes_on_unasked_and_makes_no_call_twice(cli, texts):
    with provider() as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--estimate", "10", "--yes")
        assert code == 0, err
        assert server.idle().requests == 40
    assert "estimate from 10 of 40 calls" in err
    assert "all 40 calls succeeded" in err


def test_an_estimate_of_more_calls_than_there_are_runs_them(cli, texts):
    with provider() as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--estimate", "100")
        assert code == 0, err
        assert server.idle().requests == 40


def test_an_estimate_in_which_nothing_succeeds_ends_there(cli, texts):
    with provider(Profile(default=Behaviour(fault=400))) as server:
        code, _, err = _batch(cli, server.env(), "openai:a", "--estimate", "4", "--yes")
        assert code == 1, err
        assert server.idle().requests == 4


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--estimate", "3"), "give at least 4"),
        (("--estimate", "0"), "--estimate"),
        (("--estimate", "9", "--dry-run"), "exclude each other"),
    ],
)
def test_an_estimate_that_can_tell_nothing_is_refused(cli, texts, flags, said):
    with provider() as server:
        code, _, err = _batch(cli, server.env(), "openai:a,google:b", *flags)
    assert code == 2
    assert said in err
    assert not (texts / "output").exists()


OFTEN = """
from umwelten.cli.progress import plain
plain.PlainProgress.__init__.__kwdefaults__["interval_s"] = 0.3
from umwelten.cli.app import main
main()
"""
# A line every 0.3 s in place of 10 s.


def test_the_progress_tells_what_it_will_have_cost(texts):
    with provider(Profile(default=Behaviour(latency_s=0.5, input_tokens=1, output_tokens=1000))) as server:
        code, _, err = FORKS.run(
            [
                *("-c", OFTEN, "eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in"),
                *("--max-concurrency", "10", "--progress", "plain"),
            ],
            cwd=texts,
            env=server.env(),
        )
    assert code == 0, err
    assert "of about $0.16" in err


HOST = '[providers.gpu]\nlike = "vllm"\nbase_url = "{url}/v1"\n'
GATEWAY = '[providers.gate]\nwire = "openai"\nbase_url = "{url}/v1"\napi_key_env = "OPENAI_API_KEY"\n'


def test_a_server_of_ones_own_in_umwelten_toml_is_free_and_keeps_every_cap(cli, texts):
    with provider() as server:
        (texts / "umwelten.toml").write_text(HOST.format(url=server.url))
        code, out, _ = _batch(cli, server.env(), "gpu:m", "--dry-run", "--json")
        assert code == 0
        assert json.loads(out)["costs"] == {"gpu:m": [0, 0]}
        code, out, err = _batch(cli, server.env(), "gpu:m", "--max-cost", "0.001")
        assert code == 0, err
        assert server.idle().requests == 40
    assert "free" in out + err
    assert _sums(texts) == (0, 0, 0)


def test_a_gateway_is_of_unknown_price_until_it_is_priced(cli, texts):
    with provider() as server:
        toml = texts / "umwelten.toml"
        toml.write_text(GATEWAY.format(url=server.url))
        model = "gate:gpt-4o-mini"
        code, _, err = _batch(cli, server.env(), model, "--max-cost", "1")
        assert code == 2
        assert f"no price is known for {model}" in err
        assert "[providers.gate] price_list" in err
        assert server.ledger.requests == 0
        toml.write_text(GATEWAY.format(url=server.url) + 'price_list = "openai"\n')
        code, _, err = _batch(cli, server.env(), model, "--max-cost", "1")
        assert code == 0, err
    attempts, calls, _ = _sums(texts)
    assert attempts == calls > 0


class _Tiered(BaseHTTPRequestHandler):
    """Answers every chat completion with 100 tokens, in the tier that it asks for."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        ask = json.loads(self.rfile.read(int(self.headers["content-length"])))
        choice = {"message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 30, "completion_tokens": 100, "total_tokens": 130}
        body = json.dumps({"choices": [choice], "usage": usage, "service_tier": ask["service_tier"]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def tiered() -> Iterator[dict[str, str]]:
    """The environment for a provider that has tiers."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Tiered) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.server_port}/v1", "OPENAI_API_KEY": "k"}
        finally:
            server.shutdown()
            thread.join()


TIERED = """
[prices."openai:a"]
input = 1.0
output = 4.0
[prices."openai:a".priority]
input = 3
output = 40
"""


def _priority(cli, env, tier, *more):
    return cli(
        *("eval", "batch", "-p", "go", "-m", "openai:a", "-i", "s", "--directory", "in", "--no-stream"),
        *("--max-concurrency", "16", "--max-tokens", "100", "--param", f"service_tier={tier}", *more),
        env=env,
    )


def test_the_cap_holds_in_a_tier_that_is_ten_times_as_expensive(cli, texts, tiered):
    (texts / "umwelten.toml").write_text(TIERED)
    # 100 × 40 + 30 × 3 µUSD a call
    cap = 15 * (100 * 40_000 + 30 * 3000) / 1e9
    code, _, err = _priority(cli, tiered, "priority", "--max-cost", f"{cap:.9f}")
    assert code == 3, err
    spent = _sums(texts)[0] / 1e9
    assert spent <= cap
    assert spent > cap - 2 * (100 * 40_000 + 1000 * 3000) / 1e9


def test_a_cap_cannot_be_kept_in_a_tier_without_a_price(cli, texts, tiered):
    (texts / "umwelten.toml").write_text(TIERED)
    code, _, err = _priority(cli, tiered, "scale", "--max-cost", "1")
    assert code == 2
    assert "no price is known for service tier 'scale' of openai:a" in err
    assert '[prices."openai:a".scale]' in err
    # Without a cap it runs, and its cost is unknown.
    code, _, err = _priority(cli, tiered, "scale", "--max-files", "3")
    assert code == 0, err
    report = json.loads(cli("eval", "report", "-i", "s", "--format", "json")[1])
    assert report["cost"]["unpriced_calls"] == 3


def test_a_dry_run_and_an_estimate_are_at_the_tiers_price(cli, texts, tiered):
    (texts / "umwelten.toml").write_text(TIERED)
    plans = {
        tier: json.loads(_priority(cli, tiered, tier, "--dry-run", "--json")[1])
        for tier in ("default", "priority")
    }
    most = {tier: plan["total"][1] / 1e9 for tier, plan in plans.items()}
    # 40 answers of 100 tokens at 4 and at 40 USD, and what is sent.
    assert most["default"] > 40 * 100 * 4 / 1e6
    assert most["priority"] > 40 * 100 * 40 / 1e6


def test_what_is_priced_by_the_list_tells_its_day(cli, texts):
    with provider(Profile(default=Behaviour(input_tokens=10, output_tokens=10))) as server:
        say = ("eval", "run", "-p", "go", "-m", "openai:gpt-5-mini")
        plan = cli(*say, "--dry-run", env=server.env())[1]
        assert cli(*say, "-i", "listed", env=server.env())[0] == 0
        assert cli(*say[:-1], "openai:a", "-i", "own", env=server.env())[0] == 0
    assert f"prices   of {listed.day()}" in plan
    settings = {
        name: json.loads(cli("eval", "report", "-i", name, "--format", "json")[1])["settings"]
        for name in ("listed", "own")
    }
    assert settings["listed"]["price_lists"] == [listed.day()]
    assert "price_lists" not in settings["own"]
    assert f"| prices of | {listed.day()} |" in cli("eval", "report", "-i", "listed")[1]
    costs = cli("models", "costs", "--search", "gpt-5-mini")[2]
    assert f"prices from {listed.source()}" in costs
