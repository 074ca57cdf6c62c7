"""A few databases of strangers. `python -m benchmarks.databases` tries thousands."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reliability import databases

pytestmark = pytest.mark.skipif(os.name == "nt", reason="FIFOs and timers of POSIX")

# The first once ended in a crash: names, numbers and texts of other types, rows that nothing refers to.
SEEDS = (30, 1028, 2036, 10104, 20092, 30260, *range(6))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return databases.sound(tmp_path_factory.mktemp("databases") / "sound")


def test_a_sound_database_is_read_by_all_without_an_error(sound: Path, tmp_path: Path) -> None:
    assert databases.attempt(tmp_path, sound, None) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_database_of_strangers_ends_in_words_or_a_right_answer(
    sound: Path, tmp_path: Path, seed: int
) -> None:
    assert databases.attempt(tmp_path, sound, seed) == []
