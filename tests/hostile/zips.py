"""Documents in zip containers whose parts, names, sizes or XML mean harm."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Callable
from random import Random

Members = dict[str, bytes]

_TEXT = re.compile(rb">([^<>]+)<")
_ELEMENT = re.compile(rb"<([\w:]+)[^<>]*>[^<>]*</\1>|<[\w:]+[^<>]*/>")
_NUMBER = re.compile(rb'"\d+"')
_TARGET = re.compile(rb'(Target|href|full-path)="([^"]*)"')


def hostile(data: bytes, random: Random) -> tuple[bytes, str]:
    """Return a container with one or two of its parts or its directory changed, and how."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    way = random.choice((*_OF_TEXTS, *_OF_TEXTS, *_OF_PARTS, *_OF_DIRECTORIES))
    if way in _OF_TEXTS:
        names = [name for name in members if name.endswith((".xml", ".rels", ".xhtml", ".opf", ".html"))]
        for name in random.sample(names, min(len(names), random.choice((1, 1, 2)))):
            members[name] = _OF_TEXTS[way](members[name], random)
        return packed(members), way
    if way in _OF_PARTS:
        return packed(_OF_PARTS[way](members, random)), way
    return _OF_DIRECTORIES[way](members, random), way


def packed(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of the members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_STORED if name == "mimetype" else method
            archive.writestr(info, data)
    return buffer.getvalue()


# --- XML ----------------------------------------------------------------------------------------


def _after_root(data: bytes, more: bytes) -> bytes:
    """Put something behind the first element that has children."""
    match = re.search(rb"<[\w:]+(?:\s[^<>]*[^/<>]|)>", data[data.find(b"?>") + 1 :])
    at = data.find(b"?>") + 1 + match.end() if match else len(data)
    return data[:at] + more + data[at:]


def _nested(data: bytes, random: Random) -> bytes:
    name = random.choice(re.findall(rb"<([\w:]+)", data) or [b"a"])
    depth = random.choice((150, 900, 5000, 50_000))
    inner = random.choice(_TEXT.findall(data) or [b"x"])[:1000] * random.choice((1, 1, 3000))
    return _after_root(data, b"<%b>" % name * depth + inner[:100_000] + b"</%b>" % name * depth)


def _many(data: bytes, random: Random) -> bytes:
    found = [match[0] for match in _ELEMENT.finditer(data)] or [b"<a/>"]
    element = random.choice(found)
    place = data.find(element)
    times = min(random.choice((100, 5000, 100_000)), 3_500_000 // len(element))
    return data[:place] + element * times + data[place:] if place >= 0 else data


def _attributes(data: bytes, random: Random) -> bytes:
    count = random.choice((1000, 30_000, 200_000))
    flood = b"<a " + b" ".join(b'a%d="%d"' % (n, n) for n in range(count)) + b"/>"
    return _after_root(data, flood if random.random() < 0.7 else b'<a b="%b"/>' % (b"x" * 3_000_000))


def _entities(data: bytes, random: Random) -> bytes:
    levels = b"".join(b'<!ENTITY e%d "%b">' % (n, b"&e%d;" % (n - 1) * 10) for n in range(1, 10))
    declared = {
        "laughs": b'[<!ENTITY e0 "ha">' + levels + b"]",
        "quadratic": b'[<!ENTITY e9 "' + b"x" * 50_000 + b'">]',
        "file": b'[<!ENTITY e9 SYSTEM "file:///etc/passwd">]',
        "defaults": b'[<!ATTLIST a b CDATA "' + b"x" * 100_000 + b'">]',
        "outside": b'SYSTEM "http://127.0.0.1:9/x.dtd"',
    }[random.choice(("laughs", "quadratic", "file", "defaults", "outside"))]
    data = re.sub(rb"^\s*<\?xml[^>]*\?>", b"", data)
    return (
        b"<!DOCTYPE a "
        + declared
        + b">"
        + _after_root(data, b"<a>" + b"&e9;" * 2000 + b"</a>" + b"<a/>" * 5000)
    )


def _long_text(data: bytes, random: Random) -> bytes:
    text = (
        random.choice((b"x", b"\n", b" ", b"a\n", b"&#10;", b"&lt;", b"| ", b"_x000D_", b"\xe2\x80\xa8"))
        * 1_200_000
    )
    match = random.choice(list(_TEXT.finditer(data)) or [None])
    text = text[:3_500_000]
    return data[: match.start(1)] + text + data[match.end(1) :] if match else _after_root(data, text)


def _quiet(data: bytes, random: Random) -> bytes:
    return _after_root(
        data, random.choice((b"<!--%b-->", b"<?x %b?>", b"<![CDATA[%b]]>")) % (b"<a " * 1_000_000)
    )


def _numbers(data: bytes, random: Random) -> bytes:
    lies = (b'"999999999"', b'"-1"', b'"' + b"9" * 5000 + b'"', b'"1e400"', b'"nan"', b'"XFD1048576"', b'""')
    return _NUMBER.sub(lambda match: random.choice(lies) if random.random() < 0.3 else match[0], data)


def _torn(data: bytes, random: Random) -> bytes:
    tags = list(re.finditer(rb"<[^<>]+>", data))
    for match in sorted(random.sample(tags, min(len(tags), 3)), key=lambda match: -match.start()):
        data = data[: match.start()] + data[match.end() :]
    return data


def _shuffled(data: bytes, random: Random) -> bytes:
    found = list(_ELEMENT.finditer(data))
    if len(found) < 2:
        return data
    one, other = random.sample(found, 2)
    return data.replace(one[0], other[0] * random.choice((1, 2, 500)))


def _encoded(data: bytes, random: Random) -> bytes:
    text = re.sub(r"^\s*<\?xml[^>]*\?>", "", data.decode("utf-8", "replace"))
    encoding = random.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp037", "utf-7"))
    return text.encode(encoding, "replace")


_OF_TEXTS: dict[str, Callable[[bytes, Random], bytes]] = {
    "nested elements": _nested,
    "many elements": _many,
    "attributes": _attributes,
    "declarations": _entities,
    "long text": _long_text,
    "long comment": _quiet,
    "numbers": _numbers,
    "torn": _torn,
    "shuffled elements": _shuffled,
    "encoded otherwise": _encoded,
}


# --- parts --------------------------------------------------------------------------------------


def _bomb(members: Members, random: Random) -> Members:
    """A part, under a name that nothing tells, unpacks to much."""
    name = random.choice([name for name in members if name != "mimetype"])
    element = random.choice([match[0] for match in _ELEMENT.finditer(members[name])] or [b"<a/>"])
    size = random.choice((5_000_000, 60_000_000))
    new = random.choice((name, "s.bin", name.rpartition("/")[0] + "/s.bin", "s.png"))
    text = members.pop(name)
    end = text.rfind(b"</")
    bomb = text[:end] + element * (size // len(element)) + text[end:]
    return {each: data.replace(_file(name), _file(new)) for each, data in members.items()} | {new: bomb}


def _file(name: str) -> bytes:
    return name.rpartition("/")[2].encode()


def _again(members: Members, random: Random) -> Members:
    """A part is referred to again and again."""
    ends = (".rels", ".opf", "presentation.xml", "workbook.xml", "content.xml")
    name = random.choice([name for name in members if name.endswith(ends)] or list(members))
    element = random.choice([match[0] for match in _ELEMENT.finditer(members[name])] or [b"<a/>"])
    times = random.choice((50, 1000, 10_000))
    copies = (
        b"".join(element.replace(b'Id="', b'Id="x%d' % n) for n in range(times))
        if random.random() < 0.5
        else element * times
    )
    members[name] = members[name].replace(element, copies, 1)
    return members


def _retargeted(members: Members, random: Random) -> Members:
    """Relations lead to other parts: in circles, outside, to what is no XML."""
    names = [*members, "../../../../etc/passwd", "/dev/zero", "", "x" * 5000]
    for name in members:
        if name.endswith((".rels", ".opf", "container.xml")):
            members[name] = _TARGET.sub(
                lambda match: (
                    match[1] + b'="%b"' % random.choice(names).encode() if random.random() < 0.4 else match[0]
                ),
                members[name],
            )
    return members


def _exchanged(members: Members, random: Random) -> Members:
    one, other = random.choice(list(members)), random.choice(list(members))
    members[one], members[other] = members[other], members[one]
    return members


def _lost(members: Members, random: Random) -> Members:
    del members[random.choice(list(members))]
    return members


def _crowd(members: Members, random: Random) -> Members:
    count = random.choice((500, 5000, 21_000))
    return members | {f"{'x' * random.choice((1, 60))}/{n}.xml": b"<a/>" for n in range(count)}


def _zip_within(members: Members, random: Random) -> Members:
    members[random.choice(list(members))] = packed(dict(members))
    return members


_OF_PARTS: dict[str, Callable[[Members, Random], Members]] = {
    "a part unpacks to much": _bomb,
    "a part again and again": _again,
    "relations lead elsewhere": _retargeted,
    "parts exchanged": _exchanged,
    "a part is lost": _lost,
    "thousands of parts": _crowd,
    "a zip within": _zip_within,
}


# --- directories --------------------------------------------------------------------------------


def _sizes(members: Members, random: Random) -> bytes:
    """Declared sizes are too small or too large, in the directory and before the parts."""
    name = random.choice(list(members))
    if random.random() < 0.5:
        members[name] += b" " * 30_000_000
    data = bytearray(packed(members))
    lie = struct.pack("<I", random.choice((0, 10, 100_000, 0x7FFFFFFF, 0xFFFFFFFF)))
    for signature, at in ((b"PK\1\2", 24), (b"PK\3\4", 22)):
        place = data.find(signature)
        while place >= 0:
            size = int.from_bytes(data[place + at + 4 : place + at + 6], "little")
            start = place + (46 if at == 24 else 30)
            if bytes(data[start : start + size]) == name.encode():
                data[place + at : place + at + 4] = lie
            place = data.find(signature, place + 4)
    return bytes(data)


def _methods(members: Members, random: Random) -> bytes:
    if random.random() < 0.7:
        name = random.choice(list(members))
        members[name] += b" " * random.choice((0, 40_000_000))
        return packed(members, random.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)))
    return packed(members).replace(
        b"PK\1\2\x14\x03\x14\0\0\0\x08", b"PK\1\2\x14\x03\x14\0\0\0" + random.randbytes(1)
    )


def _twice(members: Members, random: Random) -> bytes:
    buffer = io.BytesIO(packed(members))
    with zipfile.ZipFile(buffer, "a") as archive:
        for name in random.sample(list(members), min(3, len(members))):
            archive.filelist[-1].filename += "?"  # no warning of a name that is there
            archive.NameToInfo.pop(name, None)
            archive.writestr(name, random.choice((b"", b"<a/>", members[name])))
    return buffer.getvalue()


def _locked(members: Members, random: Random) -> bytes:
    return packed(members).replace(b"\x14\0\0\0\x08\0", b"\x14\0\1\0\x08\0", random.choice((1, 2, 100)))


_OF_DIRECTORIES: dict[str, Callable[[Members, Random], bytes]] = {
    "sizes lie": _sizes,
    "other compression": _methods,
    "parts twice": _twice,
    "said to be locked": _locked,
}
