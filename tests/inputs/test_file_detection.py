"""What a file is, by its bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import media, pdfs
from corpus.making import make
from umwelten.file_types import HTML, JPEG_XL, PDF, TEXT, FileType
from umwelten.inputs.file_detection import detect, type_by_signature


def type_of(data: bytes) -> FileType:
    return detect(data)[0]


def test_every_type_is_known_by_its_bytes_whatever_its_name(tmp_path: Path) -> None:
    samples = [sample for sample in make(tmp_path, huge=False) if not sample.damaged]
    found = {sample.name: type_of(sample.path.read_bytes()).mime for sample in samples}
    assert found == {sample.name: sample.mime for sample in samples}
    assert len(found) > 75


@pytest.mark.parametrize("head", [b"\x00\x00\x00\x0cJXL \r\n\x87\n", b"\xff\x0a\xfa\x1f\x41\x00"])
def test_both_forms_of_jpeg_xl_are_known(head: bytes) -> None:
    assert type_of(head + bytes(40)) is JPEG_XL
    assert type_of("ÿ\nтекст".encode("latin-1", "ignore") + b" and more words") is TEXT


@pytest.mark.parametrize(
    "text",
    [
        *("BM is short for bitmap", "BZh is not bzip2 here", "ID3 tags are at the beginning", "MZ", "GIF"),
        *("RIFF raff", "FORM 12", "OggS and fLaC", "PAR1 golf", "PK and more", "%PD", "II*", "MM", "8BPS"),
        *("%PDF is what a file begins with", "ftyp", "1234ftyp", "{\\rtf1 text}", "<svg xmlns='x'/>"),
        *("<?xml version='1.0'?><catalog/>", "<p>a piece of a page</p>", "<htmlish>", "body { color: red }"),
        *("Text with <html> in it", "%!PS-Adobe-3.0", "From a@b Mon Jan 1 00:00:00 2024\n"),
        *("how PDF files begin:\n%PDF-1.7\nand so on", "<!-- " * 400),
    ],
)
def test_a_text_is_text_whatever_it_begins_with(text: str) -> None:
    assert type_of(text.encode()) is TEXT


@pytest.mark.parametrize("word", ["ясно", "ять", "яростно и ясно, как день"])
def test_russian_words_in_an_old_encoding_are_no_audio(word: str) -> None:
    data = (word + ", и потом ещё несколько слов по-русски.").encode("cp1251")
    assert type_by_signature(data) is None
    assert type_of(data) is TEXT


@pytest.mark.parametrize(
    "page",
    [
        *(
            "<!DOCTYPE html><p>x",
            "<!doctype HTML public>",
            "<html><body>x",
            "\n\n <HTML lang='de'>",
            "<head>x",
        ),
        *("<?xml version='1.0'?>\n<!DOCTYPE html>", "<!-- a --> <!-- b --><html>", "\ufeff<html>", "<body>x"),
    ],
)
def test_a_page_is_known_by_its_beginning(page: str) -> None:
    assert type_of(page.encode()) is HTML
    assert type_of(page.encode("utf-16")) is HTML


def test_audio_is_known_by_two_frames_and_not_by_one_beginning() -> None:
    frames = {name: data for name, _, _, data in media.all()}
    for name, mime in (("tone.mp3", "audio/mpeg"), ("tone.aac", "audio/aac")):
        data = frames[name]
        assert type_of(data).mime == mime
        assert type_by_signature(b"".join((data[:20], b"\x00", data[20:]))) is None
        assert type_by_signature(data[:2] + bytes(600)) is None


def test_a_pdf_may_begin_with_a_line_of_something_else() -> None:
    data = pdfs.text(["x"])
    assert type_of(b"printed by a machine\r\n" + data) is PDF
    assert type_of(data[: len(data) // 2]) is PDF


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"PAR1" + bytes(20) + b"PAR1", "a Parquet table"),
        (b"\x00\x00\x00\x14ftypmif1\x00\x00\x00\x00avif", "an AVIF image"),
        (b"\x00\x00\x00\x14ftyp3gp4\x00\x00\x00\x003gp4", "3GPP video"),
        (b"PK\x05\x06" + bytes(18), "a zip archive"),
        (b"\x93NUMPY\x01\x00" + bytes(20), "a NumPy array"),
        (
            b"PK\x03\x04" + bytes(26) + b"[Content_Types].xml and no more",
            "a damaged or truncated Office document",
        ),
    ],
)
def test_types_that_stand_further_in_are_found(data: bytes, word: str) -> None:
    assert type_of(data).word.startswith(word)


_BEGINNINGS = (
    *(
        b"",
        b"PK\x03\x04",
        b"RIFF",
        b"\xff\xfb\x90",
        b"\xff\xf1",
        b"\xd0\xcf\x11\xe0",
        b"\x00\x00\x00\x18ftyp",
    ),
    *(b"<", b"GIF89a", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"II*\x00", b"%PDF-1.4\n", b"\xfe\xff"),
    b"\xff\xfe\x00\x00",
)


@settings(max_examples=400, deadline=None)
@given(head=st.sampled_from(_BEGINNINGS), rest=st.binary(max_size=80))
def test_no_bytes_make_it_fail(head: bytes, rest: bytes) -> None:
    assert type_of(head + rest).word
