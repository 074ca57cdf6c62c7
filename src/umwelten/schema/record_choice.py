"""The choice among several records in one answer: drafts, examples, echoes, and the one that was meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from umwelten.schema.json_extraction import Found
from umwelten.schema.parsed_answer import ParsedAnswer
from umwelten.schema.repair import Unreadable

SEVERAL = "last of several"
"""The mark of a record that was chosen among others: another one fits, or a later one does not."""

_PLACEHOLDER = re.compile(
    r"(?:<[^<>/][^<>]*>|\{.*\}|\[.*\]|\.\.\.|…|str(?:ing)?|text|int(?:eger)?|float|number|bool(?:ean)?|date|YYYY-MM-DD|)",
    re.DOTALL | re.IGNORECASE,
)
"""What stands for a value in a template of the record."""


class Choice:
    """Takes an answer's candidates, the last one first, and chooses the last record that fits.

    An object without any of the schema's fields, and a template of the record, are chosen only where there
    is nothing else.
    """

    def __init__(self, schema: Mapping[str, Any], fields: Collection[str]) -> None:
        self._schema, self._fields = schema, fields
        self._fitting: ParsedAnswer | None = None
        self._doubtful: ParsedAnswer | None = None
        self._unfit: tuple[int, ParsedAnswer] | None = None
        self._several = False

    @property
    def decided(self) -> bool:
        """True once the record is known; what comes before it only matters if it differs."""
        return self._fitting is not None

    def add(self, candidate: Found | Unreadable, answer: ParsedAnswer) -> None:
        """Consider the next candidate and what it turned out to be."""
        value = candidate.value if isinstance(candidate, Found) else None
        known = sum(name in value for name in self._fields) if isinstance(value, dict) else 0
        if answer.data is None:
            if isinstance(value, dict) and is_schema(value, self._schema):
                known = 0
            self._several |= not self.decided and (known > 0 or isinstance(candidate, Unreadable))
            if self._unfit is None or known > self._unfit[0]:
                self._unfit = known, answer
        elif (self._fields and not known) or is_template(value):
            self._doubtful = self._doubtful or answer
        elif self._fitting is None:
            self._fitting = answer
        else:
            self._several |= answer.data != self._fitting.data

    def result(self) -> ParsedAnswer | None:
        """Return the record that was meant, else the problems of what came closest; `None` for nothing."""
        chosen = self._fitting or self._doubtful
        if chosen is None:
            return self._unfit and self._unfit[1]
        return msgspec.structs.replace(chosen, marks=(*chosen.marks, SEVERAL)) if self._several else chosen


def is_template(value: Any) -> bool:
    """Return whether all values are placeholders, as in `{"title": "<string>", "year": 0}`."""
    leaves = list(_leaves(value))
    texts = [leaf for leaf in leaves if isinstance(leaf, str)]
    return (
        bool(texts)
        and all(map(_PLACEHOLDER.fullmatch, texts))
        and not any(leaf for leaf in leaves if not isinstance(leaf, str))
    )


def is_schema(value: Mapping[str, Any], schema: Mapping[str, Any]) -> bool:
    """Return whether the value repeats the schema, in whatever dialect it was sent."""
    described, properties = value.get("properties"), schema.get("properties")
    if not isinstance(described, dict) or not isinstance(properties, Mapping):
        return value == schema
    return described.keys() == properties.keys() and all(
        isinstance(each, dict) for each in described.values()
    )


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _leaves(each)
    else:
        yield value
