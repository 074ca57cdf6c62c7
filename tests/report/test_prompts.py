"""Several prompts: each model with each of them is told apart."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest

from report.making import FLASH, GEMMA, two_models, two_prompts


@pytest.fixture
def cli_(tmp_path, cli):
    two_prompts(tmp_path / "output" / "prompts")
    two_models(tmp_path / "output" / "demo")
    return cli


def test_json_names_the_prompt_of_every_result_and_model(cli_):
    found = json.loads(cli_("eval", "report", "-i", "prompts", "-f", "json")[1])
    assert found["evaluation"]["models"] == [str(GEMMA), str(FLASH)]
    assert found["evaluation"]["prompts"] == [
        {"name": "short", "text": "Be brief."},
        {"name": "long", "text": "Tell all | of it."},
    ]
    models = [(row["model"], row["prompt"], row["p50_s"]) for row in found["models"]]
    assert models == [
        (str(GEMMA), "short", 1), (str(GEMMA), "long", 3), (str(FLASH), "short", 1), (str(FLASH), "long", 3),
    ]  # fmt: skip
    assert [row["prompt"] for row in found["results"]] == ["short", "long"] * 4
    assert {row["prompt"] for row in found["attempts"]} == {"short", "long"}
    assert found["summary"]["calls"] == 8
    assert {pick["prompt"] for pick in found["picks"]} == {"short"}


def test_one_prompt_has_no_name(cli_):
    found = json.loads(cli_("eval", "report", "-i", "demo", "-f", "json")[1])
    assert "prompts" not in found["evaluation"]
    assert {row["prompt"] for row in (*found["results"], *found["models"], *found["picks"])} == {None}


@pytest.mark.parametrize("short", [(), ("--short",)])
def test_csv_has_a_column_for_prompts_only_when_there_are_several(cli_, short):
    one = cli_("eval", "report", "-i", "demo", "-f", "csv", *short)[1]
    assert "prompt" not in one.splitlines()[0].split(",")
    several = cli_("eval", "report", "-i", "prompts", "-i", "demo", "-f", "csv", *short)[1]
    found = list(csv.DictReader(io.StringIO(several)))
    assert {row["prompt"] for row in found if row["evaluation"] == "prompts"} == {"short", "long"}
    assert {row["prompt"] for row in found if row["evaluation"] == "demo"} == {""}
    assert {row["model"] for row in found} == {str(GEMMA), str(FLASH)}
    assert {len(row) for row in found} == {len(several.splitlines()[0].split(","))}


def test_parquet_has_the_columns_of_csv(cli_, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert cli_("eval", "report", "-i", "prompts", "-f", "parquet", "-o", "r.parquet")[0] == 0
    assert parquet.read_table(tmp_path / "r.parquet")["prompt"].to_pylist() == ["short", "long"] * 4


def test_markdown_and_html_say_model_and_prompt(cli_):
    marked = cli_("eval", "report", "-i", "prompts")[1]
    assert f"| {FLASH} · long |" in marked
    assert "Prompt long:\n\n```text\nTell all | of it.\n```" in marked
    page = cli_("eval", "report", "-i", "prompts", "-f", "html")[1]
    assert f"{GEMMA} · short" in page
    assert "2 prompts: short, long" in page
    assert "<h3>Prompt long</h3><pre>Tell all | of it.</pre>" in page
    meta = json.loads(re.search('id="meta">(.*?)</script>', page, re.DOTALL)[1])
    assert [row["model"] for row in meta["models"]][:2] == [f"{GEMMA} · short", f"{GEMMA} · long"]
    assert [spread[0] for spread in meta["spread"]] == [1, 3, 1, 3]


def test_show_finds_a_call_by_its_prompt(cli_):
    head, *lines = cli_("eval", "show", "prompts")[1].splitlines()
    assert head.split("\t")[2:4] == ["MODEL", "PROMPT"]
    assert len(lines) == 8
    _, out, _ = cli_("eval", "show", "prompts", "a.txt", str(FLASH), "long")
    assert "PROMPT\nTell all | of it." in out
    assert out.rstrip().endswith("ANSWER\n4 on 1")
    _, out, _ = cli_("eval", "show", "prompts", "long", "--json")
    assert [json.loads(line)["prompt"] for line in out.splitlines()] == ["long"] * 4
    code, _, err = cli_("eval", "show", "prompts", "brief")
    assert code == 2
    assert "Prompts: short, long." in err


def test_the_list_names_each_model_once(cli_):
    found = json.loads(cli_("eval", "list", "--json")[1])
    assert {row["id"]: row["models"] for row in found}["prompts"] == [str(GEMMA), str(FLASH)]
