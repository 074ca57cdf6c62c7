"""Answers read as records of the requested schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import msgspec

from umwelten.schema import json_extraction, tree, validation
from umwelten.schema.repair import NOTHING, Unreadable
from umwelten.schema.validation import excerpt
from umwelten.types import FrozenStruct, Problem, Schema

Check = Callable[[str], tuple[Problem, ...]]
"""Returns the problems of a record, given as JSON, that a schema can't express."""


class ParsedAnswer(FrozenStruct):
    """An answer after parsing. `data` is the record as compact JSON, `None` if there are `problems`.

    `marks` say what was done to it: "fenced" (text or a code fence around it removed), "mended" (its JSON
    repaired), "coerced".
    """

    data: str | None
    problems: tuple[Problem, ...] = ()
    marks: tuple[str, ...] = ()


class OutputSchema:
    """A compiled schema that reads answers. `check` validates further the records that fit it."""

    def __init__(self, schema: Schema, check: Check | None = None) -> None:
        self.schema = schema
        self._check = check
        self._tree = tree.build_tree(schema.json)

    @cached_property
    def _problems(self) -> Callable[[Any], tuple[Problem, ...]]:
        return validation.make_validator(self.schema.json)

    def read(self, text: str, *, coerce: bool = False) -> ParsedAnswer:
        """Return the record in an answer, or its problems. Never raises.

        Tries the whole text as JSON, then the parts that look like JSON, then repairs them. Null for an
        optional field counts as its absence. With `coerce`, unambiguous values of the wrong type are
        converted, and fields that the schema does not define are dropped.
        """
        first_answer: ParsedAnswer | None = None
        for candidate in json_extraction.candidates(text):
            answer = self._judge(candidate, coerce)
            if answer.data is not None:
                return answer
            first_answer = first_answer or answer
        return first_answer or _rejection(NOTHING.message)

    def _judge(self, candidate: json_extraction.Found | Unreadable, coerce: bool) -> ParsedAnswer:
        if isinstance(candidate, Unreadable):
            return _rejection(candidate.message)
        try:
            return self._record(candidate.value, candidate.marks, coerce)
        except RecursionError:
            return _rejection("the JSON is nested too deeply", candidate.marks)

    def _record(self, value: Any, marks: tuple[str, ...], coerce: bool) -> ParsedAnswer:
        if coerce and isinstance(value, list):
            bare_list, value = value, tree.wrap_list(value, self._tree)
            marks = marks if value is bare_list else (*marks, "coerced")
        if not isinstance(value, dict):
            return _rejection(_not_an_object(value), marks)
        if problems := validation.find_unsendable(value, self._tree.properties):
            return ParsedAnswer(data=None, problems=problems, marks=marks)
        arranged = tree.Arranged()
        record = tree.arrange(value, self._tree, coerce, arranged)
        if arranged.coerced and "coerced" not in marks:
            marks = (*marks, "coerced")
        data = msgspec.json.encode(record).decode()
        problems = self._problems(record) or (self._check(data) if self._check else ())
        return ParsedAnswer(data=None if problems else data, problems=problems, marks=marks)


def compile_schema(schema: Schema) -> OutputSchema:
    """Return a stored schema, ready to read answers. The validators of a class are not stored."""
    return OutputSchema(schema)


def _rejection(message: str, marks: tuple[str, ...] = ()) -> ParsedAnswer:
    return ParsedAnswer(data=None, problems=(Problem(message=message),), marks=marks)


def _not_an_object(value: Any) -> str:
    what = {list: "a list", str: "a text", type(None): "null", bool: "true or false"}.get(
        type(value), "a number"
    )
    return f"the answer is {what}, not an object: {excerpt(value)}"
