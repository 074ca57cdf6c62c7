"""Shapes of answers: every wire's own form of a schema, and the words in its place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import jsonschema
import ollama
import openrouter.components as router
import pytest
from anthropic import types as claude
from anthropic.types import message_create_params as claude_params
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from ollama._types import ChatRequest
from openai.types.chat.completion_create_params import CompletionCreateParamsNonStreaming
from pydantic import TypeAdapter

from umwelten.providers.common.schemas import instruction
from umwelten.providers.common.small_schemas import limit_lengths
from umwelten.providers.common.strict_schemas import strict_schema
from umwelten.providers.gemini.schemas import response_fields
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Parameters, Request, Schema, Secret
from wirekit import (
    KEY,
    body_of,
    user,
)

BOOK = Schema(
    name="book",
    json={
        "type": "object",
        "title": "Book",
        "properties": {
            "title": {"type": "string", "description": "As printed", "minLength": 1},
            "date": {"type": "string", "format": "date"},
            "status": {"type": "string", "enum": ["draft", "final"]},
            "confidence": {"type": "integer", "minimum": 1, "maximum": 10},
            "score": {"type": "number", "exclusiveMinimum": 0},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 5, "uniqueItems": True},
            "email": {"type": "string"},
            "author": {"$ref": "#/$defs/Person"},
            "editor": {"$ref": "#/$defs/Person", "description": "If there is one"},
            "note": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": None},
        },
        "required": ["title", "date", "status", "confidence", "score", "tags", "author", "note"],
        "additionalProperties": False,
        "$defs": {
            "Person": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "affiliation": {"type": "string"}},
                "required": ["name"],
                "additionalProperties": False,
            }
        },
    },
)
RECORD = {
    "title": "A Carol",
    "date": "1843-12-19",
    "status": "final",
    "confidence": 9,
    "score": 0.5,
    "tags": ["ghosts"],
    "author": {"name": "Dickens", "affiliation": None},
    "note": None,
    "email": None,
    "editor": None,
}
TREE = Schema(
    json={
        "type": "object",
        "properties": {"name": {"type": "string"}, "children": {"type": "array", "items": {"$ref": "#"}}},
        "required": ["name"],
    }
)


def _home(vendor: str) -> Endpoint:
    row = VENDORS[vendor]
    return Endpoint(vendor=row, base_url=row.base_url or "http://127.0.0.1:1/v1", api_key=Secret(KEY))


def _asked(
    schema: Schema | None = BOOK, *, model: str = "m", stream: bool = False, **settings: Any
) -> Request:
    return Request(
        model=ModelRef("p", model),
        messages=(user("Read this."),),
        system="Be brief.",
        parameters=Parameters(**settings),
        stream=stream,
        schema=schema,
    )


def _body(vendor: str, request: Request | None = None, dropped: tuple[str, ...] = ()) -> dict[str, Any]:
    home = _home(vendor)
    return body_of(WIRES[home.vendor.wire].encode(request or _asked(), home, frozenset(dropped)))


def _system(body: dict[str, Any]) -> str:
    """The system text, wherever the wire has it."""
    if "systemInstruction" in body:
        return str(body["systemInstruction"]["parts"][0]["text"])
    if isinstance(body.get("system"), str):
        return str(body["system"])
    return str(next(m["content"] for m in body["messages"] if m["role"] == "system"))


# --- every wire's own field ------------------------------------------------------------------


def test_openai_gets_the_strict_form_and_no_words_beside_it() -> None:
    body = _body("openai")
    TypeAdapter(CompletionCreateParamsNonStreaming).validate_python(body)
    asked = body["response_format"]
    assert (asked["type"], asked["json_schema"]["name"], asked["json_schema"]["strict"]) == (
        "json_schema",
        "book",
        True,
    )
    _is_strict(asked["json_schema"]["schema"])
    jsonschema.validate(RECORD, asked["json_schema"]["schema"])
    assert _system(body) == "Be brief."


@pytest.mark.parametrize(
    ("vendor", "field"),
    [("openai", "response_format"), ("google", "generationConfig"), ("anthropic", "tools")],
)
def test_a_compatible_server_at_the_vendors_name_is_told_in_words_too(vendor: str, field: str) -> None:
    home = Endpoint(vendor=VENDORS[vendor], base_url="http://127.0.0.1:9/v1")
    body = body_of(WIRES[home.vendor.wire].encode(_asked(), home))
    assert field in body
    assert _system(body) == f"Be brief.\n\n{instruction(BOOK)}"


def test_openrouter_is_asked_for_a_host_that_takes_schemas() -> None:
    body = _body("openrouter", _asked(extra={"provider": {"order": ["x"]}}))
    router.ChatRequest.model_validate(body)
    assert body["provider"] == {"require_parameters": True, "order": ["x"]}
    shape = body["response_format"]["json_schema"]
    assert shape["strict"] is True
    _is_strict(shape["schema"])
    # Some of its hosts refuse ranges: they are in the description.
    assert shape["schema"]["properties"]["confidence"] == {
        "type": "integer",
        "description": "(minimum: 1, maximum: 10)",
    }
    assert _body("openrouter", _asked(None)).keys().isdisjoint({"provider", "response_format"})


@pytest.mark.parametrize("vendor", ["local", "lmstudio", "vllm", "groq", "together", "fireworks"])
def test_servers_that_only_enforce_it_get_the_schema_as_it_is_and_in_words(vendor: str) -> None:
    body = _body(vendor)
    assert body["response_format"]["json_schema"] == {"name": "book", "schema": BOOK.json, "strict": False}
    assert _system(body).endswith(instruction(BOOK))


def test_a_vendor_that_knows_json_but_no_schemas_is_told_in_words() -> None:
    body = _body("deepseek")
    assert body["response_format"] == {"type": "json_object"}
    assert _system(body).endswith(instruction(BOOK))
    assert "response_format" not in _body("minimax")
    assert _system(_body("minimax")).endswith(instruction(BOOK))


@pytest.mark.parametrize("stream", [False, True])
def test_gemini_gets_the_form_that_googles_own_parser_reads(stream: bool) -> None:
    body = _body("google", _asked(stream=stream, temperature=0.0))
    read = json_format.ParseDict(body, google.GenerateContentRequest.pb()(), ignore_unknown_fields=False)
    config = read.generation_config
    assert config.response_mime_type == "application/json"
    schema = google.Schema.wrap(config.response_schema)
    assert schema.type_ is google.Type.OBJECT
    assert list(schema.property_ordering) == list(BOOK.json["properties"])
    assert list(schema.required) == BOOK.json["required"]
    fields = schema.properties
    assert (fields["status"].format_, list(fields["status"].enum)) == ("enum", ["draft", "final"])
    assert (fields["confidence"].minimum, fields["confidence"].maximum) == (1, 10)
    assert (fields["tags"].items.type_, fields["tags"].max_items) == (google.Type.STRING, 5)
    assert (fields["note"].type_, fields["note"].nullable) == (google.Type.STRING, True)
    assert fields["author"].properties["name"].type_ is google.Type.STRING
    assert fields["editor"].description == "If there is one"
    assert (fields["date"].format_, fields["date"].description) == ("", "(format: date)")
    assert fields["score"].description == "(exclusiveMinimum: 0)"
    assert fields["title"].description == "As printed"
    assert fields["title"].min_length == 1
    assert _system(body) == "Be brief."


@pytest.mark.parametrize(
    ("node", "limits"),
    [
        ({"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 10}, {"minimum": 1, "maximum": 9}),
        ({"type": "integer", "exclusiveMinimum": -5}, {"minimum": -4}),
        ({"type": "integer", "minimum": 3, "exclusiveMinimum": 0}, {"minimum": 3}),
        ({"type": ["integer", "null"], "exclusiveMaximum": 0}, {"maximum": -1}),
        ({"type": "integer", "exclusiveMinimum": 0.5}, {}),
        ({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10}, {}),
    ],
)
def test_gemini_gets_the_whole_numbers_next_to_exclusive_limits(
    node: dict[str, Any], limits: dict[str, int]
) -> None:
    """OpenAPI 3.0 has no number for them; what cannot be turned into a limit is told in words."""
    schema = Schema(json={"type": "object", "properties": {"x": node}})
    made = response_fields(schema)["responseSchema"]["properties"]["x"]
    assert {name: made[name] for name in ("minimum", "maximum") if name in made} == limits
    if not limits:
        assert "exclusiveMinimum" in made["description"]


@pytest.mark.parametrize(
    "node",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "integer", "enum": [1, 2]},
        {"$ref": "#"},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {},
    ],
)
def test_what_openapi_cannot_say_goes_to_gemini_as_json_schema(node: dict[str, Any]) -> None:
    schema = Schema(json={"type": "object", "properties": {"x": node, "y": {"const": "a"}}, "not": {}})
    config = response_fields(schema)
    assert set(config) == {"responseMimeType", "responseJsonSchema"}
    kept = config["responseJsonSchema"]
    assert kept["properties"]["x"] == node
    assert kept["properties"]["y"] == {"enum": ["a"]}
    assert "not" not in kept
    json_format.ParseDict({"generationConfig": config}, google.GenerateContentRequest.pb()())


def test_ollama_gets_the_schema_as_its_format_and_in_words() -> None:
    body = _body("ollama")
    read = ChatRequest.model_validate(body, extra="forbid")
    assert read.format == BOOK.json
    assert read.options is None or set(read.options) <= set(ollama.Options.model_fields)
    assert _system(body) == f"Be brief.\n\n{instruction(BOOK)}"


@pytest.mark.parametrize("stream", [False, True])
def test_anthropic_is_made_to_call_a_tool_that_takes_the_answer(stream: bool) -> None:
    body = _body("anthropic", _asked(stream=stream))
    _conforms_to_claude(body)
    (tool,) = body["tools"]
    assert tool["input_schema"] == BOOK.json
    assert body["tool_choice"] == {"type": "tool", "name": tool["name"], "disable_parallel_tool_use": True}
    assert body["system"] == "Be brief."


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        ({"extra": {"thinking": {"type": "adaptive"}}}, ()),
        ({"extra": {"tools": [{"name": "mine", "input_schema": {"type": "object"}}]}}, ()),
        ({}, ("tool_choice",)),
    ],
)
def test_where_no_tool_can_be_forced_anthropic_gets_an_output_format(
    settings: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    settings.setdefault("extra", {})["output_config"] = {"effort": "low"}
    body = _body("anthropic", _asked(**settings), dropped)
    _conforms_to_claude(body)
    assert "tool_choice" not in body
    asked = body["output_config"]
    assert (asked["effort"], asked["format"]["type"]) == ("low", "json_schema")
    _is_strict(asked["format"]["schema"])
    assert "minimum" not in json.dumps(list(asked["format"]["schema"]["properties"]["confidence"]))


def _conforms_to_claude(body: dict[str, Any]) -> None:
    shape = (
        claude_params.MessageCreateParamsStreaming
        if body["stream"]
        else claude_params.MessageCreateParamsNonStreaming
    )
    TypeAdapter(shape).validate_python(body, strict=True, extra="forbid")
    for tool in body.get("tools", ()):
        TypeAdapter(claude.ToolParam).validate_python(tool, extra="forbid")


# --- words in its place ----------------------------------------------------------------------

EVERYONE = sorted(VENDORS)


@pytest.mark.parametrize("vendor", EVERYONE)
def test_once_it_was_refused_only_words_ask_for_the_shape(vendor: str) -> None:
    body = _body(vendor, dropped=("schema",))
    words = _system(body)
    assert words == f"Be brief.\n\n{instruction(BOOK)}"
    assert json.loads(words[words.index("{") :]) == BOOK.json
    fields = {"response_format", "format", "tools", "tool_choice", "output_config", "provider"}
    assert body.keys().isdisjoint(fields | {"generationConfig"})


@pytest.mark.parametrize("vendor", EVERYONE)
@pytest.mark.parametrize("schema_too", [False, True])
def test_the_words_survive_where_no_system_message_is_taken(vendor: str, schema_too: bool) -> None:
    dropped = ("system", "schema") if schema_too else ("system",)
    said = json.dumps(_body(vendor), ensure_ascii=False)
    body = _body(vendor, dropped=dropped)
    first = json.dumps((body.get("messages") or body.get("contents"))[0], ensure_ascii=False)
    assert body.keys().isdisjoint({"system", "systemInstruction"})
    assert '"role": "system"' not in json.dumps(body)
    assert "Be brief." in first and "Read this." in first
    words = json.dumps(instruction(BOOK), ensure_ascii=False)[1:-1]
    assert (words in first) is (schema_too or words in said)


@pytest.mark.parametrize("vendor", EVERYONE)
def test_without_a_schema_nothing_is_said_of_one(vendor: str) -> None:
    body = _body(vendor, _asked(None))
    assert _system(body) == "Be brief."
    assert body.keys().isdisjoint({"response_format", "format", "tools", "tool_choice", "generationConfig"})


@pytest.mark.parametrize("vendor", ["google", "anthropic", "ollama", "deepseek"])
def test_the_words_are_the_whole_system_text_where_there_was_none(vendor: str) -> None:
    request = Request(model=ModelRef("p", "m"), messages=(user("x"),), schema=BOOK)
    assert _system(_body(vendor, request, ("schema",))) == instruction(BOOK)


# --- the strict form -------------------------------------------------------------------------


def _is_strict(node: Any) -> None:
    """What OpenAI's guide demands of every object in a strict schema."""
    if isinstance(node, list):
        for inner in node:
            _is_strict(inner)
    if not isinstance(node, dict):
        return
    if "properties" in node and isinstance(node["properties"], dict) and "type" in node:
        assert node["additionalProperties"] is False
        assert node["required"] == list(node["properties"])
    assert not set(node) & {"default", "oneOf", "allOf", "uniqueItems", "minLength", "nullable"}
    if "$ref" in node:
        assert set(node) == {"$ref"}
    for inner in node.values():
        _is_strict(inner)


