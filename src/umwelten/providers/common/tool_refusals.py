"""Refusals of tools as such: every request of a call would meet them, and so would every other call."""

from __future__ import annotations

import re

import msgspec

from umwelten.types import Failure, FailureKind

NO_TOOLS = "no_tools"
"""The code of a failure of a model, or of the server that has it, that takes no tools."""

TOOLS = "tools"
"""The name of the field that carries the tools."""

CHOICE = "tool_choice"
"""Our name for the field that says whether tools are called."""

_TOOLS = r"(?:tools?|functions?)(?:[ _](?:use|call(?:s|ing)?))?(?: with function calling)?"
_REFUSED = re.compile(
    rf"(?:not|n't|cannot) (?:currently )?(?:support|accept|allow|handle) (?:native )?['\"`]?{_TOOLS}\b"
    rf"|\b['\"`]?{_TOOLS}['\"`]? (?:is|are) (?:(?:currently )?not|n't|un)[ -]?"
    r"(?:supported|enabled|available|allowed|permitted)"
)
# It is about how they are called, or about something beside them; or another way to ask takes them.
_IN_PART = re.compile(
    r"parallel|forc(?:e|ing)|choice|strict|responses|stream"
    r"|response[_ ]format|json mode|mime type|output_config"
)
# OpenRouter; llama.cpp without templates, vLLM without a parser of calls.
_CERTAIN = re.compile(
    rf"no endpoints found.{{0,40}}? {_TOOLS}\b"
    r"|tools param requires|tool choice requires -{2}enable-auto-tool-choice"
)
# The choice that makes a model call one, where no field is named.
_FORCED = re.compile(
    r"function calling mode\b.{0,40}? (?:is )?(?:not|un) ?supported"
    r"|(?:not|n.t) (?:support|accept|allow) (?:forc|requir)(?:ed|ing) (?:tool|function)"
    r"|forc(?:e|es|ed|ing) (?:a |the )?(?:tool|function)s?\b.{0,60}? (?:not|un|in) ?"
    r"(?:supported|compatible|allowed)"
)
# Anthropic's way to blame a declaration: "tools.0.custom.input_schema: …".
_DECLARED = re.compile(r"tools\.\d")
_KINDS = (FailureKind.BAD_REQUEST, FailureKind.SERVER)


def judge_refusal(failure: Failure) -> Failure:
    """Return the failure of a request that offered tools; a refusal of them stops its model."""
    if failure.kind not in _KINDS:
        return failure
    words = failure.message[:2000].lower()
    if _CERTAIN.search(words) or (_REFUSED.search(words) and not _IN_PART.search(words)):
        message = f"this model takes no tools here; the server says: {failure.message}"
        return _final(msgspec.structs.replace(failure, message=message, code=NO_TOOLS))
    if failure.parameter is None and _FORCED.search(words):
        return msgspec.structs.replace(failure, parameter=CHOICE)
    # One of them cannot be sent as it is; without it, the model would be asked something else.
    return _final(failure) if failure.parameter == TOOLS or _DECLARED.match(words) else failure


def _final(failure: Failure) -> Failure:
    return msgspec.structs.replace(
        failure, kind=FailureKind.BAD_REQUEST, retry=False, model_down=True, parameter=None, wording=None
    )
