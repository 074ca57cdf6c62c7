"""Fetch the JavaScript that HTML reports carry, at pinned versions, through npm.

    python scripts/vendor_assets.py            fetch, bundle, write files, licences and checksums
    python scripts/vendor_assets.py --check    compare the files with their checksums; needs no network

Needs node and npm, only for whoever changes a version: the files are kept in the package.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

VENDOR = Path(__file__).parent.parent / "src" / "umwelten" / "report" / "assets" / "vendor"
CHECKSUMS = VENDOR / "vendored.json"
LICENCES = VENDOR / "LICENSES.txt"
ESBUILD = "0.28.2"
NOT_CARRIED = ("esbuild", "argparse")  # tools; argparse belongs to the command of markdown-it


class Library(NamedTuple):
    """A package, the file of it that a report carries, and the name that gets here."""

    package: str
    version: str
    licence: str
    file: str
    kept_as: str


LIBRARIES = (
    Library("uplot", "1.6.32", "MIT", "dist/uPlot.iife.min.js", "uplot.js"),
    Library("uplot", "1.6.32", "MIT", "dist/uPlot.min.css", "uplot.css"),
    Library("markdown-it", "15.0.3", "MIT", "dist/browser/markdown-it.umd.min.js", "markdown-it.js"),
    Library("dompurify", "3.4.18", "Apache-2.0", "dist/purify.min.js", "dompurify.js"),
    Library("diff", "9.0.0", "BSD-3-Clause", "dist/diff.min.js", "diff.js"),
    Library("@tanstack/table-core", "9.3.1", "MIT", "", "table-core.js"),
)

# TanStack Table ships modules alone; this is all that the page uses of it.
TABLE_ENTRY = """
export {
  constructTable, tableFeatures, rowSortingFeature, createSortedRowModel, columnFilteringFeature,
  globalFilteringFeature, createFilteredRowModel, rowPaginationFeature, createPaginatedRowModel,
} from "@tanstack/table-core";
export { storeReactivityBindings } from "@tanstack/table-core/store-reactivity-bindings";
"""


def main() -> int:
    """0, or 1 when `--check` found a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with the checksums, fetch nothing")
    if parser.parse_args().check:
        return check()
    with tempfile.TemporaryDirectory() as folder:
        fetch(Path(folder))
    return check()


def fetch(work: Path) -> None:
    """Install the packages in `work`, and write what reports carry."""
    wanted = sorted({f"{library.package}@{library.version}" for library in LIBRARIES})
    (work / "package.json").write_text("{}")
    _run(
        ["npm", "install", "--silent", "--ignore-scripts", "--save-exact", *wanted, f"esbuild@{ESBUILD}"],
        work,
    )
    VENDOR.mkdir(parents=True, exist_ok=True)
    for library in LIBRARIES:
        source = work / "node_modules" / library.package / library.file if library.file else _bundle(work)
        text = source.read_text("utf-8")
        lines = [line for line in text.splitlines() if not line.startswith("//# sourceMappingURL")]
        (VENDOR / library.kept_as).write_text("\n".join(lines).strip() + "\n", "utf-8")
    LICENCES.write_text(_licences(work / "node_modules"), "utf-8")
    entries = [{**library._asdict(), "sha256": _sha256(library.kept_as)} for library in LIBRARIES]
    CHECKSUMS.write_text(json.dumps(entries, indent=1) + "\n", "utf-8")


def check() -> int:
    """Say which files are not those that were fetched; 0 if all are."""
    entries = json.loads(CHECKSUMS.read_text("utf-8"))
    changed = [entry["kept_as"] for entry in entries if _sha256(entry["kept_as"]) != entry["sha256"]]
    pinned = [(library.package, library.version, library.kept_as) for library in LIBRARIES]
    if pinned != [(entry["package"], entry["version"], entry["kept_as"]) for entry in entries]:
        changed.append(CHECKSUMS.name)
    found = f"changed: {', '.join(changed)}" if changed else f"{len(entries)} files are as fetched"
    sys.stdout.write(found + "\n")
    return 1 if changed else 0


def _bundle(work: Path) -> Path:
    (work / "entry.js").write_text(TABLE_ENTRY, "utf-8")
    _run(
        [
            "node_modules/.bin/esbuild",
            "entry.js",
            "--bundle",
            "--minify",
            "--format=iife",
            "--global-name=TanStackTable",
            '--define:process.env.NODE_ENV="production"',
            "--outfile=table-core.js",
        ],
        work,
    )
    return work / "table-core.js"


def _licences(modules: Path) -> str:
    """Those of the libraries and of what is bundled into them, one after the other."""
    parts = []
    for manifest in sorted([*modules.glob("*/package.json"), *modules.glob("@*/*/package.json")]):
        package = json.loads(manifest.read_text("utf-8"))
        if package["name"] in NOT_CARRIED or package["name"].startswith(("@esbuild/", "@types/")):
            continue
        text = min(manifest.parent.glob("[Ll][Ii][Cc][Ee][Nn][SsCc][Ee]*")).read_text("utf-8").strip()
        parts.append(f"{package['name']} {package['version']}\n\n{text}\n")
    return f"\n{'-' * 80}\n\n".join(parts)


def _sha256(name: str) -> str:
    return hashlib.sha256((VENDOR / name).read_bytes()).hexdigest()


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True)


if __name__ == "__main__":
    sys.exit(main())
