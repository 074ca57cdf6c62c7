"""Output schemas, given in a short form, as JSON Schema or as a class, and the answers validated by them."""

from umwelten.schema.correction import CUT, correction_turns, failure
from umwelten.schema.dsl import parse_dsl
from umwelten.schema.loading import load_schema
from umwelten.schema.output_schema import OutputSchema, compile_schema
from umwelten.schema.parsed_answer import ParsedAnswer
from umwelten.types import Problem

__all__ = [
    "CUT",
    "OutputSchema",
    "ParsedAnswer",
    "Problem",
    "compile_schema",
    "correction_turns",
    "failure",
    "load_schema",
    "parse_dsl",
]
