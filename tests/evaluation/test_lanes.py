"""Which models share a lane, and which servers are watched or have their calls ordered."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.accounts.account_id import AccountIds
from umwelten.attempts.target import Target
from umwelten.config.endpoints import endpoint, vendors
from umwelten.config.rate_texts import parse_rates, read_rates
from umwelten.config.rates import known_rates
from umwelten.config.settings import load
from umwelten.control.knee import Watch
from umwelten.evaluation.lanes import watch
from umwelten.evaluation.share_lanes import socket_name
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Resource, Secret

ELSEWHERE = "http://127.0.0.1:1/v1"
SECTIONS = """
[providers.gateway]
wire = "openai"
base_url = "https://llm.example.com/v1"
api_key_env = "K"
[providers.team]
like = "openai"
api_key_env = "K"
[providers.europe]
like = "openai"
base_url = "https://eu.api.openai.com/v1"
api_key_env = "K"
[providers.likely]
like = "openai"
base_url = "https://llm.example.com/v1"
api_key_env = "K"
[providers.gpu]
like = "vllm"
base_url = "http://10.0.0.8:8000/v1"
[providers.groq]
base_url = "https://llm.example.com/v1"
"""


@pytest.fixture
def places(tmp_path: Path) -> dict[str, Endpoint]:
    (tmp_path / "umwelten.toml").write_text(SECTIONS)
    keys = {name: "k" for row in VENDORS.values() for name in row.key_env if "OLLAMA" not in name}
    # In the user's own folder, so that it may send keys wherever it says.
    settings = load(tmp_path, {"K": "k", "MISTRAL_BASE_URL": ELSEWHERE, **keys}, tmp_path)
    return {name: endpoint(row, settings) for name, row in vendors(settings).items()}


def test_a_rate_of_the_model_is_before_its_providers_and_that_before_the_sections() -> None:
    row = msgspec.structs.replace(VENDORS["openai"], rpm=500.0, tpm=1000.0)
    rates = {name: parse_rates(text) for name, text in RATES.items()}

    def by(model: str) -> set[tuple[str, float]]:
        found = known_rates(ModelRef("openai", model), row, rates)
        return {(rate.resource.value, rate.amount / rate.period_s) for rate in found}

    assert by("a") == {("requests", 2.0), ("tokens", 1e5)}
    assert by("b") == {("requests", 8.0), ("tokens", 1000 / 60)}
    assert known_rates(ModelRef("google", "a"), VENDORS["google"], rates) == ()


def test_rates_of_one_resource_in_several_units_hold_together() -> None:
    text = read_rates(["500RPM", "2m tokens/Min", "10000rpd", "600/min"])
    assert text == "600/min, 2000000tokens/min, 10000/d"
    found = known_rates(ModelRef("groq", "a"), VENDORS["groq"], {"groq": parse_rates(text)})
    requests = [rate for rate in found if rate.resource is Resource.REQUESTS]
    assert [(rate.amount, rate.period_s) for rate in requests] == [(600, 60), (10_000, 86_400)]


@given(st.decimals(min_value=Decimal("0.000001"), max_value=10**9, places=6), st.sampled_from("smhd"))
def test_a_rate_that_is_read_can_be_read_again(number: Decimal, unit: str) -> None:
    try:
        once = read_rates(f"{number:f}/{unit}")
    except ValueError:
        return  # less than one a day
    assert read_rates(once) == once


RATES = {"openai": "8/s", "openai:a": "2 per second, 6Mtpm"}


def test_a_server_is_watched_unless_its_address_is_that_of_a_service(places: dict[str, Endpoint]) -> None:
    watched = {name: watch(place) for name, place in places.items()}
    hosts = {"ollama", "lmstudio", "local", "vllm", "llamabarn", "llama-swap", "gpu"}
    assert {name for name, how in watched.items() if how is Watch.ALWAYS} == hosts
    strangers = {"gateway", "likely", "groq", "mistral"}
    assert {name for name, how in watched.items() if how is Watch.UNTIL_REFUSED} == strangers


@pytest.mark.parametrize(
    ("name", "lanes"),
    [
        ("openai", ["openai:a", "openai:b"]),
        ("openrouter", ["openrouter", "openrouter"]),
        ("gpu", ["gpu@10.0.0.8:8000", "gpu@10.0.0.8:8000"]),
        ("local", ["local", "local"]),
    ],
)
def test_models_share_a_lane_as_they_share_a_limit(
    places: dict[str, Endpoint], name: str, lanes: list[str]
) -> None:
    place = places[name]
    wire = WIRES[place.vendor.wire]
    targets = [Target(model=ModelRef(name, model), endpoint=place, wire=wire) for model in "ab"]
    assert [next(iter(target.by_lane)) for target in targets] == lanes


def test_runs_meet_at_a_socket_by_account_and_where_it_matters_by_model(places: dict[str, Endpoint]) -> None:
    accounts = AccountIds(salt=b"s" * 32)

    def name(provider: str, model: str, key: str = "sk-1234567890", by: AccountIds = accounts) -> str:
        return socket_name(by, msgspec.structs.replace(places[provider], api_key=Secret(key)), model)

    assert re.fullmatch("[0-9a-f]{24}", name("openai", "a"))
    assert name("openai", "a") == name("team", "a")
    assert name("nvidia", "a") == name("nvidia", "b")
    others = {
        name("openai", "a"),
        name("openai", "b"),
        name("openai", "a", key="sk-1234567891"),
        name("europe", "a"),
        name("openai", "a", by=AccountIds(salt=b"t" * 32)),
    }
    assert len(others) == 5
