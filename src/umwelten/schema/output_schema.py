"""Reading an answer as a record of the shape that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec

from umwelten.schema import json_extraction, tree, validation
from umwelten.schema.repair import NOTHING, Unreadable
from umwelten.schema.validation import shown
from umwelten.types import FrozenStruct, Problem, Schema

Check = Callable[[str], tuple[Problem, ...]]
"""Problems of a record, given as JSON, that a schema can't say."""


class ParsedAnswer(FrozenStruct):
    """What came of reading an answer. `data` is the record as compact JSON, None if there are problems.

    `marks` say what it took: "fenced" (words or a fence around it), "mended", "coerced".
    """

    data: str | None
    problems: tuple[Problem, ...] = ()
    marks: tuple[str, ...] = ()


class OutputSchema:
    """A schema, ready to read answers. `check` is a second opinion on records that fit the schema."""

    def __init__(self, schema: Schema, check: Check | None = None) -> None:
        self.schema = schema
        self._check = check
        self._tree = tree.tree(schema.json)

    @cached_property
    def _problems(self) -> Callable[[Any], tuple[Problem, ...]]:
        return validation.validator(self.schema.json)

    def read(self, text: str, *, coerce: bool = False) -> ParsedAnswer:
        """The record in an answer, or what is wrong with it. Never raises.

        Looks for JSON in the whole text, then in the parts that look like it, then mends them. Null for
        a field that may be left out is the same as its absence. With `coerce`, values that say the right
        thing in the wrong type pass, and fields that the schema does not know are dropped.
        """
        first: ParsedAnswer | None = None
        for found in json_extraction.values(text):
            read = self._judge(found, coerce)
            if read.data is not None:
                return read
            first = first or read
        return first or _no(NOTHING.message)

    def _judge(self, found: json_extraction.Found | Unreadable, coerce: bool) -> ParsedAnswer:
        if isinstance(found, Unreadable):
            return _no(found.message)
        try:
            return self._record(found.value, found.marks, coerce)
        except RecursionError:
            return _no("the JSON is nested too deeply", found.marks)

    def _record(self, value: Any, marks: tuple[str, ...], coerce: bool) -> ParsedAnswer:
        if coerce and isinstance(value, list):
            given, value = value, tree.wrapped(value, self._tree)
            marks = marks if value is given else (*marks, "coerced")
        if not isinstance(value, dict):
            return _no(_not_an_object(value), marks)
        if wrong := validation.unsendable(value, self._tree.properties):
            return ParsedAnswer(data=None, problems=wrong, marks=marks)
        done = tree.Arranged()
        record = tree.arrange(value, self._tree, coerce, done)
        if done.coerced and "coerced" not in marks:
            marks = (*marks, "coerced")
        data = msgspec.json.encode(record).decode()
        problems = self._problems(record) or (self._check(data) if self._check else ())
        return ParsedAnswer(data=None if problems else data, problems=problems, marks=marks)


def compile_schema(schema: Schema) -> OutputSchema:
    """The shape of a schema that was stored. Of a class only its schema is left, not its own checks."""
    return OutputSchema(schema)


def _no(message: str, marks: tuple[str, ...] = ()) -> ParsedAnswer:
    return ParsedAnswer(data=None, problems=(Problem(message=message),), marks=marks)


def _not_an_object(value: Any) -> str:
    what = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
    return f"the answer is {what}, not an object: {shown(value)}"
