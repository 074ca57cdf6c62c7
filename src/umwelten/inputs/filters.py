"""The filter of `--where`: `status=succeeded and (json.year >= 2020 or not json.tags ~ draft)`.

    filter     = any { "or" any }            any = one { "and" one }
    one        = "not" one | "(" filter ")" | comparison
    comparison = field ("=" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "~" | "!~") value
               | field ["not"] "in" "(" value { "," value } ")"

A value is a number, `true`, `false`, `null`, a word, or anything in single or double quotes. `~` means
"contains", ignoring case. Numbers compare as numbers, also with text that is one; everything else compares
as text. A field that is missing or null equals only `null`.
"""

from __future__ import annotations

import json
import operator
import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from umwelten.errors import UsageError
from umwelten.phrases import Phrase
from umwelten.text.caret import fault
from umwelten.text.names import alike, differing_signs
from umwelten.text.suggestions import closest, did_you_mean_clause
from umwelten.types import FrozenStruct

Value = str | float | bool | None
Predicate = Callable[[Mapping[str, object]], bool]

JSON = "json."
"""The prefix of fields inside a record; a path follows, with numbers as indices of lists."""

ANY_PATH = "json.<path>"
"""Stands for all of these among the known fields."""

_TOKEN = re.compile(
    r"""\s*(?: (?P<quoted>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
             | (?P<sign>==|!=|<=|>=|!~|[=<>~(),])
             | (?P<word>[^\s=<>~(),"'!]+) )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_CONSTANTS: dict[str, Value] = {"true": True, "false": False, "null": None}
_Order = Callable[[Any, Any], bool]
_ORDERS: dict[str, _Order] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = ("=", "==", "!=", "<", "<=", ">", ">=", "~", "!~")
_TEXT_SIGNS = ("~", "!~")
_KEYWORDS = ("and", "or", "not", "in")
_MAX_DEPTH = 50
_MAX_INDEX_DIGITS = 18


class _Token(FrozenStruct):
    """A token of the filter. `kind` is "quoted", "sign", "word" or "end"; `offset` is in characters."""

    kind: str
    text: str
    offset: int

    def is_word(self, word: str) -> bool:
        return self.kind == "word" and self.text.casefold() == word

    def is_sign(self, sign: str) -> bool:
        return self.kind == "sign" and self.text == sign


class Compared(FrozenStruct):
    """A comparison in a filter; `sign` is "=" to "!~", or "in"."""

    field: str
    sign: str
    values: tuple[Value, ...]


def parse_where(
    text: str, fields: Collection[str] | None = None, *, numbers: Collection[str] = ()
) -> Predicate:
    """Return a predicate that tells whether a mapping of fields matches the filter.

    `fields` are the names it may use, with `ANY_PATH` for those inside a record; `None`: any. `numbers` are
    the numeric ones. Raises `UsageError` that shows the fault.
    """
    return _parse(text, fields, numbers)[0]


def comparisons(text: str) -> list[Compared]:
    """Return the comparisons of a filter, in order. Raises `UsageError`."""
    return _parse(text, None, ())[1]


def _parse(
    text: str, fields: Collection[str] | None, numbers: Collection[str]
) -> tuple[Predicate, list[Compared]]:
    parser = _FilterParser(text, fields, numbers)
    predicate = parser.alternatives(0)
    token = parser.token
    if token.kind != "end":
        parser.fail(f"expected 'and', 'or' or the end, found {token.text!r}")
    return predicate, parser.compared


class _FilterParser:
    def __init__(self, text: str, fields: Collection[str] | None, numbers: Collection[str]) -> None:
        self._text, self._fields, self._numbers = text, fields, numbers
        self.compared: list[Compared] = []
        self._tokens = _tokens(text)
        self.token = next(self._tokens)

    def fail(self, problem: str, token: _Token | None = None) -> None:
        """Raise `UsageError` at this token."""
        raise _syntax_error(self._text, (token or self.token).offset, problem)

    def alternatives(self, depth: int) -> Predicate:
        """Parse parts joined by `or`, which binds least."""
        parts = [self._conjunction(depth)]
        while self._take("or"):
            parts.append(self._conjunction(depth))
        return parts[0] if len(parts) == 1 else lambda row: any(matches(row) for matches in parts)

    def _conjunction(self, depth: int) -> Predicate:
        parts = [self._condition(depth)]
        while self._take("and"):
            parts.append(self._condition(depth))
        return parts[0] if len(parts) == 1 else lambda row: all(matches(row) for matches in parts)

    def _condition(self, depth: int) -> Predicate:
        if depth > _MAX_DEPTH:
            self.fail("nested too deeply")
        if self._take("not"):
            inner = self._condition(depth + 1)
            return lambda row: not inner(row)
        if self.token.is_sign("("):
            self._next()
            inner = self.alternatives(depth + 1)
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Predicate:
        field = self._field()
        negated = self._take("not")
        if self._take("in"):
            values = self._values(field)
            self.compared.append(Compared(field=field, sign="in", values=values))
            return lambda row: any(_equal(row.get(field), value) for value in values) != negated
        sign = self._next()
        if negated or sign.kind != "sign" or sign.text not in _SIGNS:
            what = "'in'" if negated else f"a comparison ({' '.join(_SIGNS)}, in)"
            self.fail(f"expected {what} after {field!r}", sign)
        value = self._value() if sign.text in _TEXT_SIGNS else self._value(field)
        self.compared.append(Compared(field=field, sign=sign.text, values=(value,)))
        return _comparison_predicate(field, sign.text, value)

    def _field(self) -> str:
        token = self._next()
        if token.kind not in ("word", "quoted") or token.text.casefold() in _KEYWORDS:
            self.fail("expected a field", token)
        if self._fields is None:
            return token.text
        name = next(iter(alike(token.text, self._fields)), token.text)
        if not _is_known(name, self._fields):
            raise _syntax_error(self._text, token.offset, *_unknown_field(name, self._fields))
        return name

    def _values(self, field: str) -> tuple[Value, ...]:
        self._expect("(")
        values = [self._value(field)]
        while self.token.is_sign(","):
            self._next()
            values.append(self._value(field))
        self._expect(")")
        return tuple(values)

    def _value(self, field: str = "") -> Value:
        """Parse a value; for a numeric field it must be a number or null."""
        token = self.token
        value = self._any_value()
        numeric = value is None or (not isinstance(value, bool) and _as_number(value) is not None)
        if field in self._numbers and not numeric:
            self.fail(f"{field} is a number, but {token.text!r} is not", token)
        return value

    def _any_value(self) -> Value:
        token = self._next()
        if token.kind == "quoted":
            return token.text
        if token.kind != "word" or token.text.casefold() in _KEYWORDS:
            self.fail("expected a value; quote text that contains blanks or operators", token)
        if _NUMBER.fullmatch(token.text):
            return float(token.text)
        return _CONSTANTS.get(token.text.casefold(), token.text)

    def _next(self) -> _Token:
        token = self.token
        if token.kind != "end":
            self.token = next(self._tokens)
        return token

    def _take(self, word: str) -> bool:
        is_next = self.token.is_word(word)
        if is_next:
            self._next()
        return is_next

    def _expect(self, sign: str) -> None:
        if not self.token.is_sign(sign):
            self.fail(f"expected {sign!r}")
        self._next()


def _tokens(text: str) -> Iterator[_Token]:
    offset, end = 0, len(text.rstrip())
    while offset < end:
        match = _TOKEN.match(text, offset)
        if match is None:
            offset = end - len(text[offset:end].lstrip())
            character = text[offset]
            problem = "the quote is not closed" if character in "'\"" else f"unexpected {character!r}"
            raise _syntax_error(text, offset, problem)
        kind = str(match.lastgroup)
        word = match[kind]
        if kind == "quoted":
            word = _ESCAPED.sub(r"\1", word[1:-1])
        yield _Token(kind=kind, text=word, offset=match.start(kind))
        offset = match.end()
    yield _Token(kind="end", text="the end", offset=end)


def _comparison_predicate(field: str, sign: str, wanted: Value) -> Predicate:
    if sign in ("=", "=="):
        return lambda row: _equal(row.get(field), wanted)
    if sign == "!=":
        return lambda row: not _equal(row.get(field), wanted)
    if sign in _ORDERS:
        return lambda row: _in_order(row.get(field), _ORDERS[sign], wanted)
    words = _as_text(wanted).casefold()
    if sign == "~":
        return lambda row: _contains(row.get(field), words)
    return lambda row: row.get(field) is not None and not _contains(row.get(field), words)


def _equal(stored: object, wanted: Value) -> bool:
    if stored is None or wanted is None:
        return stored is wanted
    if isinstance(wanted, bool) or isinstance(stored, bool):
        return _as_text(stored).casefold() == _as_text(wanted).casefold()
    pair = _number_pair(stored, wanted)
    return pair[0] == pair[1] if pair else _as_text(stored) == _as_text(wanted)


def _in_order(stored: object, order: _Order, wanted: Value) -> bool:
    if stored is None or wanted is None or isinstance(wanted, bool) or isinstance(stored, bool):
        return False
    pair = _number_pair(stored, wanted)
    if pair is not None:
        return order(*pair)
    return isinstance(stored, str) and isinstance(wanted, str) and order(stored, wanted)


def _contains(stored: object, words: str) -> bool:
    if isinstance(stored, list):
        return any(_contains(item, words) for item in stored)
    return stored is not None and words in _as_text(stored).casefold()


def _number_pair(stored: object, wanted: Value) -> tuple[float, float] | None:
    """Return both as numbers, if one is a number and the other can be parsed as one."""
    if isinstance(stored, str) and isinstance(wanted, str):
        return None
    left, right = _as_number(stored), _as_number(wanted)
    return None if left is None or right is None else (left, right)


def _as_number(value: object) -> float | None:
    if isinstance(value, (int, float)):
        return value
    return float(value) if isinstance(value, str) and _NUMBER.fullmatch(value.strip()) else None


def _as_text(value: object) -> str:
    """Return the value as text, as people write it: `true`, `7`, JSON for the rest."""
    if isinstance(value, str):
        # Texts that look the same are the same, in one code point a letter or in two.
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return json.dumps(value, ensure_ascii=False)


def _is_known(name: str, fields: Collection[str]) -> bool:
    return name in fields or (ANY_PATH in fields and name.startswith(JSON) and name != JSON)


def _unknown_field(name: str, fields: Collection[str]) -> tuple[str, str]:
    nearest = closest(name, fields, ignore_case=True)
    suggestion = did_you_mean_clause(nearest, "{!r}")
    signs = differing_signs(name, nearest or "")
    suggestion += f" They look alike: {signs}." * bool(signs)
    return f"there is no field {name!r}{suggestion}", f"The fields are {', '.join(fields)}."


def _syntax_error(text: str, offset: int, problem: str, hint: str | None = None) -> UsageError:
    return fault(text, offset, problem, hint, origin=Phrase("{option:where}"), argument="where")


def path_value(data: object, path: str) -> object:
    """Return the value at a path such as `authors.0.name` in decoded JSON; `None` if there is none.

    Keys with dots in them are found as well, and those that look the same.
    """
    if isinstance(data, list):
        head, _, rest = path.partition(".")
        # Python reads no number of thousands of digits, and no list is that long.
        index = int(head) if head.isdecimal() and len(head) <= _MAX_INDEX_DIGITS else len(data)
        item = data[index] if index < len(data) else None
        return path_value(item, rest) if rest else item
    if not isinstance(data, dict):
        return None
    found = alike(path, data)
    if found:
        return data[found[0]]
    cuts = [position for position, char in enumerate(path) if char == "."]
    inner = (
        path_value(data[key], path[position + 1 :])
        for position in cuts
        for key in alike(path[:position], data)
    )
    return next((value for value in inner if value is not None), None)
