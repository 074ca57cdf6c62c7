"""PDF files: whole, as text, as pictures of their pages."""

from __future__ import annotations

import io
import zlib
from concurrent.futures import ThreadPoolExecutor

import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from corpus import pdfs, pictures
from hostile.grammars import page, pdf_file
from umwelten.choices import PdfMode
from umwelten.inputs import Converted, UnsupportedInput
from umwelten.inputs.convert.dispatch import convert
from umwelten.inputs.convert.pdf import MAX_PAGE_IMAGES, PAGE_SIDE
from umwelten.inputs.media import pdf
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Media, Text

TAKES = Capabilities(pdf=True)
SEES = Capabilities()
BLIND = Capabilities(pictures=frozenset())
LETTER = pdfs.text(["The harvest was the best in ten years.", "Second page, with more to read."])
SCAN = pdfs.scan(pictures.jpeg(), pages=2)


def sent(data: bytes, capabilities: Capabilities, mode: PdfMode = "auto") -> Converted:
    made = pdf(data, "f.pdf", capabilities, mode)
    return Converted(parts=made) if isinstance(made, tuple) else convert(made)


def refused(data: bytes, capabilities: Capabilities, mode: PdfMode = "auto") -> str:
    with pytest.raises(UnsupportedInput) as caught:
        sent(data, capabilities, mode)
    return caught.value.message


@pytest.mark.parametrize("mode", ["auto", "native"])
def test_a_model_that_takes_pdf_gets_the_file_as_it_is(mode: PdfMode) -> None:
    for data in (LETTER, SCAN):
        (part,) = sent(data, TAKES, mode).parts
        assert isinstance(part, Media)
        assert (part.mime, part.name) == ("application/pdf", "f.pdf")
        assert part.data is data


@pytest.mark.parametrize(
    ("capabilities", "mode"), [(SEES, "auto"), (BLIND, "auto"), (TAKES, "text"), (BLIND, "text")]
)
def test_others_get_its_text_page_by_page(capabilities: Capabilities, mode: PdfMode) -> None:
    converted = sent(LETTER, capabilities, mode)
    (part,) = converted.parts
    assert part == Text(
        text="File: f.pdf\n<content>\n--- page 1 ---\nThe harvest was the best in ten years.\n\n"
        "--- page 2 ---\nSecond page, with more to read.\n</content>"
    )
    assert converted.notes == ("f.pdf: text of 2 pages",)


@pytest.mark.parametrize(("data", "mode"), [(SCAN, "auto"), (SCAN, "images"), (LETTER, "images")])
def test_a_scan_and_whatever_is_asked_for_goes_as_pictures(data: bytes, mode: PdfMode) -> None:
    converted = sent(data, SEES, mode)
    assert [part.name for part in converted.parts if isinstance(part, Media)] == [
        "f.pdf page 1",
        "f.pdf page 2",
    ]
    assert converted.notes[0].startswith("f.pdf: 2 pages sent as images")
    assert ("almost no text" in converted.notes[0]) == (mode == "auto")
    for part in converted.parts:
        assert isinstance(part, Media)
        assert max(Image.open(io.BytesIO(part.data)).size) == PAGE_SIDE
    page = Image.open(io.BytesIO(converted.parts[0].data)).convert("L")  # type: ignore[union-attr]
    assert page.getextrema()[0] < 128 < page.getextrema()[1]  # something is drawn on it


def test_a_scan_and_a_model_that_sees_nothing_is_an_error_that_says_so() -> None:
    assert "a PDF without text, such as a scan" in refused(SCAN, BLIND)
    assert "Use pdf='images'" in refused(SCAN, SEES, "text")


def test_what_is_forced_and_impossible_is_an_error_that_says_why() -> None:
    assert "which this model does not accept. Use pdf='text'" in refused(LETTER, SEES, "native")
    assert "larger than" in refused(LETTER, Capabilities(pdf=True, pdf_bytes=100), "native")
    assert "accepts no images. Use pdf='text'" in refused(LETTER, BLIND, "images")


def test_a_pdf_too_large_to_go_whole_goes_as_text() -> None:
    (part,) = sent(LETTER, Capabilities(pdf=True, pdf_bytes=100)).parts
    assert isinstance(part, Text)
    (part,) = sent(LETTER, Capabilities(pdf=True, inline_bytes=100)).parts
    assert isinstance(part, Text)
    (part,) = sent(LETTER, Capabilities(pdf=True, inline_bytes=100, upload=True)).parts
    assert isinstance(part, Media)


