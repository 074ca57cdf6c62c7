"""The page about files says what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_types_and_providers_is_what_the_code_says() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "file_docs.py"), "--check"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
