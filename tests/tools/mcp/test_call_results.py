"""What a model is told of results that are more than text, and schemas as models are offered them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import mcp_types
import pytest

from umwelten.tools.mcp.call_results import result_text
from umwelten.tools.mcp.schemas import plain_schema


def told(*content: dict[str, Any], **more: Any) -> str:
    return result_text(mcp_types.CallToolResult.model_validate({"content": list(content), **more}))


def encoded(size: int) -> str:
    return b64encode(b"x" * size).decode()


def test_results() -> None:
    text, image = {"type": "text", "text": "a\nb"}, {"type": "image", "mimeType": "image/png"}
    assert told() == ""
    assert told(text, text) == "a\nb\na\nb"
    assert told(text, structuredContent={"a": 1}) == "a\nb"
    assert told(structuredContent={"a": [1, None, "ü"]}) == '{"a":[1,null,"ü"]}'
    for size, shown in ((1, "1 bytes"), (2, "2 bytes"), (1_234, "1.2 kB"), (2_500_000, "2.5 MB")):
        assert told({**image, "data": encoded(size)}) == f"[image/png, {shown}, not shown]"
    audio = {"type": "audio", "mimeType": "audio/wav", "data": encoded(3)}
    assert told(audio, text) == "[audio/wav, 3 bytes, not shown]\na\nb"
    link = {"type": "resource_link", "name": "n", "uri": "file:///a.pdf", "mimeType": "application/pdf"}
    assert told({**link, "size": 5_000}) == "[file:///a.pdf, application/pdf, 5.0 kB, not shown]"
    assert told(link) == "[file:///a.pdf, application/pdf, not shown]"
    words = {"type": "resource", "resource": {"uri": "file:///a", "text": "ü"}}
    blob = {"type": "resource", "resource": {"uri": "file:///b", "mimeType": "x/y", "blob": encoded(10)}}
    assert told(words, blob) == "[file:///a, 2 bytes, not shown]\n[file:///b, x/y, 10 bytes, not shown]"


STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ({}, {"type": "object", "properties": {}}),
        ({"type": "object", "$schema": "x"}, {"type": "object", "properties": {}}),
        # What looks like a reference in data is none; nor is a property of that name.
        (
            {"properties": {"$ref": STRING, "a": {"enum": [{"$ref": "#/x"}]}}, "type": "object"},
            {"properties": {"$ref": STRING, "a": {"enum": [{"$ref": "#/x"}]}}, "type": "object"},
        ),
        (
            {"$ref": "#/definitions/A", "definitions": {"A": {"properties": {"b": STRING}}}},
            {"type": "object", "properties": {"b": STRING}},
        ),
        (
            {
                "properties": {"a": {"items": [{"$ref": "#/$defs/B"}]}},
                "type": "object",
                "$defs": {"B": STRING},
            },
            {"properties": {"a": {"items": [STRING]}}, "type": "object"},
        ),
    ],
)
def test_schemas(given: dict[str, Any], plain: dict[str, Any]) -> None:
    assert plain_schema(given) == plain


@pytest.mark.parametrize("reference", ["#/$defs/Gone", "https://example.com/x", "#/properties/a"])
def test_a_reference_that_leads_nowhere_or_to_itself_is_sent_as_it_is(reference: str) -> None:
    given = {"type": "object", "properties": {"a": {"items": {"$ref": reference}}}, "$defs": {"A": STRING}}
    assert plain_schema(given) == given


def test_definitions_that_double_and_double_are_sent_as_they_are() -> None:
    definitions = {
        f"D{n}": {
            "type": "object",
            "properties": {"a": {"$ref": f"#/$defs/D{n + 1}"}, "b": {"$ref": f"#/$defs/D{n + 1}"}},
        }
        for n in range(30)
    }
    given = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/D0"}},
        "$defs": {**definitions, "D30": STRING},
    }
    assert plain_schema(given) == given
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"type": "object", "properties": {"a": deep}}
    assert plain_schema(deep) == deep