def test_in_the_strict_form_what_may_be_left_out_may_be_null() -> None:
    made = strict_schema(BOOK, ranges=True)
    assert made is not None
    fields = made["properties"]
    assert fields["email"] == {"type": ["string", "null"]}
    assert fields["editor"]["type"] == ["object", "null"]
    assert fields["author"] == {"$ref": "#/$defs/Person"}
    assert fields["title"] == {"type": "string", "description": "As printed (minLength: 1)"}
    assert fields["confidence"] == {"type": "integer", "minimum": 1, "maximum": 10}
    assert fields["date"] == {"type": "string", "format": "date"}
    assert fields["note"]["anyOf"] == [{"type": "string"}, {"type": "null"}]
    optional = Schema(
        json={
            "type": "object",
            "properties": {
                "a": {"enum": ["x"], "type": "string"},
                "b": {"const": 1},
                "c": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
                "d": {"$ref": "#/$defs/P"},
                "e": {"allOf": [{"$ref": "#/$defs/P"}], "default": None},
            },
            "$defs": {"P": {"type": "object", "properties": {"n": {"type": "string"}}, "required": ["n"]}},
        }
    )
    made = strict_schema(optional, ranges=True)
    assert made is not None
    _is_strict(made)
    jsonschema.Draft202012Validator.check_schema(made)
    for record in (dict.fromkeys("abcde"), {"a": "x", "b": 1, "c": 3, "d": {"n": ""}, "e": {"n": ""}}):
        jsonschema.validate(record, made)


