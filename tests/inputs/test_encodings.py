"""The text in a file's bytes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import texts
from umwelten.inputs.encodings import decode
from umwelten.inputs.file_detection import decode_text

SENTENCES = {
    "latin-1": (
        texts.FRENCH,
        "café",
        "Müller, Köln",
        "piñata",
        "25°C ± 2",
        "Não há razão: irmãos, às vezes é assim.",
    ),
    "cp1252": ("“Grüße” – 5 €", "Größe – naïve – café", "Räksmörgås på ön", "Perché no? È già così tardi"),
    "cp1250": (texts.POLISH, "Příliš žluťoučký kůň úpěl", "Árvíztűrő tükörfúrógép", "Što češće žele đaci"),
    "cp1254": ("Dün akşam ilginç bir kitap okudum, ağaçlar vardı",),
    "koi8-r": (texts.RUSSIAN,),
    "cp1251": (texts.RUSSIAN, "// Проверка размера\nint main() { return 0; }\n// Конец файла, всё хорошо"),
    "cp866": (texts.RUSSIAN,),
    "cp1253": (texts.GREEK,),
    "shift_jis": (
        texts.JAPANESE,
        "カタカナダケノテキストデス",
        "# 設定ファイル\nname = 'テスト'\nvalue = 42",
    ),
    "euc_jp": (texts.JAPANESE, "# 設定ファイル\nname = 'テスト'\nvalue = 42"),
    "gb18030": (texts.CHINESE,),
    "big5": ("昨天晚上我在圖書館裡讀了一本很有意思的書。",),
    "euc_kr": (texts.KOREAN,),
}


@pytest.mark.parametrize(
    ("encoding", "text"), [(name, text) for name, all in SENTENCES.items() for text in all]
)
@pytest.mark.parametrize("times", [1, 40])
def test_old_encodings_are_told_by_what_reads_well(encoding: str, text: str, times: int) -> None:
    text = "\n".join([text] * times)
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text", [texts.ENGLISH, texts.RUSSIAN, texts.JAPANESE, texts.CHINESE, texts.KOREAN, "a,b €"]
)
def test_wide_letters_need_no_byte_order_mark(encoding: str, text: str) -> None:
    assert decode(f"{text}\n".encode(encoding)) == f"{text}\n"


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])))
@settings(max_examples=200, deadline=None)
def test_utf_8_is_never_taken_for_anything_else(text: str) -> None:
    assert decode(text.encode()) == text.removeprefix("\ufeff")


def test_one_odd_letter_in_a_large_text_is_found(tmp_path: object) -> None:
    text = "2024-01-01 INFO start\n" * 20_000 + "user naïve\n"
    assert decode(text.encode("latin-1")) == text


def test_what_a_page_declares_is_believed() -> None:
    text = "<?xml version='1.0' encoding='iso-8859-15'?><a>œuvre, 5 €</a>"
    assert decode_text(text.encode("iso-8859-15")) == text
    page = "<html><meta charset='koi8-r'>да"
    assert decode_text(page.encode("koi8-r")) == page
    wrong = "<html><meta charset='no-such-thing'>" + texts.RUSSIAN
    assert decode_text(wrong.encode("cp1251")) == wrong


@pytest.mark.parametrize("size", [300, 5_000])
def test_noise_is_no_text(size: int) -> None:
    dice = random.Random(size)
    plain = [byte for byte in range(256) if byte > 31 or byte in (9, 10, 13)]
    for _ in range(40):
        assert decode(dice.randbytes(size)) is None
        assert decode(bytes(dice.choice(plain) for _ in range(size))) is None


@pytest.mark.parametrize(
    "data",
    [
        *(b"a text with a NUL \x00 in it", b"ab\x00", b"\x00" * 40, b"\xff\xfea", b"\x01\x02\x03\x04"),
        *(b"MZ\x90\x00\x03\x00\x00\x00\x04\x00\x00\x00\xff\xff", bytes(range(1, 256)) * 8),
        b"name\x00size\x00date\x00 and 100644 blob\x00" * 30,
    ],
)
def test_bytes_with_zeros_or_controls_are_no_text(data: bytes) -> None:
    assert decode(data) is None
