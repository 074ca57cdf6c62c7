"""What is known of which model takes which files."""

from __future__ import annotations

import pytest

from umwelten.providers.capabilities import PICTURES, Capabilities
from umwelten.providers.protocol import Endpoint, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES, capabilities_of
from umwelten.types import Media, ModelRef
from wirekit import question


def _of(name: str, base_url: str | None = None) -> Capabilities:
    provider, _, model = name.partition(":")
    row = VENDORS[provider]
    return capabilities_of(Endpoint(vendor=row, base_url=base_url or row.base_url), ModelRef(provider, model))


@pytest.mark.parametrize(
    "name",
    [
        "openai:gpt-4o",
        "openai:gpt-4o-mini",
        "openai:gpt-4.1",
        "openai:gpt-5-nano",
        "openai:o1",
        "openai:o4-mini",
        "google:gemini-2.5-flash",
        "google:gemma-3-27b-it",
        "anthropic:claude-3-haiku-20240307",
        "openrouter:openai/gpt-4o",
        "openrouter:qwen/qwen2.5-vl-72b-instruct",
        "openrouter:deepseek/deepseek-ocr",
        "ollama:gemma3:12b",
        "ollama:qwen2.5vl:latest",
        "ollama:llama3.2-vision",
        "ollama:someone/own-model:7b",
        "lmstudio:qwen3-vl-8b",
        "vllm:whatever",
        "groq:meta-llama/llama-4-scout-17b-16e-instruct",
    ],
)
def test_a_model_that_may_see_is_given_pictures(name: str) -> None:
    assert "image/png" in _of(name).pictures


@pytest.mark.parametrize(
    "name",
    [
        "openai:gpt-3.5-turbo",
        "openai:gpt-4",
        "openai:gpt-4-0613",
        "openai:o3-mini",
        "anthropic:claude-2.1",
        "deepseek:deepseek-chat",
        "openrouter:openai/gpt-3.5-turbo",
        "openrouter:deepseek/deepseek-v3.1",
        "ollama:llama3.2:1b",
        "ollama:smollm2",
        "ollama:gemma3:1b",
        "ollama:deepseek-r1:8b",
        "lmstudio:openai/gpt-oss-20b",
        "local:smollm2",
        "local:/models/any.gguf",
    ],
)
def test_a_model_that_surely_sees_nothing_is_given_none(name: str) -> None:
    assert _of(name).pictures == frozenset()


@pytest.mark.parametrize(
    ("name", "pdf"),
    [
        ("openai:gpt-5", True),
        ("openai:gpt-4-turbo", False),
        ("openai:gpt-3.5-turbo", False),
        ("google:gemini-3-flash", True),
        ("google:gemma-3-4b-it", False),
        ("anthropic:claude-sonnet-4-5", True),
        ("openrouter:anything/at-all", True),
        ("openrouter:openai/gpt-3.5-turbo", True),
        ("ollama:gemma3", False),
        ("lmstudio:x", False),
        ("local:smollm2", False),
        ("groq:x", False),
    ],
)
def test_pdf_files_go_whole_where_the_provider_reads_them(name: str, pdf: bool) -> None:
    assert _of(name).pdf is pdf


def test_sound_and_moving_pictures_go_where_they_are_taken() -> None:
    gemini = _of("google:gemini-2.5-pro")
    assert {"audio/mpeg", "audio/wav", "audio/flac"} <= gemini.audio and "video/mp4" in gemini.video
    assert "audio/wav" in _of("openai:gpt-4o-audio-preview").audio
    assert not _of("openai:gpt-4o").audio and not _of("openai:gpt-4o").video
    assert not _of("anthropic:claude-opus-4-5").audio
    assert "video/mp4" in _of("openrouter:google/gemini-2.5-flash").video


def test_gemini_alone_takes_files_before_the_question() -> None:
    assert {name for name in VENDORS if _of(f"{name}:x").upload} == {"google"}
    assert {name for name, wire in WIRES.items() if wire.uploads is not None} == {"gemini"}


def test_limits_in_base64_are_told_in_bytes_of_the_file() -> None:
    claude = _of("anthropic:claude-sonnet-4-5")
    assert claude.picture_bytes * 4 / 3 <= 5 * 1024 * 1024
    assert claude.inline_bytes * 4 / 3 < 32_000_000 and claude.pdf_bytes <= claude.inline_bytes
    assert _of("google:gemini-2.5-flash").inline_bytes * 4 / 3 <= 20_000_000


def test_of_someone_elses_server_nothing_is_taken_for_granted() -> None:
    there = _of("openai:gpt-3.5-turbo", "http://127.0.0.1:9/v1")
    assert there.pictures == PICTURES and not there.pdf
    own = Vendor(name="mycluster", wire="openai", base_url="http://10.0.0.1/v1")
    mine = capabilities_of(Endpoint(vendor=own, base_url=own.base_url), ModelRef("mycluster", "m"))
    assert mine.pictures == PICTURES and mine.audio and not mine.pdf


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_whatever_is_accepted_can_be_encoded(vendor: str) -> None:
    row = VENDORS[vendor]
    home = Endpoint(vendor=row, base_url=row.base_url or "http://127.0.0.1:1/v1")
    known = capabilities_of(home, ModelRef(vendor, "some-model"))
    kinds = known.pictures | known.audio | known.video | ({"application/pdf"} if known.pdf else set())
    for mime in sorted(kinds):
        assert WIRES[row.wire].encode(question(Media(mime=mime, data=b"x", name="x")), home).body
