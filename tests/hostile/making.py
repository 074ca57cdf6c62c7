"""Hostile files, each made from a number: `make(17)` is the same file everywhere."""

from __future__ import annotations

from random import Random

from hostile import damage, grammars, zips
from hostile.seeds import all_seeds, kinds, of_kind
from umwelten.types import FrozenStruct

_ZIPPED = ("docx", "xlsx", "xlsb", "ods", "pptx", "epub")
_TABLES = ("csv", "jsonl", "json", "lines")
_ENDINGS = {"json": "json", "jsonl": "jsonl", "csv": "csv", "lines": "txt", "parquet": "parquet"}


class Hostile(FrozenStruct):
    """A file. `kind` is the type it was made of, `way` what was done to it; `is_table`: read by rows."""

    number: int
    kind: str
    way: str
    name: str
    data: bytes
    is_table: bool


def make(number: int, kind: str = "") -> Hostile:
    """Return the file of this number; of a `kind` if it is given."""
    random = Random(number)
    kind = kind or random.choice(kinds())
    seed = random.choice(of_kind(kind))
    data, way = _data(seed.data, kind, random)
    if random.random() < 0.1:
        other = random.choice(damage.DAMAGES)
        data, way = other(data or b"x", random), f"{way}, {other.__name__}"
    is_table = seed.is_table or (kind == "text" and random.random() < 0.2)
    name = f"{number}.{_ENDINGS[kind] if seed.is_table else seed.name.rpartition('.')[2]}"
    if random.random() < 0.1:
        ending = random.choice(("csv", "json", "txt", "pdf", "jpg", "docx", "xlsx", "parquet", "bin"))
        name = f"{number}.{ending}"
    return Hostile(number=number, kind=kind, way=way, name=name, data=data, is_table=is_table)


def _data(ordinary: bytes, kind: str, random: Random) -> tuple[bytes, str]:
    chance = random.random()
    if chance < 0.55:
        if kind in _ZIPPED:
            return zips.hostile(ordinary, random)
        if kind in _TABLES:
            return grammars.table(kind, random)
        match kind:
            case "html":
                return grammars.html(random)
            case "pdf":
                return grammars.pdf(random)
            case "png":
                return grammars.png(random)
            case "tiff":
                return grammars.tiff(random)
            case "gif":
                return grammars.gif(random)
            case "jpeg":
                return grammars.jpeg(random, ordinary)
            case "text":
                return grammars.text(random)
    if chance > 0.93:
        other = random.choice(all_seeds())
        return damage.spliced(ordinary, random, other.data), f"spliced with {other.name}"
    way = random.choice(damage.DAMAGES)
    return way(ordinary, random), way.__name__
