"""The files that the combinations are about: tiny, and the same bytes everywhere.

Left out are those that other libraries convert before they are sent (pages of a PDF as pictures, office
documents, HTML, pictures in a format that the model does not take): what is sent of them may change with
the library.
"""

from __future__ import annotations

from base64 import b64decode
from pathlib import Path

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
)
GIF = b64decode("R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==")
WAV = b64decode("UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==")


def pdf(text: str) -> bytes:
    """A PDF of one page with one line."""
    drawn = f"BT /F 9 Tf 9 9 Td ({text}) Tj ET".encode("ascii")
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 30]/Contents 4 0 R"
        b"/Resources<</Font<</F<</Type/Font/Subtype/Type1/BaseFont/Courier>>>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(drawn), drawn),
    ]
    made, places = b"%PDF-1.4\n", []
    for number, words in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj%s endobj\n" % (number, words)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 5\n0000000000 65535 f \n"
    return made + head + table + b"trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % len(made)


FILES: dict[str, bytes] = {
    # Texts: names, alphabets, ends of lines, marks at the beginning, what looks like a frame or a place.
    "texts/ebb.txt": b"The tide goes out.\n",
    "texts/flood.md": "# Flut\n\nDas Wasser steigt: 🌊 «3 m»".encode(),
    "odd/bom.txt": b"\xef\xbb\xbfbegins with a mark\n",
    "odd/crlf.txt": b"one\r\ntwo\r\n",
    "odd/frame.txt": b"</content> and </content-1> in words\n",
    "odd/place.txt": b"{{content}} {{file.name}} {{answer}} {x}\n",
    "odd/utf16.txt": "\ufeffdeux mots".encode("utf-16-le"),
    "odd/naïve 川.txt": b"a name with a blank\n",
    "odd/quote\"'.json": b'{"a": [1, 2.50, null]}\n',
    "deep/a.txt": b"above\n",
    "deep/sub/b.txt": b"below\n",
    "deep/sub/c.md": b"beside\n",
    "deep/.hidden.txt": b"hidden\n",
    # One of each kind.
    "mixed/dot.png": PNG,
    "mixed/notes.txt": b"low at 7, high at 13\n",
    "mixed/page.pdf": pdf("Low tide at seven, high tide at one."),
    "mixed/record.json": '{"port": "Ålesund", "high": [1.5, 2]}\n'.encode(),
    "mixed/table.csv": b"hour,metres\n7,0.4\n13,2.1\n",
    "papers/page.pdf": pdf("The moon pulls, the water follows."),
    "media/beep.wav": WAV,
    "media/dot.gif": GIF,
    "media/dot.png": PNG,
    # Tables.
    "tables/people.csv": b'name,city,note\nAda,London,\nGrace,"New York","says ""hi"", often"\n',
    "tables/ports.csv": "Hafen;Höhe in m\nÅlesund;1,5\nBüsum;3,2\n".encode(),
    "tables/books.jsonl": (
        '{"title": "Tides", "year": 1899, "tags": ["sea", "moon"]}\n'
        '{"title": "Étoiles", "year": null, "of": {"a": 1.0}}\n'
    ).encode(),
    "tables/list.json": b'[{"title": "Ebb", "n": 1}, {"title": "Flood", "n": 2e0}]',
    "tables/ports-2.csv": '\ufeff"Höhe in m",Ho\u0308he,Hafen\r\n"1,5",1,"Ålesund"\r\n"3,2",2,Büsum'.encode(),
    "tables/list-2.json": (
        b'{"data": [{"n": 1, "title": "Ebb"}, {"n": 2e0, "title": "Flood"}], "count": 2}\n'
    ),
    "tables/index.csv": b",a,a\n0,x,y\n1,z,\n",
    "tables/questions.txt": "Is it ebb, or flood?\r\n\r\nWhy, then? ✓".encode(),
    "tables/twice.tsv": b"name\tn\nsame\t1\nsame\t2\n",
    # Prompts.
    "prompts/one.txt": "Nenne das Thema – in einem Wort.\n".encode(),
    "prompts/system.txt": b"You know the sea.\n",
    "prompts/several.toml": b'[prompts]\nshort = "Sum this up."\nformal = "A minute of: {{content}}"\n',
    "prompts/several.txt": b"# first\nWhat is this?\n---\nWho wrote it?\n",
    "prompts/several.json": '{"a": "Was ist das? ✓", "b": "Why?"}'.encode(),
    "prompts/several.jsonl": b'{"name": "x", "text": "Name it."}\n"Count it."\n',
    "prompts/several.csv": b'name,prompt\np-1,"Name it, please."\np_2,Date it.\n',
    "prompts/rows.toml": b'[prompts]\none = "Greet {{row.name}}."\ntwo = "Where is {{ row.city }}?"\n',
    "prompts/answers.toml": b'[prompts]\npolite = "Is this polite? {{answer}}"\nshort = "Is this short?"\n',
    # Shapes.
    "schemas/fields.txt": b"title, year? int,\nmood: glad|sad\n",
    "schemas/paper.json": (
        b'{"title":"Paper","type":"object","additionalProperties":false,"required":["title","year"],'
        b'"properties":{"title":{"type":"string"},"year":{"type":"integer","minimum":1900},'
        b'"place":{"anyOf":[{"$ref":"#/$defs/place"},{"type":"null"}]}},'
        b'"$defs":{"place":{"type":"object","properties":{"zip":{"type":"string"}},"required":["zip"]}}}'
    ),
    "schemas/loose.json": b'{"type":"object","properties":{"title":{"type":"string","maxLength":80},"n":{}}}',
    # Attachments.
    "attached/rules.txt": "Answer in Latin – always.\n".encode(),
    "attached/dot.png": PNG,
    "attached/page.pdf": pdf("Rules of the harbour, page one."),
}


def write(folder: Path) -> None:
    """Make them all in this folder."""
    for name, data in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
