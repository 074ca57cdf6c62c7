"""Which optional request field a refusal blames, under the name that `Parameters` gives it."""

from __future__ import annotations

import re

from umwelten.providers.common.bodies import ErrorBody, root

SCHEMA = "schema"
"""Our name of the field that asks for a shape."""

_OURS = {
    "max_completion_tokens": "max_tokens",
    "max_output_tokens": "max_tokens",
    "maxoutputtokens": "max_tokens",
    "num_predict": "max_tokens",
    "random_seed": "seed",
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
# How providers speak of a schema that they do not take, whatever field it came in.
_SCHEMA = re.compile(
    r"response[_ ]?format|json[_ ]?schema|response[_ ]?(json[_ ]?)?schema|response[_ ]?mime[_ ]?type"
    r"|structured[_ ]outputs?|json mode|controlled generation|the specified schema"
    r"|parse grammar|invalid grammar"
)
# Without these there is no question left to send.
_REQUIRED = frozenset(
    ("model", "messages", "message", "input", "contents", "content", "prompt", "stream", "role", "request")
)
_NAME = r"[`'\"]?([A-Za-z_]\w{1,60}(?:\.\w{1,60}){0,3})[`'\"]?"
_REFUSED = (
    re.compile(
        r"(?:unsupported|unknown|unrecogni[sz]ed|unexpected|unpermitted|invalid|extra)"
        rf" (?:request )?(?:parameter|param|field|argument|value|key)s?(?: supplied| name)?:? ?{_NAME}",
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
    re.compile(
        r"\b(temperature|top_p|seed|max_tokens|max_completion_tokens|stop|logprobs|reasoning_effort|stream_options)"
        r" (?:is|are) (?:not supported|unsupported|not permitted|deprecated|not allowed)",
        re.IGNORECASE,
    ),
)
# A value out of range is the user's to mend: silently asking with the default would answer another question.
_OUT_OF_RANGE = re.compile(
    r"(above|below)_m(ax|in)|greater[_ ]than|less[_ ]than|too (large|small|high|low)|at most|at least"
    r"|must be (between|in|>|<|positive)|out of range|invalid_type|_type\b|_parsing\b"
)


def refused(error: ErrorBody) -> str | None:
    """The one optional field that the provider does not take, or `None`.

    Two fields at once, a required one, or a value merely out of range are not this case.
    """
    if about_schema(error):
        return SCHEMA
    if _OUT_OF_RANGE.search(error.words) and not _is_plain(error.code):
        return None
    names = error.names or _in_words(error.message)
    ours = {name for raw in names if (name := ours_of(raw))}
    found = ours.pop() if len(ours) == 1 else None
    return None if found in _REQUIRED else found


def about_schema(error: ErrorBody) -> bool:
    """Whether a refusal is about the shape that was asked for: its field, or a part of the schema."""
    named = {ours_of(name) for name in error.names}
    return SCHEMA in named or (not named and bool(_SCHEMA.search(error.words)))


def ours_of(name: str) -> str:
    """Our name of a field on any wire; one that has none of ours keeps its own."""
    top = root(name)
    return _OURS.get(top.lower(), top)


def _is_plain(code: str) -> bool:
    return code in ("unsupported_parameter", "unsupported_value", "unknown_parameter")


def _in_words(message: str) -> tuple[str, ...]:
    message = message[:2000]
    found = next((match for pattern in _REFUSED if (match := pattern.search(message))), None)
    return (found[1],) if found else ()
