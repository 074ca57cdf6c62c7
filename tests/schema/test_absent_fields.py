"""Null for a field that may be left out, as models write it that must fill every field."""

from __future__ import annotations

import itertools
import json
from typing import Annotated, Any, Literal

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from umwelten.providers.common.small_schemas import limit_lengths
from umwelten.providers.common.strict_schemas import strict_schema
from umwelten.providers.gemini.schemas import response_fields
from umwelten.schema import compile_schema
from umwelten.schema.pydantic_models import class_shape
from umwelten.types import Schema

POINT = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "integer"}},
    "required": ["a"],
}
QUERY = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
DEFS = {"Point": POINT, "Node": {
    "type": "object",
    "properties": {"v": {"type": "integer"}, "next": {"$ref": "#/$defs/Node"}, "kind": {"const": "node"}},
    "required": ["v"],
}}  # fmt: skip
GIVEN = {"a": "1", "b": None}
KEPT = {"a": "1"}


def shape_of(field: Any, **more: Any) -> dict[str, Any]:
    """An object whose field `f` may be left out."""
    properties = {"title": {"type": "string"}, "f": field}
    return {"type": "object", "properties": properties, "required": ["title"], "$defs": DEFS, **more}


def read(schema: dict[str, Any], record: Any) -> Any:
    """The record that is read; the problems where there is none."""
    answer = compile_schema(Schema(json=schema)).read(json.dumps(record))
    if answer.data is None:
        return [str(problem) for problem in answer.problems]
    assert answer.marks == ()
    data = json.loads(answer.data)
    jsonschema.validate(data, schema, cls=jsonschema.Draft202012Validator)
    return data


@pytest.mark.parametrize(
    "field",
    [
        {"type": "integer"},
        {"enum": ["x", "y"]},
        {"enum": [1, 2, 3]},
        {"enum": ["x", 1, True]},
        {"type": "string", "enum": ["x"]},
        {"const": "x"},
        {"const": 0, "default": 0},
        {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        {"oneOf": [{"type": "string"}, {"type": "integer"}], "default": 0},
        {"anyOf": [{"const": "x"}, {"enum": [1]}]},
        {"type": ["string", "integer"]},
        {"type": "string", "anyOf": [{"pattern": "^a"}, {"pattern": "^b"}]},
        {"allOf": [{"type": "string"}, {"minLength": 1}]},
        {"allOf": [{"$ref": "#/$defs/Point"}], "default": {}},
        {"anyOf": [{"allOf": [{"$ref": "#/$defs/Point"}]}, {"type": "array", "items": {"type": "string"}}]},
        {"$ref": "#/$defs/Point"},
        {"$ref": "#/$defs/Point", "description": "where"},
        {"not": {"type": "null"}},
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "string"}},
    ],
    ids=json.dumps,
)
def test_null_for_an_optional_field_of_any_kind_is_its_absence(field: Any) -> None:
    assert read(shape_of(field), {"title": "x", "f": None}) == {"title": "x"}


