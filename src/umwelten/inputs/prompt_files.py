"""Files of prompts, for `--prompts`.

| ending | form |
|---|---|
| `.txt`, `.md` | separated by lines `---`; a first line `# name` is a prompt's name |
| `.toml` | a table `[prompts]` of names and texts |
| `.json` | an object of names and texts, or a list of texts or of `{"name": …, "text": …}` |
| `.jsonl` | a text or `{"name": …, "text": …}` on each line |
| `.csv`, `.tsv` | columns `name` and `prompt` or `text` |

Prompts without a name are called `p1`, `p2`, … by position. In .toml, .json and .jsonl, a list of messages
`{"role": …, "content": …}` may stand for a text, under `messages` beside a name. A .json file that is such a
list is a single prompt.
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
from umwelten.inputs.files.names import is_text
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.tables import table_format
from umwelten.inputs.tables.parts_of_files import text_of
from umwelten.phrases import Phrase
from umwelten.prompts.messages import conversation
from umwelten.text.suggestions import did_you_mean
from umwelten.types import Prompt

MAX_PROMPTS = 1_000
MAX_BYTES = 64 << 20

_NAME = re.compile(r"(?!\.)[A-Za-z0-9_.-]{1,40}")
_NAME_RULE = "Use up to 40 letters without accents, digits, '_', '-' and '.'; do not start with a dot."
_NAME_LINE = re.compile(r"#[ \t]*(\S+)[ \t]*(?:\n|\Z)")
_RULE = re.compile(r"^---[ \t]*$\n?", re.MULTILINE)
_ALONE = object()
"""Stands for the name of a file's only prompt, a list of messages. No other prompt can have it."""
_TEXTS = ("text", "prompt", "messages")
_Pair = tuple[object, Any]
"""A name, `None` or `_ALONE`, and a value that should be text."""


def read_prompts(path: Path) -> tuple[Prompt, ...]:
    """Return the prompts of a file in order, at most 1,000; their names differ in more than case.

    Raises `InputError` for a file that can't be read, `UsageError` for a prompt that is empty or whose name
    can't be part of a file's name.
    """
    read = _READERS.get(path.suffix.lower())
    if read is None:
        raise UsageError(
            f"cannot read prompts from {path}", f"The name must end in one of {', '.join(_READERS)}."
        )
    prompts: dict[str, Prompt] = {}
    for number, (name, text) in enumerate(read(path), 1):
        if name is _ALONE:
            return (Prompt(name="", text=conversation(text, str(path))),)
        if number > MAX_PROMPTS:
            raise UsageError(
                f"{path} has more than {MAX_PROMPTS:,} prompts", "Each prompt is sent to every model."
            )
        prompt = _prompt(number, name, text, path)
        earlier = prompts.setdefault(prompt.name.lower(), prompt)
        if earlier is not prompt:
            raise UsageError(f"{path}: two prompts are called {prompt.name!r}", "Give each its own name.")
    if not prompts:
        raise UsageError(f"{path} has no prompts")
    return tuple(prompts.values())


def name_prompts(texts: Mapping[Any, Any]) -> tuple[Prompt, ...]:
    """Return the prompts that a program gives, by name. Raises `UsageError`."""
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
        if isinstance(text, list | tuple):
            continue
        if not isinstance(text, str) or not text.strip():
            raise UsageError(
                Phrase("{option:prompts}: {name} is empty or not text", name=name),
                "Give a text or a list of messages for each name.",
                argument="prompts",
            )
    return tuple(
        Prompt(name=name, text=text if isinstance(text, str) else conversation(text, f"prompts: {name}"))
        for name, text in texts.items()
    )


def _prompt(number: int, name: object, text: object, path: Path) -> Prompt:
    label = f"prompt {number}" if name is None else f"prompt {number} ({name!r})"
    name = f"p{number}" if name is None else name
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{path}: the name of prompt {number}, {name!r}, can't be part of a file's name",
            _NAME_RULE,
        )
    if isinstance(text, list):
        return Prompt(name=name, text=conversation(text, f"{path}: {label}"))
    if not isinstance(text, str):
        raise UsageError(f"{path}: {label} is not text")
    if not text.strip():
        raise UsageError(f"{path}: {label} is empty")
    if not is_text(text):
        raise UsageError(f"{path}: {label} contains a lone surrogate")
    return Prompt(name=name, text=text)