@pytest.mark.parametrize("capabilities", [TAKES, SEES])
def test_one_that_needs_a_password_is_an_error(capabilities: Capabilities) -> None:
    assert refused(pdfs.text(["x"], user="secret", owner="o"), capabilities) == (
        "f.pdf is a PDF that needs a password. Save a copy without one."
    )


def test_a_protected_one_that_opens_is_read_and_sent_without_its_protection() -> None:
    data = pdfs.text(["A protected line of text that can be read."], owner="owner")
    (part,) = sent(data, SEES).parts
    assert isinstance(part, Text)
    assert "A protected line of text" in part.text
    converted = sent(data, TAKES)
    (part,) = converted.parts
    assert isinstance(part, Media)
    assert b"/Encrypt" not in part.data
    assert converted.notes == ("f.pdf: sent without its protection",)
    text = pypdfium2.PdfDocument(part.data)
    assert "A protected line" in text[0].get_textpage().get_text_bounded()
    text.close()


@pytest.mark.parametrize("capabilities", [TAKES, SEES, BLIND])
def test_a_damaged_one_is_an_error_after_a_locked_one_too(capabilities: Capabilities) -> None:
    refused(pdfs.text(["x"], user="secret", owner="o"), capabilities)
    assert "damaged or cut off" in refused(LETTER[:150], capabilities)
    assert "damaged or cut off" in refused(b"%PDF-1.7\n" + bytes(100), capabilities)


def test_one_without_pages_is_an_error() -> None:
    assert "can't be read" in refused(pdfs.text([]), SEES)


def test_only_so_many_pages_go_as_pictures() -> None:
    data = pdfs.text(["x"] * (MAX_PAGE_IMAGES + 1))
    assert f"up to {MAX_PAGE_IMAGES} are sent as images" in refused(data, SEES, "images")
    assert "too large as images" in refused(LETTER, Capabilities(inline_bytes=30_000), "images")


def test_pdfs_are_read_in_several_threads_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        texts = list(pool.map(lambda number: sent([LETTER, SCAN][number % 2], SEES).notes, range(40)))
    assert set(texts[::2]) == {("f.pdf: text of 2 pages",)}
    assert len(set(texts[1::2])) == 1


@settings(max_examples=90, deadline=None)
@given(data=st.data())
def test_no_damage_makes_anything_else_fail(data: st.DataObject) -> None:
    whole = bytearray(data.draw(st.sampled_from([LETTER, SCAN])))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    for mode in ("auto", "images"):
        try:
            assert sent(bytes(whole), SEES, mode).parts  # type: ignore[arg-type]
        except UnsupportedInput as error:
            assert error.message.startswith("f.pdf ")


LARGE = zlib.compress(bytes(33_000_000), 9)
_PICTURE = "/Type/XObject/Subtype/Image/Width 5744/Height 5744/ColorSpace[/Indexed/DeviceCMYK 255({})]"


@pytest.mark.parametrize(
    "head",
    [
        _PICTURE.format("\\377" * 1024),
        "/Type/EmbeddedFile/Params<</Size 33000000>>",
        "/Type /Embedded#46ile",
        "/Subtype /text#2Fxml",
    ],
)
def test_what_is_no_page_s_contents_may_be_long(head: str) -> None:
    data = with_stream(head)
    (part,) = sent(data, BLIND).parts
    assert isinstance(part, Text) and "Words." in part.text


@pytest.mark.parametrize("head", ["", "/Type/Metadata", "/Subtype/Form/BBox[0 0 1 1]", "/XImage 1"])
def test_what_may_be_a_page_s_contents_may_not(head: str) -> None:
    assert "more than 32 MB in one of its parts" in refused(with_stream(head), BLIND)


def with_stream(head: str) -> bytes:
    """A page of words, and a stream of 33 MB that it does not use, before a further one."""
    words = b"<</Length 49>>stream\nBT /F 12 Tf 40 700 Td (Words. Words. Words.) Tj ET   \nendstream"
    packed = b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (
        head.encode(),
        len(LARGE),
        LARGE,
    )
    return pdf_file(page(words, more={9: packed, 10: words}))
