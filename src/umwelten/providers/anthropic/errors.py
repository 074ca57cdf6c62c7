"""Classify Anthropic's errors where they differ from the common rules."""

from __future__ import annotations

import re

import msgspec

from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.common.errors import BAD, REFUSED, ErrorClass, classify_common
from umwelten.providers.common.refused_fields import (
    SCHEMA,
    canonical_name,
    is_about_schema,
    refused_parameter,
)
from umwelten.providers.protocol import Head

_SPENT = frozenset(("enforced_spend_limit_reached", "contract_spend_limit_reached"))
_FIELDS = re.compile(r"^[`'\"]?(\w{1,60})[`'\"]?(?: and [`'\"]?(\w{1,60})[`'\"]?)?(?=[:\s])")
_NOT_TAKEN = re.compile(
    r"extra inputs are not permitted|not supported|does not support|unsupported|deprecated|not allowed"
    r"|cannot both be|may only be set|must be unset|no longer|not available|default value"
)
_OPTIONAL = frozenset(("temperature", "top_p", "top_k", "thinking", "stop_sequences", "output_config"))

_FORCED = re.compile(r"tool_choice|forces tool use|forced tool use")
_SHAPE = re.compile(
    r"^tools\b|does not support tools?\b|output_config\.format|output[_ ]format|schema is too"
    r"|compiled grammar"
)


def classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    """Return the class of an error that only Anthropic sends; `None` leaves it to the common rules."""
    details = error.fields.get("details")
    code = str(details.get("error_code")) if isinstance(details, dict) else ""
    # With a Retry-After, the same code is an ordinary rate limit.
    if head.status == 429 and code in _SPENT and "retry-after" not in head.headers:
        return msgspec.structs.replace(REFUSED, code=code)
    if head.status == 400 and classify_common(400, error) is BAD:
        return msgspec.structs.replace(BAD, parameter=_refused_field(error))
    return None


def _refused_field(error: ErrorBody) -> str | None:
    """Return a setting that this model does not support; of two that exclude each other, the second.

    "tool_choice": the schema cannot be sent as a tool. "schema": it cannot be sent at all.
    """
    if _FORCED.search(error.words):
        return "tool_choice"
    if _SHAPE.search(error.words) or is_about_schema(error):
        return SCHEMA
    fields = _FIELDS.match(error.message)
    if fields is None or not _NOT_TAKEN.search(error.words):
        return refused_parameter(error)
    name = fields[2] or fields[1]
    return (
        canonical_name(name)
        if name in _OPTIONAL or "extra inputs" in error.words
        else refused_parameter(error)
    )
