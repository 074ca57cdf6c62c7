"""Records from the embedded model: its server enforces the shape, whatever the model makes of the text."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.local

EXAMPLES = Path(__file__).parents[2] / "examples"
TEXTS = 20


def _pieces() -> list[str]:
    """Sentences of the texts under `examples`, two at a time."""
    texts = [path.read_text() for path in sorted(EXAMPLES.rglob("*.txt"))]
    sentences = [one for text in texts for one in re.split(r"(?<=[.!?])\s+", text) if len(one) > 40]
    return [f"{a} {b}" for a, b in zip(sentences[::4], sentences[1::4], strict=False)]


def test_every_text_gives_a_valid_record(cli, tmp_path):
    pieces = _pieces()[:TEXTS]
    assert len(pieces) == TEXTS
    (tmp_path / "in").mkdir()
    for number, piece in enumerate(pieces):
        (tmp_path / "in" / f"{number:02}.txt").write_text(piece)
    code, _, err = cli(
        *("eval", "batch", "-p", "Judge.", "-m", "local:smollm2", "-i", "r", "--directory", "in"),
        *("--schema", "mood: glad|sad|neutral, weight int: 1-5, sure bool", "--max-tokens", "60"),
        *("--max-concurrency", "4", "--seed", "1", "--temperature", "0", "--progress", "none"),
        timeout=280,
    )
    assert code == 0, err
    results = json.loads(cli("eval", "report", "-i", "r", "-f", "json")[1])["results"]
    assert len(results) == TEXTS
    for result in results:
        record = result["data"]
        assert record["mood"] in ("glad", "sad", "neutral")
        assert record["weight"] in range(1, 6)
        assert isinstance(record["sure"], bool)
    assert f"{TEXTS} valid" in err
