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


VARIANTS = ("cool", "hot")


@pytest.mark.parametrize(
    ("text", "model"),
    [
        ("ollama:m@cool", ModelRef("ollama", "m", "cool")),
        (" ollama:gemma3:12b @ cool ", ModelRef("ollama", "gemma3:12b", "cool")),
        ("openai/gpt-4o:free@hot", ModelRef("openrouter", "openai/gpt-4o:free", "hot")),
        ("ollama:m@001@cool", ModelRef("ollama", "m@001", "cool")),
        # What is no variant's name belongs to the model's.
        ("ollama:m@001", ModelRef("ollama", "m@001")),
        ("ollama:@cf/meta/llama", ModelRef("ollama", "@cf/meta/llama")),
        ("lmstudio:m@q4_k_m", ModelRef("lmstudio", "m@q4_k_m")),
    ],
)
def test_an_at_behind_a_model_is_followed_by_a_variant(text: str, model: ModelRef) -> None:
    models, notes = parse_models(text, VENDORS, {}, VARIANTS)
    assert models == (model,)
    assert bool(notes) is ("@" in model.model)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("ollama:m@coll", "no variant is called 'coll'", "Did you mean ollama:m@cool"),
        ("ollama:m@cool@hot", "names two variants", "one at a time"),
        ("ollama:@cool", "names a provider but no model", ""),
        ("@fast@coll", "no variant is called 'coll'", "Did you mean @cool"),
        ("@fats@cool", "@fats is not a group", "Did you mean @fast"),
    ],
)
def test_a_variant_that_is_not_there_is_told_with_the_nearest(text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        parse_models(text, VENDORS, {"fast": ["ollama:a", "ollama:b"]}, VARIANTS)
    assert hint in str(caught.value.hint)


@pytest.mark.parametrize(
    ("ending", "is_noted"), [("cool", True), ("001", False), ("latest", False), ("q8_0", False)]
)
def test_without_variants_only_what_looks_like_one_is_noted(ending: str, is_noted: bool) -> None:
    models, notes = parse_models(f"ollama:m@{ending}", VENDORS)
    assert models == (ModelRef("ollama", f"m@{ending}"),)
    assert bool(notes) is is_noted


def test_a_group_may_be_asked_with_a_variant_and_name_some() -> None:
    groups = {"fast": ["ollama:a", "@more"], "more": ["ollama:b"], "both": ["ollama:m@cool", "ollama:m@hot"]}
    models, _ = parse_models("@fast@hot,@both", VENDORS, groups, VARIANTS)
    assert [str(model) for model in models] == [
        f"ollama:{name}" for name in ("a@hot", "b@hot", "m@cool", "m@hot")
    ]


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
    assert set(WIRES) == {"openai", "responses", "gemini", "anthropic", "ollama"}