def test_a_shape_inside_itself_has_a_strict_form() -> None:
    made = strict_schema(TREE, ranges=True)
    assert made is not None
    _is_strict(made)
    assert made["properties"]["children"]["items"] == {"$ref": "#"}
    rooted = Schema(json={"$defs": {"N": TREE.json}, "$ref": "#/$defs/N"})
    made = strict_schema(rooted, ranges=True)
    assert made is not None and made["type"] == "object"


@pytest.mark.parametrize(
    "node",
    [
        {"type": "object"},
        {"type": "object", "additionalProperties": {"type": "string"}},
        {"type": "array"},
        {},
        True,
        {"not": {"type": "string"}},
        {"type": "string", "if": {}},
        {"type": "array", "prefixItems": [{"type": "string"}]},
        {"allOf": [{"type": "string"}, {"minLength": 1}]},
        {"$ref": "https://elsewhere.invalid/x.json"},
        {"$ref": "#/$defs/missing"},
        {"$ref": "#/properties/x"},
    ],
)
def test_what_has_no_strict_form_is_sent_as_it_is_and_not_enforced(node: Any) -> None:
    schema = Schema(json={"type": "object", "properties": {"x": node}})
    assert strict_schema(schema, ranges=True) is None
    shape = _body("openai", _asked(schema))["response_format"]["json_schema"]
    assert shape == {"name": "answer", "schema": schema.json, "strict": False}
    assert response_fields(schema)["responseMimeType"] == "application/json"


