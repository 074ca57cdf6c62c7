"""Loading of a schema in any of the forms in which users give it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Literal, NoReturn

from umwelten.errors import UsageError
from umwelten.schema.definitions import schema_of
from umwelten.schema.dsl import parse_dsl
from umwelten.schema.output_schema import OutputSchema
from umwelten.schema.pydantic_models import class_names, load_class
from umwelten.text.caret import fault
from umwelten.types import FrozenStruct, Schema
from umwelten.user_folders import expand_home

_CLASS = re.compile(r"(?P<path>.+\.py):(?P<name>[^:/\\]*)", re.DOTALL)
_FILE = re.compile(r"[^\n]+\.json", re.IGNORECASE)
_KEYWORD = re.compile(r"""[{,]\s*"(?:type|properties|\$ref|\$schema|\$defs|allOf|anyOf|oneOf)"\s*:""")
_FORMS = 'Forms: "title, year int", @FILE with such fields, FILE.json with a JSON Schema, FILE.py:Class.'


def load_schema(given: str, *, code: bytes | None = None) -> OutputSchema:
    """Return the schema given as `file.py:Class`, `file.json`, `@FILE` with fields, or the fields.

    `code` is run in place of what the Python file holds now.

    Raises `UsageError` that shows the fault.
    """
    form = _form(given)
    if form.kind == "fields file":
        return _load_file(form)
    if form.kind == "class":
        name = form.name or _raise_missing_class(form.path)
        return load_class(expand_home(Path(form.path)), name, form.given, code=code)
    if form.kind == "json file":
        return OutputSchema(json_schema(expand_home(Path(form.path))))
    if form.given.startswith("{"):
        return OutputSchema(_parse_braces(form.given))
    return OutputSchema(_parse_fields(form.given))


def named_file(given: str) -> str | None:
    """Return the path of the file that `load_schema` would read or run, `None` where it is given in words."""
    return _form(given).path or None


class _Form(FrozenStruct):
    """A schema as it is given, and the file that it names; `name`: the class in it, empty where none is."""

    given: str
    kind: Literal["fields file", "class", "json file", "words"]
    path: str = ""
    name: str = ""


def _form(given: str) -> _Form:
    """Return which form it is. Whether a project may have it read or run depends on this."""
    given = given.strip()
    if given.startswith("@"):
        return _Form(given=given, kind="fields file", path=given[1:].strip())
    if match := _CLASS.fullmatch(given):
        return _Form(given=given, kind="class", path=match["path"], name=match["name"])
    if given.lower().endswith(".py") and "\n" not in given:
        return _Form(given=given, kind="class", path=given)
    if _FILE.fullmatch(given):
        return _Form(given=given, kind="json file", path=given)
    return _Form(given=given, kind="words")


def json_schema(path: Path) -> Schema:
    """Return the schema in a `.json` file. Raises `UsageError` that shows the fault."""
    text = _read_file(path)
    try:
        given = json.loads(text, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        raise fault(
            text, error.pos, f"not JSON: {error.msg}", "The file must contain JSON.", origin=str(path)
        ) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: not JSON: {error}") from error
    return _from_json(given, path.stem.removesuffix(".schema"), source=str(path), where=str(path))


def _parse_braces(given: str) -> Schema:
    """Parse a JSON Schema, or fields in braces."""
    try:
        read = json.loads(given, parse_constant=_reject_constant)
    except json.JSONDecodeError as error:
        if not _KEYWORD.search(given):
            return parse_dsl(given)
        raise fault(given, error.pos, f"not JSON: {error.msg}", _FORMS) from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"not JSON: {error}", _FORMS) from error
    if not _KEYWORD.search(given):
        names = ", ".join(read) if isinstance(read, dict) else ""
        raise UsageError(
            "this JSON is no JSON Schema", f"Write the fields as {names or 'title, year int'}. {_FORMS}"
        )
    return _from_json(read, "answer", source=given, where="schema")


def _from_json(given: Any, name: str, *, source: str, where: str) -> Schema:
    titled = given.get("title") if isinstance(given, dict) else None
    return schema_of(given, name=titled if isinstance(titled, str) else name, source=source, where=where)


def _load_file(form: _Form) -> OutputSchema:
    path = expand_home(Path(form.path))
    if path.suffix.lower() == ".json":
        return OutputSchema(json_schema(path))
    schema = parse_dsl(_read_file(path), origin=str(path))
    return OutputSchema(Schema(json=schema.json, name=schema.name, source=form.given))


def _parse_fields(given: str) -> Schema:
    """Parse fields; the error for the name of a file says how to give a file."""
    try:
        return parse_dsl(given)
    except UsageError as error:
        if "\n" in given or len(given) > 255 or not Path(given).is_file():
            raise
        raise UsageError(
            f"{given} is a file", f"For the fields in a file write @{given}. {_FORMS}"
        ) from error


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise UsageError(f"no such file: {path}", _FORMS) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(f"cannot read {path}: {reason}", _FORMS) from error


def _raise_missing_class(path: str) -> NoReturn:
    names = class_names(expand_home(Path(path)))
    listed = f" Classes there: {', '.join(names)}." if names else ""
    raise UsageError(f"{path}: no class given", f"Write {path}:{names[0] if names else 'Class'}.{listed}")


def _reject_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON value")
