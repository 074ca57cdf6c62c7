"""What is read of chat templates in files of models."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from local.tiny import GGUF
from umwelten.local import places_tools


def text(value: bytes) -> bytes:
    return struct.pack("<Q", len(value)) + value


def gguf(*entries: bytes) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, 0, len(entries)) + b"".join(entries)


def entry(name: bytes, kind: int, value: bytes) -> bytes:
    return text(name) + struct.pack("<I", kind) + value


BEFORE = (
    entry(b"general.architecture", 8, text(b"llama")),
    entry(b"llama.context_length", 4, struct.pack("<I", 4096)),
    entry(b"tokenizer.ggml.scores", 9, struct.pack("<IQ", 6, 3) + b"\0" * 12),
    entry(b"tokenizer.ggml.tokens", 9, struct.pack("<IQ", 8, 2) + text(b"tools") + text(b"")),
    entry(b"nested", 9, struct.pack("<IQ", 9, 1) + struct.pack("<IQ", 0, 5) + b"abcde"),
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (b"{% for m in messages %}{{ m.content }}{% endfor %}", False),
        (b"{% if tools %}{{ tools | tojson }}{% endif %}", True),
        (b"toolsmith", False),
    ],
)
def test_a_template_has_a_place_for_tools_or_none(tmp_path: Path, template: bytes, expected: bool) -> None:
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf(*BEFORE, entry(b"tokenizer.chat_template", 8, text(template))) + b"weights" * 99)
    assert places_tools(path) is expected


def test_a_second_template_may_have_it(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    entries = (
        entry(b"tokenizer.chat_template", 8, text(b"plain")),
        entry(b"tokenizer.chat_template.tool_use", 8, text(b"{{ tools }}")),
    )
    path.write_bytes(gguf(*entries))
    assert places_tools(path) is True


def test_a_file_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.gguf"
    assert places_tools(path) is None
    whole = gguf(*BEFORE, entry(b"tokenizer.chat_template", 8, text(b"plain")))
    dice = random.Random(5)
    damaged = [b"", GGUF, gguf(), gguf(*BEFORE), *(whole[:n] for n in range(0, len(whole), 7))]
    for _ in range(200):
        at = dice.randrange(8, len(whole))
        damaged.append(whole[:at] + dice.randbytes(8) + whole[at + 8 :])
    for data in damaged:
        path.write_bytes(data)
        assert places_tools(path) in (None, False, True)
    path.write_bytes(gguf(*BEFORE))
    assert places_tools(path) is None