# --- the forms -------------------------------------------------------------------------------


def _read_text_prompts(path: Path) -> Iterator[_Pair]:
    text = _read_text(path).replace("\r\n", "\n")
    if not text.strip():
        return
    for piece in _RULE.split(text):
        match = _NAME_LINE.match(piece.lstrip())
        name, body = (match[1], piece.lstrip()[match.end() :]) if match else (None, piece)
        yield name, body.strip("\n").rstrip()


def _read_toml_prompts(path: Path) -> Iterator[_Pair]:
    try:
        table = tomllib.loads(_read_text(path)).get("prompts")
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not valid TOML: {error}") from error
    if not isinstance(table, dict):
        raise UsageError(f"{path} has no table [prompts]", 'Write [prompts], and below it name = "…".')
    yield from table.items()


def _read_json_prompts(path: Path) -> Iterator[_Pair]:
    data = _decode_json(_read_text(path), str(path))
    if isinstance(data, dict):
        yield from data.items()
    elif isinstance(data, list) and any(isinstance(item, dict) and "role" in item for item in data):
        yield _ALONE, data
    elif isinstance(data, list):
        for number, item in enumerate(data, 1):
            yield _item(item, f"{path}: prompt {number}")
    else:
        raise UsageError(f"{path} is neither an object nor a list of prompts")


def _read_jsonl_prompts(path: Path) -> Iterator[_Pair]:
    for number, line in enumerate(_read_text(path).split("\n"), 1):
        if line.strip():
            place = f"{path}, line {number}"
            yield _item(_decode_json(line, place), place)


def _decode_json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:  # also a number of more digits than Python reads
        raise InputError(f"{place} is not valid JSON: {error}") from error
    except RecursionError:
        raise InputError(f"{place} is nested too deeply") from None


def _item(item: Any, place: str) -> _Pair:
    if not isinstance(item, dict):
        return None, item
    unknown_keys = [key for key in item if key not in ("name", *_TEXTS)]
    texts = [item[key] for key in _TEXTS if key in item]
    if unknown_keys or len(texts) != 1:
        problem = f"has {unknown_keys[0]!r}" if unknown_keys else "must have one text"
        raise UsageError(
            f"{place} {problem}",
            'Write {"name": "short", "text": "…"}, or "messages" with a list; the name may be left out.',
        )
    return item.get("name"), texts[0]


def _read_csv_prompts(path: Path) -> Iterator[_Pair]:
    table = table_format.inspect_table(path)
    texts = [column for column in table.columns if column.lower() in ("prompt", "text")]
    names = [column for column in table.columns if column.lower() == "name"]
    if len(texts) != 1 or len(names) > 1:
        raise UsageError(
            f"{path} needs one column 'prompt' or 'text'; it has {', '.join(table.columns)}",
            "An optional column 'name' names the prompts.",
        )
    for number, raw in enumerate(table_format.raw_records(table, table.start), 1):
        record = text_of(raw, table.inner).rstrip("\r\n")
        if record:
            try:
                row = table_format.csv_row(table, record)
            except InputError as error:
                message = Phrase(
                    "{path}, row {number}: {problem}", path=path, number=number, problem=error.wording
                )
                raise InputError(message, error.hint_wording) from None
            yield (row[names[0]].strip() or None) if names else None, row[texts[0]].strip()


_READERS: dict[str, Callable[[Path], Iterator[_Pair]]] = {
    ".txt": _read_text_prompts,
    ".md": _read_text_prompts,
    ".toml": _read_toml_prompts,
    ".json": _read_json_prompts,
    ".jsonl": _read_jsonl_prompts,
    ".csv": _read_csv_prompts,
    ".tsv": _read_csv_prompts,
}


def _read_text(path: Path) -> str:
    try:
        data = path.read_bytes() if path.stat().st_size <= MAX_BYTES else None
    except OSError as error:
        nearest = nearest_name(path) if isinstance(error, FileNotFoundError) else None
        raise InputError(f"cannot read {path}: {error.strerror}", did_you_mean(nearest) or None) from error
    if data is None:
        raise InputError(f"{path} is too large for a file of prompts")
    text = decode(data)
    if text is None:
        raise InputError(f"{path} is not text")
    return text
