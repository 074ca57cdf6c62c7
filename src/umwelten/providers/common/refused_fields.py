"""Find the optional request field that a refusal blames, under its name in `Parameters`."""

from __future__ import annotations

import re

from umwelten.providers.common.bodies import ErrorBody, root_field

SCHEMA = "schema"
"""Our name of the field that carries the schema."""

_OURS = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "maxoutputtokens": "max_tokens",
    "num_predict": "max_tokens",
    "random_seed": "seed",
    "stop_sequences": "stop",
    "stopsequences": "stop",
    "topp": "top_p",
    "include_usage": "stream_options",
    "response_format": "schema",
    "format": "schema",
    "responseschema": "schema",
    "response_schema": "schema",
    "responsejsonschema": "schema",
    "response_json_schema": "schema",
    "responsemimetype": "schema",
    "response_mime_type": "schema",
}
# How providers name a schema that they do not accept, whatever field it came in.
_SCHEMA = re.compile(
    r"response[_ ]?format|json[_ ]?schema|response[_ ]?(json[_ ]?)?schema|response[_ ]?mime[_ ]?type"
    r"|structured[_ ]outputs?|json mode|controlled generation|the specified schema"
    r"|parse grammar|invalid grammar"
)
# Without these there is nothing left to send.
_REQUIRED = frozenset(
    ("model", "messages", "message", "input", "contents", "content", "prompt", "stream", "role", "request")
)
_NAME = r"[`'\"]?([A-Za-z_]\w{1,60}(?:\.\w{1,60}){0,3})[`'\"]?"
_REFUSED = (
    re.compile(
        r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|unpermitted|invalid|extra)"
        r" (?:request )?(?:parameter|param|field|argument|value|key)(?:s|\(s\))?(?: supplied| name)?:? ?"
        rf"{_NAME}",
        re.IGNORECASE,
    ),
    re.compile(
        r"[`'\"]([A-Za-z_]\w{1,60})[`'\"]:? (?:parameter |param |field |argument )?"
        r"(?:(?:is|are|was|does|do|cannot|can't|may|must)\b ?)?"
        r"(?:not |no longer |currently )*(?:be )?"
        r"(?:unsupported|support|permitted|allowed|deprecated|recogni[sz]ed)",
        re.IGNORECASE,
    ),
    re.compile(
        rf"(?:parameter|param|field|argument)s?:? {_NAME} (?:is |are )?(?:not|unsupported|deprecated)",
        re.IGNORECASE,
    ),
    re.compile(r"\b(\w{1,60}): Extra inputs are not permitted"),
    re.compile(r"\binvalid (\w{1,60}): only [\w.]{1,20} is allowed", re.IGNORECASE),
    re.compile(
        r"\b(temperature|top_p|seed|max_tokens|max_completion_tokens|stop|logprobs|reasoning_effort|stream_options)"
        r" (?:is|are) (?:not supported|unsupported|not permitted|deprecated|not allowed)",
        re.IGNORECASE,
    ),
)
# A part of a message, which cannot be left out.
_IN_MESSAGE = re.compile(r"\bmessages[.\[]\d")
_NO_NAMES = frozenset(("None", "null"))
"""What gateways write where they name no field."""

# A value out of range is for the user to correct: the default would silently change what was asked for.
_OUT_OF_RANGE = re.compile(
    r"(above|below)_m(ax|in)|greater[_ ]than|less[_ ]than|too (large|small|high|low)|at most|at least"
    r"|must be (between|in|>|<|positive)|out of range|invalid_type|_type\b|_parsing\b"
)


def refused_parameter(error: ErrorBody) -> str | None:
    """Return the one optional field that the provider does not support, or `None`.

    It is `None` for several fields at once, for a required one, and for a value that is only out of range.
    """
    if is_about_schema(error):
        return SCHEMA
    if _OUT_OF_RANGE.search(error.words) and not _is_unambiguous(error.code):
        return None
    if _IN_MESSAGE.search(error.message):
        return None
    names = [name for name in error.names if name not in _NO_NAMES and not name.isdigit()]
    names = names or list(_names_in_message(error.message))
    ours = {own for name in names if (own := canonical_name(name))}
    name = ours.pop() if len(ours) == 1 else None
    return None if name in _REQUIRED else name


def is_about_schema(error: ErrorBody) -> bool:
    """Return whether a refusal is about the schema: its field, or a part of it."""
    fields = {canonical_name(name) for name in error.names}
    return SCHEMA in fields or (not fields and bool(_SCHEMA.search(error.words)))


def canonical_name(name: str) -> str:
    """Return our name for a field of any wire format; its own name where we have none."""
    top = root_field(name)
    return _OURS.get(top.lower(), top)


def _is_unambiguous(code: str) -> bool:
    return code in ("unsupported_parameter", "unsupported_value", "unknown_parameter")


def _names_in_message(message: str) -> tuple[str, ...]:
    message = message[:2000]
    first = next((match for pattern in _REFUSED if (match := pattern.search(message))), None)
    return (first[1],) if first else ()