@pytest.mark.parametrize(
    "field",
    [
        POINT,
        {"anyOf": [POINT, QUERY]},
        {"oneOf": [QUERY, POINT]},
        {"anyOf": [{"type": "string"}, POINT, {"type": "null"}]},
        {"anyOf": [{"$ref": "#/$defs/Point"}, {"$ref": "#/$defs/Node"}]},
        {"anyOf": [{"anyOf": [QUERY, {"type": "string"}]}, {"oneOf": [POINT, QUERY]}]},
        {"allOf": [{"anyOf": [QUERY, POINT]}]},
        {"allOf": [POINT, {"properties": {"c": {"type": "boolean"}}}]},
        {**POINT, "required": [], "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
        {"if": {"required": ["q"]}, "then": QUERY, "else": POINT},
        {"anyOf": [{**POINT, "additionalProperties": False}, {**QUERY, "additionalProperties": False}]},
    ],
    ids=json.dumps,
)  # fmt: skip
def test_so_it_is_inside_of_whatever_holds_the_field(field: Any) -> None:
    assert read(shape_of(field), {"title": "x", "f": GIVEN}) == {"title": "x", "f": KEPT}
    listed = shape_of({"type": "array", "items": field})
    assert read(listed, {"title": "x", "f": [GIVEN, GIVEN]}) == {"title": "x", "f": [KEPT, KEPT]}
    free = shape_of({"type": "object", "additionalProperties": field})
    assert read(free, {"title": "x", "f": {"p": GIVEN}}) == {"title": "x", "f": {"p": KEPT}}
    first = shape_of({"type": "array", "prefixItems": [{"type": "string"}, field]})
    assert read(first, {"title": "x", "f": ["s", GIVEN]}) == {"title": "x", "f": ["s", KEPT]}
    at_the_root = {
        "type": "object",
        "anyOf": [{"properties": {"f": field}, "required": ["f"]}],
        "$defs": DEFS,
    }
    assert read(at_the_root, {"f": GIVEN}) == {"f": KEPT}


def test_a_record_without_null_is_put_into_no_other_form() -> None:
    """Its fields stay in their order; of the alternatives none is looked for, however many there are."""
    field = {"anyOf": [POINT, QUERY]}
    assert list(read(shape_of(field), {"title": "x", "f": {"b": 1, "a": "1"}})["f"]) == ["b", "a"]


@pytest.mark.parametrize(
    "field",
    [
        {},
        True,
        {"type": "null"},
        {"type": ["string", "null"]},
        {"enum": ["x", None]},
        {"const": None},
        {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]},
        {"anyOf": [{"type": "string"}, {"const": None}]},
        {"oneOf": [{"$ref": "#/$defs/Point"}, {"type": "null"}]},
        {"description": "anything"},
        {"not": {"type": "string"}},
    ],
    ids=json.dumps,
)
def test_null_stays_where_the_schema_allows_it(field: Any) -> None:
    assert read(shape_of(field), {"title": "x", "f": None}) == {"title": "x", "f": None}


def test_null_is_no_value_for_a_required_field_of_any_kind() -> None:
    for field in ({"const": "x"}, {"enum": [1, 2]}, {"anyOf": [POINT, QUERY]}, {"$ref": "#/$defs/Point"}):
        schema = shape_of(field, required=["title", "f"])
        assert isinstance(read(schema, {"title": "x", "f": None}), list)
    within = shape_of({"anyOf": [POINT, QUERY]})
    assert isinstance(read(within, {"title": "x", "f": {"a": None, "b": 1}}), list)


def test_alternatives_may_be_nested_and_stand_in_long_lists() -> None:
    forms = [
        {
            "type": "object",
            "properties": {"op": {"const": op}, "l": {"$ref": "#/$defs/E"}, "n": {"type": "integer"}},
        }
        for op in ("add", "mul", "sub")
    ]
    schema = {"type": "object", "properties": {"e": {"$ref": "#/$defs/E"}}, "$defs": {"E": {"anyOf": forms}}}
    value: dict[str, Any] = {"op": "sub", "n": None, "l": None}
    read_as: dict[str, Any] = {"op": "sub"}
    for _ in range(4):
        value, read_as = {"op": "sub", "l": value, "n": None}, {"op": "sub", "l": read_as}
    assert read(schema, {"e": value}) == {"e": read_as}
    many = shape_of({"type": "array", "items": {"anyOf": [QUERY, POINT]}})
    assert read(many, {"title": "x", "f": [GIVEN] * 700}) == {"title": "x", "f": [KEPT] * 700}


# --- classes ---------------------------------------------------------------------------------------


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    lives: int = 9
    name: str | None = None


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    tricks: list[str] = []
    age: int | str = 0


class Branch(BaseModel):
    label: str
    left: Branch | None = None
    right: Branch | Cat = Cat()


class Zoo(BaseModel):
    title: str
    size: int | str = 0
    level: Literal[1, 2, 3] = 1
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] = Cat()
    pets: list[Annotated[Cat | Dog, Field(discriminator="kind")]] = []
    either: Cat | Dog | None = None
    tree: Branch = Branch(label="r")
    scores: dict[str, Dog] = {}


