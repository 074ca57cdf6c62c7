"""Ordinary files of every type, of which hostile ones are made: documents, media, tables, texts."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from corpus import office, pdfs
from corpus.making import make
from umwelten.types import FrozenStruct


class Seed(FrozenStruct):
    """An ordinary file. `kind`: its type, as in the table of results; `is_table`: it is read by rows."""

    kind: str
    name: str
    data: bytes
    is_table: bool = False


_GROUPS = {"cmyk": "jpeg", "deep": "png", "pages": "tiff", "moving": "gif", "late": "pdf", "scan": "pdf"}
_GROUPS |= {"protected": "pdf", **dict.fromkeys(("wav", "mp3", "aac", "ogg", "flac", "aiff", "m4a"), "audio")}
_GROUPS |= dict.fromkeys(("mp4", "mov", "webm", "mkv", "avi", "mpeg"), "video")


@cache
def all_seeds() -> tuple[Seed, ...]:
    """Return them, the same every time."""
    found: list[Seed] = []
    with TemporaryDirectory() as folder:
        for sample in make(Path(folder), huge=False):
            if not sample.damaged and sample.kind not in ("other", "ole") and sample.path.stat().st_size > 20:
                kind = _GROUPS.get(sample.kind, sample.kind)
                found.append(Seed(kind=kind, name=sample.name, data=sample.path.read_bytes()))
    found.append(Seed(kind="docx", name="parts.docx", data=_rich_docx()))
    found.append(Seed(kind="pdf", name="objects.pdf", data=pdfs.text([f"Page {n}." for n in range(20)])))
    return (*found, *_tables())


def of_kind(kind: str) -> list[Seed]:
    """Return the ordinary files of a type."""
    return [seed for seed in all_seeds() if seed.kind == kind]


def kinds() -> tuple[str, ...]:
    """Return all types."""
    return tuple(dict.fromkeys(seed.kind for seed in all_seeds()))


def _rich_docx() -> bytes:
    text = "<w:p><w:r><w:t>words</w:t></w:r></w:p>"
    return office.docx(
        f'{text}<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r></w:p><w:altChunk r:id="a1.html"/>'
        "<w:p><w:r><mc:AlternateContent><mc:Choice><w:drawing><wps:txbx><w:txbxContent>"
        f"{text}</w:txbxContent></wps:txbx></w:drawing></mc:Choice></mc:AlternateContent></w:r></w:p>"
        '<w:sectPr><w:headerReference w:type="default" r:id="h1.xml"/></w:sectPr>',
        {"header/h1.xml": f"hdr:{text}", "aFChunk/a1.html": b"<p>a <b>page</b></p>"},
    )


def _tables() -> tuple[Seed, ...]:
    rows = [
        {"title": f"T{n}", "year": 1900 + n, "text": 'words, "quoted" \u00e9', "tags": ["a"]}
        for n in range(40)
    ]
    csv = "title;year;text\n" + "".join(f'T{n};{1900 + n};"words; ""quoted"" \u00e9"\n' for n in range(40))
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    return (
        Seed(kind="csv", name="t.csv", data=csv.encode(), is_table=True),
        Seed(kind="csv", name="wide.tsv", data=csv.replace(";", "\t").encode("utf-16"), is_table=True),
        Seed(kind="jsonl", name="t.jsonl", data=lines.encode(), is_table=True),
        Seed(kind="json", name="t.json", data=json.dumps(rows, indent=1).encode(), is_table=True),
        Seed(kind="json", name="o.json", data=json.dumps({"data": rows}).encode(), is_table=True),
        Seed(kind="lines", name="t.txt", data=b"one line\nand another\n" * 20, is_table=True),
        Seed(kind="parquet", name="t.parquet", data=_parquet(), is_table=True),
    )


def _parquet() -> bytes:
    import pyarrow
    import pyarrow.parquet

    rows = 300
    table = pyarrow.table(
        {
            "title": [f"T{n % 7}" for n in range(rows)],
            "n": list(range(rows)),
            "l": [[n, n] for n in range(rows)],
        }
    )
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table, buffer, row_group_size=100)
    return buffer.getvalue()
