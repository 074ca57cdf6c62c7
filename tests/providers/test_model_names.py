"""How users write models, and what they are told when they write something else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import UsageError
from umwelten.providers.model_names import parse_model, parse_models
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef


@pytest.mark.parametrize(
    ("text", "provider", "model"),
    [
        ("google:gemini-2.5-flash", "google", "gemini-2.5-flash"),
        ("ollama:gemma3:12b", "ollama", "gemma3:12b"),
        ("ollama:qwen2.5vl:latest", "ollama", "qwen2.5vl:latest"),
        ("openrouter:meta-llama/llama-3:free", "openrouter", "meta-llama/llama-3:free"),
        ("local:/path/to/model.gguf", "local", "/path/to/model.gguf"),
        ("fireworks:accounts/a/models/m", "fireworks", "accounts/a/models/m"),
        ("openai/gpt-4o", "openrouter", "openai/gpt-4o"),
        ("anthropic/claude-3.7-sonnet", "openrouter", "anthropic/claude-3.7-sonnet"),
        ("meta-llama/llama-3:free", "openrouter", "meta-llama/llama-3:free"),
        ("  ollama: gemma3:12b  ", "ollama", "gemma3:12b"),
    ],
)
def test_a_model_is_a_provider_and_a_name(text: str, provider: str, model: str) -> None:
    assert parse_model(text, VENDORS) == ModelRef(provider, model)


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("model1", None),
        ("", None),
        (":x", None),
        ("/x", None),
        ("x/", None),
        ("nowhere:vendor/model", None),
        ("ollama:", None),
        ("ollama: ", None),
        ("ollama", "ollama:MODEL"),
        ("olama:gemma3", "ollama:gemma3"),
        ("Google:gemini-x", "google:gemini-x"),
        ("gemini:gemini-x", "google:gemini-x"),
        ("gpt-4o", "openai:gpt-4o"),
        ("claude-x", "anthropic:claude-x"),
        ("llama3:8b", "ollama:llama3:8b"),
        ("./model.gguf", "local:./model.gguf"),
        ("C:/models/model.gguf", "local:C:/models/model.gguf"),
    ],
)
def test_what_is_no_model_is_refused_with_the_valid_forms_and_the_nearest_name(
    text: str, guess: str | None
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_model(text, VENDORS)
    hint = caught.value.hint
    assert hint is not None
    assert repr(text.strip()) in caught.value.message
    assert "provider:model" in hint and "vendor/model" in hint
    assert "google" in hint and "ollama" in hint and "local" in hint
    assert (f"Did you mean {guess}?" in hint) if guess else ("Did you mean" not in hint)
    assert caught.value.exit_code == 2


def test_a_provider_that_the_user_added_is_known() -> None:
    mine = {**VENDORS, "mycluster": VENDORS["vllm"]}
    assert parse_model("mycluster:m", mine) == ModelRef("mycluster", "m")
    with pytest.raises(UsageError, match="mycluster"):
        parse_model("mycluster:m", VENDORS)
    with pytest.raises(UsageError, match="Did you mean mycluster:m"):
        parse_model("mycluser:m", mine)


def test_a_list_keeps_its_order_trims_blanks_and_drops_duplicates_with_a_note() -> None:
    models, notes = parse_models(" ollama:a , openai/gpt-4o,,ollama:a,openrouter:openai/gpt-4o ", VENDORS)
    assert models == (ModelRef("ollama", "a"), ModelRef("openrouter", "openai/gpt-4o"))
    assert len(notes) == 2
    assert str(notes[0]).startswith("ollama:a is listed twice")
    assert str(notes[1]).startswith("openrouter:openai/gpt-4o is listed twice")


@pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
def test_a_list_without_a_model_is_an_error(text: str) -> None:
    with pytest.raises(UsageError, match="no model"):
        parse_models(text, VENDORS)


def test_one_wrong_name_refuses_the_whole_list() -> None:
    with pytest.raises(UsageError, match="model1"):
        parse_models("ollama:a,model1", VENDORS)


@given(st.text())
def test_any_text_is_a_model_or_a_usage_error(text: str) -> None:
    try:
        model = parse_model(text, VENDORS)
    except UsageError:
        return
    assert model.provider in VENDORS
    assert model.model and model.model == model.model.strip()


@given(st.sampled_from(sorted(VENDORS)), st.text(min_size=1).filter(lambda text: text == text.strip()))
def test_what_a_model_shows_itself_as_is_read_back(provider: str, name: str) -> None:
    model = ModelRef(provider, name)
    assert parse_model(str(model), VENDORS) == model


def test_every_vendors_wire_format_exists() -> None:
    assert {vendor.wire for vendor in VENDORS.values()} <= set(WIRES)
    assert set(WIRES) == {"openai", "gemini", "anthropic", "ollama"}
