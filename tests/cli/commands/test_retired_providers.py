"""Providers that ended: an error before any call, and what was stored of them stays readable."""

from __future__ import annotations

import json

import pytest

from cli.project import add_evaluation
from umwelten.providers.retired import RETIRED
from umwelten.providers.vendors import VENDORS

MESSAGE = "github-models ended on 30 July 2026"
RUN = ("eval", "run", "-p", "hi", "-m", "github-models:openai/gpt-4.1")
KEY = {"GITHUB_TOKEN": "k-123456789"}


def test_a_model_of_a_provider_that_ended_is_an_error_before_any_call(cli, tmp_path):
    code, _, err = cli(*RUN, env=KEY)
    assert code == 2
    assert f"Error: {MESSAGE}\nUse openai: or openrouter: with the same models." in err
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize(
    ("words", "toml"),
    [
        (("models", "list", "-p", "github-models"), ""),
        (("eval", "run", "-p", "x", "-m", "openai:m", "--provider-concurrency", "github-models=2"), ""),
        (("config", "show"), "[providers.github-models]\nrecommended = [1, 2]"),
        (("config", "show"), '[providers.mine]\nlike = "github-models"'),
        (("config", "show"), '[prices."github-models:x"]\ninput = 1\noutput = 1'),
    ],
)
def test_wherever_its_name_stands_the_message_is_the_same(cli, tmp_path, words, toml):
    (tmp_path / "umwelten.toml").write_text(toml)
    code, _, err = cli(*words, env={**KEY, "OPENAI_API_KEY": "k-123456789"})
    assert code == 2
    assert MESSAGE in err and "openrouter:" in err


def test_one_of_ones_own_may_have_the_name(cli, tmp_path):
    section = '[providers.github-models]\nwire = "openai"\nbase_url = "http://127.0.0.1:1/v1"'
    (tmp_path / "umwelten.toml").write_text(section)
    assert cli(*RUN)[0] == 3


def test_what_was_stored_of_it_is_listed_and_reported(cli, tmp_path):
    add_evaluation(tmp_path / "output" / "old", ["github-models:openai/gpt-4.1"], ["a.txt"])
    assert "github-models:openai/gpt-4.1" in cli("eval", "list")[1]
    code, out, _ = cli("eval", "report", "old", "--format", "json")
    assert code == 0 and json.loads(out)["models"][0]["model"] == "github-models:openai/gpt-4.1"


def test_no_provider_has_both_ended_and_a_row():
    assert not set(RETIRED) & set(VENDORS)
