"""The whole corpus to every provider: what goes out is what the vendors' own types allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openrouter.components as router
import pytest
from anthropic import types as claude
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from ollama._types import ChatRequest
from openai.types.chat import ChatCompletionContentPartParam
from pydantic import TypeAdapter

from corpus.making import Sample, make
from provider import provider
from umwelten.errors import InputError
from umwelten.inputs import read
from umwelten.inputs.convert.dispatch import convert
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES, capabilities_of
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.types import ModelRef, Part, Prompt, RequestSettings
from wirekit import body_of

BUILDER = RequestBuilder(RequestSettings(prompts=(Prompt(name="", text="What is this?"),)))
MODELS = {
    "google": "gemini-3.5-flash",
    "openai": "gpt-4o",
    "openrouter": "openai/gpt-4o",
    "anthropic": "claude-sonnet-4-5",
    "ollama": "gemma3:12b",
    "lmstudio": "qwen2.5-vl",
    "local": "smollm2",
}


def _google(body: dict[str, Any]) -> None:
    json_format.ParseDict(body, google.GenerateContentRequest.pb()())


def _openai(body: dict[str, Any]) -> None:
    content = body["messages"][-1]["content"]
    for piece in content if isinstance(content, list) else [{"type": "text", "text": content}]:
        TypeAdapter(ChatCompletionContentPartParam).validate_python(piece, strict=True, extra="forbid")


def _openrouter(body: dict[str, Any]) -> None:
    again = router.ChatRequest.model_validate(body).model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert again["messages"] == body["messages"]


def _anthropic(body: dict[str, Any]) -> None:
    TypeAdapter(claude.MessageParam).validate_python(body["messages"][-1], extra="forbid")


def _ollama(body: dict[str, Any]) -> None:
    ChatRequest.model_validate(body, extra="forbid")


JUDGES: dict[str, Callable[[dict[str, Any]], None]] = {
    "google": _google,
    "openai": _openai,
    "openrouter": _openrouter,
    "anthropic": _anthropic,
    "ollama": _ollama,
    "lmstudio": _openai,
    "local": _openai,
}


def _parts(sample: Sample, capabilities: Capabilities) -> tuple[Part, ...]:
    content = read(sample.path, name=sample.name, capabilities=capabilities)
    return content.parts if content.convert is None else convert(content.convert).parts


@pytest.mark.parametrize("vendor", MODELS)
def test_what_is_sent_of_every_file_is_valid_for_the_provider(vendor: str, tmp_path: Path) -> None:
    row, ref = VENDORS[vendor], ModelRef(vendor, MODELS[vendor])
    endpoint = Endpoint(vendor=row, base_url=row.base_url or "http://127.0.0.1:1/v1")
    capabilities = capabilities_of(endpoint, ref)
    sent, refused = [], []
    for sample in make(tmp_path / "corpus", huge=False):
        try:
            parts = _parts(sample, capabilities)
        except InputError as error:
            assert sample.name in error.message
            refused.append(sample)
            continue
        body = body_of(WIRES[row.wire].encode(BUILDER.request(ref, parts, stream=False), endpoint))
        assert "What is this?" in json.dumps(body)
        JUDGES[vendor](body)
        sent.append(sample)
    assert len(sent) >= 25
    # Whatever is text in the end goes everywhere.
    texts = [one for one in refused if one.kind in ("text", "html", "docx", "xlsx", "pptx", "epub")]
    assert all(one.damaged or one.trouble for one in texts)


def test_in_a_batch_over_all_of_it_the_bad_ones_fail_alone(cli, tmp_path: Path) -> None:
    samples = make(tmp_path / "in", huge=False)
    with provider(Profile(default=Behaviour(text="fine"))) as server:
        code, _, err = cli(
            *(
                "eval",
                "batch",
                "-p",
                "What is this?",
                "-m",
                "openai:gpt-4o",
                "-i",
                "all",
                "--directory",
                "in",
            ),
            *("--max-concurrency", "8", "--progress", "none", "--report", "all.json"),
            env=server.env(),
            timeout=240,
        )
        assert code == 1, err
        asked = server.idle().requests
    report = json.loads((tmp_path / "all.json").read_text())
    results = {result["file"]: result for result in report["results"]}
    assert len(results) == len(samples)
    assert asked == report["summary"]["succeeded"] >= 50
    for sample in samples:
        result = results[sample.name]
        if result["status"] == "failed":
            assert result["error"]["kind"] == "bad_request"
            assert sample.name in result["error"]["message"]
        elif sample.trouble:
            assert sample.name == "no-pages.pdf", sample
        if not sample.damaged and not sample.trouble and sample.kind in ("text", "pdf", "docx", "xlsx"):
            assert result["status"] == "succeeded", (sample.name, result["error"])
