"""Files on every wire, judged by the vendors' own types; and which are refused before they are sent."""

from __future__ import annotations

import base64
from typing import Any

import openrouter.components as router
import pytest
from anthropic import types as claude
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from openai.types.chat import ChatCompletionContentPartParam
from pydantic import TypeAdapter

from umwelten.errors import InputError
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Media, Text
from wirekit import body_of, question

PDF = Media(mime="application/pdf", data=b"%PDF-1.7 x", name="sub/report.pdf")
WAV = Media(mime="audio/wav", data=b"RIFFxxxxWAVE", name="talk.wav")
MP3 = Media(mime="audio/mpeg", data=b"ID3", name="talk.mp3")
FLAC = Media(mime="audio/flac", data=b"fLaC", name="talk.flac")
MP4 = Media(mime="video/mp4", data=b"xxxxftypmp42", name="clip.mp4")
NOTE = Media(mime="text/plain", data="Grüße".encode(), name="note.txt")
KEPT = Media(mime="video/mp4", data=b"", name="clip.mp4", uri="https://x.googleapis.com/v1beta/files/abc")
ZIP = Media(mime="application/zip", data=b"PK", name="all.zip")
WHAT = Text(text="What is this?")


def _body(vendor: str, media: Media) -> dict[str, Any]:
    row = VENDORS[vendor]
    home = Endpoint(vendor=row, base_url=row.base_url or "http://127.0.0.1:1/v1")
    return body_of(WIRES[row.wire].encode(question(media, WHAT), home))


def _base64(media: Media) -> str:
    return base64.b64encode(media.data).decode()


def _openai_piece(vendor: str, media: Media) -> dict[str, Any]:
    piece: dict[str, Any] = _body(vendor, media)["messages"][0]["content"][0]
    return piece


@pytest.mark.parametrize("media", [PDF, WAV, MP3, NOTE])
def test_openais_own_types_take_what_is_sent(media: Media) -> None:
    piece = _openai_piece("openai", media)
    TypeAdapter(ChatCompletionContentPartParam).validate_python(piece, strict=True, extra="forbid")


@pytest.mark.parametrize("media", [PDF, WAV, MP3, FLAC, MP4, NOTE])
def test_openrouters_own_types_take_what_is_sent(media: Media) -> None:
    body = _body("openrouter", media)
    again = router.ChatRequest.model_validate(body).model_dump(by_alias=True, exclude_unset=True, mode="json")
    assert again["messages"] == body["messages"]


@pytest.mark.parametrize("vendor", ["openai", "openrouter"])
def test_a_pdf_travels_whole_and_with_its_name(vendor: str) -> None:
    file = _openai_piece(vendor, PDF)["file"]
    assert file == {
        "filename": "sub/report.pdf",
        "file_data": f"data:application/pdf;base64,{_base64(PDF)}",
    }


def test_sound_names_its_format_and_moving_pictures_are_a_data_url() -> None:
    assert _openai_piece("openai", MP3)["input_audio"] == {"data": _base64(MP3), "format": "mp3"}
    assert _openai_piece("openrouter", FLAC)["input_audio"]["format"] == "flac"
    assert _openai_piece("openrouter", MP4)["video_url"] == {"url": f"data:video/mp4;base64,{_base64(MP4)}"}


@pytest.mark.parametrize("media", [PDF, WAV, MP3, MP4, NOTE])
def test_gemini_takes_every_kind_inline(media: Media) -> None:
    read = json_format.ParseDict(_body("google", media), google.GenerateContentRequest.pb()())
    blob = read.contents[0].parts[0].inline_data
    assert (blob.mime_type, blob.data) == (media.mime, media.data)


def test_gemini_is_told_where_an_uploaded_copy_is() -> None:
    read = json_format.ParseDict(_body("google", KEPT), google.GenerateContentRequest.pb()())
    part = read.contents[0].parts[0]
    assert (part.file_data.mime_type, part.file_data.file_uri) == ("video/mp4", KEPT.uri)
    assert not part.inline_data.data


def test_a_pdf_is_a_document_with_a_title_to_anthropic() -> None:
    block = _body("anthropic", PDF)["messages"][0]["content"][0]
    TypeAdapter(claude.DocumentBlockParam).validate_python(block, strict=True, extra="forbid")
    assert (block["title"], block["source"]["media_type"]) == ("sub/report.pdf", "application/pdf")
    assert base64.b64decode(block["source"]["data"]) == PDF.data
    nameless = Media(mime="application/pdf", data=b"%PDF", name="")
    assert "title" not in _body("anthropic", nameless)["messages"][0]["content"][0]
    long = Media(mime="application/pdf", data=b"%PDF", name="a" * 600 + ".pdf")
    assert len(_body("anthropic", long)["messages"][0]["content"][0]["title"]) == 500


@pytest.mark.parametrize(
    ("vendor", "media", "says"),
    [
        ("anthropic", WAV, r"talk\.wav.*text, images and PDF.*audio/wav"),
        ("anthropic", MP4, r"clip\.mp4.*text, images and PDF.*video/mp4"),
        ("anthropic", KEPT, r"clip\.mp4.*does not store"),
        ("ollama", PDF, r"report\.pdf.*text and images.*application/pdf"),
        ("ollama", WAV, r"talk\.wav.*text and images"),
        ("ollama", KEPT, r"clip\.mp4"),
        ("openai", ZIP, r"all\.zip.*application/zip.*\n.*text, images, PDF, audio and video"),
        ("openai", KEPT, r"clip\.mp4.*does not store"),
        ("openrouter", KEPT, r"clip\.mp4.*does not store"),
    ],
)
def test_what_a_wire_cannot_carry_is_an_error_that_names_file_and_types(
    vendor: str, media: Media, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        _body(vendor, media)


def test_an_uploaded_picture_is_no_picture_to_ollama() -> None:
    kept = Media(mime="image/png", data=b"", name="a.png", uri="https://x/files/a")
    with pytest.raises(InputError, match=r"a\.png.*does not store"):
        _body("ollama", kept)
