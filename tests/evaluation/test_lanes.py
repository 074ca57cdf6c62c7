"""Which models share a lane, and which servers are watched or have their calls ordered."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.attempts.target import Target
from umwelten.config.endpoints import endpoint, vendors
from umwelten.config.settings import load
from umwelten.control.knee import Watch
from umwelten.evaluation.lanes import lane_name, watch
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef

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
    assert [lane_name(target) for target in targets] == lanes
