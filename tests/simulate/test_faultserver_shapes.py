"""The rehearsal server asked for a shape: records that fit, and every way in which they may not."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import json_repair
import jsonschema
import pytest

from umwelten.attempts.transport import Transport
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.simulate.faultserver import Behaviour, FaultServer, Profile, Rule
from umwelten.simulate.faultserver.records import record
from umwelten.types import Failure, ModelRef, Outcome, Reply, Request, Schema
from wirekit import user

BOOK = Schema(
    name="book",
    json={
        "type": "object",
        "properties": {
            "title": {"type": "string", "minLength": 30},
            "date": {"type": "string", "format": "date"},
            "status": {"type": "string", "enum": ["draft", "final"]},
            "confidence": {"type": "integer", "minimum": 3, "maximum": 10},
            "score": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "email": {"type": "string", "format": "email"},
            "author": {"$ref": "#/$defs/Person"},
            "note": {"anyOf": [{"type": "null"}, {"type": "string"}]},
        },
        "required": ["title", "date", "status", "confidence", "tags", "author"],
        "additionalProperties": False,
        "$defs": {
            "Person": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "friend": {"$ref": "#/$defs/Person"}},
                "required": ["name"],
                "additionalProperties": False,
            }
        },
    },
)
ADDRESSES = {
    "openai": "/v1",
    "openrouter": "/api/v1",
    "google": "",
    "anthropic": "",
    "ollama": "",
    "deepseek": "/v1",
}


def _fits(text: str) -> bool:
    validator = jsonschema.Draft202012Validator(BOOK.json, format_checker=jsonschema.FormatChecker())
    return not list(validator.iter_errors(json.loads(text)))


async def _ask(
    server: FaultServer,
    vendor: str = "openai",
    *,
    prompt: str = "Read this.",
    stream: bool = False,
    dropped: tuple[str, ...] = (),
    schema: Schema | None = BOOK,
) -> Outcome:
    row = VENDORS[vendor]
    home = Endpoint(vendor=row, base_url=server.url + ADDRESSES[vendor])
    request = Request(model=ModelRef(vendor, "small"), messages=(user(prompt),), stream=stream, schema=schema)
    wire = WIRES[row.wire]
    heard: list[str] = []
    async with Transport(timeout_s=10) as transport:
        http = wire.encode(request, home, frozenset(dropped))
        outcome, _ = await transport.ask(http, wire, home, stream=stream, on_text=heard.append)
    if stream and isinstance(outcome, Reply):
        assert "".join(heard) == outcome.text
    return outcome


def _texts(profile: Profile, *asks: dict[str, Any]) -> list[str]:
    async def run() -> list[str]:
        async with FaultServer(profile) as server:
            outcomes = [await _ask(server, **asked) for asked in asks]
        return [outcome.text if isinstance(outcome, Reply) else f"! {outcome}" for outcome in outcomes]

    return asyncio.run(run())


@pytest.mark.parametrize("dropped", [(), ("schema",)], ids=["native", "told"])
@pytest.mark.parametrize("stream", [False, True], ids=["unary", "stream"])
@pytest.mark.parametrize("vendor", sorted(ADDRESSES))
def test_every_wire_is_answered_with_a_record_that_fits(
    vendor: str, stream: bool, dropped: tuple[str, ...]
) -> None:
    (text,) = _texts(Profile(), {"vendor": vendor, "stream": stream, "dropped": dropped})
    # A strict form writes null for what may be left out, and has no word for a text's length.
    fields = {**BOOK.json["properties"], "title": {"type": "string"}}
    shape = {**BOOK.json, "properties": fields}
    jsonschema.validate(_without_nulls(json.loads(text)), shape, format_checker=jsonschema.FormatChecker())


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def test_a_question_without_a_shape_is_answered_as_ever() -> None:
    (text,) = _texts(Profile(default=Behaviour(text="Hello.")), {"schema": None})
    assert text == "Hello."


def test_a_record_fits_its_schema_and_a_shape_inside_itself_ends() -> None:
    assert _fits(json.dumps(record(BOOK.json)))


@pytest.mark.parametrize("vendor", ["openai", "anthropic", "google"])
def test_a_provider_may_ignore_the_shape_or_spoil_it(vendor: str) -> None:
    said: dict[str, str] = {}
    for how in ("ignore", "fenced", "slipped", "invalid"):
        (said[how],) = _texts(Profile(default=Behaviour(text="Just words.", shaped=how)), {"vendor": vendor})
    assert said["ignore"] == "Just words."
    assert "```json" in said["fenced"] and not said["fenced"].startswith("{")
    with pytest.raises(json.JSONDecodeError):
        json.loads(said["slipped"])
    assert isinstance(json_repair.loads(said["slipped"]), dict)
    assert not _fits(said["invalid"])


def test_the_first_answers_about_a_file_are_wrong_and_then_one_is_right() -> None:
    rule = Rule(behaviour=Behaviour(shaped="invalid"), first=2, counting="mark")
    prompts = [f"mark:page-{page} attempt {attempt}" for attempt in range(3) for page in (1, 2)]
    texts = _texts(Profile(rules=(rule,)), *({"prompt": prompt} for prompt in prompts))
    validity = ['{"no": "such value"}' not in text for text in texts]
    assert validity == [False, False, False, False, True, True]


def test_a_provider_may_refuse_the_field_and_follow_the_words() -> None:
    refusal = Behaviour(fault=400, message="response_format is not supported by this model")
    profile = Profile(rules=(Rule(behaviour=refusal, schema=True),))

    async def run() -> None:
        async with FaultServer(profile) as server:
            refused = await _ask(server)
            assert isinstance(refused, Failure) and refused.parameter == "schema"
            reply = await _ask(server, dropped=("schema",))
            assert isinstance(reply, Reply) and _fits(reply.text)

    asyncio.run(run())


def test_a_record_that_is_cut_by_the_limit_of_tokens_says_so() -> None:
    async def run() -> None:
        async with FaultServer(Profile(default=Behaviour(finish="length"))) as server:
            for stream in (False, True):
                reply = await _ask(server, "anthropic", stream=stream)
                assert isinstance(reply, Reply) and reply.finish_reason == "length"

    asyncio.run(run())