_LEAF = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "format": "date"},
        {"type": "integer", "minimum": 1, "maximum": 3},
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "boolean"},
        {"type": ["string", "null"]},
        {"enum": ["a", "b"], "type": "string"},
        {"type": "array", "items": {"type": "integer"}},
    ]
)


def _object(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from("abcd"), inner, min_size=1)
    return fields.flatmap(
        lambda made: st.lists(st.sampled_from(sorted(made)), unique=True).map(
            lambda required: {"type": "object", "properties": made, "required": required}
        )
    )


SHAPES = _object(st.recursive(_LEAF, _object, max_leaves=8))


@given(SHAPES)
def test_every_ordinary_shape_has_a_strict_a_google_and_a_bounded_form(shape: dict[str, Any]) -> None:
    schema = Schema(json=shape)
    made = strict_schema(schema, ranges=True)
    assert made is not None
    _is_strict(made)
    jsonschema.Draft202012Validator.check_schema(made)
    config = response_fields(schema)
    json_format.ParseDict({"generationConfig": config}, google.GenerateContentRequest.pb()())
    assert "responseSchema" in config
    jsonschema.Draft202012Validator.check_schema(limit_lengths(schema))


def test_a_long_name_is_cut_to_what_openai_takes() -> None:
    shape = _body("openai", _asked(Schema(name="n" * 80, json=BOOK.json)))["response_format"]["json_schema"]
    assert shape["name"] == "n" * 64


