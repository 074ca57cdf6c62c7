"""Pictures as models take them."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps, PngImagePlugin, TiffImagePlugin

from corpus import pictures
from hostile.grammars import scans
from umwelten.inputs import Converted, UnsupportedInput
from umwelten.inputs.convert.dispatch import convert
from umwelten.inputs.convert.exif import orientation
from umwelten.inputs.convert.image_size import count_scans, measure
from umwelten.inputs.file_detection import detect
from umwelten.inputs.media import picture
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Media


def sent(data: bytes, capabilities: Capabilities | None = None, name: str = "p.x") -> Converted:
    """What becomes of a picture; one that goes as it is has no note."""
    made = picture(data, detect(data)[0], name, capabilities or Capabilities())
    return Converted(parts=made) if isinstance(made, tuple) else convert(made)


def only(converted: Converted) -> tuple[Media, Image.Image]:
    (part,) = converted.parts
    assert isinstance(part, Media)
    image = Image.open(io.BytesIO(part.data))
    image.load()
    assert Image.MIME[image.format or ""] == part.mime
    return part, image


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "WEBP"])
def test_what_a_model_takes_goes_as_it_is(form: str) -> None:
    data = pictures.saved(pictures.drawn(mode="P" if form == "GIF" else "RGB"), form)
    (part,) = sent(data).parts
    assert isinstance(part, Media)
    assert part.data is data


@pytest.mark.parametrize(
    ("form", "mode", "mime"),
    [
        *(("TIFF", "RGB", "image/png"), ("BMP", "RGB", "image/png"), ("ICO", "RGBA", "image/png")),
        *(("AVIF", "RGB", "image/jpeg"), ("JPEG2000", "RGB", "image/jpeg"), ("TIFF", "1", "image/png")),
        *(("TIFF", "CMYK", "image/png"), ("TIFF", "LA", "image/png"), ("TIFF", "F", "image/png")),
    ],
)
def test_other_formats_are_converted_and_it_is_said(form: str, mode: str, mime: str) -> None:
    converted = sent(pictures.saved(pictures.drawn(mode=mode), form))
    part, image = only(converted)
    assert part.mime == mime
    assert f"converted to {mime[6:]}" in converted.notes[0]
    assert image.size == ((64, 48) if form != "ICO" else (48, 48)) or form == "ICO"


def test_a_picture_that_is_too_wide_is_scaled_and_it_is_said() -> None:
    big = pictures.saved(pictures.drawn((900, 600)), "TIFF")
    converted = sent(big, Capabilities(picture_side=800), "scan.tif")
    assert converted.notes == ("scan.tif: converted to png, scaled from 900×600 to 800×533",)
    assert only(converted)[1].size == (800, 533)
    photo = sent(pictures.jpeg((900, 600)), Capabilities(picture_side=100), "a.jpg")
    assert photo.notes == ("a.jpg: scaled from 900×600 to 100×67",)
    assert only(photo)[0].mime == "image/jpeg"


@pytest.mark.parametrize("most", [400_000, 60_000, 9_000])
def test_a_picture_of_too_many_bytes_is_made_to_fit(most: int) -> None:
    data = pictures.saved(pictures.noisy((600, 400)), "PNG")
    assert len(data) > most
    converted = sent(data, Capabilities(picture_bytes=most))
    part, image = only(converted)
    assert len(part.data) <= most
    assert image.width / image.height == pytest.approx(1.5, rel=0.05)
    assert converted.notes


def test_a_photo_is_turned_upright_when_it_is_scaled() -> None:
    converted = sent(pictures.turned((60, 40)), Capabilities(picture_side=30))
    _, image = only(converted)
    assert image.size == (20, 30)
    assert converted.notes == ("p.x: turned upright, scaled from 40×60 to 20×30",)
    red, green, _ = image.convert("RGB").getpixel((17, 3))  # type: ignore[misc]
    assert red > 150 > green  # the red quarter was left above, and is right above now


FORMS = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


def upright(image: Image.Image) -> bool:
    """Whether the red quarter is above left, and only there."""
    colours = image.convert("RGB")
    width, height = image.size
    spots = {(x, y): (width * (1 + 2 * x) // 4, height * (1 + 2 * y) // 4) for x in (0, 1) for y in (0, 1)}
    red = {spot: colours.getpixel(at) for spot, at in spots.items()}
    return [spot for spot, (r, g, _) in red.items() if r > 150 > g] == [(0, 0)]  # type: ignore[misc]


def lying(turn: int, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """The picture as a camera stores it that writes this orientation."""
    back = {6: 8, 8: 6}.get(turn, turn)
    exif = Image.Exif()
    exif[0x0112] = back
    image = pictures.drawn(size)
    image.getexif()[0x0112] = back
    return ImageOps.exif_transpose(image)


@pytest.mark.parametrize("form", [*FORMS, "TIFF", "AVIF"])
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("big_endian", [False, True])
def test_a_photo_is_turned_upright_as_its_tag_says(form: str, turn: int, big_endian: bool) -> None:
    exif = Image.Exif()
    exif.endian = ">" if big_endian else "<"
    exif[0x010F] = "Maker"
    exif[0x0112] = turn
    data = pictures.saved(lying(turn), form, exif=exif.tobytes() if form != "TIFF" else exif)
    converted = sent(data)
    part, image = only(converted)
    assert image.size == (60, 40)
    assert upright(image)
    assert image.getexif().get(0x0112, 1) == 1
    if turn == 1 and form in FORMS:
        assert part.data == data
    elif form in FORMS:
        assert "turned upright" in converted.notes[0]
        assert orientation(part.data, part.mime) == 1


def test_each_page_of_a_tiff_is_turned_by_its_own_tag() -> None:
    first, second = Image.Exif(), Image.Exif()
    first[0x0112], second[0x0112] = 6, 3
    buffer = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(buffer, True) as writer:  # type: ignore[no-untyped-call]
        for image, exif in ((lying(6), first), (lying(3), second)):
            image.save(writer, "TIFF", exif=exif)
            writer.newFrame()
    parts = sent(buffer.getvalue()).parts
    assert len(parts) == 2
    for part in parts:
        assert isinstance(part, Media)
        image = Image.open(io.BytesIO(part.data))
        assert image.size == (60, 40)
        assert upright(image)


def test_of_a_raw_photo_the_preview_is_not_taken_for_it() -> None:
    data = pictures.saved(pictures.drawn(), "TIFF", tiffinfo={254: 1})
    with pytest.raises(UnsupportedInput, match="raw file"):
        sent(data)
    assert sent(pictures.saved(pictures.drawn(), "TIFF", tiffinfo={254: 2})).parts  # a page of several


XMP = b'<x:xmpmeta><rdf:RDF><rdf:Description tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'


def _raw_profile(exif: bytes, *, packed: bool) -> PngImagePlugin.PngInfo:
    """EXIF as ImageMagick put it into a PNG."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type exif", f"\nexif\n{len(exif):8}\n{exif.hex()}\n", packed)
    return info


