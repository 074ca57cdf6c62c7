"""The arguments of a function or class as a JSON Schema, by its type hints, and the reading of them."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_origin

import msgspec
from msgspec import UNSET, Meta, UnsetType

from umwelten.errors import UsageError
from umwelten.tools.arguments import read_arguments
from umwelten.tools.docstrings import read_docstring
from umwelten.tools.foreign_types import components, decode, limited
from umwelten.tools.tool import ToolContext, ToolError

_NO_HINT = inspect.Parameter.empty
_LONGEST_DEFAULT = 200
"""Characters of JSON. A longer default is left out of the schema, which is sent with every request."""


class Arguments:
    """What a callable takes: the JSON Schema of it, and how to call it with what a model wrote.

    `description` and those of the parameters are from hints and docstring. Raises `UsageError` that names
    the function and the parameter that has no schema.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._context = ""
        text = inspect.getdoc(_inner(function))
        self.description, self._described = read_docstring(text)
        if isinstance(function, type):
            self._type: Any = self._class_type(function)
        else:
            self._type = self._struct(function)
        self.schema = self._schema()

    def read(self, text: str, context: ToolContext) -> Callable[[], Any]:
        """Return the call that the arguments ask for. Raises `ToolError` that tells what does not fit."""
        given = read_arguments(text)
        try:
            try:
                value = msgspec.convert(given, self._type, dec_hook=decode, builtin_types=())
            except msgspec.ValidationError:
                # Many models write null for what they leave out.
                given = {
                    name: each
                    for name, each in given.items()
                    if each is not None or name not in self._defaults
                }
                value = msgspec.convert(given, self._type, strict=False, dec_hook=decode, builtin_types=())
        except msgspec.ValidationError as error:
            raise ToolError(str(error)) from None
        except RecursionError:
            raise ToolError("the arguments are nested too deeply") from None
        extra = {self._context: context} if self._context else {}
        if isinstance(self._function, type):
            return functools.partial(value, **extra)
        names = self._type.__struct_fields__
        named = {name: each for name in names if (each := getattr(value, name)) is not UNSET}
        return functools.partial(self._function, **named, **extra)

    # --- the type ---------------------------------------------------------------------------------

    def _struct(self, function: Callable[..., Any]) -> type[msgspec.Struct]:
        """Return a type whose fields are the function's parameters."""
        fields: list[tuple[str, Any, Any] | tuple[str, Any]] = []
        self._defaults: dict[str, Any] = {}
        for parameter in self._parameters(function):
            hint = self._hint(parameter)
            if parameter.default is _NO_HINT:
                fields.append((parameter.name, hint))
            else:  # the function's own default holds, which may be of any kind
                fields.append((parameter.name, _or_unset(hint), UNSET))
                self._defaults[parameter.name] = parameter.default
        try:
            return msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=True)
        except (TypeError, ValueError) as error:
            self._fail(f"its parameters cannot be read: {error}")

    def _class_type(self, given: type) -> Any:
        """Return the class itself, whose fields are the arguments of its `__call__` without any."""
        self._defaults = {}
        call = next((vars(each)["__call__"] for each in given.__mro__ if "__call__" in vars(each)), None)
        if not inspect.isfunction(call):
            self._fail("a class needs a method __call__, which runs the tool")
        for parameter in list(inspect.signature(call).parameters.values())[1:]:
            if parameter.name == "context" or parameter.annotation is ToolContext:
                self._context = parameter.name
            elif parameter.default is _NO_HINT and parameter.kind not in _VARIADIC:
                self._fail(
                    f"its __call__ has the parameter {parameter.name!r}", "The fields are the arguments."
                )
        return given

    def _parameters(self, function: Callable[..., Any]) -> list[inspect.Parameter]:
        try:
            parameters = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            self._fail("it has no signature", "Write a function with type hints that calls it.")
        except NameError as error:
            self._fail(f"a type hint cannot be resolved: {error}")
        bound = function.keywords if isinstance(function, functools.partial) else {}
        taken = []
        for parameter in parameters:
            if parameter.name in bound:
                continue
            if parameter.kind in _VARIADIC:
                stars = "*" if parameter.kind is parameter.VAR_POSITIONAL else "**"
                self._fail(f"{stars}{parameter.name} has no schema", "Name each parameter, with a type hint.")
            if parameter.kind is parameter.POSITIONAL_ONLY:
                self._fail(
                    f"the parameter {parameter.name!r} is positional-only", "Models give arguments by name."
                )
            if self._is_context(parameter):
                self._context = parameter.name
                continue
            taken.append(parameter)
        return taken

    def _is_context(self, parameter: inspect.Parameter) -> bool:
        hint = parameter.annotation
        if isinstance(hint, str):  # perhaps imported for type checkers alone
            return hint.rpartition(".")[2] == "ToolContext"
        return hint is ToolContext or (hint is _NO_HINT and parameter.name == "context")

    def _hint(self, parameter: inspect.Parameter) -> Any:
        """Return a parameter's type, with its description."""
        name = parameter.name
        if parameter.annotation is _NO_HINT:
            self._fail(
                f"the parameter {name!r} has no type hint",
                f"Write it as {name}: str, for example. The names of helpers begin with _.",
            )
        inner = _inner(self._function)
        scope = {**getattr(inner, "__globals__", {}), **_closure(inner)}
        holder = types.SimpleNamespace(__annotations__={name: parameter.annotation})
        try:
            hint = typing.get_type_hints(holder, globalns=scope, localns=scope, include_extras=True)[name]
        except Exception as error:  # noqa: BLE001  a hint in quotes is code and may raise anything
            self._fail(f"the type hint of the parameter {name!r} cannot be resolved: {error}")
        description = _described_by_hint(hint) or self._described.get(name)
        try:
            hint = limited(hint)
            if parameter.default is None and not _takes_none(hint):
                hint = typing.Optional[hint]  # noqa: UP045  it may be any special form
            if description:
                hint = Annotated[hint, Meta(description=description)]  # said twice, the last one counts
            components(msgspec.defstruct("arguments", [(name, hint)]))
            msgspec.json.Decoder(msgspec.defstruct("arguments", [(name, hint)]), dec_hook=decode)
        except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
            self._fail(f"the type of the parameter {name!r} has no JSON Schema: {_last_line(error)}", _TYPES)
        return hint

    # --- the schema -------------------------------------------------------------------------------

    def _schema(self) -> dict[str, Any]:
        try:
            schema = components(self._type)
        except (TypeError, ValueError, NotImplementedError, AttributeError) as error:
            self._fail(f"it has no JSON Schema: {_last_line(error)}", _TYPES)
        if schema.get("type") != "object":
            self._fail("its fields have no JSON Schema of an object", _TYPES)
        schema.pop("title", None)
        schema.pop("description", None)
        schema.setdefault("properties", {})
        if not schema.get("required"):
            schema.pop("required", None)  # empty, it is no valid schema for some providers
        for name, default in self._defaults.items():
            if default is not None and (shown := _json_default(default)) is not UNSET:
                schema["properties"][name]["default"] = shown
        return schema

    def _fail(self, problem: str, hint: str | None = None) -> NoReturn:
        raise UsageError(f"{function_place(self._function)}: {problem}", hint, argument="tools")


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_TYPES = (
    "Use str, int, float, bool, Literal, enums, dates, Path, lists, dicts, dataclasses, msgspec, Pydantic."
)