# --- the embedded model ----------------------------------------------------------------------


def test_the_embedded_models_texts_and_lists_have_an_end() -> None:
    request = Request(model=ModelRef("local", "smollm2"), messages=(user("x"),), schema=BOOK)
    fields = _body("local", request)["response_format"]["json_schema"]["schema"]["properties"]
    assert fields["title"]["maxLength"] > 0 and fields["title"]["minLength"] == 1
    assert fields["tags"]["maxItems"] == 5 and fields["tags"]["items"]["maxLength"] > 0
    assert "maxLength" not in fields["status"]
    assert "pattern" in fields["date"]


def test_a_bounded_schema_keeps_the_users_own_limits() -> None:
    shape = {
        "type": "object",
        "properties": {
            "a": {"type": "string", "maxLength": 3},
            "b": {"type": "string", "minLength": 900},
            "c": {"type": "array", "items": {"type": "string"}, "minItems": 9},
            "d": {"type": "number", "minimum": 0, "maximum": 1},
            "e": {"type": "string", "pattern": "^x$"},
        },
    }
    fields = limit_lengths(Schema(json=shape))["properties"]
    assert fields["a"]["maxLength"] == 3
    assert fields["b"]["maxLength"] == 900
    assert fields["c"]["maxItems"] == 9
    assert fields["d"]["enum"][0] == 0 and fields["d"]["enum"][-1] == 1
    assert fields["e"] == {"type": "string", "pattern": "^x$"}


# --- the same bytes in every process -----------------------------------------------------------


def test_a_request_has_the_same_bytes_in_every_process() -> None:
    """A set's order changes with the hash seed, and a body that changes is no hit in a provider's cache."""
    code = """
import sys
from providers.test_schemas import BOOK, _body
from umwelten.types import ModelRef, Request, Schema
from wirekit import user
limits = {"minimum": 0, "maximum": 9, "multipleOf": 1, "exclusiveMinimum": -1, "exclusiveMaximum": 10}
rules = {"minLength": 1, "maxLength": 9, "pattern": "^x", "format": "date", "minItems": 1}
shape = {"type": "object", "required": ["a", "b"], "properties": {
    "a": {"type": "integer", **limits}, "b": {"type": "string", **rules}, "c": {"type": ["string", "null"]}}}
models = ["openai:gpt-4o", "google:gemini-2.5-pro", "anthropic:claude-sonnet-4-5", "ollama:m", "mistral:m"]
for name in models:
    for schema in (BOOK, Schema(json=shape)):
        provider, _, model = name.partition(":")
        print(_body(provider, Request(model=ModelRef(provider, model), messages=(user("x"),), schema=schema)))
"""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in ("1", "2")
    ]
    bodies = {child.communicate()[0] for child in children}
    assert [child.returncode for child in children] == [0, 0]
    assert len(bodies) == 1
