"""Settings compared like models: what is sent of each, where it is seen, how it goes on."""

from __future__ import annotations

import json
import re

from provider import provider
from umwelten.simulate.faultserver.profile import Profile

TOML = """
[variants.cool]
temperature = 0
[variants.hot]
temperature = 1.5
max_tokens = 77
system = "Be bold."
param = { reasoning_effort = "low" }
[prices."openai:m"]
input = 1.0
output = 2.0
[providers.openai]
scope = "key+model"
"""
RUN = (
    "eval",
    "batch",
    "-p",
    "Say {{content}}",
    "-s",
    "Be brief.",
    "-t",
    "0.7",
    "--directory",
    "in",
    "--id",
    "v",
)
MODELS = ("-m", "openai:m,openai:m@cool,openai:m@hot")


def files(tmp_path):
    (tmp_path / "umwelten.toml").write_text(TOML)
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text("tides")


def sent(server):
    records = sorted((json.loads(record.body) for record in server.idle().records), key=str)
    return [
        (body["temperature"], body.get("max_tokens"), body.get("reasoning_effort"), text)
        for body in records
        for text in [[m["content"] for m in body["messages"] if m["role"] == "system"]]
    ]


def test_each_variant_sends_its_settings_and_is_reported_as_a_model(cli, tmp_path):
    files(tmp_path)
    with provider(Profile(keep_bodies=True)) as server:
        env = server.env()
        code, out, err = cli(*RUN, *MODELS, "--dry-run", "--rate", "openai:m=600/min", env=env)
        assert code == 0
        assert "limit    openai:m: at most 600" in out
        assert re.search(r"openai:m@cool +\S+ to \$0\.002", out)  # 1,024 tokens
        assert re.search(r"openai:m@hot +\S+ to \$0\.00016", out)  # its 77
        assert "no model of this run" not in err
        assert server.ledger.requests == 0
        reports = ("--report", "r.md", "--report", "r.html", "--json")
        code, json_report, err = cli(*RUN, *MODELS, "--max-cost", "1", *reports, env=env)
        assert code == 0, err
        assert {
            (0.0, None, None, ("Be brief.",)),
            (1.5, 77, "low", ("Be bold.",)),
            (0.7, None, None, ("Be brief.",)),
        } == {(*row[:3], tuple(row[3])) for row in sent(server)}
        folder = tmp_path / "output" / "v"
        assert {path.name for path in folder.glob("*.txt")} == {
            f"a.txt.openai_m{end}.txt" for end in ("", "@cool", "@hot")
        }
        out = (tmp_path / "r.md").read_text()
        assert "| variant cool | temperature 0.0 |" in out
        own = "temperature 1.5, max_tokens 77, reasoning_effort low, a system prompt of its own"
        assert f"| variant hot | {own} |" in out
        assert "System of hot:\n\n```text\nBe bold.\n```" in out
        report = json.loads(json_report)
        assert [row["model"] for row in report["models"]] == ["openai:m", "openai:m@cool", "openai:m@hot"]
        assert all(row["cost"]["total_usd"] for row in report["models"])
        assert {row["lane"] for row in report["attributions"]} == {"openai:m"}
        assert [row["name"] for row in report["settings"]["variants"]] == ["cool", "hot"]
        out = (tmp_path / "r.html").read_text()
        assert "variant hot" in out
        assert "Be bold." in out
        _, out, _ = cli("eval", "show", "v", "a.txt", "openai:m@hot", env=env)
        assert "Be bold." in out
        assert "temperature    1.5" in out
        # `served by` would be told if another model had answered.
        assert "served by      m" not in out.partition("ATTEMPT")[0]
        chained = ("eval", "batch", "--from", "v", "--where", 'model = "openai:m@cool"', "-p", "x {{answer}}")
        server.reset()
        assert cli(*chained, "-m", "openai:n", "--id", "w", env=env)[0] == 0
        assert server.idle().requests == 1


def test_a_changed_variant_is_refused_and_a_further_one_is_asked_alone(cli, tmp_path):
    files(tmp_path)
    with provider() as server:
        env = server.env()
        assert cli(*RUN, "-m", "openai:m@cool", env=env)[0] == 0
        (tmp_path / "umwelten.toml").write_text(TOML.replace("temperature = 0\n", "temperature = 0.1\n"))
        code, _, err = cli(*RUN, *MODELS, "--resume", env=env)
        assert code == 2
        assert "variant cool, temperature: 0.0 → 0.1" in err
        (tmp_path / "umwelten.toml").write_text(TOML.replace("1.5", "1.4"))
        server.reset()
        assert cli(*RUN, *MODELS, "--resume", env=env)[0] == 0
        assert server.idle().requests == 2


def test_a_variant_that_may_not_be_read_is_refused_before_anything_is_sent(cli, tmp_path):
    files(tmp_path)
    (tmp_path.parent / "secret.txt").write_text("s")
    (tmp_path / "umwelten.toml").write_text('[variants.v]\nsystem = "@../secret.txt"\n')
    with provider() as server:
        code, _, err = cli(*RUN, "-m", "openai:m@v", env=server.env())
        assert code == 2
        assert "umwelten.toml:2" in err
        assert server.ledger.requests == 0
