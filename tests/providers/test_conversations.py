"""Requests of several turns in every wire format, judged by the official clients' types."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import ollama
import openrouter.components as router
import pytest
from anthropic import types as claude
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from ollama._types import ChatRequest
from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.schema import load_schema
from umwelten.types import Message, Request, Role, Secret
from wirekit import KEY, PNG, assistant, body_of, image, question, user

VENDOR_OF = {"openai": "openai", "anthropic": "anthropic", "gemini": "google", "ollama": "ollama"}
EVERY_WIRE = pytest.mark.parametrize("wire", sorted(VENDOR_OF))

ANSWER = '{"title": 7}'
FAULTS = "Your answer does not fit:\n- title: 7 is not a string"
TURNS = (assistant(ANSWER), user(FAULTS))

OPENAI_MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])
CLAUDE_MESSAGE: TypeAdapter[Any] = TypeAdapter(claude.MessageParam)
CLAUDE_BLOCK: TypeAdapter[Any] = TypeAdapter(claude.TextBlockParam | claude.ImageBlockParam)

Turn = tuple[str, list[str], list[bytes]]
"""A turn as an official type read it: role, texts, and the bytes of its pictures."""


def body(wire: str, request: Request) -> dict[str, Any]:
    vendor = VENDORS[VENDOR_OF[wire]]
    home = Endpoint(vendor=vendor, base_url=vendor.base_url or "http://127.0.0.1:1", api_key=Secret(KEY))
    return body_of(WIRES[wire].encode(request, home))


def openai_turns(sent: dict[str, Any]) -> list[Turn]:
    OPENAI_MESSAGES.validate_python(sent["messages"], strict=True)
    read = router.ChatRequest.model_validate(sent)
    again = read.model_dump(by_alias=True, exclude_unset=True, mode="json")["messages"]
    assert again == sent["messages"]
    turns: list[Turn] = []
    for message in again:
        content = message["content"]
        pieces = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = [piece["text"] for piece in pieces if piece["type"] == "text"]
        urls = [piece["image_url"]["url"] for piece in pieces if piece["type"] == "image_url"]
        turns.append((message["role"], texts, [base64.b64decode(url.partition(",")[2]) for url in urls]))
    return turns


def anthropic_turns(sent: dict[str, Any]) -> list[Turn]:
    turns: list[Turn] = []
    for message in sent["messages"]:
        CLAUDE_MESSAGE.validate_python(message, extra="forbid")
        texts, pictures = [], []
        for block in message["content"]:
            CLAUDE_BLOCK.validate_python(block, strict=True, extra="forbid")
            if block["type"] == "text":
                texts.append(block["text"])
            else:
                pictures.append(base64.b64decode(block["source"]["data"]))
        turns.append((message["role"], texts, pictures))
    return turns


def gemini_turns(sent: dict[str, Any]) -> list[Turn]:
    read = json_format.ParseDict(sent, google.GenerateContentRequest.pb()(), ignore_unknown_fields=False)
    return [
        (
            content.role,
            [part.text for part in content.parts if part.WhichOneof("data") == "text"],
            [part.inline_data.data for part in content.parts if part.WhichOneof("data") == "inline_data"],
        )
        for content in read.contents
    ]


def ollama_turns(sent: dict[str, Any]) -> list[Turn]:
    ChatRequest.model_validate(sent, extra="forbid")
    turns: list[Turn] = []
    for message in sent["messages"]:
        # The client's own type wraps a picture, and writes it as the bare text again.
        wrapped = [{"value": picture} for picture in message.get("images", ())]
        read = ollama.Message.model_validate({**message, "images": wrapped}, extra="forbid")
        pictures = [base64.b64decode(str(picture.value)) for picture in read.images or ()]
        turns.append((read.role, [read.content or ""], pictures))
    return turns


READERS: dict[str, Callable[[dict[str, Any]], list[Turn]]] = {
    "openai": openai_turns,
    "anthropic": anthropic_turns,
    "gemini": gemini_turns,
    "ollama": ollama_turns,
}
ROLE_OF_MODEL = {"gemini": "model"}


def turns_of(wire: str, sent: dict[str, Any]) -> list[Turn]:
    """The conversation without the system text, which some wires have among the messages."""
    return [turn for turn in READERS[wire](sent) if turn[0] != "system"]


@EVERY_WIRE
@pytest.mark.parametrize("stream", [False, True])
def test_the_models_answer_goes_back_as_its_own_turn(wire: str, stream: bool) -> None:
    request = question(image(), "Read this.", system="Be brief.", stream=stream, turns=TURNS)
    model = ROLE_OF_MODEL.get(wire, "assistant")
    assert turns_of(wire, body(wire, request)) == [
        ("user", ["Read this."], [PNG]),
        (model, [ANSWER], []),
        ("user", [FAULTS], []),
    ]


@EVERY_WIRE
def test_further_turns_change_nothing_in_the_rest_of_the_body(wire: str) -> None:
    options: dict[str, Any] = {"system": "Be brief.", "temperature": 0.5, "max_tokens": 9}
    alone = body(wire, question(image(), "Read this.", **options))
    longer = body(wire, question(image(), "Read this.", turns=TURNS, **options))
    name = "contents" if wire == "gemini" else "messages"
    assert longer[name][: len(alone[name])] == alone[name]
    assert {**longer, name: None} == {**alone, name: None}


@EVERY_WIRE
@pytest.mark.parametrize("dropped", [(), ("schema",)])
def test_a_schema_is_asked_for_alike_in_every_request_of_a_call(wire: str, dropped: tuple[str, ...]) -> None:
    schema = load_schema("title, year int").schema
    vendor = VENDORS[VENDOR_OF[wire]]
    home = Endpoint(vendor=vendor, base_url=vendor.base_url or "http://127.0.0.1:1", api_key=Secret(KEY))
    bodies = [
        body_of(
            WIRES[wire].encode(
                Request(model=question().model, messages=(user("Read."), *turns), schema=schema),
                home,
                frozenset(dropped),
            )
        )
        for turns in ((), TURNS)
    ]
    name = "contents" if wire == "gemini" else "messages"
    first, second = bodies
    assert second[name][: len(first[name])] == first[name]
    assert {**second, name: None} == {**first, name: None}


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


@EVERY_WIRE
@settings(deadline=None)
@given(exchanges=st.lists(st.tuples(WORDS, WORDS), max_size=4), last=WORDS)
def test_any_conversation_arrives_whole_and_in_order(
    wire: str, exchanges: list[tuple[str, str]], last: str
) -> None:
    messages: list[Message] = []
    for asked, answered in exchanges:
        messages += [user(asked), assistant(answered)]
    request = Request(model=question().model, messages=(*messages, user(last)))
    roles = {Role.USER: "user", Role.ASSISTANT: ROLE_OF_MODEL.get(wire, "assistant")}
    said = [text for pair in exchanges for text in pair]
    assert turns_of(wire, body(wire, request)) == [
        (roles[message.role], [text], [])
        for message, text in zip(request.messages, [*said, last], strict=True)
    ]


@EVERY_WIRE
@pytest.mark.parametrize("turns", [(), TURNS])
def test_without_a_system_message_its_text_comes_first_in_the_question(wire: str, turns: Any) -> None:
    vendor = VENDORS[VENDOR_OF[wire]]
    home = Endpoint(vendor=vendor, base_url=vendor.base_url, api_key=Secret(KEY))
    asked = question("What is this?", image(), system="Be brief.", turns=turns)
    sent = body_of(WIRES[wire].encode(asked, home, frozenset({"system"})))
    first, *others = READERS[wire](sent)
    assert (first[0], "\n\n".join(first[1])) == ("user", "Be brief.\n\nWhat is this?")
    assert len(others) == len(turns)
    assert "system" not in json.dumps(sent).lower()
    assert sent != body(wire, asked)
