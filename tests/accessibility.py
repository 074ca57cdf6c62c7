"""Faults of a page that axe-core finds in a browser: what people with a screen reader or a keyboard meet."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

AXE = Path(sys.prefix, "axe/node_modules/axe-core/axe.min.js")
# Read before the fixtures take umwelten's own variables out of the environment.
REQUIRED = os.environ.get("UMWELTEN_TEST_NODE") == "required"
_RUN = """
const done = arguments[arguments.length - 1];
axe.run(document).then(
  (found) => done(found.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.target.join(" ")).slice(0, 3)}`)),
  (error) => done([`axe failed: ${error}`]),
);
"""


def accessibility_faults(driver: Any) -> list[str]:
    """Return the faults of the page as it is now, each with its first places. Skips where axe is missing."""
    if not AXE.exists():
        (pytest.fail if REQUIRED else pytest.skip)("axe-core is not there: make node")
    driver.execute_script(AXE.read_text("utf-8"))
    found: list[str] = driver.execute_async_script(_RUN)
    return found
