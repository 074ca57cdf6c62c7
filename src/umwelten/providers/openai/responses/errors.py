"""Classify the errors of the Responses API where they differ from those of chat completions."""

from __future__ import annotations

import re

import msgspec

from umwelten.providers.common.bodies import ErrorBody
from umwelten.providers.common.errors import BAD, BLOCKED, NEVER, SERVER, ErrorClass
from umwelten.providers.common.refused_fields import SYSTEM
from umwelten.providers.openai import errors
from umwelten.providers.openai.responses.requests import INNER_FIELDS
from umwelten.providers.protocol import Endpoint, Head
from umwelten.types import Failure, Usage

_WITHHELD = frozenset(
    (
        "invalid_prompt",
        "bio_policy",
        "misalignment_policy_violation",
        "image_content_policy_violation",
    )
)
# Codes of what is wrong with a file: it will be wrong again.
_BAD_FILE = re.compile(
    r"(?:invalid|empty|unsupported|failed|image)_\w{0,40}?(?:image|file|media)\w{0,20}"
    r"|image_(?:too_(?:large|small)|parse_error|file_too_large|file_not_found)"
)
_BY_CODE = {
    **dict.fromkeys(_WITHHELD, BLOCKED),
    # Whatever the words: they speak of overload as well.
    "server_error": SERVER,
    "vector_store_timeout": SERVER,
}
_NO_ENCRYPTION = re.compile(r"encrypted[ _]content is not supported")
_NAMES = (*((".".join(path), name) for name, path in INNER_FIELDS.items()), ("instructions", SYSTEM))
"""Beginnings of the paths that `param` names, and our names of the fields."""


def failure(
    head: Head,
    error: ErrorBody,
    endpoint: Endpoint,
    *,
    partial_text: str | None = None,
    usage: Usage | None = None,
) -> Failure:
    """Return the failure for an error of this API, whether it came as a status, an event or in a reply."""
    error = _renamed(error)
    return errors.failure(
        head, error, endpoint, partial_text=partial_text, usage=usage, known=_classify(head, error)
    )


def _classify(head: Head, error: ErrorBody) -> ErrorClass | None:
    if head.status >= 400 and head.status not in (400, 422):
        return None
    if error.code in _BY_CODE and (head.status < 300 or error.code in _WITHHELD):
        return _BY_CODE[error.code]
    if _BAD_FILE.fullmatch(error.code):
        return NEVER
    if head.status == 400 and _NO_ENCRYPTION.search(error.words):
        return msgspec.structs.replace(BAD, parameter="include")
    return None


def _renamed(error: ErrorBody) -> ErrorBody:
    """Return the error with our name for the field inside an object that it blames."""
    path = error.fields.get("param")
    if not isinstance(path, str):
        return error
    name = next((ours for start, ours in _NAMES if path == start or path.startswith(f"{start}.")), None)
    return error if name is None else msgspec.structs.replace(error, names=(name,))
