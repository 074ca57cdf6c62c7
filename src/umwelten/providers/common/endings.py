"""What a complete reply without a usable answer comes to, the same on all wires."""

from __future__ import annotations

import re

import msgspec

from umwelten.phrases import Phrase
from umwelten.providers.common.errors import final_failure, request_id
from umwelten.providers.protocol import Head
from umwelten.tool_calls import ToolCall
from umwelten.types import Failure, FailureKind, FinishReason, FrozenStruct, Usage

BLOCKED = frozenset(("content_filter", "safety", "refusal", "sensitive"))
"""Stop reasons, in lower case, of answers that a filter withheld or cut short."""

DROPPED_MEDIA = "media dropped"
"""The mark of an answer that came with an image, audio or a file; only its text is kept."""

_BLOCKING = re.compile(r"filter|safety|block|prohibit|policy|refus|moderat|sensitive|recitation|guardrail")
# Stop reasons without text that say nothing about why.
_ORDINARY = (FinishReason.STOP, FinishReason.TOOL)
_LONGEST_FUNCTION = 200
"""Characters of a name in a message. Vendors allow 64 to 128; a longer one is an answer gone wrong."""
_LIMIT = Phrase("raise {option:max_tokens}")
_KINDS = {bool: "true or false", list: "a list", dict: "an object"}


class Ending(FrozenStruct):
    """A complete reply. `stop` is the provider's own word for `reason`, "" where it gave none.

    `thinking`: it holds thinking; `unclosed`: nothing but thinking, in tags that were never closed. `calls`
    is the first function that the model called, "" if unnamed; `media` what it sent besides text, such as
    "an image". `limit` says how to raise the limit of tokens. `offered`: the request offered tools, so that
    calls which are not among those of the reply could not be read.
    """

    text: str
    reason: FinishReason
    stop: str = ""
    thinking: bool = False
    unclosed: bool = False
    calls: str | None = None
    media: str | None = None
    limit: Phrase = _LIMIT
    offered: bool = False


def finish_with(calls: tuple[ToolCall, ...], reason: FinishReason) -> FinishReason:
    """Return the finish reason of a reply: calls decide, unless the limit of tokens cut them."""
    return FinishReason.TOOL if calls and reason is not FinishReason.LENGTH else reason


def shortfall(head: Head, ending: Ending) -> Failure | None:
    """Return the failure of a complete reply that has no answer, or half of one; `None` if it has one."""
    if ending.calls is not None:
        return _call(head, ending)
    if ending.text and not ending.text.isspace():
        return None
    if ending.reason is FinishReason.LENGTH:
        return _spent(head, ending)
    if ending.reason is FinishReason.TOOL:
        return _call(head, ending)
    if ending.reason is FinishReason.UNKNOWN and _BLOCKING.search(ending.stop.lower()):
        return final_failure(head, f"the provider blocked the answer: {ending.stop}", ending.stop)
    if ending.media is not None:
        return final_failure(head, f"the model answered with {ending.media}; only text is kept", "media")
    return _nothing(head, ending)


def unread_stop(stop: object) -> str:
    """Return the message for a finish reason that is no text: it may say that the answer was cut."""
    return f"the finish reason cannot be read: it is {_KINDS.get(type(stop)) or str(stop)[:100]}, not a word"


def plausible(usage: Usage, answered: bool) -> Usage:
    """Return the usage without counts that cannot be: no request has 0 tokens, and no answer.

    Gateways write 0 where they do not know; taken literally, the call would be free. `answered`: the reply
    has text or thinking.
    """
    if usage.input_tokens and (usage.output_tokens or not answered):
        return usage
    stated_nothing = usage.input_tokens == 0 and not usage.output_tokens
    return msgspec.structs.replace(
        usage,
        input_tokens=usage.input_tokens or None,
        output_tokens=None if answered and usage.output_tokens == 0 else usage.output_tokens,
        cost_nusd=None if stated_nothing and usage.cost_nusd == 0 else usage.cost_nusd,
    )


def media_word(mime: str) -> str:
    """Return what a reply's part of this type is called in messages."""
    kind = mime.partition("/")[0].lower()
    return {"image": "an image", "audio": "audio", "video": "a video"}.get(kind, "a file")


def _call(head: Head, ending: Ending) -> Failure:
    if ending.offered:
        return _empty(head, "the model called a function, but the call cannot be read", code="tool_calls")
    name = f" {ending.calls[:_LONGEST_FUNCTION]}" if ending.calls else ""
    when = "stopped in the middle of its answer to call" if ending.text.strip() else "only called"
    wording = Phrase(
        "the model {when} the function{name}, and functions are not run: take `tools` out of {option:params}",
        when=when,
        name=name,
    )
    return _worded(final_failure(head, "", "tool_calls"), wording)


def _spent(head: Head, ending: Ending) -> Failure:
    wording = Phrase(
        "the limit of tokens was reached before the answer began; thinking counts too: {limit}",
        limit=ending.limit,
    )
    return _worded(_empty(head, "", retry=False, code="max_tokens"), wording)


def _nothing(head: Head, ending: Ending) -> Failure:
    stop = f" ({ending.stop})" if ending.stop and ending.reason not in _ORDINARY else ""
    if ending.unclosed:
        return _empty(head, f"the model ended before its answer began, while it was thinking{stop}")
    what = "thinking only" if ending.thinking else "no text"
    return _empty(head, f"the answer is empty: {what}{stop}")


def _empty(head: Head, message: str, *, retry: bool = True, code: str | None = None) -> Failure:
    return Failure(
        kind=FailureKind.EMPTY,
        message=message,
        status=head.status,
        code=code,
        retry=retry,
        request_id=request_id(head, None),
    )


def _worded(failure: Failure, wording: Phrase) -> Failure:
    return msgspec.structs.replace(failure, message=str(wording), wording=wording)
