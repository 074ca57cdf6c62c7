"""PDF files written by hand: with text, as scans, protected by a password."""

from __future__ import annotations

import hashlib

_PAD = bytes.fromhex("28bf4e5e4e758a4164004e56fffa01082e2e00b6d0683e802f0ca9fe6453697a")
_ID = b"0123456789abcdef"
_MAY = -4
_Body = tuple[str, bytes | None]


def text(pages: list[str], *, user: str = "", owner: str = "") -> bytes:
    """A PDF with a line of text on each page. `owner`: protected; `user`: opens with that alone."""
    streams = [f"BT /F1 18 Tf 40 700 Td ({line}) Tj ET".encode() for line in pages]
    kids = " ".join(f"{4 + 2 * at} 0 R" for at in range(len(pages)))
    objects: list[_Body] = [
        ("<< /Type /Catalog /Pages 2 0 R >>", None),
        (f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>", None),
        ("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>", None),
    ]
    for at, stream in enumerate(streams):
        page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {} 0 R {} >>"
        objects.append((page.format(5 + 2 * at, "/Resources << /Font << /F1 3 0 R >> >>"), None))
        objects.append((f"<< /Length {len(stream)} >>", stream))
    return _file(objects, user=user, owner=owner)


def scan(jpeg: bytes, *, pages: int, size: tuple[int, int] = (64, 48)) -> bytes:
    """A PDF whose pages hold a picture and no text."""
    kids = " ".join(f"{5 + at} 0 R" for at in range(pages))
    drawing = b"q 500 0 0 375 50 300 cm /I Do Q"
    width, height = size
    objects: list[_Body] = [
        ("<< /Type /Catalog /Pages 2 0 R >>", None),
        (f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>", None),
        (
            f"<< /Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceRGB "
            f"/BitsPerComponent 8 /Filter /DCTDecode /Length {len(jpeg)} >>",
            jpeg,
        ),
        (f"<< /Length {len(drawing)} >>", drawing),
    ]
    page = (
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        "/Resources << /XObject << /I 3 0 R >> >> >>"
    )
    return _file([*objects, *[(page, None)] * pages], user="", owner="")


def _file(objects: list[_Body], *, user: str, owner: str) -> bytes:
    locked = bool(user or owner)
    key, encrypt = _protection(user, owner) if locked else (b"", "")
    out, places = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, (head, stream) in enumerate([*objects, *([(encrypt, None)] if locked else [])], 1):
        places.append(len(out))
        out += f"{number} 0 obj\n{head}\n".encode("latin-1")
        if stream is not None:
            body = _rc4(_object_key(key, number), stream) if locked else stream
            out += b"stream\n" + body + b"\nendstream\n"
        out += b"endobj\n"
    start = len(out)
    out += f"xref\n0 {len(places) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(f"{place:010} 00000 n \n".encode() for place in places)
    extra = f"/Encrypt {len(places)} 0 R /ID [<{_ID.hex()}> <{_ID.hex()}>] " if locked else ""
    out += f"trailer\n<< /Size {len(places) + 1} /Root 1 0 R {extra}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(out)


# The standard security handler, revision 2: RC4 with 40 bits.


def _protection(user: str, owner: str) -> tuple[bytes, str]:
    owner_key = hashlib.md5(_padded(owner or user), usedforsecurity=False).digest()[:5]
    lock = _rc4(owner_key, _padded(user))
    seed = _padded(user) + lock + (_MAY & 0xFFFFFFFF).to_bytes(4, "little") + _ID
    key = hashlib.md5(seed, usedforsecurity=False).digest()[:5]
    head = f"<< /Filter /Standard /V 1 /R 2 /O <{lock.hex()}> /U <{_rc4(key, _PAD).hex()}> /P {_MAY} >>"
    return key, head


def _padded(password: str) -> bytes:
    return (password.encode("latin-1") + _PAD)[:32]


def _object_key(key: bytes, number: int) -> bytes:
    seed = key + number.to_bytes(3, "little") + bytes(2)
    return hashlib.md5(seed, usedforsecurity=False).digest()[: len(key) + 5]


def _rc4(key: bytes, data: bytes) -> bytes:
    box, at = list(range(256)), 0
    for step in range(256):
        at = (at + box[step] + key[step % len(key)]) % 256
        box[step], box[at] = box[at], box[step]
    out, one, two = bytearray(), 0, 0
    for byte in data:
        one = (one + 1) % 256
        two = (two + box[one]) % 256
        box[one], box[two] = box[two], box[one]
        out.append(byte ^ box[(box[one] + box[two]) % 256])
    return bytes(out)
