"""Claude models that differ: no forced tools, thinking unasked, no sampling parameters."""

from __future__ import annotations

from typing import Any

import pytest
from anthropic.types import message_create_params as claude_params
from pydantic import TypeAdapter

from umwelten.providers.anthropic.models import Traits, traits_of
from umwelten.providers.anthropic.requests import ANSWER_TOOL
from umwelten.providers.common.schemas import instruction
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Parameters, Request, Schema, Secret
from wirekit import KEY, body_of, user

BOOK = Schema(json={"type": "object", "properties": {"title": {"type": "string"}}, "required": ["title"]})
LOOSE = Schema(json={"type": "object", "properties": {"any": {"type": "object"}}})
VENDOR = VENDORS["anthropic"]
HOME = Endpoint(vendor=VENDOR, base_url=VENDOR.base_url or "", api_key=Secret(KEY))
FORCED = {"type": "tool", "name": ANSWER_TOOL, "disable_parallel_tool_use": True}


def body(model: str, schema: Schema | None = BOOK, dropped: tuple[str, ...] = (), **settings: Any) -> Any:
    request = Request(
        model=ModelRef("anthropic", model),
        messages=(user("x"),),
        parameters=Parameters(**settings),
        schema=schema,
    )
    made = body_of(WIRES["anthropic"].encode(request, HOME, frozenset(dropped)))
    TypeAdapter(claude_params.MessageCreateParamsNonStreaming).validate_python(made, strict=True)
    return made


UNFORCED = Traits(forced_tools=False, thinks=True, sampling=False)
THINKING = Traits(thinks=True, sampling=False)


@pytest.mark.parametrize(
    ("model", "traits"),
    [
        ("claude-opus-5-5", UNFORCED),
        ("claude-sonnet-5-5-20260901", UNFORCED),
        ("claude-fable-5-1", UNFORCED),
        ("Claude-Mythos-5.1", UNFORCED),
        ("anthropic/claude-opus-5.5", UNFORCED),
        ("us.anthropic.claude-sonnet-5-5-v1:0", UNFORCED),
        ("arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-fable-5-1-v1:0", UNFORCED),
        ("publishers/anthropic/models/claude-opus-5-5@20260901", UNFORCED),
        ("anthropic/claude-sonnet-5.5:thinking", UNFORCED),
        ("claude-sonnet-5", THINKING),
        ("claude-opus-5@20260801", THINKING),
        ("claude-opus-5-20260801", THINKING),
        ("claude-haiku-5-5", THINKING),
        ("claude-fable-5", THINKING),
        ("claude-mythos-preview", THINKING),
        ("claude-opus-4-7-20260301", Traits(sampling=False)),
        ("claude-opus-4.8", Traits(sampling=False)),
        ("claude-opus-4-20250514", Traits()),
        ("claude-sonnet-4-5", Traits()),
        ("claude-haiku-4-5-20251001", Traits()),
        ("claude-3-5-sonnet-20241022", Traits()),
        ("claude-opus-5-50", Traits()),
        ("claude-opus-6", Traits()),
        ("my-model", Traits()),
        ("opus-5-5", Traits()),
    ],
)
def test_a_model_is_known_whatever_surrounds_its_name(model: str, traits: Traits) -> None:
    assert traits_of(model) == traits


def test_a_model_that_cannot_be_made_to_call_a_tool_gets_the_schema_as_its_format_at_once() -> None:
    asked = body("claude-opus-5-5")
    assert asked["output_config"]["format"]["type"] == "json_schema"
    assert asked.keys().isdisjoint({"tools", "tool_choice", "system"})
    assert body("claude-opus-5")["tool_choice"] == FORCED


@pytest.mark.parametrize("dropped", [(), ("tool_choice",)])
def test_one_whose_schema_has_no_such_form_may_call_the_tool_and_is_told_in_words(
    dropped: tuple[str, ...],
) -> None:
    for model, schema, more in (
        ("claude-opus-5-5", LOOSE, ()),
        ("claude-opus-5-5", BOOK, ("output_config",)),
        ("claude-new", LOOSE, ("tool_choice",)),
    ):
        asked = body(model, schema, (*dropped, *more))
        assert asked["tools"][0]["name"] == ANSWER_TOOL
        assert asked.get("tool_choice", {"type": "auto"})["type"] == "auto"
        assert asked["system"] == instruction(schema)
        assert "output_config" not in asked


@pytest.mark.parametrize(
    ("model", "settings", "tokens"),
    [
        ("claude-sonnet-4-5", {}, 4096),
        ("claude-opus-4-7", {}, 4096),
        ("claude-sonnet-5", {}, 16_384),
        ("claude-fable-5-1", {}, 16_384),
        ("claude-fable-5-1", {"max_tokens": 100}, 100),
        ("claude-sonnet-5", {"extra": {"thinking": {"type": "disabled"}}}, 4096),
        ("claude-sonnet-5", {"extra": {"thinking": {"type": "adaptive"}}}, 16_384),
        ("claude-opus-4-7", {"extra": {"thinking": {"type": "adaptive"}}}, 16_384),
        ("claude-sonnet-4-5", {"extra": {"thinking": {"type": "enabled", "budget_tokens": 9000}}}, 13_096),
        ("claude-sonnet-4-5", {"extra": {"thinking": {"type": "enabled", "budget_tokens": 1024}}}, 4096),
    ],
)
def test_a_model_that_thinks_has_room_for_its_answer_by_default(
    model: str, settings: dict[str, Any], tokens: int
) -> None:
    assert body(model, None, **settings)["max_tokens"] == tokens


def test_sampling_parameters_are_left_out_where_they_are_known_to_be_refused() -> None:
    settings = {"temperature": 0.2, "top_p": 0.9, "extra": {"top_k": 3, "metadata": {"user_id": "u"}}}
    names = {"temperature", "top_p", "top_k"}
    assert body("claude-opus-4-8", **settings).keys().isdisjoint(names)
    assert "metadata" in body("claude-opus-4-8", **settings)
    assert names <= body("claude-sonnet-4-6", **settings).keys()
