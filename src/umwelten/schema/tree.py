"""A schema as a tree by which records are normalized: order of fields, absent values, coerced types.

A node stands for all subschemas that apply to one value: a schema, what its references lead to, and the
parts of its `allOf`. Of several forms (`anyOf`, `oneOf`, `then` and `else`) the first one counts under which
a value fits the whole node; where none does, the value is left as it is there.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from umwelten.json_schema import is_null_alone
from umwelten.schema import coercion

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

_SCALARS: Mapping[str, Callable[[Any], Any]] = {
    "integer": coercion.integer,
    "number": coercion.number,
    "boolean": coercion.boolean,
    "string": coercion.string,
}
_Schemas = tuple[Any, ...]


class Node(msgspec.Struct):
    """What is said of one value. `kind` is its only type ("" for several or any).

    `nullable`: null is allowed. `closed`: no properties but these. `forms` are the schemas that apply with
    each of the alternatives, and `chosen` the alternatives that were decided already. Mutable, because a
    schema may contain itself.
    """

    schemas: _Schemas = ()
    chosen: frozenset[int] = frozenset()
    kind: str = ""
    nullable: bool = True
    date: bool = False
    choices: tuple[Any, ...] = ()
    properties: dict[str, Node] = {}
    patterns: list[tuple[re.Pattern[str], Node]] = []
    others: Node | None = None
    required: frozenset[str] = frozenset()
    first_items: list[Node] = []
    items: Node | None = None
    closed: bool = False
    forms: list[_Schemas] = []


class Arranged(msgspec.Struct):
    """Collects what `arrange` did besides ordering the fields.

    `fitted`: values in the form that was found for them, by their identity and the node's. Without it, the
    time would be exponential in the depth of nested alternatives.
    """

    coerced: bool = False
    fitted: dict[tuple[int, int], Any] = {}


class Tree:
    """The nodes of one schema, each built once, so that references to themselves end."""

    def __init__(self, schema: Mapping[str, Any], validator: Draft202012Validator) -> None:
        from referencing import Registry
        from referencing.jsonschema import DRAFT202012

        bare = {key: value for key, value in schema.items() if key not in ("$id", "$schema")}
        resource = DRAFT202012.create_resource(bare)
        self._resolver = Registry().with_resource("", resource).resolver()
        self._validator = validator
        self._known: dict[tuple[tuple[int, ...], frozenset[int]], Node] = {}
        self._branches: dict[int, list[Any]] = {}
        self._growing = threading.RLock()
        self.root = self._node((schema,))

    def arrange(self, value: Any, coerce: bool, done: Arranged) -> Any:
        """Return the value with its fields in the schema's order and without null for absent ones.

        With `coerce`, unambiguous values of the wrong type are converted, and fields that the schema does
        not define are dropped; `done.coerced` is set if any was.
        """
        return self._arrange(value, self.root, coerce, done)

    # --- nodes -----------------------------------------------------------------------------------

    def _node(self, schemas: _Schemas, chosen: frozenset[int] = frozenset()) -> Node:
        """Return the node of the schemas that apply together. Their objects live as long as the tree."""
        key = (tuple(map(id, schemas)), chosen)
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = Node(schemas=schemas, chosen=chosen)
            self._fill(node)
        return node

    def _fill(self, node: Node) -> None:
        parts: list[Mapping[str, Any]] = []
        alternatives: list[list[Any]] = []
        for schema in node.schemas:
            self._collect(schema, parts, alternatives, node.chosen)
        node.nullable = self._fits(None, node)
        node.choices = next((tuple(each["enum"]) for each in parts if isinstance(each.get("enum"), list)), ())
        kinds = [kind for kind in _kinds(parts, node.choices) if kind != "null"]
        node.kind = kinds[0] if len(kinds) == 1 else ""
        node.date = any(part.get("format") == "date" for part in parts)
        node.required = frozenset(name for part in parts for name in part.get("required", ()))
        node.closed = any(
            part.get("additionalProperties") is False and "patternProperties" not in part for part in parts
        )
        self._fill_object(node, parts)
        self._fill_array(node, parts)
        if alternatives:
            node.forms = [(*node.schemas, form) for form in alternatives[0]]
            node.chosen |= {id(alternatives[0])}

    def _fill_object(self, node: Node, parts: list[Mapping[str, Any]]) -> None:
        named: dict[str, list[Any]] = {}
        for part in parts:
            for name, inner in _mapping(part.get("properties")).items():
                named.setdefault(name, []).append(inner)
        node.properties = {name: self._node(tuple(inner)) for name, inner in named.items()}
        node.patterns = [
            (re.compile(pattern), self._node((inner,)))
            for part in parts
            for pattern, inner in _mapping(part.get("patternProperties")).items()
        ]
        others = tuple(
            each for part in parts if isinstance(each := part.get("additionalProperties"), Mapping)
        )
        node.others = self._node(others) if others else None

    def _fill_array(self, node: Node, parts: list[Mapping[str, Any]]) -> None:
        first = next((each for part in parts if isinstance(each := part.get("prefixItems"), list)), [])
        node.first_items = [self._node((each,)) for each in first]
        items = tuple(each for part in parts if isinstance(each := part.get("items"), Mapping))
        node.items = self._node(items) if items else None

    def _collect(
        self,
        schema: Any,
        parts: list[Mapping[str, Any]],
        alternatives: list[list[Any]],
        chosen: frozenset[int],
    ) -> None:
        """Add a schema and all that applies with it; of several forms, only those that are undecided."""
        if not isinstance(schema, Mapping) or any(schema is part for part in parts):
            return
        parts.append(schema)
        included: list[Any] = [self._target(schema[key]) for key in ("$ref", "$dynamicRef") if key in schema]
        included += schema["allOf"] if isinstance(schema.get("allOf"), list) else []
        for key in ("anyOf", "oneOf"):
            forms = schema.get(key)
            if not isinstance(forms, list):
                continue
            others = [form for form in forms if not is_null_alone(form)]
            if len(others) == 1:
                included += others
            elif id(forms) not in chosen:
                alternatives.append(forms)
        if "if" in schema:
            forms = self._branches.setdefault(id(schema), [schema.get("then"), schema.get("else")])
            alternatives += [forms] if id(forms) not in chosen else []
        for each in included:
            self._collect(each, parts, alternatives, chosen)

    def _target(self, reference: Any) -> Any:
        from referencing.exceptions import Unresolvable

        try:
            return self._resolver.lookup(reference).contents
        except (Unresolvable, TypeError, AttributeError):
            return None

    def _fits(self, value: Any, node: Node) -> bool:
        try:
            return all(self._validator.evolve(schema=schema).is_valid(value) for schema in node.schemas)
        except RecursionError:
            return True

    # --- values ----------------------------------------------------------------------------------

    def _arrange(self, value: Any, node: Node, coerce: bool, done: Arranged) -> Any:
        if node.forms and _has_null(value):
            key = (id(value), id(node))
            if key not in done.fitted:
                done.fitted[key] = self._in_a_form(value, node, done)
            fitting = done.fitted[key]
            if fitting is not _NONE:
                return fitting
        if coerce and value is not None:
            coerced = _coerce(value, node)
            if coerced is not value:
                done.coerced, value = True, coerced
        if isinstance(value, dict) and (node.properties or node.others or node.patterns):
            return self._object(value, node, coerce, done)
        if isinstance(value, list) and (node.items or node.first_items):
            count = len(node.first_items)
            first = [
                self._arrange(each, inner, coerce, done)
                for each, inner in zip(value, node.first_items, strict=False)
            ]
            rest = value[count:]
            return first + (
                rest
                if node.items is None
                else [self._arrange(each, node.items, coerce, done) for each in rest]
            )
        return value

    def _in_a_form(self, value: Any, node: Node, done: Arranged) -> Any:
        """Return the value arranged by the first of the forms in which it fits, or `_NONE`.

        Forms that know more of its fields come first: an open object is fitted by another's record as well.
        """
        with self._growing:  # long answers are read in threads
            forms = [self._node(schemas, node.chosen) for schemas in node.forms]
        if isinstance(value, dict):
            forms.sort(key=lambda form: sum(name not in form.properties for name in value))
        for form in forms:
            arranged = self._arrange(value, form, False, done)
            if self._fits(arranged, node):
                return arranged
        return _NONE

    def _object(self, value: dict[str, Any], node: Node, coerce: bool, done: Arranged) -> dict[str, Any]:
        ordered: dict[str, Any] = {}
        for name, inner in node.properties.items():
            if name in value and not _is_absent(value[name], name, inner, node):
                ordered[name] = self._arrange(value[name], inner, coerce, done)
        others = {name: each for name, each in value.items() if name not in node.properties}
        if coerce and node.closed and others:
            done.coerced = True
            return ordered
        if node.others or node.patterns:
            others = {name: self._other(name, each, node, coerce, done) for name, each in others.items()}
        return ordered | others

    def _other(self, name: str, value: Any, node: Node, coerce: bool, done: Arranged) -> Any:
        inner = next((each for pattern, each in node.patterns if pattern.search(name)), node.others)
        return value if inner is None else self._arrange(value, inner, coerce, done)


_NONE = object()


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _kinds(parts: Iterable[Mapping[str, Any]], choices: tuple[Any, ...]) -> list[str]:
    """Return the allowed types, none if any is; without a type, those of the choices."""
    allowed: list[str] = []
    for part in parts:
        types = part.get("type")
        kinds = [types] if isinstance(types, str) else types if isinstance(types, list) else []
        allowed = [kind for kind in kinds if kind in allowed or not allowed] or allowed
    named = {"string" if isinstance(choice, str) else "null" if choice is None else "" for choice in choices}
    return allowed or ([] if "" in named else sorted(named))


def _has_null(value: Any) -> bool:
    """Return whether the value holds null as a field, at any depth."""
    if isinstance(value, dict):
        return any(each is None or _has_null(each) for each in value.values())
    return isinstance(value, list) and any(map(_has_null, value))


def _is_absent(value: Any, name: str, inner: Node, node: Node) -> bool:
    """Return whether the value is null for an optional field, as of models that must fill every field."""
    return value is None and name not in node.required and not inner.nullable


def _coerce(value: Any, node: Node) -> Any:
    """Return the value in the node's type if it has one reading, else the same object."""
    if node.kind == "array":
        single = not isinstance(value, (list, dict)) or (
            isinstance(value, dict) and node.items is not None and node.items.kind == "object"
        )
        return [value] if single else value
    coerce = _SCALARS.get(node.kind)
    if coerce is None or (isinstance(value, float) and value != value):
        return value
    coerced = coerce(value) if not (node.date and node.kind == "string") else coercion.date(value)
    coerced = coercion.choice(coerced, node.choices) if node.choices else coerced
    return value if type(coerced) is type(value) and coerced == value else coerced


def wrap_list(value: list[Any], node: Node) -> dict[str, Any] | list[Any]:
    """Return a bare list as a record if the schema has just one array; else the list itself."""
    arrays = [name for name, inner in node.properties.items() if inner.kind == "array"]
    return {arrays[0]: value} if len(arrays) == 1 else value
