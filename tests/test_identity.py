"""Identities that were given away stay: what an evaluation of another day has answered is not asked again.

`tests/golden` holds those of whole evaluations; here each part of one is seen to count, in figures.
"""

from __future__ import annotations

from umwelten.identity import call_key, content_hash, settings_hash
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.types import ModelRef, Parameters, Prompt, RequestSettings, Schema, VariantSettings

MODEL = ModelRef("openai", "gpt-4o")
PLAIN = RequestSettings(prompts=(Prompt(name="", text="Say it."),))


def test_the_hash_of_a_file_is_blake2b_of_twenty_bytes() -> None:
    assert content_hash(b"abc").hex() == "384264f676f39536840523f284921cdc68b6846b"
    assert content_hash(b"").hex() == "3345524abf6bbe1809449224b5972c41790b6cf2"


def test_a_call_is_named_by_settings_model_content_and_repeat() -> None:
    settings = bytes(range(20))
    key = call_key(settings=settings, model=MODEL, content=content_hash(b"abc"), repeat=3)
    assert key == "u1:6bf901426b167cc54e62743518d6ad9195a314b1"
    alone = call_key(settings=settings, model=MODEL, content=b"", repeat=1)
    assert alone == "u1:abe9e78565780378ab6175a3e5dfdf2cfc30d2b9"


def test_settings_are_named_by_all_that_is_sent() -> None:
    full = RequestSettings(
        prompts=(Prompt(name="", text="Say it."),),
        system="Be brief.",
        parameters=Parameters(temperature=0.5, max_tokens=10, seed=7, extra={"top_k": 3}),
        schema=Schema(json={"type": "object"}),
        attachments=(("a.txt", bytes(20)),),
    )
    assert settings_hash(PLAIN, "Say it.").hex() == "09ccc7ad36f3914426145ddc14ed422f9db22bd6"
    assert settings_hash(full, "Say it.").hex() == "353cb32830f1c285295098ddb96e30bccb9dc0a4"


def test_a_variant_is_named_by_what_it_sends_and_not_by_what_it_is_called() -> None:
    shared = {"prompts": PLAIN.prompts, "system": "Be brief."}
    cool = VariantSettings(name="cool", parameters=Parameters(temperature=0, extra={"b": 2}))
    bare = VariantSettings(name="bare", system="")
    warm = Parameters(temperature=0.7, max_tokens=9, extra={"a": 1, "b": 1})
    several = RequestBuilder(RequestSettings(**shared, parameters=warm, variants=(bare, cool)))

    def alone(parameters: Parameters, system: str | None = "Be brief.") -> str:
        settings = RequestSettings(**{**shared, "system": system}, parameters=parameters)
        return RequestBuilder(settings).key(MODEL, b"", 1)

    merged = Parameters(temperature=0, max_tokens=9, extra={"a": 1, "b": 2})
    assert several.key(MODEL, b"", 1) == alone(warm)
    assert several.key(ModelRef("openai", "gpt-4o", "cool"), b"", 1) == alone(merged)
    assert several.key(ModelRef("openai", "gpt-4o", "bare"), b"", 1) == alone(warm, system=None)
