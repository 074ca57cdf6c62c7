"""Names of the text files: inert, short enough for every file system, and never two alike.

A text file is called `<stem>[.<slug>][.rN].txt`: the stem stands for the input, the slug for the model
(`<provider>_<model>`, of a variant `<provider>_<model>@<variant>`; with several prompts `<prompt>.` is in
front), N for a repeat from 2 on. The record in the answer is beside it, in a file of the same name with
`.json`. Two different cells never get one name, because no stem ends in `.rN` or `.<slug>`, no slug ends in
`.rN` or in `.<another slug>`, and stems and slugs are unique without regard to case. `Stems` and `slug` see
to the first two, the tables to the last.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from hashlib import blake2b
from itertools import chain, count

from umwelten.types import ModelRef

# A file name has 255 bytes: stem 140 + "-" and hash 13 + "." + slug 80 + ".r65535" 7 + ".json" 5 = 246.
# The rest is room for a few underscores. Directories have nothing after them but get the same care.
STEM_BYTES, SLUG_BYTES, DIRECTORY_BYTES = 140, 80, 240
_SUFFIX_BYTES = 14
_NAME_BYTES, _MOST_CHARS = 255, 4000  # what file systems take as a name, and as a path

TEMPORARY = ".evaluation.tmp"  # what the names of files begin with that are being written

# The last range stands for bytes that are not UTF-8, see `grid`.
# What a file system refuses, and what would turn a listing around (bidirectional controls, line separators).
_REFUSED = re.compile(
    r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\U0010d800-\U0010dfff]'
)
_DEVICE = r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])"
_DEVICE_NAME = re.compile(_DEVICE + r" *(?:\.|\Z)", re.IGNORECASE)
_OWN = r"(?:(?:evaluation|scores)\.(?:db|lock)|\.evaluation\.tmp)"
_OWN_NAME = re.compile(_OWN, re.IGNORECASE)
_REPEAT_END = re.compile(r"\.r[0-9]+\Z", re.IGNORECASE)
# The only letters beyond ASCII that file systems may take for one of ASCII.
_TWINS = str.maketrans({"\u212a": "K", "\u037e": ";", "\u1fef": "`"})
# Names in which nothing has to change, nearly all of them, are told by one search.
_NEEDS_CARE = re.compile(
    r'[<>:"\\|?*\x00-\x1f\x7f-\x9f\ud800-\udfff]|[. ](?:/|\Z)|//|\A/|/\Z|\A\Z'
    rf"|(?:\A|/){_DEVICE} *(?:[./]|\Z)|\A{_OWN}|\.r[0-9]+\Z",
    re.IGNORECASE,
)


def fold(name: str) -> str:
    """Return what file systems that ignore case or the form of accents make of a name."""
    lower = name.lower()
    return lower if lower.isascii() else unicodedata.normalize("NFC", lower)


class Stems:
    """Makes stems for one evaluation, whose models have `slugs`."""

    def __init__(self, slugs: Iterable[str]) -> None:
        self._ends = tuple("." + fold(slug) for slug in slugs)

    def first(self, name: str) -> str:
        """Return the stem of an input's relative path, as long as no other input has it."""
        if not name.isascii() or len(name) > STEM_BYTES or _NEEDS_CARE.search(name):
            name = _stem(name)
        return self._guarded(name)

    def others(self, name: str) -> Iterator[str]:
        """Yield what to try when `first(name)` is taken: endless, all different."""
        return (self._guarded(other) for other in _alternatives(_stem(name), name))

    def _guarded(self, stem: str) -> str:
        while fold(stem).endswith(self._ends) or _REPEAT_END.search(stem):
            stem += "_"
        return stem


