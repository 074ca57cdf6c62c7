"""The shape that answers must have: said in a short form, as JSON Schema or as a class; read and checked."""

from umwelten.schema.again import ask_again, failure
from umwelten.schema.checking import Problem
from umwelten.schema.dsl import parse_dsl
from umwelten.schema.shape import Read, Shape, schema_shape
from umwelten.schema.sources import load_shape

__all__ = [
    "Problem",
    "Read",
    "Shape",
    "ask_again",
    "failure",
    "load_shape",
    "parse_dsl",
    "schema_shape",
]
