"""The shape that answers must have: said in a short form, as JSON Schema or as a class; read and checked."""

from umwelten.schema.dsl import parse_dsl
from umwelten.schema.loading import load_schema
from umwelten.schema.output_schema import OutputSchema, ParsedAnswer, compile_schema
from umwelten.schema.reprompt import ask_again, failure
from umwelten.schema.validation import Problem

__all__ = [
    "OutputSchema",
    "ParsedAnswer",
    "Problem",
    "ask_again",
    "compile_schema",
    "failure",
    "load_schema",
    "parse_dsl",
]
