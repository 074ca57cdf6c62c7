"""References inside a schema, and alternatives of one form."""

from __future__ import annotations

import pytest

from umwelten.json_schema import pointer_target, resolve_reference, single_form

AUTHOR = {"type": "object", "properties": {"name": {"type": "string"}}}
ROOT = {
    "$defs": {"Author": AUTHOR, "Same": {"$ref": "#/$defs/Author"}, "a/b~c d": {"type": "null"}},
    "anyOf": [{"type": "string"}, {"$ref": "#"}],
    "circle": {"$ref": "#/other"},
    "other": {"$ref": "#/circle"},
    "anything": True,
}


@pytest.mark.parametrize(
    ("pointer", "target"),
    [
        ("#", ROOT),
        ("#/$defs/Author", AUTHOR),
        ("#/%24defs/Author", AUTHOR),
        ("#/$defs/a~1b~0c%20d", {"type": "null"}),
        ("#/anyOf/0", {"type": "string"}),
        ("#/anyOf/2", None),
        ("#/anyOf/first", None),
        ("#/$defs/Nobody/name", None),
        ("#Author", None),
        ("book.json#/Author", None),
        ("", None),
    ],
)
def test_a_pointer_leads_to_a_place_in_the_schema_or_nowhere(pointer, target):
    assert pointer_target(ROOT, pointer) == target


def test_references_are_followed_and_what_stands_beside_them_wins():
    assert resolve_reference({"type": "string"}, ROOT) == {"type": "string"}
    assert resolve_reference({"$ref": "#/$defs/Same"}, ROOT) == AUTHOR
    beside = resolve_reference({"$ref": "#/$defs/Same", "title": "Who", "type": "array"}, ROOT)
    assert beside == {**AUTHOR, "title": "Who", "type": "array"}


@pytest.mark.parametrize("pointer", ["#/circle", "#/$defs/Nobody", "#/anything", "other.json"])
def test_a_circle_and_a_reference_to_nothing_resolve_to_none(pointer):
    assert resolve_reference({"$ref": pointer}, ROOT) is None


@pytest.mark.parametrize("key", ["anyOf", "oneOf", "allOf"])
def test_the_one_form_beside_null_is_taken_with_what_stands_beside_it(key):
    schema = {key: [{"type": "null"}, {"type": "string"}], "title": "Name"}
    assert single_form(schema) == ({"title": "Name", "type": "string"}, True)
    assert single_form({key: [{"type": "string"}]}) == ({"type": "string"}, False)


def test_several_forms_or_none_leave_the_schema_as_it_is():
    several = {"anyOf": [{"type": "string"}, {"type": "integer"}]}
    assert single_form(several)[0] is several
    plain = {"type": "string"}
    assert single_form(plain)[0] is plain and single_form(plain)[1] is False
