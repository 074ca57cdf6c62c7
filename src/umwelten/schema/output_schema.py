"""Answers read as records of the requested schema."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from umwelten.schema import json_extraction, tree, validation
from umwelten.schema.parsed_answer import ParsedAnswer
from umwelten.schema.record_choice import Choice, is_schema
from umwelten.schema.repair import NOTHING, Unreadable
from umwelten.schema.validation import excerpt
from umwelten.types import Problem, Schema

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Check = Callable[[str], tuple[Problem, ...]]
"""Returns the problems of a record, given as JSON, that a schema can't express."""


_MOST_RECORDS = 50
"""A longer list is not looked into: it is no record in any case."""


class OutputSchema:
    """A compiled schema that reads answers. `check` validates further the records that fit it."""

    def __init__(self, schema: Schema, check: Check | None = None) -> None:
        self.schema = schema
        self._check = check

    @property
    def is_data(self) -> bool:
        """Whether `schema` is all of it: no class validates records further."""
        return self._check is None

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return validation.make_validator(self.schema.json)

    @cached_property
    def _tree(self) -> tree.Tree:
        return tree.Tree(self.schema.json, self._validator)

    @cached_property
    def _fields(self) -> frozenset[str]:
        return frozenset(self._tree.root.properties)

    def read(self, text: str, *, coerce: bool = False) -> ParsedAnswer:
        """Return the record in an answer, or its problems. Never raises.

        Of several records, drafts before it for instance, the last one that fits counts. Null for an optional
        field counts as its absence. With `coerce`, unambiguous values of the wrong type are converted, and
        fields that the schema does not define are dropped.
        """
        choice = Choice(self.schema.json, self._fields)
        for found in json_extraction.candidates(text):
            if isinstance(found, json_extraction.Broken) and choice.decided:
                continue
            candidate = found.mend() if isinstance(found, json_extraction.Broken) else found
            choice.add(candidate, self._judge(candidate, coerce))
            if self._holds_records(candidate, coerce) and not choice.decided:
                break
        return choice.result() or _rejection(NOTHING.message)

    def _holds_records(self, candidate: json_extraction.Found | Unreadable, coerce: bool) -> bool:
        """Return whether this is a list of records: the answer then, however a draft before it looks."""
        value = candidate.value if isinstance(candidate, json_extraction.Found) else None
        if not isinstance(value, list) or not 1 < len(value) <= _MOST_RECORDS:
            return False
        found = (json_extraction.Found(value=each) for each in value if isinstance(each, dict))
        return sum(self._judge(each, coerce).data is not None for each in found) > 1

    def _judge(self, candidate: json_extraction.Found | Unreadable, coerce: bool) -> ParsedAnswer:
        if isinstance(candidate, Unreadable):
            return _rejection(candidate.message)
        try:
            return self._record(candidate.value, candidate.marks, coerce)
        except RecursionError:
            return _rejection("the JSON is nested too deeply", candidate.marks)

    def _record(self, value: Any, marks: tuple[str, ...], coerce: bool) -> ParsedAnswer:
        if coerce and isinstance(value, list):
            bare_list, value = value, tree.wrap_list(value, self._tree.root)
            marks = marks if value is bare_list else (*marks, "coerced")
        if not isinstance(value, dict):
            return _rejection(_not_an_object(value), marks)
        if is_schema(value, self.schema.json):
            return _rejection("the answer is the JSON Schema itself, not an object that fits it", marks)
        if problems := validation.find_unsendable(value, self._fields):
            return ParsedAnswer(data=None, problems=problems, marks=marks)
        arranged = tree.Arranged()
        record = self._tree.arrange(value, coerce, arranged)
        if arranged.coerced and "coerced" not in marks:
            marks = (*marks, "coerced")
        data = msgspec.json.encode(record).decode()
        problems = validation.find_problems(self._validator, record, self._fields)
        problems = problems or (self._check(data) if self._check else ())
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
