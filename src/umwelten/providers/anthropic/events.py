"""What Anthropic's replies are made of, as far as the answer needs it."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.providers.common.loose_fields import Loose, LooseText

_ABSENT = msgspec.Raw()


class Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: LooseText = None
    name: LooseText = None
    input: msgspec.Raw = _ABSENT


class StopDetails(msgspec.Struct):
    category: LooseText = None
    explanation: LooseText = None


class WholeMessage(msgspec.Struct):
    content: list[Block] | None = None
    id: LooseText = None
    model: LooseText = None
    stop_reason: Any = None
    stop_details: Loose[StopDetails | None] = None
    # Parsed separately: an invalid count must not lose the answer.
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT


class Delta(msgspec.Struct):
    text: str | None = None
    thinking: LooseText = None
    partial_json: str | None = None
    stop_reason: Any = None
    stop_details: Loose[StopDetails | None] = None


class MessageEvent(msgspec.Struct):
    type: str = ""
    message: Loose[WholeMessage | None] = None
    content_block: Loose[Block | None] = None
    delta: Delta | None = None
    usage: msgspec.Raw = _ABSENT
    error: msgspec.Raw = _ABSENT
