"""What can likely be sent, by name."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from umwelten.inputs.media import looks_sendable
from umwelten.providers.capabilities import Capabilities

EARS = Capabilities(audio=frozenset(("audio/mp3",)), video=frozenset(("video/mp4",)))
BLIND = Capabilities(pictures=frozenset())


@pytest.mark.parametrize(
    "name", ["a.txt", "Makefile", "x.PDF", "a.docx", "b.html", "c.epub", "d.v1.2", ".env"]
)
def test_what_becomes_words_can_be_sent_to_all(name: str) -> None:
    assert looks_sendable(name, BLIND)


@pytest.mark.parametrize("name", ["a.JPG", "scan.tif", "x.heic"])
def test_pictures_go_to_models_that_see(name: str) -> None:
    assert looks_sendable(name, EARS)
    assert not looks_sendable(name, BLIND)


def test_audio_and_video_go_to_models_that_take_that_sort() -> None:
    assert [looks_sendable(name, EARS) for name in ("a.mp3", "a.wav", "b.mp4", "b.mkv")] == [
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("name", ["a.zip", "b.tar.gz", "old.doc", "x.exe", "t.parquet"])
def test_archives_programs_and_old_office_files_go_nowhere(name: str) -> None:
    assert not looks_sendable(name, EARS)


def test_a_pdf_needs_a_model_that_takes_it_or_the_extra_that_reads_it(monkeypatch) -> None:
    reads = replace(BLIND, pdf=True)
    monkeypatch.setattr("umwelten.inputs.media.find_spec", lambda name: None)
    assert [looks_sendable("a.pdf", reads, mode) for mode in ("auto", "native", "text")] == [
        True,
        True,
        False,
    ]
    assert not any(looks_sendable("a.pdf", BLIND, mode) for mode in ("auto", "native", "text", "images"))
    monkeypatch.setattr("umwelten.inputs.media.find_spec", lambda name: name)
    found = [looks_sendable("a.pdf", BLIND, mode) for mode in ("auto", "native", "text", "images")]
    assert found == [True, False, True, False]
