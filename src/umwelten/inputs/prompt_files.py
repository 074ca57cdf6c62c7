"""Several prompts from one file, for `--prompts`.

| ending | form |
|---|---|
| `.txt`, `.md` | one after the other with a line `---` between; a first line `# name` names one |
| `.toml` | a table `[prompts]` with a text for each name |
| `.json` | an object of name and text, or a list of texts or of `{"name": …, "text": …}` |
| `.jsonl` | a text or `{"name": …, "text": …}` on each line |
| `.csv`, `.tsv` | columns `name` and `prompt` or `text` |

Prompts without a name are `p1`, `p2`, … by their place.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from umwelten.errors import InputError, UsageError
from umwelten.inputs.encodings import decode
from umwelten.inputs.files.scan import is_text
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.tables import table_format
from umwelten.phrases import Phrase
from umwelten.text.suggestions import did_you_mean
from umwelten.types import Prompt

MOST = 1_000
MAX_BYTES = 64 << 20

_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,40}")
_NAME_RULE = "Use letters without accents, digits, '_', '-' and '.', at most 40, not starting with a dot."
_NAMED = re.compile(r"#[ \t]*(\S+)[ \t]*(?:\n|\Z)")
_RULE = re.compile(r"^---[ \t]*$\n?", re.MULTILINE)
_Pair = tuple[str | None, Any]
"""A name, if one is given, and what should be the text."""


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """The prompts of a file in order, at most 1,000, with names that are unique whatever their case.

    Errors: `InputError` for a file that can't be read, `UsageError` for a prompt that is empty or whose name
    can't be part of a file's name.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UsageError(
            f"prompts can't be read from {path}", f"Use one of {', '.join(_READERS)}, whatever suits you."
        )
    found: dict[str, Prompt] = {}
    for number, (name, text) in enumerate(read(path), 1):
        if number > MOST:
            raise UsageError(f"{path} has more than {MOST:,} prompts", "Every one is sent to every model.")
        prompt = _prompt(number, name, text, path)
        before = found.setdefault(prompt.name.lower(), prompt)
        if before is not prompt:
            raise UsageError(
                f"{path}: two prompts are called {prompt.name!r}", "Give each a name of its own."
            )
    if not found:
        raise UsageError(f"{path} has no prompts")
    return tuple(found.values())


def name_prompts(texts: Mapping[Any, Any]) -> tuple[Prompt, ...]:
    """The prompts that a program gives, by their names. Errors: `UsageError`."""
    if not texts:
        raise UsageError(
            Phrase("{option:prompts} is empty"),
            'Give names and texts: {"short": "Sum it up in a sentence."}',
            argument="prompts",
        )
    for name, text in texts.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(
                Phrase("{option:prompts}: the name {name!r} can't be part of a file's name", name=name),
                _NAME_RULE,
                argument="prompts",
            )
        if not isinstance(text, str) or not text.strip():
            raise UsageError(
                Phrase("{option:prompts}: {name} is empty or no text", name=name),
                "Give a text for each name.",
                argument="prompts",
            )
    return tuple(Prompt(name=name, text=text) for name, text in texts.items())


def _prompt(number: int, name: object, text: object, path: Path) -> Prompt:
    shown = f"prompt {number}" if name is None else f"prompt {number} ({name!r})"
    name = f"p{number}" if name is None else name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{path}: the name of prompt {number}, {name!r}, can't be part of a file's name",
            _NAME_RULE,
        )
    if not isinstance(text, str):
        raise UsageError(f"{path}: {shown} is not text")
    if not text.strip():
        raise UsageError(f"{path}: {shown} is empty")
    if not is_text(text):
        raise UsageError(f"{path}: {shown} holds half of a character (a lone surrogate)")
    return Prompt(name=name, text=text)


# --- the forms -------------------------------------------------------------------------------


def _plain(path: Path) -> Iterator[_Pair]:
    text = _text(path).replace("\r\n", "\n")
    if not text.strip():
        return
    for piece in _RULE.split(text):
        named = _NAMED.match(piece.lstrip())
        name, words = (named[1], piece.lstrip()[named.end() :]) if named else (None, piece)
        yield name, words.strip("\n").rstrip()


def _toml(path: Path) -> Iterator[_Pair]:
    try:
        table = tomllib.loads(_text(path)).get("prompts")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InputError(f"{path} is no TOML: {error}") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path} has no table [prompts]", 'Write [prompts] and below it short = "…".')
    yield from table.items()


def _json(path: Path) -> Iterator[_Pair]:
    found = _decoded(_text(path), str(path))
    if isinstance(found, dict):
        yield from found.items()
    elif isinstance(found, list):
        for number, item in enumerate(found, 1):
            yield _item(item, f"{path}: prompt {number}")
    else:
        raise UsageError(f"{path} is neither an object nor a list of prompts")


def _lines(path: Path) -> Iterator[_Pair]:
    for number, line in enumerate(_text(path).split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            yield _item(_decoded(line, place), place)


def _decoded(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{place} is no JSON: {error}") from error
    except RecursionError:
        raise InputError(f"{place} is nested too deep") from None


def _item(item: Any, place: str) -> _Pair:
    if not isinstance(item, dict):
        return None, item
    odd = [key for key in item if key not in ("name", "text", "prompt")]
    texts = [item[key] for key in ("text", "prompt") if key in item]
    if odd or len(texts) != 1:
        problem = f"has {odd[0]!r}" if odd else "must have one text"
        raise UsageError(
            f"{place} {problem}", 'Write {"name": "short", "text": "…"}; the name may be left out.'
        )
    return item.get("name"), texts[0]


def _csv(path: Path) -> Iterator[_Pair]:
    found = table_format.table(path)
    texts = [column for column in found.columns if column.lower() in ("prompt", "text")]
    names = [column for column in found.columns if column.lower() == "name"]
    if len(texts) != 1 or len(names) > 1:
        raise UsageError(
            f"{path} needs one column 'prompt' or 'text'; it has {', '.join(found.columns)}",
            "A column 'name' gives them names.",
        )
    for number, raw in enumerate(table_format.raw_records(found, found.start), 1):
        record = table_format.text_of(raw, found.inner).rstrip("\r\n")
        if record:
            try:
                row = table_format.csv_row(found, record)
            except InputError as error:
                message = Phrase(
                    "{path}, row {number}: {problem}", path=path, number=number, problem=error.wording
                )
                raise InputError(message, error.hint_wording) from None
            yield (row[names[0]].strip() or None) if names else None, row[texts[0]].strip()


_READERS: dict[str, Callable[[Path], Iterator[_Pair]]] = {
    ".txt": _plain,
    ".md": _plain,
    ".toml": _toml,
    ".json": _json,
    ".jsonl": _lines,
    ".csv": _csv,
    ".tsv": _csv,
}


def _text(path: Path) -> str:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        near = nearest_name(path) if isinstance(error, FileNotFoundError) else None
        raise InputError(f"cannot read {path}: {error.strerror}", did_you_mean(near) or None) from error
    if data is None:
        raise InputError(f"{path} is too large for a file of prompts")
    text = decode(data)
    if text is None:
        raise InputError(f"{path} is not text")
    return text
