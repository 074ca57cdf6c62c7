"""Pydantic classes as shapes: `file.py:Class`. Pydantic is imported only when one is asked for."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from umwelten.errors import UsageError
from umwelten.schema.definitions import schema_of
from umwelten.schema.output_schema import Check, OutputSchema
from umwelten.schema.validation import few
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import Problem

if TYPE_CHECKING:
    from pydantic import BaseModel


def load_class(path: Path, name: str, source: str) -> OutputSchema:
    """The shape of a Pydantic class in a Python file, which is run; `source` is what the user wrote.

    Raises `UsageError`: no pydantic, no such file or class, a file that fails, a class of another kind.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "The schema is file.py:Class, its path from here.")
    _need_pydantic(source)
    found = getattr(_run(path), name, None)
    if found is None:
        raise UsageError(f"{path} has no class {name}", _others(path, name))
    return class_shape(found, source=source)


def class_shape(model: type[BaseModel], *, source: str = "") -> OutputSchema:
    """The shape of a Pydantic class. Its own validators have the last word on each record."""
    source = source or getattr(model, "__name__", repr(model))
    _need_pydantic(source)
    from pydantic import BaseModel, PydanticUserError

    if not isinstance(model, type) or not issubclass(model, BaseModel):
        raise UsageError(f"{source} is no Pydantic model", "It has to be a subclass of pydantic.BaseModel.")
    try:
        schema = model.model_json_schema()
    except PydanticUserError as error:
        raise UsageError(f"{source} has no JSON Schema: {_first_line(error)}") from error
    return OutputSchema(
        schema_of(schema, name=model.__name__, source=source, where=source), check=_check(model)
    )


def _check(model: type[BaseModel]) -> Check:
    """Asks the class itself about a record."""
    from pydantic import ValidationError

    def check(data: str) -> tuple[Problem, ...]:
        try:
            model.model_validate_json(data)
        except ValidationError as error:
            return few(_problem(each["loc"], each["msg"]) for each in error.errors(include_url=False))
        except Exception as error:  # noqa: BLE001  users' validators may raise anything
            return (Problem(message=f"{model.__name__}: {type(error).__name__}: {_first_line(error)}"),)
        return ()

    return check


def _problem(place: tuple[int | str, ...], message: str) -> Problem:
    inner = ".".join(map(str, place[1:]))
    words = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")[:200]
    return Problem(path=place, message=f"{inner}: {words}" if inner else words)


def _run(path: Path) -> ModuleType:
    """The file as a module of a name of its own, with its neighbours importable while it runs."""
    full = path.resolve()
    name = f"umwelten_schema_{hashlib.sha256(str(full).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, full)
    if spec is None or spec.loader is None:
        raise UsageError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # types that are named in quotes are looked up there
    sys.path.insert(0, str(full.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(name, None)
        raise UsageError(f"{path} can't be run: {type(error).__name__}: {_first_line(error)}") from error
    finally:
        sys.path.remove(str(full.parent))
    return module


def _others(path: Path, name: str) -> str | None:
    """A hint with the class that is nearest, and those that there are."""
    names = class_names(path)
    listed = f"Classes there: {', '.join(names)}." if names else "It has no classes."
    return sentences(did_you_mean(closest(name, names)), listed)


def class_names(path: Path) -> list[str]:
    """The classes at the top level of a Python file, which is not run. None if it can't be read."""
    try:
        body = ast.parse(path.read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return []
    return [each.name for each in body if isinstance(each, ast.ClassDef)]


def _need_pydantic(source: str) -> None:
    try:
        importlib.import_module("pydantic")
    except ImportError as error:
        said = f"{source} needs pydantic, which is not installed"
        raise UsageError(said, "Install it: pip install pydantic") from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
