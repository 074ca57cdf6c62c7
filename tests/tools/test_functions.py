"""Python functions as tools: what models are told of them, and what of a call reaches them."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import enum
import functools
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from toolkit import CONTEXT, result
from umwelten.errors import UsageError
from umwelten.tool_calls import ToolCallState
from umwelten.tools.functions import FunctionTool, function_tool
from umwelten.tools.tool import ToolContext, ToolError, tool


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Point(msgspec.Struct):
    x: float
    y: float = 0.0


@dataclasses.dataclass
class Box:
    corner: Point
    label: str = ""


class Person(pydantic.BaseModel):
    name: str = pydantic.Field(description="In full.")
    age: int = pydantic.Field(ge=0)


class Team(pydantic.BaseModel):
    members: list[Person]


def schema(function: Callable[..., Any]) -> dict[str, Any]:
    return FunctionTool(function).definition.parameters


def test_the_schema_comes_from_the_hints() -> None:
    def book(
        seat: int,
        day: Annotated[int, Meta(ge=1, le=7)],
        colour: Colour,
        kind: Literal["window", "aisle"] = "aisle",
        on: datetime.date | None = None,
        tags: list[str] = [],  # noqa: B006  the function's own default
    ) -> str:
        return ""

    assert schema(book) == {
        "type": "object",
        "properties": {
            "seat": {"type": "integer"},
            "day": {"type": "integer", "minimum": 1, "maximum": 7},
            "colour": {"$ref": "#/$defs/Colour"},
            "kind": {"type": "string", "enum": ["aisle", "window"], "default": "aisle"},
            "on": {"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"type": "string"}, "default": []},
        },
        "required": ["seat", "day", "colour"],
        "additionalProperties": False,
        "$defs": {"Colour": {"title": "Colour", "enum": ["blue", "red"], "type": "string"}},
    }


def test_a_function_gets_values_of_its_types_and_its_own_defaults() -> None:
    def typed(
        box: Box, person: Person, on: datetime.date, colour: Colour = Colour.RED, more: Any = ()
    ) -> str:
        return f"{box} {person!r} {on!r} {colour} {more}"

    given = {
        "box": {"corner": {"x": 1}},
        "person": {"name": "Ada", "age": 36},
        "on": "2026-11-30",
    }
    outcome = result(typed, **given)
    assert outcome.text == (
        "Box(corner=Point(x=1.0, y=0.0), label='') Person(name='Ada', age=36) "
        "datetime.date(2026, 11, 30) Colour.RED ()"
    )


def test_types_of_pydantic_are_in_the_schema_and_their_errors_are_told() -> None:
    def hire(person: Person) -> str:
        return person.name

    parameters = schema(hire)
    assert parameters["properties"]["person"]["properties"]["name"]["description"] == "In full."
    outcome = result(hire, person={"name": "Ada", "age": -1})
    assert outcome.state is ToolCallState.ERROR
    assert "age: Input should be greater than or equal to 0" in outcome.text
    assert outcome.error is None


def test_paths_are_texts_and_limits_of_pydantic_are_kept() -> None:
    def read(
        path: Path,
        lines: Annotated[int | None, pydantic.Field(ge=1, le=9, description="how many")] = None,
        words: Annotated[list[str], pydantic.Field(max_length=2)] | None = None,
    ) -> str:
        return f"{path!r} {lines}"

    made = FunctionTool(read)
    properties = made.definition.parameters["properties"]
    assert properties["path"] == {"type": "string", "format": "path"}
    assert properties["lines"]["anyOf"][0] == {"type": "integer", "minimum": 1, "maximum": 9}
    assert result(read, path="a/b", lines=3).text == f"{Path('a/b')!r} 3"
    assert "<= 9" in result(read, path="a", lines=10).text
    assert "Expected `str`" in result(read, path=3).text


def test_references_of_nested_pydantic_types_begin_at_the_root() -> None:
    def enlist(team: Team) -> int:
        return len(team.members)

    parameters = schema(enlist)
    assert "Person" in parameters["$defs"]
    assert "$defs" not in parameters["properties"]["team"]


@pytest.mark.parametrize("decorated", [False, True])
def test_a_class_is_a_tool_whose_fields_are_the_arguments(decorated: bool) -> None:
    class Add(msgspec.Struct):
        """Add two numbers."""

        a: int
        b: int = 1

        def __call__(self, context: ToolContext) -> str:
            return f"{self.a + self.b} for {context.model}"

    class Multiply(pydantic.BaseModel):
        """Multiply two numbers."""

        a: int
        b: int = pydantic.Field(default=1, description="The other one.")

        async def __call__(self) -> int:
            return self.a * self.b

    assert result(tool(timeout_s=5)(Add) if decorated else Add, a=2, b=3).text == "5 for simulated:a"
    assert result(Multiply, a=2, b=3).text == "6"
    assert "Expected `int`" in result(Add, a="x").text
    assert FunctionTool(Add).definition.description == "Add two numbers."
    assert FunctionTool(Multiply).definition.parameters["properties"]["b"]["description"] == "The other one."
    assert FunctionTool(Multiply).name == "Multiply"


def test_callables_of_every_kind_are_tools() -> None:
    class Rates:
        def rate(self, currency: str) -> str:
            return f"rate of {currency}"

        @classmethod
        def known(cls, currency: str) -> bool:
            return True

        def __call__(self, currency: str) -> str:
            return f"called with {currency}"

    def convert(amount: float, currency: str, key: str) -> str:
        return f"{amount} {currency} {key}"

    @functools.wraps(convert)
    def wrapped(*args: Any, **kwargs: Any) -> str:
        return convert(*args, **kwargs)

    bound = functools.partial(convert, key="secret")
    assert result(Rates().rate, currency="EUR").text == "rate of EUR"
    assert result(Rates.known, currency="EUR").text == "true"
    assert result(Rates(), currency="EUR").text == "called with EUR"
    assert result(bound, amount=1, currency="EUR").text == "1.0 EUR secret"
    assert "key" not in schema(bound)["properties"]
    assert result(wrapped, amount=1, currency="EUR", key="k").text == "1.0 EUR k"
    assert result(functools.cache(Rates.known), currency="EUR").text == "true"


def test_a_coroutine_function_runs_in_the_loop_and_others_in_threads() -> None:
    async def waiting(n: int) -> int:
        await asyncio.sleep(0)
        return n

    def returning(n: int) -> Any:
        return waiting(n)

    assert not FunctionTool(waiting).blocking
    assert FunctionTool(returning).blocking
    assert result(waiting, n=3).text == result(returning, n=3).text == "3"
    assert asyncio.run(FunctionTool(waiting).call('{"n": 4}', CONTEXT)) == "4"
    assert asyncio.run(FunctionTool(returning).call('{"n": 4}', CONTEXT)) == "4"


def test_a_default_of_none_allows_null() -> None:
    def look(on: datetime.date = None, at: str | None = None) -> str:  # type: ignore  # noqa: RUF013
        return f"{on} {at}"

    assert result(look, on=None, at=None).text == "None None"
    properties = schema(look)["properties"]
    assert properties["on"]["anyOf"] == [{"type": "string", "format": "date"}, {"type": "null"}]
    assert "default" not in properties["on"]


def test_types_that_hold_themselves_are_defined_once() -> None:
    def grow(tree: Node) -> str:
        return f"{len(tree.children)}"

    for parameters in (schema(grow), schema(Node)):
        assert "Node" in parameters["$defs"]
    assert result(grow, tree={"children": [{}, {}]}).text == result(Node, children=[{}, {}]).text == "2"


class Node(msgspec.Struct):
    children: list[Node] = []

    def __call__(self) -> int:
        return len(self.children)


def positional(a: int, /) -> str:
    return ""


def several(*numbers: int) -> str:
    return ""


def named(**numbers: int) -> str:
    return ""


def hintless(amount: int, currency) -> str:  # type: ignore[no-untyped-def]
    return ""


def strange(file: complex) -> str:
    return ""


def ambiguous(value: list[int] | tuple[str, ...]) -> str:
    return ""


def unresolved(value: NoSuchType) -> str:  # type: ignore[name-defined]  # noqa: F821
    return ""


async def endless(n: int) -> Any:
    yield n


class NotCallable(msgspec.Struct):
    x: int


class Wanting(msgspec.Struct):
    x: int

    def __call__(self, y: int) -> str:
        return ""


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (positional, "positional: the parameter 'a' is positional-only"),
        (several, "several: *numbers has no schema"),
        (named, "named: **numbers has no schema"),
        (hintless, "hintless: the parameter 'currency' has no type hint"),
        (strange, "strange: the type of the parameter 'file' has no JSON Schema"),
        (ambiguous, "ambiguous: the type of the parameter 'value' has no JSON Schema"),
        (unresolved, "unresolved: the type hint of the parameter 'value' cannot be resolved"),
        (endless, "endless: it is an asynchronous generator"),
        (NotCallable, "NotCallable: a class needs a method __call__"),
        (Wanting, "Wanting: its __call__ has the parameter 'y'"),
        (lambda: 3, "a lambda has no name and no type hints"),
        (3, "3 is not a tool"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_function_and_parameter(function: Any, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        function_tool(function)
    assert said in caught.value.message
    assert caught.value.argument == "tools"
    if isinstance(function, type) or getattr(function, "__name__", "<lambda>") != "<lambda>":
        assert "test_functions.py:" in caught.value.message  # and the line


def test_descriptions_are_from_the_hint_and_then_from_the_docstring() -> None:
    def google(a: Annotated[int, "By the hint."], b: int, c: int = 0) -> str:
        """Do something.

        With more to say.

        Args:
            a: Not this one.
            b (int): Over
                two lines.
            *c: The third: with a colon.

        Returns:
            Nothing that a model must know before.
        """
        return ""

    def numpy(a: int, b: int = 0) -> str:
        """Do something.

        Parameters
        ----------
        a : int
            The first.
        b : int, optional
            The second,
            over two lines.

        Returns
        -------
        str
        """
        return ""

    def sphinx(a: int, b: int = 0) -> str:
        """Do something.

        :param a: The first.
        :param int b: The second,
            over two lines.
        :returns: Nothing.
        :rtype: str
        """
        return ""

    properties = schema(google)["properties"]
    assert [properties[name]["description"] for name in "abc"] == [
        "By the hint.",
        "Over two lines.",
        "The third: with a colon.",
    ]
    assert FunctionTool(google).definition.description == "Do something.\n\nWith more to say."
    for function in (numpy, sphinx):
        assert FunctionTool(function).definition.description == "Do something."
        properties = schema(function)["properties"]
        assert properties["a"]["description"] == "The first."
        assert properties["b"]["description"] == "The second, over two lines."


def test_a_long_description_is_cut() -> None:
    def long(a: int) -> str:
        return ""

    long.__doc__ = "x" * 200_000
    assert len(FunctionTool(long).definition.description) == 1024


def take(days: int, note: str = "", share: float = 1.0, sure: bool = False) -> str:
    return json.dumps([days, note, share, sure])


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ('{"days": 3}', '[3, "", 1.0, false]'),
        ('{"days": "3", "share": "0.5", "sure": "true"}', '[3, "", 0.5, true]'),
        ('{"days": 3.0}', '[3, "", 1.0, false]'),
        ("{'days': 3, 'note': 'x',}", '[3, "x", 1.0, false]'),
        ('{"days": 3, "note": "a\nb"}', '[3, "a\\nb", 1.0, false]'),
        ('{"days": 3, "sure": True}', '[3, "", 1.0, true]'),
        ('"{\\"days\\": 3}"', '[3, "", 1.0, false]'),
        ('\ufeff {"days": 3}\n', '[3, "", 1.0, false]'),
        ('{"days": 3, "note": null, "share": null}', '[3, "", 1.0, false]'),
    ],
)
def test_arguments_are_read_leniently_where_they_mean_one_thing(arguments: str, text: str) -> None:
    outcome = result(take, arguments)
    assert (outcome.state, outcome.text) == (ToolCallState.DONE, text)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("", "Object missing required field `days`"),
        ("{}", "Object missing required field `days`"),
        ("null", "Object missing required field `days`"),
        ("[]", "the arguments must be a JSON object, not an array"),
        ("3", "the arguments must be a JSON object, not a number"),
        ("true", "the arguments must be a JSON object, not true or false"),
        ('"three"', "the arguments are not valid JSON"),
        ("days=3", "the arguments are not valid JSON"),
        ('{"days": 3, "note": "cut o', "the arguments are not valid JSON"),
        ('{"days": ', "the arguments are not valid JSON"),
        ('{"days": "many"}', "Expected `int`, got `str` - at `$.days`"),
        ('{"days": null}', "Expected `int`, got `null` - at `$.days`"),
        ('{"days": 3, "Note": ""}', "Object contains unknown field `Note`"),
        ('{"days": 3, "note": "a\\u0000b"}', "the arguments contain a NUL character"),
        ('{"days": 3, "note": "\\ud800"}', "the arguments contain half a character"),
        ('{"days": 3, "note": "\ud800"}', "the arguments contain half a character"),
        ('{"days": 3, "\\u0000": 1}', "the arguments contain a NUL character"),
        ('{"days": ' + "[" * 100_000 + "}", "the arguments are not valid JSON"),
        ('{"days": 3, "note": "' + "x" * 10_000_000 + '"}', "the arguments are 10,000,023 characters long"),
    ],
)
def test_arguments_that_do_not_fit_are_told_to_the_model(arguments: str, said: str) -> None:
    outcome = result(take, arguments)
    assert outcome.state is ToolCallState.ERROR
    assert outcome.text.startswith(said), outcome.text[:200]
    assert outcome.error is None


take_tool = FunctionTool(take)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.text()
    | _JSON.map(json.dumps)
    | st.fixed_dictionaries({"days": _JSON, "note": _JSON}).map(json.dumps)
    | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape"))
)
def test_whatever_a_model_writes_is_read_or_refused(arguments: str) -> None:
    try:
        take_tool.run(arguments, CONTEXT)
    except ToolError as error:
        str(error).encode()


def test_functions_of_a_session_without_source_are_tools() -> None:
    """As in `python -c`, and in a notebook whose cells are no files."""
    code = (
        "import asyncio, umwelten.tools.functions as f\n"
        "from umwelten.tools.tool import ToolContext\n"
        "exec('def rate(currency: str) -> float:\\n    return 1.5')\n"
        "exec('def other(currency: str) -> float:\\n    return 2.5')\n"
        "made = f.FunctionTool(rate)\n"
        "print(asyncio.run(made.call('{\"currency\": \"EUR\"}', ToolContext(model='a:b'))))\n"
        "print(made.fingerprint != f.FunctionTool(other).fingerprint, made.source)\n"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.split() == ["1.5", "True", "python"]


def test_the_options_of_the_decorator_are_the_tools() -> None:
    @tool(name="book.seat", timeout_s=5, sequential=True, once=True, version="2", read_only=True)
    def book(seat: int) -> str:
        return "booked"

    made = FunctionTool(book)
    assert (made.name, made.definition.name) == ("book.seat", "book__seat")
    assert (made.timeout_s, made.sequential, made.once, made.retries, made.read_only) == (
        5,
        True,
        True,
        0,
        True,
    )
    assert book(3) == "booked"
    assert tool(take) is take


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"timeout_s": 0}, "timeout_s=0 is not allowed"),
        ({"timeout_s": float("nan")}, "timeout_s=nan is not allowed"),
        ({"timeout_s": "5s"}, "timeout_s='5s' is not allowed"),
        ({"retries": -1}, "retries=-1 is not allowed"),
        ({"retries": True}, "retries=True is not allowed"),
        ({"retries": 1, "once": True}, "once=True and retries=1 exclude each other"),
        ({"name": " "}, "name=' ' is not allowed"),
        ({"version": 2}, "version=2 is not allowed"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        tool(**options)
    assert caught.value.message == said
