"""The shape that answers must have: said in a short form, as JSON Schema or as a class; read and checked."""

from umwelten.schema.dsl import parse_dsl
from umwelten.schema.loading import load_shape
from umwelten.schema.output_schema import Read, Shape, schema_shape
from umwelten.schema.reprompt import ask_again, failure
from umwelten.schema.validation import Problem

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
