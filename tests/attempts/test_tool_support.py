"""Servers that are asked whether their models take tools, and those that do not tell."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping

import pytest

from rawserver import raw_server
from umwelten.attempts import tool_support
from umwelten.attempts.tool_support import models_without_tools
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.types import ModelRef, Secret

KEY = "test-key-support-5d1f60a2"


def asked(name: str, root: str, model: str = "m") -> tuple[ModelRef, Endpoint]:
    base_url = {"ollama": root, "openrouter": f"{root}/api/v1"}.get(name, f"{root}/v1")
    return ModelRef(name, model), Endpoint(vendor=VENDORS[name], base_url=base_url, api_key=Secret(KEY))


def told(name: str, reply: bytes, *, model: str = "m") -> tuple[Mapping[ModelRef, str], list[bytes]]:
    """What a server is understood to say of a model, and the heads of the requests it got."""
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(reply)
        await writer.drain()

    async def main() -> Mapping[ModelRef, str]:
        async with raw_server(serve) as root:
            return await asyncio.to_thread(models_without_tools, [asked(name, root, model)])

    return asyncio.run(main()), heads


def http(body: object, status: str = "200 OK") -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\ncontent-length: %d\r\n\r\n%s" % (status.encode(), len(data), data)


def listed(*parameters: str) -> dict[str, object]:
    return {"data": ["?", {"id": "other"}, {"id": "m", "supported_parameters": list(parameters)}]}


@pytest.mark.parametrize(
    ("name", "without", "with_", "address"),
    [
        ("ollama", {"capabilities": ["completion"]}, {"capabilities": ["tools"]}, b"POST /api/show "),
        ("openrouter", listed("seed"), listed("seed", "tools"), b"GET /api/v1/models "),
        (
            "llama-swap",
            {"chat_template_caps": {"supports_tools": False}},
            {"chat_template_caps": {"supports_tools": True}},
            b"GET /props ",
        ),
    ],
)
def test_a_server_tells_whether_its_model_takes_tools(
    name: str, without: object, with_: object, address: bytes
) -> None:
    found, heads = told(name, http(without))
    assert list(found) == [ModelRef(name, "m")]
    assert heads[0].startswith(address)
    assert KEY.encode() in heads[0]
    assert KEY not in str(found)
    assert told(name, http(with_))[0] == {}


@pytest.mark.parametrize("name", ["ollama", "openrouter", "vllm"])
@pytest.mark.parametrize(
    "reply",
    [
        http({"error": "model not found"}, "404 Not Found"),
        http({"capabilities": ["completion"]}, "500 Oops"),
        http({}),
        http([]),
        http(b"\xff\x00no JSON"),
        http({"capabilities": [], "data": [], "chat_template_caps": {}}),
        http({"capabilities": None, "data": {"id": "m"}, "chat_template_caps": {"supports_tools": None}}),
        http(
            {"data": [{"id": "m", "supported_parameters": "seed"}], "chat_template_caps": ["supports_tools"]}
        ),
        b"HTTP/1.1 302 Found\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_who_does_not_tell_is_not_judged(name: str, reply: bytes) -> None:
    assert told(name, reply)[0] == {}


def test_a_model_that_is_not_listed_is_not_judged() -> None:
    assert told("openrouter", http(listed("seed")), model="m:nitro")[0] == {}


def test_a_server_that_does_not_answer_is_given_up_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool_support, "PATIENCE_S", 0.05)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    async def main() -> Mapping[ModelRef, str]:
        async with raw_server(serve) as root:
            # Called in the thread of a running loop, as in a notebook: its own server waits meanwhile.
            return models_without_tools([asked("ollama", root), asked("vllm", "http://127.0.0.1:9")])

    assert asyncio.run(main()) == {}


def test_nobody_is_asked_where_nothing_tells() -> None:
    places = [asked(name, "http://127.0.0.1:9") for name in ("openai", "anthropic", "google", "groq")]
    assert models_without_tools(places) == {}


def test_a_list_is_fetched_once_for_all_models() -> None:
    heads: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(http(listed("seed")))
        await writer.drain()

    async def main() -> Mapping[ModelRef, str]:
        async with raw_server(serve) as root:
            places = [asked("openrouter", root, model) for model in ("m", "n", "o")]
            return await asyncio.to_thread(models_without_tools, places)

    assert list(asyncio.run(main())) == [ModelRef("openrouter", "m")]
    assert len(heads) == 1