def slug(ref: ModelRef, prompt: str, others: Iterable[str], taken: Callable[[str], bool]) -> str:
    """Return the variant's part of a name. `others`: slugs in use; `taken` refuses one for other reasons."""
    name = f"{prompt}." * bool(prompt) + f"{ref.provider}_{ref.model}" + f"@{ref.variant}" * bool(ref.variant)
    base = _not_own(_segment(name, SLUG_BYTES - _SUFFIX_BYTES - 4))
    known = [fold(other) for other in others]
    for candidate in chain([base], _alternatives(base, name)):
        candidate = candidate + "_" if _REPEAT_END.search(candidate) else candidate
        if not taken(candidate) and not _alike(fold(candidate), known):
            return candidate
    raise AssertionError("alternatives do not end")


def text_name(stem: str, slug: str | None, repeat: int) -> str:
    """Return the text file's path in the evaluation's folder. `slug` None: one model, not named."""
    base = ".".join(part for part in (stem, slug) if part)
    return f"{base}.txt" if repeat == 1 else f"{base}.r{repeat}.txt"


def is_text_name(output: object) -> bool:
    """Return whether a name that was read is one that a text file can have had, and not only text.

    A database may come from somebody else, and its names must lead nowhere else.
    """
    if not isinstance(output, str) or not output.endswith(".txt"):
        return False
    if output.isascii() and len(output) <= _NAME_BYTES and _NEEDS_CARE.search(output) is None:
        return True
    return _inside(output) == output


def inside(output: str) -> str:
    """Return a text file's name as it is, if it is one of those, else made into one."""
    return output if is_text_name(output) else _inside(output.removesuffix(".txt")[:_MOST_CHARS] + ".txt")


def _inside(output: str) -> str:
    parts = [_segment(part, _NAME_BYTES) for part in output.split("/") if part] or [""]
    parts[0] = _not_own(parts[0])
    return "/".join(parts)


def flat_name(output: str) -> str:
    """Return a name in the top folder, for a file whose own path is blocked by a file or directory.

    Text and record of an answer stay together.
    """
    base, _, ending = output.rpartition(".")
    short = _shortened(base.rpartition("/")[2], STEM_BYTES, output)
    return f"{_not_own(short)}-{_short_hash(f'{base}.txt', 6)}.{ending}"


def json_name(output: str) -> str:
    """Return where the record is that belongs to a text file."""
    return output.removesuffix(".txt") + ".json"


def _alike(candidate: str, known: list[str]) -> bool:
    # A slug that ends in another one would make "a" + ".x.y" and "a.x" + ".y" the same.
    return any(
        candidate == other or candidate.endswith("." + other) or other.endswith("." + candidate)
        for other in known
    )


def _stem(name: str) -> str:
    *directories, last = [part for part in name.split("/") if part] or [""]
    parts = [_segment(part, DIRECTORY_BYTES) for part in directories]
    parts.append(_segment(last, STEM_BYTES))
    parts[0] = _not_own(parts[0])
    return "/".join(parts)


def _not_own(name: str) -> str:
    # The database, its journals and the lock stay ours, and a next step does not take them as inputs.
    return "_" + name if _OWN_NAME.match(name) else name


def _segment(text: str, limit: int) -> str:
    """One part of a path that every file system takes as it is."""
    clean = _REFUSED.sub("-", text.translate(_TWINS)) or "-"
    # A dot or blank at the end is dropped by Windows; "." and ".." lead elsewhere.
    stripped = clean.rstrip(". ")
    clean = stripped + "-" * (len(clean) - len(stripped))
    if _DEVICE_NAME.match(clean):
        clean = "_" + clean
    return _shortened(clean, limit, text)


def _shortened(clean: str, limit: int, original: str) -> str:
    raw = clean.encode()
    if len(raw) <= limit:
        return clean
    ending = "-" + _short_hash(original, 4)
    return raw[: limit - len(ending)].decode(errors="ignore") + ending


def _alternatives(base: str, name: str) -> Iterator[str]:
    yield from (f"{base}-{number}" for number in range(2, 10))
    yield from (f"{base}-{_short_hash(f'{number} {name}', 6)}" for number in count(1))


def _short_hash(text: str, size: int) -> str:
    return blake2b(text.encode(errors="surrogatepass"), digest_size=size).hexdigest()
