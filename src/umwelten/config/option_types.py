"""How the values of options are read, whether a file, the environment, a flag or a Python program gives them.

A reader returns the value as the program uses it, or raises `ValueError` with the allowed forms.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from umwelten.errors import UsageError

MAX_CONCURRENCY = 10_000
NO_LIMIT = 10**9
"""A bound beyond all use, so that endless digits are not parsed; help does not show it."""

# Compiled when they are used: `--help` imports this module and reads no value.
_DURATION = r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*(ms|s|m|h)?"
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_FORMS = "write seconds (45 or 45s), milliseconds (1500ms), minutes (2m) or hours (1h), above 0"
_SIZE = r"([0-9]+(?:\.[0-9]+)?)\s*([KMG]?)B?"
_SIZES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")
VARIANT_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
_VARIANT_SETTING = rf"(?s:\s*({VARIANT_NAME})\.([A-Za-z_-]+)(?:\.([^=]+))?=(.*))"
_SEVERAL = ("param", "stop")
"""Settings of a variant that may be given more than once."""
_SCHEMA_FILE = r"(?s:.+)\.(json|py:\w+)"

Reader = Callable[[Any], Any]


class PlainText(NamedTuple):
    """A text as it stands, also where it begins with an `@`."""

    text: str


class Noted(NamedTuple):
    """A value, and what the user should know about how it was read."""

    value: Any
    note: str


@dataclass(frozen=True, kw_only=True)
class OptionType:
    """How the values of an option are read.

    `read` takes the value of a TOML file, the text of a variable or flag, or the texts of a flag that may be
    repeated (`repeatable`). `read_argument` takes what a Python program gives, where that differs. `rebase`
    takes a value and the folder from which relative paths in it are meant; `paths` gives the files and
    folders that a value of a settings file names. `metavar`, `range` and `choices` are for the help; a
    `switch` takes no value. `exists`: a file that must be there. `complete` names the function of
    `cli.completion.completers` that knows the values.
    """

    read: Reader
    read_argument: Reader | None = None
    rebase: Callable[[Any, Path], Any] | None = None
    paths: Callable[[Any], Iterable[str | Path]] | None = None
    metavar: str | None = None
    range: str = ""
    choices: tuple[str, ...] = ()
    switch: bool = False
    repeatable: bool = False
    exists: bool = False
    complete: str | None = None


# --- numbers ---------------------------------------------------------------------------------


def integer(low: int, high: int = NO_LIMIT, *, metavar: str = "N") -> OptionType:
    """Whole numbers from `low` to `high`."""

    def read(given: Any) -> int:
        text = "" if isinstance(given, bool | float) else str(given).strip()
        if not re.fullmatch(r"[+-]?[0-9]{1,19}", text) or not low <= int(text) <= high:
            raise ValueError(f"give a whole number from {low} to {high}")
        return int(text)

    bounds = f"{low} to {high:,}" if high < NO_LIMIT else f"from {low}"
    return OptionType(read=read, metavar=metavar, range="" if low < -NO_LIMIT else bounds)


def decimal(low: float, high: float = math.inf, *, above: bool = False, metavar: str = "X") -> OptionType:
    """Numbers from `low` to `high`; `above`: without `low` itself."""

    def read(given: Any) -> float:
        try:
            number = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError):
            number = math.nan
        if not low <= number <= high or math.isinf(number) or (above and number == low):
            to = "up" if high == math.inf else f"to {high:g}"
            raise ValueError(f"give a number {'above' if above else 'from'} {low:g} {to}")
        return number

    bounds = f"{low:g} to {high:g}" if high < math.inf else f"{'above' if above else 'from'} {low:g}"
    return OptionType(read=read, metavar=metavar, range=bounds)


_calls = integer(1, MAX_CONCURRENCY).read


def _concurrency(given: Any) -> int | str:
    if given == "auto":
        return "auto"
    try:
        return int(_calls(given))
    except ValueError as error:
        raise ValueError(f"{error}, or auto") from None


def parse_duration(text: str) -> tuple[float, str | None]:
    """Seconds, and a note where a bare number of 1000 or more was taken as milliseconds.

    Forms: `45`, `45s`, `1500ms`, `2m`, `1h`. Raises `UsageError` that names the value and the forms.

    >>> parse_duration("2m")
    (120.0, None)
    """
    match = re.fullmatch(_DURATION, text.strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if match is None or not 0 < seconds < math.inf:
        raise UsageError(f"{text!r} is not a duration", f"Please {_FORMS}.")
    if match[2] is None and seconds >= 1000:
        seconds /= 1000
        return seconds, f"a timeout of {text.strip()} is taken as milliseconds: {seconds:g} s"
    return seconds, None


def _duration(given: Any) -> float | Noted:
    try:
        seconds, note = parse_duration(str(given))
    except UsageError:
        raise ValueError(_FORMS) from None
    return seconds if note is None else Noted(seconds, note)


def _long_duration(given: Any) -> float:
    match = re.fullmatch(_DURATION, str(given).strip())
    seconds = float(match[1]) * _UNITS[match[2] or "s"] if match else 0.0
    if not 0 < seconds < math.inf:
        raise ValueError(_FORMS)
    return seconds


def _seconds(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not given > 0:
        raise ValueError("give seconds, above 0")
    return float(given)


def _size(given: Any) -> int:
    match = re.fullmatch(_SIZE, str(given).strip().upper())
    bytes_ = int(float(match[1]) * _SIZES[match[2]]) if match else 0
    if not 1 << 20 <= bytes_ <= 1 << 40:
        raise ValueError("write a size from 1MB to 1TB, such as 512MB or 2G")
    return bytes_


def _switch(given: Any) -> bool:
    word = str(given).strip().lower()
    if word not in (*_YES, *_NO):
        raise ValueError("write true or false")
    return word in _YES


CONCURRENCY = OptionType(read=_concurrency, metavar="N|auto", range=f"1 to {MAX_CONCURRENCY:,}")
DURATION = OptionType(read=_duration, read_argument=_seconds, metavar="DURATION")
LONG_DURATION = OptionType(read=_long_duration, read_argument=_seconds, metavar="DURATION")
SIZE = OptionType(read=_size, metavar="SIZE", range="1MB to 1TB")
SWITCH = OptionType(read=_switch, switch=True)
ON_OFF = OptionType(read=_switch, choices=("on", "off"), metavar="[on|off]")


# --- texts -----------------------------------------------------------------------------------


def choice(*words: str) -> OptionType:
    """One of these words."""

    def read(given: Any) -> str:
        if given not in words:
            raise ValueError(f"choose one of {', '.join(words)}")
        return str(given)

    return OptionType(read=read, choices=words, metavar=f"[{'|'.join(words)}]")


def _text(given: Any) -> str:
    if not isinstance(given, str):
        raise ValueError("write a text in quotes")
    return given


def _nonempty_text(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise ValueError("write a text in quotes, not an empty one")
    return given


def _text_argument(given: Any) -> PlainText | Path:
    if isinstance(given, Path):
        return given
    if not isinstance(given, str):
        raise ValueError("give a text, or the Path of a file that holds it")
    return PlainText(given)


def _prompt_argument(given: Any) -> PlainText | Path:
    if isinstance(given, str | Path):
        return _text_argument(given)
    if not isinstance(given, list | tuple):
        raise ValueError("give a text, the Path of a file that holds it, or a list of messages")
    # Imported here because the command line, which gives none, starts faster without it.
    from umwelten.prompts.messages import conversation

    return PlainText(conversation(given, "prompt"))


def _rebase_text(text: str, base: Path) -> str:
    """`@FILE` in place of a text."""
    if base == Path() or not text.startswith("@") or text.startswith("@~"):
        return text
    return f"@{base / text[1:]}"


def _rebase_schema(text: str, base: Path) -> str:
    if base != Path() and re.fullmatch(_SCHEMA_FILE, text) and not text.startswith("@"):
        return str(base / text)
    return _rebase_text(text, base)


def _text_paths(text: str) -> list[str]:
    return [text[1:]] if text.startswith("@") else []


def _schema_paths(text: str) -> list[str]:
    from umwelten.schema.loading import named_file  # only for a file that sets a schema

    path = named_file(text)
    return [] if path is None else [path]


def _models(given: Any) -> str:
    """A comma list, also when it is written as a list of names."""
    names = [given] if isinstance(given, str) else given
    if not isinstance(names, Iterable) or isinstance(names, Mapping):
        names = ()
    names = list(names)
    if not names or not all(isinstance(name, str) and name.strip() for name in names):
        raise ValueError('write "provider:model" or a list of such names')
    return ",".join(names)


def _sequences(given: Any) -> tuple[str, ...]:
    """Texts in which blanks and newlines count."""
    texts = (given,) if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("write a text in quotes or a list of such, none of them empty")
    return tuple(texts)


def _unchanged(given: Any) -> Any:
    return given


def words(metavar: str, *, complete: str | None = None) -> OptionType:
    """A text that is not empty."""
    return OptionType(read=_nonempty_text, metavar=metavar, complete=complete)


TEXT = OptionType(
    read=_text,
    read_argument=_text_argument,
    rebase=_rebase_text,
    paths=_text_paths,
    metavar="TEXT",
    complete="texts",
)
PROMPT = OptionType(
    read=_nonempty_text,
    read_argument=_prompt_argument,
    rebase=_rebase_text,
    paths=_text_paths,
    metavar="TEXT",
    complete="texts",
)
GLOB = OptionType(read=_text, metavar="GLOB")
MODELS = OptionType(read=_models, metavar="LIST", repeatable=True, complete="models")
SCHEMA = OptionType(
    read=_nonempty_text,
    read_argument=_unchanged,
    rebase=_rebase_schema,
    paths=_schema_paths,
    metavar="FIELDS|FILE",
    complete="files",
)
SEQUENCES = OptionType(read=_sequences, metavar="TEXT", repeatable=True)


def texts(metavar: str, *, complete: str | None = None) -> OptionType:
    """Texts that are not empty."""
    return OptionType(read=_sequences, metavar=metavar, repeatable=True, complete=complete)


def _evaluation_argument(given: Any) -> str:
    folder = getattr(given, "folder", None)
    return _nonempty_text(given) if folder is None else str(folder.absolute())


def _evaluations(given: Any) -> tuple[str, ...]:
    """Several, each by itself or separated by commas."""
    return tuple(id.strip() for one in _list_of(given) for id in _nonempty_text(one).split(",") if id.strip())


def _evaluation_arguments(given: Any) -> tuple[str, ...]:
    return tuple(_evaluation_argument(one) for one in _list_of(given))


def _list_of(given: Any) -> list[Any]:
    if not given:
        raise ValueError("give the id of an evaluation")
    return list(given) if isinstance(given, list | tuple) else [given]


EVALUATION = OptionType(
    read=_nonempty_text,
    read_argument=_evaluation_argument,
    paths=lambda id: [id],
    metavar="ID",
    complete="ids",
)
EVALUATIONS = OptionType(
    read=_evaluations,
    read_argument=_evaluation_arguments,
    paths=list,
    metavar="ID",
    repeatable=True,
    complete="ids",
)


# --- pairs -----------------------------------------------------------------------------------


def _pairs(given: Any, example: str) -> Iterator[tuple[str, Any]]:
    """The pairs of a TOML table, of `a=1,b=2`, or of a repeated flag, whose values may be JSON."""
    if isinstance(given, Mapping):
        yield from given.items()
        return
    items = given.split(",") if isinstance(given, str) else given
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise ValueError(f"write name=value pairs, such as {example}")
    for item in items:
        name, equals, value = item.partition("=")
        if not name.strip() or not equals:
            raise ValueError(f"write name=value pairs, such as {example}")
        yield name.strip(), value.strip() if isinstance(given, str) else _from_json(value)


def _from_json(text: str) -> Any:
    import json  # only for `--param`, and `--help` is to be quick

    try:
        return json.loads(text)
    except ValueError:
        return text


def _fields(given: Any) -> dict[str, Any]:
    return dict(_pairs(given, "top_k=40"))


def _ceilings(given: Any) -> dict[str, int]:
    return {name: _calls(number) for name, number in _pairs(given, "google=20")}


def _rates(given: Any) -> dict[str, str]:
    from umwelten.config.rate_texts import read_rates  # `--help` reads no value

    texts: dict[str, list[Any]] = {}
    for name, value in _pairs(given, "openai=500/min"):
        texts.setdefault(name, []).extend(value if isinstance(value, list | tuple) else [value])
    return {name: read_rates(values) for name, values in texts.items()}


def _variants(given: Any) -> dict[str, dict[str, Any]]:
    """`cool.temperature=0` and its like, as a variant's values by key; what may be repeated as lists."""
    if isinstance(given, Mapping):
        return _variants_argument(given)
    items = [given] if isinstance(given, str) else given
    found: dict[str, dict[str, Any]] = {}
    for item in items if isinstance(items, list | tuple) else [None]:
        match = re.fullmatch(_VARIANT_SETTING, item) if isinstance(item, str) else None
        if match is None:
            raise ValueError("write VARIANT.SETTING=VALUE, such as cool.temperature=0")
        name, key, field, value = match.groups()
        key, own = key.replace("-", "_"), found.setdefault(name, {})
        if field is not None or key in _SEVERAL:
            own.setdefault(key, []).append(value if field is None else f"{field}={value}")
        elif key in own:
            raise ValueError(f"give {name}.{key} once")
        else:
            own[key] = value
    return found


def _variants_argument(given: Any) -> dict[str, dict[str, Any]]:
    is_named = isinstance(given, Mapping) and all(
        isinstance(name, str) and re.fullmatch(VARIANT_NAME, name) and isinstance(settings, Mapping)
        for name, settings in given.items()
    )
    if not is_named:
        raise ValueError('give the settings of each by name, such as {"cool": {"temperature": 0}}')
    return {name: dict(settings) for name, settings in given.items()}


FIELDS = OptionType(read=_fields, metavar="KEY=VALUE", repeatable=True)
CEILINGS = OptionType(read=_ceilings, metavar="PROVIDER=N", repeatable=True, complete="ceilings")
RATES = OptionType(read=_rates, metavar="PROVIDER=RATE", repeatable=True, complete="ceilings")
VARIANTS = OptionType(
    read=_variants, read_argument=_variants_argument, metavar="VARIANT.SETTING=VALUE", repeatable=True
)
