"""The tests that are tried first on a fault in a module (`make mutants-quick`)."""

from __future__ import annotations

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_map_names_modules_and_tests_that_exist() -> None:
    """One that is renamed is renamed there too; else its faults would be tried on fewer tests, unnoticed."""
    named = json.loads((ROOT / "scripts" / "mutants" / "test_files.json").read_text())
    assert len(named) > 50
    gone = [module for module in named if not (ROOT / "src" / "umwelten" / module).exists()]
    gone += [path for paths in named.values() for path in paths if not (ROOT / path).exists()]
    assert not gone, (
        "run `python -m scripts.mutants --write-map`, or rename them in scripts/mutants/test_files.json"
    )