def function_place(function: Callable[..., Any]) -> str:
    """Return where a function is, as `rates.py:12: rate`, or its name alone where that is unknown."""
    inner = _inner(function)
    name = getattr(inner, "__qualname__", type(inner).__qualname__).replace("<locals>.", "")
    code = getattr(inner, "__code__", None)
    if code is not None:
        return f"{Path(code.co_filename).name}:{code.co_firstlineno}: {name}"
    try:
        file, line = inspect.getsourcefile(inner), inspect.getsourcelines(inner)[1]
    except (TypeError, OSError):
        return name
    return f"{Path(file).name}:{line}: {name}" if file else name


def _inner(function: Any) -> Any:
    """Return the function behind decorators, partial applications, methods and callable objects."""
    while isinstance(function, functools.partial):
        function = function.func
    function = inspect.unwrap(function)
    if isinstance(function, type) or inspect.isroutine(function):
        return getattr(function, "__func__", function)
    return type(function).__call__


def _closure(function: Any) -> dict[str, Any]:
    """Return the local names that a function uses: types may be among them."""
    code = getattr(function, "__code__", None)
    found = {}
    for name, cell in zip(
        getattr(code, "co_freevars", ()), getattr(function, "__closure__", None) or (), strict=False
    ):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet filled
            continue
    return found


def _described_by_hint(hint: Any) -> str | None:
    """Return the text in `Annotated[…, "text"]`, or the `description` of `Meta` or Pydantic's `Field`."""
    if get_origin(hint) is not Annotated:
        return None
    for extra in get_args(hint)[1:]:
        text = extra if isinstance(extra, str) else getattr(extra, "description", None)
        if isinstance(text, str) and text.strip():
            return text.strip()
    return None


def _takes_none(hint: Any) -> bool:
    while get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    return hint in (None, Any, type(None)) or type(None) in get_args(hint)


def _last_line(error: Exception) -> str:
    """Return what is wrong: before it, msgspec says what could be done in a program."""
    return str(error).rpartition("\n")[2]


def _or_unset(hint: Any) -> Any:
    return typing.Union[hint, UnsetType]  # noqa: UP007  hint may be any special form


def _json_default(value: Any) -> Any:
    """Return a default as JSON has it, `UNSET` where it has none or a long one."""
    try:
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError):
        return UNSET
    return msgspec.json.decode(encoded) if len(encoded) <= _LONGEST_DEFAULT else UNSET
