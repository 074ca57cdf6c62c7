"""Hostile files written from nothing: pages, PDF files, pictures, tables and texts."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Callable
from functools import cache
from random import Random

_TAGS = tuple(
    re.findall(
        r"\w+",
        "p div span b i a ul ol li table thead tbody tr td th pre code h1 h2 h99 br hr img input "
        "script style q template svg title head body html blockquote dl dt dd video source "
        "sup nobr font select math",
    )
)
_ATTRIBUTES = (
    "",
    "",
    ' colspan="1000000000"',
    ' rowspan="999999999"',
    " colspan=50",
    " start=9999999999999999999999",
    ' href="' + "x" * 5000 + '"',
    " type=checkbox",
    ' src="data:image/png;base64,AAAA"',
    " a b c d e f g",
)


def html(random: Random) -> tuple[bytes, str]:
    """A page: of a random grammar, or of one piece again and again."""
    if random.random() < 0.4:
        return b"<!DOCTYPE html>" + _grown(random).encode(), "grammar"
    tag, attribute, count = (
        random.choice(_TAGS),
        random.choice(_ATTRIBUTES),
        random.choice((500, 5000, 40_000)),
    )
    piece = random.choice(
        (
            f"<{tag}{attribute}>",
            f"<{tag}{attribute}></{tag}>",
            f"<{tag}>x</{tag}>",
            f"</{tag}>",
            f"<{tag}>a<",
            "<b> </b><i> </i>",
            "<!-- -->",
            "<!--",
            "<?x",
            "&",
            "&#32;",
            " ",
            "\u00a0 ",
            "<table><tr><td>",
            "<tr><td>x",
            f"<{tag}/x",
            "<a href=",
            "`",
            "*",
            "|\\",
            "<p>\n",
            "<ol><li>",
            "<![CDATA[",
            f"<{tag} " + "a=1 " * 20 + ">",
        )
    )
    around = random.choice(
        ("{}", "<pre>{}</pre>", "<table><tr>{}</table>", "<ol>{}</ol>", "<p>a{}b", "<title>{}", "<x a='{}'>")
    )
    return (
        "<html><body>" + around.format(piece * min(count, 800_000 // len(piece)))
    ).encode(), f"repeated {piece[:30]}"


def _grown(random: Random) -> str:
    out: list[str] = []
    stack: list[str] = []
    for _ in range(random.choice((50, 1000, 8000))):
        chance = random.random()
        if chance < 0.5:
            stack.append(random.choice(_TAGS))
            out.append(f"<{stack[-1]}{random.choice(_ATTRIBUTES)}>")
        elif chance < 0.7 and stack:
            out.append(f"</{stack.pop()}>")
        else:
            out.append(
                random.choice(
                    ("text ", "\n", " ", "|", "&lt;", "<!-- c -->", "</p>", "\ud7ff", "1. x", "`", "\0")
                )
            )
    return "".join(out)


# --- PDF ----------------------------------------------------------------------------------------


def pdf(random: Random) -> tuple[bytes, str]:
    """A file with a page, or many, that take long to read or to draw."""
    way = random.choice(tuple(_PDF))
    objects = _PDF[way](random)
    return pdf_file(objects, startxref=random.random() < 0.9), way


def pdf_file(objects: dict[int, bytes], *, startxref: bool = True) -> bytes:
    """Return a file of these objects, by number; 1 is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), {}
    for number, body in objects.items():
        places[number] = len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    size = max(objects) + 1
    table = b"".join(
        b"%010d 00000 n \n" % places[n] if n in places else b"0000000000 65535 f \n" for n in range(size)
    )
    start = len(out)
    out += b"xref\n0 %d\n%btrailer\n<< /Size %d /Root 1 0 R >>\n" % (size, table, size)
    return bytes(out) + (b"startxref\n%d\n%%%%EOF\n" % start if startxref else b"")


def stream(data: bytes, head: bytes = b"", layers: int = 0, inner: int = 0) -> bytes:
    """Return a stream of an object, compressed so many times; `inner` times it was already."""
    for _ in range(layers):
        data = zlib.compress(data, 9)
    filters = b"/Filter [%b]" % (b"/FlateDecode " * (layers + inner)) if layers + inner else b""
    return b"<< %b %b /Length %d >>\nstream\n%b\nendstream" % (head, filters, len(data), data)