def test_a_classs_fields_with_a_value_of_their_own_may_be_null() -> None:
    shape = class_shape(Zoo)
    dog = {"kind": "dog", "tricks": None, "age": None}
    cat = {"kind": "cat", "lives": None, "name": None}
    leaf = {"label": "l", "left": None, "right": None}
    record = {
        "title": "t",
        "size": None,
        "level": None,
        "pet": dog,
        "pets": [cat, dog, {"kind": "cat", "lives": 3, "name": "x"}],
        "either": {"kind": None, "tricks": ["sit"], "age": None},
        "tree": {"label": "r", "left": leaf, "right": {"label": "b", "left": None, "right": cat}},
        "scores": {"x": dog},
    }
    answer = shape.read(json.dumps(record))
    assert answer.problems == ()
    cat_read = {"kind": "cat", "name": None}
    assert json.loads(answer.data or "") == {
        "title": "t",
        "pet": {"kind": "dog"},
        "pets": [cat_read, {"kind": "dog"}, {"kind": "cat", "lives": 3, "name": "x"}],
        "either": {"tricks": ["sit"]},
        "tree": {
            "label": "r",
            "left": {"label": "l", "left": None},
            "right": {"label": "b", "left": None, "right": cat_read},
        },
        "scores": {"x": {"kind": "dog"}},
    }


# --- whatever the schema ---------------------------------------------------------------------------

_LEAVES: list[Any] = [
    {"type": "string"},
    {"type": "integer"},
    {"type": "boolean"},
    {"type": ["string", "null"]},
    {"type": ["integer", "string"]},
    {"enum": ["x", "y"], "type": "string"},
    {"enum": [1, 2, 3]},
    {"enum": ["x", None]},
    {"const": "c"},
    {"type": "null"},
    {"$ref": "#/$defs/Point"},
    {"$ref": "#/$defs/Node", "description": "d"},
    {"allOf": [{"$ref": "#/$defs/Point"}], "default": None},
]


