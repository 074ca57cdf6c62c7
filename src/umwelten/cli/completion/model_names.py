"""Names of models that are known without a network: those of the price list, and those used before.

Reading the price list takes too long for a Tab key, so its names are kept in the user's cache, one a line
under a line that tells which list they are of.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from umwelten.user_folders import cache_folder, expand_home

_RULES = 2  # goes up when other names of the list are offered
_NEWEST = 20  # evaluations that are looked into


def used(output_dir: Path) -> list[str]:
    """Return the models of the newest evaluations, as they were written, the newest first."""
    from umwelten.report.queries.names import model_names
    from umwelten.store.database import database

    dated = []
    for folder in folders(output_dir):
        with suppress(OSError):
            dated.append((database(folder).stat().st_mtime, folder))
    names: dict[str, None] = {}
    for _, folder in sorted(dated, reverse=True)[:_NEWEST]:
        names |= dict.fromkeys(model_names(folder))
    return list(names)


def folders(output_dir: Path) -> list[Path]:
    """Return the evaluations' folders by name; none where the directory cannot be read."""
    from umwelten.store.database import evaluations

    try:
        return list(evaluations(output_dir))
    except OSError:
        return []


def listed(environ: Mapping[str, str]) -> list[str]:
    """Return the models with a list price and the embedded ones, as `--models` takes them."""
    stamp = _stamp()
    path = _cache(environ)
    if path is None:
        return list(_names())
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
    spec = importlib.util.find_spec("umwelten.pricing")
    data = Path(spec.origin).with_name("prices.json") if spec is not None and spec.origin else None
    try:
        return f"# {_RULES} {data} {data.stat().st_mtime_ns if data else ''}"
    except OSError:
        return f"# {_RULES} {data}"


def _names() -> Iterator[str]:
    import time

    from umwelten.local import LOCAL_MODELS
    from umwelten.pricing import price_list
    from umwelten.providers.listed_names import can_be_asked
    from umwelten.providers.prices import price_book
    from umwelten.providers.vendors import VENDORS

    yield from (f"local:{name}" for name in LOCAL_MODELS)
    for row in price_list(price_book(VENDORS).lists, time.time())[0]:
        if not can_be_asked(row.model):
            continue
        routed = row.model.provider == "openrouter" and "/" in row.model.model
        yield row.model.model if routed else str(row.model)


def _cache(environ: Mapping[str, str]) -> Path | None:
    override = environ.get("UMWELTEN_CACHE_DIR")
    if override:
        return expand_home(Path(override)) / "models.txt"
    folder = cache_folder()
    return None if folder is None else folder / "models.txt"


def _keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        file.write(text)
    Path(file.name).replace(path)