@cache
def packed_zeros(size: int) -> bytes:
    """Return so many zeros, compressed, without ever holding them."""
    piece = bytes(1_000_000)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    # After a full flush the same bytes stand for the same again.
    again = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    last = zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    return b"\x78\xda" + first + again * (size // len(piece) - 1) + last + bytes(4)


def page(
    contents: bytes, resources: bytes = b"", box: bytes = b"0 0 612 792", more: dict[int, bytes] | None = None
) -> dict[int, bytes]:
    """Return the objects of a file with one page, whose contents are an object."""
    return {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /MediaBox [%b] /Contents 4 0 R "
        b"/Resources << /Font << /F 5 0 R >> %b >> >>" % (box, resources),
        4: contents,
        5: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        **(more or {}),
    }


_WORDS = b"BT /F 12 Tf 40 700 Td (Words of a page that is long enough.) Tj ET\n"


def _pdf_bomb(random: Random) -> dict[int, bytes]:
    size, piece = (
        random.choice((3_000_000, 40_000_000)),
        random.choice((b" ", b"\0", _WORDS, b"q ", b"0 0 m 9 9 l S\n")),
    )
    return page(stream(piece * (size // len(piece)), layers=random.choice((1, 2, 3))))


def _pdf_forms(random: Random) -> dict[int, bytes]:
    depth, width = random.choice(((3, 3), (20, 2), (8, 10), (2, 3000))), 0
    levels, width = depth
    more = {}
    for level in range(levels):
        inner = b"/X Do " * width if level < levels - 1 else _WORDS
        below = (
            b"/XObject << /X %d 0 R >>" % (11 + level) if level < levels - 1 or random.random() < 0.3 else b""
        )
        more[10 + level] = stream(
            inner,
            b"/Type /XObject /Subtype /Form /BBox [0 0 600 700] /Resources << /Font << /F 5 0 R >> %b >>"
            % below,
        )
    return page(stream(b"/X Do"), b"/XObject << /X 10 0 R >>", more=more)


def _pdf_boxes(random: Random) -> dict[int, bytes]:
    box = random.choice(
        (b"0 0 1000000000 1000000000", b"0 0 0 0", b"-1e30 -1e30 1e30 1e30", b"0 0 1 100000000", b"nan 0 1 1")
    )
    return page(stream(_WORDS), box=box)


def _pdf_loops(random: Random) -> dict[int, bytes]:
    objects = page(stream(_WORDS))
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (
        random.choice((b"2 0 R ", b"3 0 R ")) * random.choice((1, 2000)),
        random.choice((1, -5, 2000, 2147483647)),
    )
    objects[3] += b""
    if random.random() < 0.5:
        objects[4] = random.choice((b"4 0 R", b"[4 0 R 4 0 R]", b"[" + b"4 0 R " * 5000 + b"]"))
    return objects


def _pdf_pages(random: Random) -> dict[int, bytes]:
    count = random.choice((50, 600, 6000))
    objects = page(stream(_WORDS * random.choice((1, 50))))
    objects[2] = b"<< /Type /Pages /Kids [%b] /Count %d >>" % (b"3 0 R " * count, count)
    return objects


def _pdf_images(random: Random) -> dict[int, bytes]:
    side = random.choice((2000, 30_000, 100_000))
    data = zlib.compress(bytes(random.choice((1000, 10_000_000))), 9)
    image = stream(
        data,
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /ColorSpace /DeviceRGB "
        b"/BitsPerComponent %d /Filter %b"
        % (
            side,
            side,
            random.choice((1, 8, 16)),
            random.choice(
                (
                    b"/FlateDecode",
                    b"/LZWDecode",
                    b"/CCITTFaxDecode",
                    b"/RunLengthDecode",
                    b"/JBIG2Decode",
                    b"/JPXDecode",
                )
            ),
        ),
    )
    return page(
        stream(b"q 500 0 0 500 0 0 cm " + b"/I Do " * random.choice((1, 200)) + b"Q"),
        b"/XObject << /I 10 0 R >>",
        more={10: image},
    )


def _pdf_deep(random: Random) -> dict[int, bytes]:
    depth = random.choice((100, 5000, 100_000))
    return page(stream(random.choice((b"[", b"<<", b"q ", b"(", b"BT ", b"<</A ")) * depth + _WORDS)) | {
        20: random.choice((b"[", b"<< /A ")) * depth
    }


def _pdf_patterns(random: Random) -> dict[int, bytes]:
    step = random.choice((b"0.001", b"1", b"0"))
    pattern = stream(
        b"0 0 1 1 re f",
        b"/Type /Pattern /PatternType 1 /PaintType 1 /TilingType 1 /BBox [0 0 1 1] "
        b"/XStep %b /YStep %b /Resources << >>" % (step, step),
    )
    return page(
        stream(b"/Pattern cs /P scn 0 0 600 700 re f\n" + _WORDS),
        b"/Pattern << /P 10 0 R >>",
        more={10: pattern},
    )


def _pdf_paths(random: Random) -> dict[int, bytes]:
    count = random.choice((1000, 50_000))
    lines = b"".join(b"%d %d l " % (random.randrange(600), random.randrange(700)) for _ in range(count))
    return page(
        stream(b"0.01 w [0.01 0.01] 0 d 0 0 m " + lines + random.choice((b"S", b"f*", b"W n")), layers=1)
    )


_PDF: dict[str, Callable[[Random], dict[int, bytes]]] = {
    "contents unpack to much": _pdf_bomb,
    "forms within forms": _pdf_forms,
    "boxes": _pdf_boxes,
    "pages in circles": _pdf_loops,
    "many pages": _pdf_pages,
    "pictures": _pdf_images,
    "deep": _pdf_deep,
    "patterns": _pdf_patterns,
    "paths": _pdf_paths,
}


# --- pictures -----------------------------------------------------------------------------------


def png(random: Random) -> tuple[bytes, str]:
    """A picture that says it is large, or whose metadata unpacks to much."""
    side, other = random.choice((100, 9000, 60_000, 0x7FFFFFFF)), random.choice((1, 100, 9000, 60_000))
    depth, colours = random.choice(((8, 0), (8, 2), (16, 6), (1, 0), (8, 3), (3, 9)))
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", side, other, depth, colours, 0, 0, random.choice((0, 1))))]
    bomb = zlib.compress(bytes(random.choice((100, 20_000_000))), 9)
    extra = random.choice(
        (
            (b"zTXt", b"Comment\0\0" + bomb),
            (b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + bomb),
            (b"iCCP", b"p\0\0" + bomb),
            (b"zTXt", b"Raw profile type exif\0\0" + bomb),
            (b"acTL", struct.pack(">II", 100_000, 0)),
            (b"eXIf", b"MM\0*\0\0\0\x08\xff\xff" * 9),
            (b"PLTE", bytes(768)),
            (b"tRNS", bytes(256)),
        )
    )
    chunks += [extra] * random.choice((1, 1, 50, 5000 if len(extra[1]) < 1000 else 2))
    chunks += [(b"IDAT", bomb)] * random.choice((1, 3)) + [(b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body, f"{side}x{other} {extra[0].decode()}"


def tiff(random: Random) -> tuple[bytes, str]:
    """Directories in circles or by the thousand, strips and sizes that lie."""
    count, side = random.choice((1, 50, 3000)), random.choice((16, 5000, 50_000))
    out = bytearray(b"II*\0" + struct.pack("<I", 8))
    for n in range(count):
        strips = random.choice((1, 1, 3000)) if n == 0 else 1
        tags = [
            (256, 3 if side < 65536 else 4, 1, side),
            (257, 4, 1, side),
            (258, 3, 1, 8),
            (259, 3, 1, random.choice((1, 5, 8, 32773, 7))),
            (262, 3, 1, 1),
            (273, 4, strips, 8),
            (277, 3, 1, 1),
            (278, 4, 1, random.choice((1, side, 0))),
            (279, 4, strips, random.choice((64, 0xFFFFFFF0))),
        ]
        after = len(out) + 2 + 12 * len(tags)
        follow = after + 4 if n < count - 1 else random.choice((0, 8, after))
        out += (
            struct.pack("<H", len(tags))
            + b"".join(struct.pack("<HHII", *tag) for tag in tags)
            + struct.pack("<I", follow)
        )
    return bytes(out + bytes(64)), f"{count} directories of {side}"


def gif(random: Random) -> tuple[bytes, str]:
    """Many frames, or a canvas beyond measure."""
    side = random.choice((1, 4000, 65535))
    frame = (
        b"\x2c"
        + struct.pack("<HHHHB", 0, 0, side, random.choice((1, side)), 0)
        + b"\x08"
        + b"\xff"
        + b"\0\1\1" * 85
        + b"\0"
    )
    count = random.choice((1, 300, 20_000 if side == 1 else 300))
    head = b"GIF89a" + struct.pack("<HHBBB", side, side, 0xF7, 0, 0) + bytes(768)
    return head + (b"\x21\xf9\x04\x08\x0a\0\0\0" + frame) * count + b"\x3b", f"{count} frames of {side}"


def scans(count: int, side: int = 4000) -> bytes:
    """A progressive JPEG of so many scans, with nothing in them."""
    from corpus.pictures import jpeg

    ordinary = jpeg()
    frame, start = ordinary.find(b"\xff\xc0"), ordinary.find(b"\xff\xda")
    head = ordinary[:frame] + b"\xff\xc2" + ordinary[frame + 2 : frame + 5] + struct.pack(">HH", side, side)
    return (
        head + ordinary[frame + 9 : start] + (b"\xff\xda\0\x08\1\1\0\0\0\0" + bytes(4)) * count + b"\xff\xd9"
    )


def jpeg(random: Random, ordinary: bytes) -> tuple[bytes, str]:
    """Another size in the header, scans by the thousand, segments without end."""
    way = random.choice(("size", "scans", "segments", "fill"))
    ordinary.find(b"\xff\xda")
    frame = max(ordinary.find(b"\xff\xc0"), ordinary.find(b"\xff\xc2"))
    if way == "size" and frame > 0:
        size = struct.pack(">HH", random.choice((1, 9000, 65535)), random.choice((1, 9000, 65535)))
        return ordinary[: frame + 5] + size + ordinary[frame + 9 :], way
    if way == "scans":
        return scans(random.choice((10, 1000, 20_000)), random.choice((64, 4000, 9000))), way
    if way == "segments":
        segment = random.choice((b"\xff\xe1", b"\xff\xfe", b"\xff\xe2", b"\xff\xdb")) + b"\0\x08Exif\0\0"
        return ordinary[:2] + segment * random.choice((10, 50_000)) + ordinary[2:], way
    return ordinary[:2] + b"\xff" * random.choice((10, 1_000_000)) + ordinary[2:], way


# --- tables and texts ---------------------------------------------------------------------------


def table(kind: str, random: Random) -> tuple[bytes, str]:
    """A csv, jsonl, json or text file that is hard to split."""
    count = random.choice((10, 3000, 100_000))
    texts = {
        "columns": ",".join(f"c{n}" for n in range(count)) + "\n" + "1," * count + "\n" * 3,
        "same columns": ",".join(["a"] * count) + "\n" + "1," * count + "\n",
        "a quote": 'a,b\n"' + "x,\n" * count,
        "quotes": "a,b\n" + '"""",' * count + "\n" + '"a"b,' * 9 + "\n",
        "deep": "[" + '{"a":' * count + "1" + "}" * count + "]",
        "deep lists": '{"a": ' + "[" * count + "]" * count + "}\n" * 3,
        "digits": '[{"a": ' + "9" * count + ', "b": 1e999999999, "c": -0.' + "0" * count + "1}]",
        "keys": "[{" + ", ".join(f'"k{n}": {n}' for n in range(count)) + "}]",
        "rows": "[" + ", ".join(f'{{"k{n}": {n}}}' for n in range(min(count, 20_000))) + "]",
        "columns of objects": "{"
        + ", ".join(f'"c{n}": {{"r{n}": 1, "x": 2}}' for n in range(min(count, 20_000)))
        + "}",
        "surrogates": '[{"a": "\\ud800", "\\udfff": 1}]\n' * 3,
        "open text": '[{"a": "' + "\\u0041" * count,
        "commas": "[" + "," * count + "]",
        "blank lines": "a,b\n" + "\n \r\r\n" * count + "1,2",
        "zeros": "a,b\n1,\0\n" * 9,
        "numbers alike": "{"
        + ", ".join(f'"{n}": {{"{n}": 1, "0": 1}}' for n in range(min(count, 3000)))
        + "}",
        "split": '{"columns": ["a"], "data": [' + ", ".join(["[1]"] * count) + "]}",
        "wrapped": '{"data": ' * min(count, 900) + "[{}]" + "}" * min(count, 900),
    }
    way = random.choice(tuple(texts))
    encoding = random.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"))
    return texts[way].encode(encoding, "replace"), way


def text(random: Random) -> tuple[bytes, str]:
    """Bytes that are nearly text in some encoding."""
    count = random.choice((10, 1000, 200_000))
    pieces = {
        "high": bytes(random.randrange(128, 256) for _ in range(random.randrange(1, 40))) * (count // 20 + 1),
        "noise": random.randbytes(count),
        "few zeros": (b"word \0word " * count)[: 4 * count],
        "half wide": "w\u00f6rter ".encode("utf-16-le")[1:] * count,
        "surrogates": "\ud800\udc00\ud800".encode("utf-16-le", "surrogatepass") * count,
        "cut utf-8": "\u4e00".encode()[:2] * count,
        "marks": b"\xef\xbb\xbf" * count + b"a",
        "escapes": b"\x1b$B\x1b(B" * count,
        "html-like": b"<!--" * count + b"<html>",
        "declared": b"<?xml encoding='utf-7'?>" + b"\xe9+ADw-" * count,
        "frames": b"".join(b"</content-%d>" % n for n in range(count)) + b"</content>",
        "controls": bytes(range(32)) * (count // 32 + 1) + b"a" * count * 9,
        "high lines": b"a\xe9\n" * count,
    }
    way = random.choice(tuple(pieces))
    return pieces[way][:2_000_000], way