def _grown(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    fields = st.dictionaries(st.sampled_from("abck"), inner, min_size=1, max_size=3)
    objects = st.builds(
        lambda properties, optional, closed: {
            "type": "object",
            "properties": properties,
            "required": [name for name in properties if name not in optional],
            **({"additionalProperties": False} if closed else {}),
        },
        fields,
        st.sets(st.sampled_from("abck")),
        st.booleans(),
    )
    unions = st.builds(
        lambda key, forms: {key: forms},
        st.sampled_from(["anyOf", "oneOf"]),
        st.lists(inner, min_size=1, max_size=3),
    )
    return objects | unions | inner.map(lambda items: {"type": "array", "items": items})


_NODES = st.recursive(st.sampled_from(_LEAVES), _grown, max_leaves=8)
_SCHEMAS = st.builds(
    lambda properties, optional: {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "$defs": DEFS,
    },
    st.dictionaries(st.sampled_from("abc"), _NODES, min_size=1, max_size=3),
    st.sets(st.sampled_from("abc")),
)


def _value(draw: st.DrawFn, node: Any, root: Any, depth: int = 0) -> Any:
    """A value as a provider gives it that enforces the schema."""
    if "$ref" in node:
        node = root["$defs"][node["$ref"].rpartition("/")[2]]
    if "anyOf" in node:
        forms = (
            node["anyOf"]
            if depth < 4
            else sorted(node["anyOf"], key=lambda form: form != {"type": "null"})[:1]
        )
        return _value(draw, draw(st.sampled_from(forms)), root, depth + 1)
    if "const" in node:
        return node["const"]
    if "enum" in node:
        return draw(st.sampled_from(node["enum"]))
    types = node["type"] if isinstance(node["type"], list) else [node["type"]]
    kind = "null" if depth >= 4 and "null" in types else draw(st.sampled_from(types))
    if kind == "object":
        return {name: _value(draw, inner, root, depth + 1) for name, inner in node["properties"].items()}
    if kind == "array":
        return [_value(draw, node["items"], root, depth + 1) for _ in range(draw(st.integers(0, 2)))]
    return {"null": None, "string": "s", "integer": 1, "boolean": True}[kind]


def _nulls(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of fields that are null."""
    if isinstance(value, list):
        return [place for n, each in enumerate(value) for place in _nulls(each, (*path, n))]
    if not isinstance(value, dict):
        return []
    own = [(*path, name) for name, each in value.items() if each is None]
    return own + [place for name, each in value.items() for place in _nulls(each, (*path, name))]


def _without(value: Any, places: tuple[tuple[Any, ...], ...]) -> Any:
    left = json.loads(json.dumps(value))
    for *path, name in places:
        inner = left
        for step in path:
            inner = inner[step]
        del inner[name]
    return left


@settings(max_examples=80, deadline=None)
@given(_SCHEMAS, st.data())
def test_what_a_strict_provider_gives_is_a_record_of_the_users_schema(
    schema: dict[str, Any], data: st.DataObject
) -> None:
    strict = strict_schema(Schema(json=schema), ranges=True)
    assert strict is not None
    record = st.composite(lambda draw: _value(draw, strict, strict))
    given_ = data.draw(record())
    jsonschema.validate(given_, strict, cls=jsonschema.Draft202012Validator)
    original = jsonschema.Draft202012Validator(schema)
    nulls = _nulls(given_)[:7]
    chosen = (places for n in range(len(nulls) + 1) for places in itertools.combinations(nulls, n))
    # A `oneOf` may be fitted by two of its forms, which strict schemas cannot tell.
    if any(original.is_valid(_without(given_, places)) for places in chosen):
        got = read(schema, given_)
        assert isinstance(got, dict), got
        assert read(schema, got) == got


def _as_json_schema(node: Any) -> Any:
    """Google's own form of a schema as JSON Schema."""
    if "anyOf" in node:
        made: dict[str, Any] = {"anyOf": [_as_json_schema(form) for form in node["anyOf"]]}
    else:
        made = {"type": node["type"].lower()}
        made |= {key: node[key] for key in ("enum", "required") if key in node}
    if "properties" in node:
        made["properties"] = {name: _as_json_schema(inner) for name, inner in node["properties"].items()}
    if "items" in node:
        made["items"] = _as_json_schema(node["items"])
    return {"anyOf": [made, {"type": "null"}]} if node.get("nullable") else made


@settings(max_examples=80, deadline=None)
@given(_SCHEMAS, st.data())
def test_so_is_what_google_gives(schema: dict[str, Any], data: st.DataObject) -> None:
    config = response_fields(Schema(json=schema))
    if "responseSchema" not in config:
        jsonschema.Draft202012Validator.check_schema(config["responseJsonSchema"])
        return
    sent = _as_json_schema(config["responseSchema"])
    given_ = data.draw(st.composite(lambda draw: _value(draw, sent, sent))())
    jsonschema.validate(given_, sent, cls=jsonschema.Draft202012Validator)
    if jsonschema.Draft202012Validator(schema).is_valid(given_):
        assert isinstance(read(schema, given_), dict)
    else:
        # A `oneOf` that two of its forms fit; nothing else is lost on the way.
        assert "oneOf" in json.dumps(schema)


def test_fields_beside_forms_are_not_lost_on_the_way_to_google() -> None:
    both = {
        "type": "object",
        "properties": {"kind": {"const": "x"}},
        "required": ["kind"],
        "anyOf": [POINT, QUERY],
    }
    for field in (both, {**both, "anyOf": [POINT, {"type": "null"}]}):
        config = response_fields(Schema(json=shape_of(field)))
        assert "kind" in json.dumps(config)
        assert "responseJsonSchema" in config
        assert strict_schema(Schema(json=shape_of(field)), ranges=True) is None


def test_an_object_or_null_stays_one_on_the_way_to_google() -> None:
    field = {"type": ["object", "null"], "properties": {"a": {"type": "string"}}}
    sent = response_fields(Schema(json=shape_of(field)))["responseSchema"]["properties"]["f"]
    assert (sent["type"], sent["nullable"], list(sent["properties"])) == ("OBJECT", True, ["a"])


def test_a_reference_to_a_field_that_may_be_left_out_is_no_field_that_may_be_null() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}, "b": {"$ref": "#/properties/a"}},
        "required": ["b"],
    }
    strict = strict_schema(Schema(json=schema), ranges=True)
    assert strict is not None
    assert strict["properties"]["b"] == {"type": "string"}


def test_a_required_field_without_a_schema_of_its_own_has_no_strict_form() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "b"]}
    assert strict_schema(Schema(json=schema), ranges=True) is None


def test_the_embedded_models_steps_keep_to_finer_limits() -> None:
    field = {"type": "number", "minimum": 0, "maximum": 1, "exclusiveMaximum": 1}
    assert limit_lengths(Schema(json=shape_of(field)))["properties"]["f"] == field