@pytest.mark.parametrize("where", ["xmp jpeg", "xmp webp", "xmp png", "text png", "packed png", "after png"])
def test_the_tag_is_found_wherever_programs_write_it(where: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    form = where.split()[1].upper()
    if where == "xmp png":
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", XMP.decode())
        data = pictures.saved(lying(6), form, pnginfo=info)
    elif where.startswith("xmp"):
        data = pictures.saved(lying(6), form, xmp=XMP)
    elif where == "after png":
        data = pictures.saved(lying(6), form)
        chunk = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
        whole = (len(chunk) - 4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
        data = data[:-12] + whole + data[-12:]
    else:
        data = pictures.saved(
            lying(6), form, pnginfo=_raw_profile(exif.tobytes(), packed=where == "packed png")
        )
    part, image = only(sent(data))
    assert image.size == (60, 40)
    assert upright(image)
    assert orientation(part.data, part.mime) == 1


@pytest.mark.parametrize(
    ("mode", "form"),
    [
        *(("CMYK", "JPEG"), ("L", "JPEG"), ("P", "PNG"), ("1", "PNG"), ("LA", "PNG"), ("I;16", "PNG")),
        *(("RGBA", "PNG"), ("RGBA", "WEBP")),
    ],
)
def test_pictures_of_every_depth_are_turned(mode: str, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    plain = pictures.drawn((60, 40))
    image = Image.new("I;16", (60, 40), 40_000) if mode == "I;16" else plain.convert(mode)
    if "A" in mode:
        image.putalpha(100)
    _, turned = only(sent(pictures.saved(image, form, exif=exif)))
    assert turned.size == (40, 60)
    assert "A" not in mode or turned.getpixel((9, 9))[-1] == 100  # type: ignore[index]
    if mode == "I;16":
        assert turned.convert("L").getpixel((4, 4)) == 156


def test_of_a_phones_pair_of_pictures_the_first_is_turned() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pictures.saved(lying(6), "MPO", save_all=True, append_images=[lying(6)], exif=exif)
    _, image = only(sent(data))
    assert image.size == (60, 40)
    assert upright(image)


@pytest.mark.parametrize("where", ["behind", "in a segment", "fill", "restarts"])
def test_what_looks_like_a_scan_and_is_none_is_not_counted(where: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    start = b"\xff\xda\0\x08\1\1\0\0\0\0" * 99
    data = pictures.saved(lying(6), "JPEG", exif=exif, restart_marker_rows=1 if where == "restarts" else 0)
    if where in ("behind", "restarts"):
        data += start + data * 60  # a film, a second picture, a map of brightness
    elif where == "in a segment":
        data = data[:2] + b"\xff\xe1" + (len(start) + 2).to_bytes(2, "big") + start + data[2:]
    else:
        data = data[:2] + b"\xff" * 99 + data[2:]
    assert upright(only(sent(data))[1])


@pytest.mark.parametrize("what", ["zTXt", "iTXt", "profile"])
def test_a_png_may_have_megabytes_of_packed_metadata(what: str) -> None:
    info, long = PngImagePlugin.PngInfo(), "a step of its history " * 100_000
    if what == "zTXt":
        info.add_text("workflow", long, zip=True)
    elif what == "iTXt":
        info.add_itxt("XML:com.adobe.xmp", long, zip=True)
    profile = long.encode() if what == "profile" else None
    data = pictures.saved(pictures.drawn((9000, 20)), "PNG", pnginfo=info, icc_profile=profile)
    assert only(sent(data))[1].size == (8000, 18)


def test_scans_are_counted_to_the_end_of_the_picture_and_no_further() -> None:
    progressive = pictures.saved(pictures.drawn(), "JPEG", progressive=True)
    many = count_scans(progressive, 50)
    assert 5 < many <= 10
    assert count_scans(progressive + progressive, 50) == many
    assert count_scans(progressive[:-2] + progressive[progressive.find(b"\xff\xda") :], 50) == 2 * many
    assert count_scans(scans(5000), 50) == 51


def test_colours_keep_their_profile_when_a_photo_is_turned() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 3
    for form in FORMS:
        _, image = only(sent(pictures.saved(lying(3), form, exif=exif, icc_profile=profile)))
        assert image.info["icc_profile"] == profile
    print_ = pictures.saved(lying(3).convert("CMYK"), "JPEG", exif=exif, icc_profile=profile)
    assert "icc_profile" not in only(sent(print_))[1].info


def test_a_photo_that_cannot_be_turned_is_sent_as_it_is_and_it_is_said() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = pictures.saved(pictures.noisy((60, 40)), "JPEG", exif=exif)
    cut = data[: len(data) // 2]
    converted = sent(cut)
    assert converted.parts == (Media(mime="image/jpeg", data=cut, name="p.x"),)
    assert "sent as it is, though its EXIF says to turn it" in converted.warnings[0]


def test_without_pillow_a_photo_is_sent_as_it_is_and_what_to_install_is_said(tmp_path: Path) -> None:
    (tmp_path / "lies.jpg").write_bytes(pictures.turned())
    (tmp_path / "stands.jpg").write_bytes(pictures.jpeg())
    code = (
        "import sys; sys.modules['PIL'] = None\n"
        "from umwelten.inputs import read\n"
        "from umwelten.inputs.convert.dispatch import convert\n"
        "made = convert(read('lies.jpg', name='lies.jpg').convert)\n"
        "assert made.parts[0].data == open('lies.jpg', 'rb').read()\n"
        "assert read('stands.jpg', name='stands.jpg').convert is None\n"
        "print(made.warnings[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("pip install 'umwelten[images]'"), done.stderr


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_no_metadata_makes_looking_for_the_tag_fail(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(list(FORMS)))
    exif = Image.Exif()
    exif[0x0112] = 6
    whole = bytearray(pictures.saved(pictures.drawn((8, 8)), form, exif=exif, xmp=XMP))
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(0, len(whole)))])
    assert 1 <= orientation(cut, FORMS[form]) <= 8


def test_print_colours_become_those_of_screens() -> None:
    data = pictures.saved(pictures.drawn(mode="CMYK"), "JPEG")
    converted = sent(data)
    _, image = only(converted)
    assert image.mode == "RGB"
    assert converted.notes == ("p.x: CMYK converted to RGB",)


def test_what_is_transparent_stays_so() -> None:
    image = pictures.drawn((300, 200), "RGBA")
    image.putalpha(100)
    part, small = only(sent(pictures.saved(image, "PNG"), Capabilities(picture_side=100)))
    assert part.mime == "image/png"
    assert small.getpixel((50, 50))[3] == 100  # type: ignore[index]


def test_deep_greys_keep_their_brightness() -> None:
    _, image = only(sent(pictures.saved(Image.new("I;16", (9, 9), 40_000), "TIFF")))
    assert image.convert("L").getpixel((4, 4)) == 156


@pytest.mark.parametrize("name", ["moving.gif", "moving.webp"])
def test_of_a_moving_picture_the_first_frame_is_sent(name: str) -> None:
    data = next(data for each, _, _, data in pictures.all() if each == name)
    converted = sent(data)
    assert converted.notes[0].startswith("p.x: first frame only, converted to")
    red, green, _ = only(converted)[1].convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert red > 150 > green


def test_each_page_of_a_tiff_is_a_picture() -> None:
    data = next(data for name, _, _, data in pictures.all() if name == "pages.tif")
    converted = sent(data, name="fax.tif")
    assert converted.notes == ("fax.tif: 2 pages, converted to png",)
    assert [part.name for part in converted.parts if isinstance(part, Media)] == [
        "fax.tif page 1",
        "fax.tif page 2",
    ]
    sizes = [Image.open(io.BytesIO(part.data)).size for part in converted.parts if isinstance(part, Media)]
    assert sizes == [(50, 70), (70, 50)]


def test_a_model_that_sees_nothing_is_said_before_anything_is_done() -> None:
    with pytest.raises(UnsupportedInput, match=r"p\.x is a JPEG image, but this model accepts no images"):
        sent(pictures.jpeg(), Capabilities(pictures=frozenset()))


@pytest.mark.parametrize("form", ["PNG", "TIFF", "BMP"])
def test_a_picture_that_would_unpack_to_gigabytes_is_refused(form: str) -> None:
    small = pictures.saved(Image.new("1", (16, 16)), form)
    bomb = pictures.saved(Image.new("1", (20_000, 6_000)), form)
    assert len(bomb) < 20_000_000
    with pytest.raises(UnsupportedInput, match="too many pixels"):
        sent(bomb, Capabilities(picture_side=1000))
    assert sent(small).parts


@pytest.mark.parametrize("form", ["TIFF", "BMP", "AVIF", "ICO", "JPEG2000"])
def test_damage_is_said_in_plain_words(form: str) -> None:
    data = pictures.saved(pictures.drawn(mode="RGBA" if form == "ICO" else "RGB"), form)
    for end in range(40, len(data) * 3 // 4, 37):
        with pytest.raises(UnsupportedInput, match=r"can't be read|too many pixels|neither"):
            if detect(data[:end])[0].family != "picture":
                raise UnsupportedInput("neither")
            sent(data[:end])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_no_damage_makes_anything_else_fail(data: st.DataObject) -> None:
    form = data.draw(st.sampled_from(["TIFF", "BMP", "GIF", "WEBP", "JPEG", "PNG"]))
    whole = bytearray(pictures.saved(pictures.drawn((24, 16), "P" if form == "GIF" else "RGB"), form))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(8, len(whole) - 1))] = data.draw(st.integers(0, 255))
    if detect(bytes(whole))[0].family != "picture":
        return
    try:
        sent(bytes(whole), Capabilities(picture_side=10))
    except UnsupportedInput as error:
        assert error.message.startswith("p.x ")


@given(width=st.integers(1, 300), height=st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_sizes_are_read_from_the_header_as_pillow_reads_them(width: int, height: int) -> None:
    for form, mode, options in (
        *(("JPEG", "RGB", {}), ("JPEG", "L", {"progressive": True}), ("PNG", "RGB", {}), ("GIF", "P", {})),
        *(("WEBP", "RGB", {}), ("WEBP", "RGB", {"lossless": True}), ("WEBP", "RGBA", {"exif": b"Exif\0\0"})),
    ):
        data = pictures.saved(pictures.drawn((max(width, 2), max(height, 2)), mode), form, **options)
        found = measure(data, f"image/{form.lower()}")
        assert found is not None
        assert (found.width, found.height, found.plain) == (max(width, 2), max(height, 2), True)


@given(
    head=st.sampled_from([b"\xff\xd8\xff", b"GIF89a", b"RIFF0000WEBPVP8X", b"\x89PNG\r\n\x1a\n"]),
    rest=st.binary(),
)
@settings(max_examples=200, deadline=None)
def test_no_header_makes_measuring_fail_or_hang(head: bytes, rest: bytes) -> None:
    for mime in ("image/jpeg", "image/gif", "image/webp", "image/png"):
        found = measure(head + rest, mime)
        assert found is None or found.width > 0


def test_pictures_are_converted_in_several_threads_at_once() -> None:
    data = pictures.saved(pictures.drawn((5200, 4000)), "TIFF")
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: sent(data, Capabilities(picture_side=200)), range(4)))
    assert len({result.parts for result in results}) == 1
