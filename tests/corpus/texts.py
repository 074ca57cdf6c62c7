"""Texts in the encodings that people still meet."""

from __future__ import annotations

from collections.abc import Iterator

ENGLISH = "The quick brown fox jumps over the lazy dog."
GERMAN = "Die Straße führt über die Brücke zu größeren Häusern."
FRENCH = "L'été dernier, nous avons goûté des crêpes très sucrées près de la forêt."
RUSSIAN = "Вчера вечером я читал интересную книгу о путешествиях по Сибири."
JAPANESE = "昨日の夜、私は東京の図書館で面白い本を読みました。"
CHINESE = "昨天晚上我在图书馆里读了一本很有意思的书，讲的是西藏的旅行。"
KOREAN = "어제 저녁에 나는 도서관에서 재미있는 책을 읽었습니다."
POLISH = "Wczoraj wieczorem czytałem ciekawą książkę o podróżach; żółw wszedł na ścieżkę."
GREEK = "Χθες το βράδυ διάβαζα ένα ενδιαφέρον βιβλίο για ταξίδια στη Σιβηρία."

PAGE = (
    "<!DOCTYPE html>\n<html><head><title>Ein Weg</title><meta charset='utf-8'><style>p {color: red}</style>"
    f"<script>alert(1)</script></head><body><h1>Überschrift</h1><p>{GERMAN}</p><ul><li>eins<li>zwei</ul>"
    "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    "<img alt='Bild' src='data:image/png;base64,AAAA'></body></html>\n"
)
PAGE_LATIN = PAGE.replace("utf-8", "iso-8859-1").encode("latin-1")

ENCODED = (
    ("utf-8", ENGLISH),
    ("utf-8-sig", RUSSIAN),
    ("utf-16", JAPANESE),
    ("utf-16-le", ENGLISH),
    ("utf-16-be", RUSSIAN),
    ("utf-32", CHINESE),
    ("utf-32-le", KOREAN),
    ("latin-1", FRENCH),
    ("cp1252", "“" + GERMAN + "” – 5 €"),
    ("cp1250", POLISH),
    ("shift_jis", JAPANESE),
    ("euc_jp", JAPANESE),
    ("gb18030", CHINESE),
    ("big5", "昨天晚上我在圖書館裡讀了一本很有意思的書，講的是西藏的旅行。"),
    ("euc_kr", KOREAN),
    ("koi8-r", RUSSIAN),
    ("cp1251", RUSSIAN),
    ("cp1253", GREEK),
)


def all() -> Iterator[tuple[str, bytes, str]]:
    """Name, bytes and the text in them."""
    for encoding, text in ENCODED:
        yield f"{encoding}.txt", f"{text}\n{text}\n".encode(encoding), text
    yield "code.py", f"# Größe\ndef f(x):\n    return '{ENGLISH}'\n".encode("latin-1"), ENGLISH
