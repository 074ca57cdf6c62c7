"""Decoding of text in an unknown encoding.

A byte order mark decides; then UTF-8 is tried, then UTF-16 and UTF-32 without a mark, by the positions of
their zeros. Then the older encodings still in use are tried, and the one in which the text is most plausible
wins. Bytes that are plausible in none of them are not text.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

_BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_BOM_BYTES = frozenset((0xEF, 0xFF, 0x00, 0xFE))

# Control characters that do not occur in text, unlike tab, newline, form feed, return, backspace, escape.
_CONTROLS = bytes(set(range(32)) - {8, 9, 10, 12, 13, 27})

# Letters beside a to z, by language: Western Europe, Central Europe, Turkish, Baltic.
_WEST = (
    *("àâæçéèêëîïôœùûüÿ", "äöüß", "áéíñóúü", "ãâáàçéêíóôõúü", "àèéìíòóùú", "åäöé", "æøåéòóô"),
    *("áðéíóúýþæö", "äõöüšž", "áéëïíóöúü", "àçèéíïòóúü"),
)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
_LATIN = (
    ("cp1252", _WEST),
    ("cp1250", _CENTRAL),
    ("iso8859_2", _CENTRAL),
    ("cp1254", ("çğıöşüâîû",)),
    ("cp1257", ("āčēģīķļņōŗšūž", "ąčęėįšųūž")),
    ("cp850", _WEST),
    ("mac_roman", _WEST),
)
_OLD_LATIN = ("cp850", "mac_roman")
_SYMBOLS = frozenset("\xa0€£¥¢¤§©®™°±µ²³¹ªº·×÷¼½¾«»¿¡“”„‘’‚‹›–—…•†‡‰¶¦´¨")
_SCRIPTS = (
    *("cp1251", "koi8_r", "cp932", "gb18030", "cp949", "big5", "euc_jp", "cp1253", "cp1255", "cp1256"),
    *("iso8859_5", "iso8859_7", "cp866", "cp874"),
)
# Encodings that pages are really in when they declare these.
_ALIASES = {
    **dict.fromkeys(("iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"), "cp1252"),
    **dict.fromkeys(("gb2312", "gbk"), "gb18030"),
    **{"shift-jis": "cp932", "euc-kr": "cp949", "iso-8859-9": "cp1254"},
}
_HIGH = re.compile(rb"[\x80-\xff]+")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]")
_KANA = re.compile("[\u3041-\u30ff]")

_SAMPLE = 1 << 16
_ENOUGH = 0.85
"""The share of the non-ASCII letters that must belong to one language."""


def decode(data: bytes, declared: str | None = None) -> str | None:
    """Return the text in the bytes, or `None` if they do not look like text.

    `declared` is the encoding that the file itself names, used if it fits and UTF-8 does not.
    """
    if data[:1] and data[0] in _BOM_BYTES:
        for bom, encoding in _BOMS:
            if data.startswith(bom):
                text = _decode_strictly(data, encoding)
                return None if text is None or "\x00" in text else text
    if 0 in data:
        return _decode_wide(data)
    controls = len(data) - len(data.translate(None, _CONTROLS))
    if controls > len(data) // 10:
        return None
    text = _decode_strictly(data, "utf-8")
    if text is not None or controls > len(data) // 100:
        return text
    if declared is not None:
        declared = declared.lower().replace("_", "-")
        text = _decode_strictly(data, _ALIASES.get(declared, declared))
        if text is not None and _is_readable(text):
            return text
    return _decode_older(data)


def _decode_strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeError, LookupError):
        return None


# --- without a byte order mark ----------------------------------------------------------------


def _decode_wide(data: bytes) -> str | None:
    """Decode UTF-16 or UTF-32 without a mark: nearly all zeros are at the same place of each unit."""
    sample = data[: _SAMPLE // 4 * 4]
    zeros = sample.count(0)
    if len(data) % 4 == 0 and zeros * 2 > len(sample):
        for encoding in ("utf-32-le", "utf-32-be"):
            text = _decode_strictly(data, encoding)
            if text is not None and _is_readable(text):
                return text
    if len(data) % 2 or _is_mostly_ascii(sample, zeros):
        return None
    encodings = ("utf-16-le", "utf-16-be")
    for encoding in encodings if sample[1::2].count(0) * 2 > zeros else reversed(encodings):
        text = _decode_strictly(data, encoding)
        if text is not None and _is_readable(text) and _has_one_script(text):
            return text
    return None


def _is_mostly_ascii(sample: bytes, zeros: int) -> bool:
    """Return whether the bytes are ASCII letters with a few zeros, rather than letters of two bytes each."""
    letters = sum(32 <= byte < 127 for byte in sample)
    return zeros * 4 < len(sample) and letters * 20 > (len(sample) - zeros) * 19


def _has_one_script(text: str) -> bool:
    """Return whether 90 % of the letters are of one script: bytes that are not text give many scripts."""
    scripts = Counter(_script(ord(char)) for char in text[: _SAMPLE // 4])
    common = scripts.pop("", 0)
    return not scripts or max(scripts.values()) * 10 >= 9 * scripts.total() or common > 9 * scripts.total()


def _script(code: int) -> str:
    if code < 0x80 or 0x2000 <= code < 0x2C00:
        return ""
    if 0x3000 <= code < 0x3100 or 0x4E00 <= code < 0xA000 or 0xFF00 <= code < 0xFFEF:
        return "east"
    return "hangul" if 0xAC00 <= code < 0xD7B0 else f"{code >> 9:x}"


def _is_readable(text: str) -> bool:
    """Return whether at most 1 % of (the beginning of) a text are control or unassigned characters."""
    sample = text[: _SAMPLE // 4]
    odd = sum(
        unicodedata.category(char) in ("Cc", "Cn", "Co", "Cs") and char not in "\t\n\r\f\b\x1b"
        for char in sample
    )
    return odd * 100 <= len(sample)


# --- older encodings --------------------------------------------------------------------------


def _decode_older(data: bytes) -> str | None:
    sample = _lines_beyond_ascii(data)
    for encoding in _rank_encodings(sample):
        text = _decode_strictly(data, encoding)
        if text is not None and _is_readable(text):
            return text
    return None


def _lines_beyond_ascii(data: bytes) -> bytes:
    """Return the lines with a byte above 127, which distinguish encodings."""
    if len(data) <= 200:
        return data
    lines: list[bytes] = []
    size = 0
    for line in data.split(b"\n"):
        if not line.isascii():
            lines.append(line)
            size += len(line)
            if size > _SAMPLE:
                break
    return b"\n".join(lines) if size < 4 * _SAMPLE else data[:_SAMPLE]


def _rank_encodings(sample: bytes) -> Iterable[str]:
    """Return encodings that the sample may be in, the likeliest first."""
    for japanese in ("cp932", "euc_jp"):
        if _share_of(_KANA, _decode_strictly(sample, japanese)) > 0.25:
            return (japanese,)
    # In the Latin alphabet, bytes above 127 are isolated: most letters are ASCII.
    runs = _HIGH.findall(sample)
    mean = sum(map(len, runs)) / max(len(runs), 1)
    latin = _latin_encodings(sample) if mean < 3 else []
    if not latin and mean < 2:
        latin = _western_encodings(sample)
    return latin or _script_encodings(sample)


def _share_of(chars: re.Pattern[str], text: str | None) -> float:
    """Return the share of `chars` among the characters beyond ASCII."""
    beyond = sum(char > "\x7f" for char in text) if text else 0
    return len(chars.findall(text)) / beyond if text and beyond else 0.0


def _latin_encodings(sample: bytes) -> list[str]:
    """Rank by the share of letters that belong to one language; of equals, the one with fewer letters."""
    fits: list[tuple[float, bool, int, int, str]] = []
    for rank, (name, languages) in enumerate(_LATIN):
        beyond = _count_beyond_ascii(sample, name)
        old = name in _OLD_LATIN
        fits += [(-_share(beyond, letters), old, len(letters), rank, name) for letters in languages]
    return [name for share, _, _, _, name in sorted(fits) if -share >= _ENOUGH]


def _western_encodings(sample: bytes) -> list[str]:
    """Return cp1252 if nearly all letters are of some Western language."""
    letters = "".join(set().union(*_WEST))
    return ["cp1252"] if _share(_count_beyond_ascii(sample, "cp1252"), letters) > 0.95 else []


def _count_beyond_ascii(sample: bytes, encoding: str) -> Counter[str]:
    """Count the characters beyond ASCII, in lower case; none if the sample can't be in that encoding."""
    text = _decode_strictly(sample, encoding) or ""
    return Counter(char for char in text.lower() if char > "\x7f")


def _share(beyond: Counter[str], letters: str) -> float:
    """Return the share of `letters`; symbols of any language count half, so that letters decide."""
    symbols = sum(beyond[char] for char in _SYMBOLS)
    matching = sum(beyond[char] for char in letters)
    return (symbols / 2 + matching) / max(beyond.total() - symbols / 2, 1)


def _script_encodings(sample: bytes) -> list[str]:
    """Rank encodings of other scripts by how plausible the text is in them."""
    # Imported here because few files need it: nearly all are UTF-8.
    from charset_normalizer import from_bytes

    matches = {match.encoding: match for match in from_bytes(sample, cp_isolation=list(_SCRIPTS))}
    names = [name for name in matches if not _is_implausible(name, str(matches[name]))]
    return sorted(names, key=lambda name: matches[name].chaos - matches[name].coherence)


def _is_implausible(encoding: str, text: str) -> bool:
    """Return whether it is Cyrillic read as Shift JIS (narrow katakana) or EUC-JP read as GB (kana)."""
    if encoding == "cp932":
        return _share_of(_HALF_WIDTH, text) > 0.25
    return encoding == "gb18030" and _share_of(_KANA, text) > 0.25
