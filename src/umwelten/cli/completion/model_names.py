"""Names of models that are known without a network: those of the price list, and those used before.

Reading the price list takes too long for a Tab key, so its names are kept in the user's cache, one a line
under a line that tells which list they are of.
"""

from __future__ import annotations

import importlib.util
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path

_NEWEST = 20  # evaluations that are looked into
DATABASE = "evaluation.db"


def used(output_dir: Path) -> list[str]:
    """The models of the newest evaluations, as they were written, the newest first."""
    dated = []
    for folder in folders(output_dir):
        with suppress(OSError):
            dated.append(((folder / DATABASE).stat().st_mtime, folder))
    names: dict[str, None] = {}
    for _, folder in sorted(dated, reverse=True)[:_NEWEST]:
        names |= dict.fromkeys(column(folder, "SELECT DISTINCT name FROM models ORDER BY id"))
    return list(names)


def folders(output_dir: Path) -> list[Path]:
    """The evaluations' folders by name; none where the directory cannot be read."""
    try:
        with os.scandir(output_dir) as entries:
            found = [Path(entry.path) for entry in entries if Path(entry.path, DATABASE).is_file()]
    except OSError:
        return []
    return sorted(found)


def column(folder: Path, query: str, *values: object) -> list[str]:
    """The first column of a query to an evaluation; nothing where it cannot be read.

    The file is read as it lies there, without a lock and without its log: a run is never disturbed, and
    what it wrote last may be missing.
    """
    where = f"{(folder / DATABASE).absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(where, uri=True)) as connection:
            return [str(row[0]) for row in connection.execute(query, values)]
    except sqlite3.Error:
        return []


def listed(environ: Mapping[str, str]) -> list[str]:
    """The models with a list price and the embedded ones, as `--models` takes them."""
    stamp = _stamp()
    path = _cache(environ)
    try:
        first, *names = path.read_text("utf-8").splitlines()
        if first == stamp:
            return names
    except (OSError, ValueError):
        pass  # not there yet, or not ours
    names = list(_names())
    with suppress(OSError):
        _keep(path, "\n".join([stamp, *names]) + "\n")
    return names


def _stamp() -> str:
    """Changes with the price list. Finding the package imports nothing."""
    spec = importlib.util.find_spec("genai_prices")
    data = Path(spec.origin).with_name("data.py") if spec is not None and spec.origin else None
    try:
        return f"# {data} {data.stat().st_mtime_ns if data else ''}"
    except OSError:
        return f"# {data}"


def _names() -> Iterator[str]:
    import time

    from umwelten.local import LOCAL_MODELS
    from umwelten.pricing import price_list

    yield from (f"local:{name}" for name in LOCAL_MODELS)
    for row in price_list(time.time())[0]:
        routed = row.model.provider == "openrouter" and "/" in row.model.model
        yield row.model.model if routed else str(row.model)


def _cache(environ: Mapping[str, str]) -> Path:
    override = environ.get("UMWELTEN_CACHE_DIR")
    if override:
        return Path(override).expanduser() / "models.txt"
    from platformdirs import user_cache_path

    return user_cache_path("umwelten") / "models.txt"


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
