"""Pydantic classes as schemas: `file.py:Class`. Pydantic is imported only when one is used."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from umwelten.errors import UsageError
from umwelten.schema.definitions import schema_of
from umwelten.schema.output_schema import Check, OutputSchema
from umwelten.schema.python_files import first_line, import_file
from umwelten.schema.validation import limit_problems
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import Problem

if TYPE_CHECKING:
    from pydantic import BaseModel


def load_class(path: Path, name: str, source: str, *, code: bytes | None = None) -> OutputSchema:
    """Return the schema of a Pydantic class in a Python file, which is run; `source` is what the user wrote.

    `code` is run in place of what the file holds now.

    Raises `UsageError` for a missing file or class, a file that fails, a class of another kind, or if
    pydantic is not installed.
    """
    if not path.is_file():
        raise UsageError(
            f"no such file: {path}", "Write file.py:Class, with a path relative to the working directory."
        )
    _require_pydantic(source)
    model = getattr(import_file(path, code), name, None)
    if model is None:
        raise UsageError(f"{path} has no class {name}", _class_hint(path, name))
    return class_shape(model, source=source)


def class_shape(model: type[BaseModel], *, source: str = "") -> OutputSchema:
    """Return the schema of a Pydantic class, whose own validators check each record last."""
    source = source or getattr(model, "__name__", repr(model))
    _require_pydantic(source)
    from pydantic import BaseModel, PydanticUserError

    if not isinstance(model, type) or not issubclass(model, BaseModel):
        raise UsageError(f"{source} is not a Pydantic model", "It must be a subclass of pydantic.BaseModel.")
    try:
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise UsageError(f"{source} has no JSON Schema: {first_line(error)}") from error
    return OutputSchema(
        schema_of(schema, name=model.__name__, source=source, where=source), check=_class_check(model)
    )


def _class_check(model: type[BaseModel]) -> Check:
    """Return a check of records by the class itself."""
    from pydantic import ValidationError

    def check(data: str) -> tuple[Problem, ...]:
        try:
            model.model_validate_json(data)
        except ValidationError as error:
            return limit_problems(
                _problem(each["loc"], each["msg"]) for each in error.errors(include_url=False)
            )
        except Exception as error:  # noqa: BLE001  users' validators may raise anything
            return (Problem(message=f"{model.__name__}: {type(error).__name__}: {first_line(error)}"),)
        return ()

    return check


def _problem(place: tuple[int | str, ...], message: str) -> Problem:
    inner = ".".join(map(str, place[1:]))
    words = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")[:200]
    return Problem(path=place, message=f"{inner}: {words}" if inner else words)


def _class_hint(path: Path, name: str) -> str | None:
    """Return a hint with the closest class and those in the file."""
    names = class_names(path)
    listed = f"Classes there: {', '.join(names)}." if names else "It has no classes."
    return sentences(did_you_mean(closest(name, names)), listed)


def class_names(path: Path) -> list[str]:
    """Return the classes at the top level of a Python file, which is not run; none if it can't be read."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    return [each.name for each in body if isinstance(each, ast.ClassDef)]


def _require_pydantic(source: str) -> None:
    try:
        importlib.import_module("pydantic")
    except ImportError as error:
        message = f"{source} needs pydantic, which is not installed"
        raise UsageError(message, "Install it: pip install pydantic") from error
