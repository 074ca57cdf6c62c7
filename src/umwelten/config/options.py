"""The settings and flags that files may hold: their names, how a value is read, and what is allowed.

A reader takes what a TOML file, an environment variable (always text) or a flag gave and returns the
value as the program uses it. It raises `ValueError` with the allowed forms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from umwelten.errors import UsageError
from umwelten.types import FrozenStruct

MAX_CONCURRENCY = 10_000
CONCURRENT = 5
"""Calls in flight that `--concurrent` stands for."""
_DURATION = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ms|s|m|h)?", re.ASCII)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FORMS = "write seconds (45 or 45s), milliseconds (1500ms), minutes (2m) or hours (1h), above 0"
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_SWITCH = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}

Reader = Callable[[Any], Any]


class Option(FrozenStruct):
    """A setting. `name` is what the program calls it, `key` what files and flags do."""

    name: str
    key: str
    read: Reader
    default: Any = None


def parse_duration(text: str) -> tuple[float, str | None]:
    """Seconds, and a note where a bare number of 1000 or more was taken as milliseconds.

    Forms: `45`, `45s`, `1500ms`, `2m`, `1h`. Raises `UsageError` that names the value and the forms.
    """
    found = _DURATION.fullmatch(text.strip())
    seconds = float(found[1]) * _UNITS[found[2] or "s"] if found else 0.0
    if found is None or not 0 < seconds < math.inf:
        raise UsageError(f"{text!r} is not a duration", f"Please {_FORMS}.")
    if found[2] is None and seconds >= 1000:
        seconds /= 1000
        return seconds, f"a timeout of {text.strip()} is taken as milliseconds: {seconds:g} s"
    return seconds, None


def _duration(given: Any) -> tuple[float, str | None]:
    if isinstance(given, tuple):  # a flag's, which was read already
        seconds, note = given
        return seconds, note
    try:
        return parse_duration(str(given))
    except UsageError:
        raise ValueError(_FORMS) from None


def _integer(low: int, high: int) -> Reader:
    def read(given: Any) -> int:
        text = "" if isinstance(given, bool | float) else str(given).strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return int(text)

    return read


def _decimal(low: float, high: float, *, above: bool = False) -> Reader:
    def read(given: Any) -> float:
        try:
            number = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high or math.isinf(number) or (above and number == low):
            to = "up" if high == math.inf else f"to {high:g}"
            raise ValueError(f"give a number {'above' if above else 'from'} {low:g} {to}")
        return number

    return read


def _size(given: Any) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMG]?)B?", str(given).strip(), re.ASCII | re.IGNORECASE)
    bytes_ = int(float(found[1]) * _SIZES[found[2].upper()]) if found else 0
    if not 1 << 20 <= bytes_ <= 1 << 40:
        raise ValueError("write a size from 1MB to 1TB, such as 512MB or 2G")
    return bytes_


def _switch(given: Any) -> bool:
    found = given if isinstance(given, bool) else _SWITCH.get(str(given).strip().lower())
    if found is None:
        raise ValueError("write true or false")
    return bool(found)


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("write a text in quotes")
    return given


def _models(given: Any) -> str:
    """A comma list, also when it is written as a list of names."""
    names = given if isinstance(given, list) else [given]
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError('write "provider:model" or a list of such names')
    return ",".join(names)


def _choice(*words: str) -> Reader:
    def read(given: Any) -> str:
        if given not in words:
            raise ValueError(f"choose one of {', '.join(words)}")
        return str(given)

    return read


def _concurrency(given: Any) -> int | str:
    if given == "auto":
        return "auto"
    try:
        return int(_integer(1, MAX_CONCURRENCY)(given))
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def _pairs(given: Any) -> Iterable[tuple[str, Any]]:
    """The pairs of a TOML table, of a repeated flag, or of `a=1,b=2`."""
    if isinstance(given, Mapping):
        return list(given.items())
    if isinstance(given, str):
        given = [tuple(part.strip() for part in item.split("=", 1)) for item in given.split(",")]
    pairs = given if isinstance(given, list | tuple) else [None]
    if not all(isinstance(pair, tuple) and len(pair) == 2 and pair[0] for pair in pairs):
        raise ValueError("write name=value pairs")
    return list(given)


def _ceilings(given: Any) -> dict[str, int]:
    return {name: _integer(1, MAX_CONCURRENCY)(number) for name, number in _pairs(given)}


def _parameters(given: Any) -> dict[str, Any]:
    return dict(_pairs(given))


def _folder(given: Any) -> Path:
    if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
        raise ValueError("write the path of a folder")
    return Path(given)


def _texts(given: Any) -> list[str]:
    texts = list(given) if isinstance(given, list | tuple) else [given]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("write a text in quotes or a list of such")
    return texts


def _files(given: Any) -> tuple[Path, ...]:
    paths = given if isinstance(given, list | tuple) else [given]
    try:
        return tuple(_file(path) for path in paths)
    except ValueError:
        raise ValueError("write the path of a file, or a list of them") from None


def _file(given: Any) -> Path:
    if not isinstance(given, str | Path) or not str(given).strip() or "\0" in str(given):
        raise ValueError("write the path of a file")
    return Path(given)


def _filled(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError("write a text in quotes, not an empty one")
    return given


OPTIONS: tuple[Option, ...] = (
    Option(name="models", key="models", read=_models),
    Option(name="system", key="system", read=_text),
    Option(name="temperature", key="temperature", read=_decimal(0, 2)),
    Option(name="max_tokens", key="max_tokens", read=_integer(1, 10**9)),
    Option(name="top_p", key="top_p", read=_decimal(0, 1)),
    Option(name="seed", key="seed", read=_integer(-(2**63), 2**63 - 1)),
    Option(name="params", key="param", read=_parameters, default={}),
    Option(name="concurrent", key="concurrent", read=_switch, default=False),
    Option(name="max_concurrency", key="max_concurrency", read=_concurrency, default=1),
    Option(name="provider_concurrency", key="provider_concurrency", read=_ceilings, default={}),
    Option(name="timeout_s", key="timeout", read=_duration, default=120.0),
    Option(name="retries", key="retries", read=_integer(0, 100), default=6),
    Option(name="repeat", key="repeat", read=_integer(1, 65_535), default=1),
    Option(name="max_cost", key="max_cost", read=_decimal(0, math.inf, above=True)),
    Option(name="max_bytes_in_flight", key="max_bytes_in_flight", read=_size, default=512 << 20),
    Option(name="max_errors", key="max_errors", read=_integer(1, 10**9)),
    Option(name="stream", key="stream", read=_switch),
    Option(name="recursive", key="recursive", read=_switch, default=False),
    Option(name="file_pattern", key="file_pattern", read=_text, default="*"),
    Option(name="max_files", key="max_files", read=_integer(1, 2**53)),
    Option(
        name="progress",
        key="progress",
        read=_choice("auto", "rich", "plain", "json", "none"),
        default="auto",
    ),
    Option(name="verbose", key="verbose", read=_switch, default=False),
    Option(name="debug", key="debug", read=_switch, default=False),
    Option(name="output_dir", key="output_dir", read=_folder, default=Path("output")),
    Option(name="schema", key="schema", read=_filled),
    Option(name="coerce", key="coerce", read=_switch, default=False),
    Option(name="pdf", key="pdf", read=_choice("auto", "native", "text", "images"), default="auto"),
    Option(name="report", key="report", read=_files, default=()),
)

FLAGS: tuple[Option, ...] = (
    Option(name="prompt", key="prompt", read=_filled),
    Option(name="prompts", key="prompts", read=_file),
    Option(name="id", key="id", read=_filled),
    Option(name="directory", key="directory", read=_folder),
    Option(name="files", key="files", read=_texts),
    Option(name="rows", key="rows", read=_file),
    Option(name="row_name", key="row_name", read=_filled),
    Option(name="from", key="from", read=_filled),
    Option(name="where", key="where", read=_filled),
    Option(name="attach", key="attach", read=_texts),
    Option(name="resume", key="resume", read=_switch),
    Option(name="overwrite", key="overwrite", read=_switch),
    Option(name="dry_run", key="dry_run", read=_switch),
    Option(name="estimate", key="estimate", read=_integer(1, 10**9)),
    Option(name="yes", key="yes", read=_switch),
    Option(name="json", key="json", read=_switch),
)
"""Flags of `eval run` and `eval batch` that have no default anywhere, but may stand in a profile."""
