"""Frames around the texts that a judge is shown, which no text can leave."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from hashlib import blake2b

from umwelten.types import FrozenStruct

FRAMES = "frames"
"""The placeholder of everything that a judge sees, in its frames."""
_CODE_BYTES = 6
_NOT_IN_A_TAG = re.compile(r"[^\w.]+")
_LONGEST_TAG = 40


class Attached(FrozenStruct):
    """An input that is not text: its frame holds the name, and the picture or file is sent beside it."""

    name: str


Shown = str | Attached | None
"""What stands in a frame; `None`: there is no such thing, and no frame."""


def frame_values(shown: Mapping[str, Shown], sees: Sequence[str]) -> dict[str, str]:
    """Return each text in its frame, "" for `None`, and under `frames` those of `sees`, in that order.

    A frame's tags carry a code that stands in none of the texts, in upper or lower case. It is made from the
    text itself: the same texts have the same frames, and a text changes nothing beyond its own frame (only
    where it holds another frame's code does that one get another code). Lone surrogates, which cannot be
    sent, are replaced.
    """
    texts = {name: _text(value) for name, value in shown.items() if value is not None}
    lowered = [text.lower() for text in texts.values()]
    framed = {name: _frame(name, text, lowered) for name, text in texts.items()}
    everything = "\n\n".join(framed[name] for name in sees if name in framed)
    return {name: framed.get(name, "") for name in shown} | {FRAMES: everything}


def _frame(name: str, text: str, texts: Sequence[str]) -> str:
    tag = f"{_NOT_IN_A_TAG.sub('_', name)[:_LONGEST_TAG]}-{_code(name, text, texts)}"
    return f"<{tag}>\n{text}\n</{tag}>"


def _code(name: str, text: str, texts: Sequence[str]) -> str:
    """Return hex digits that stand in none of the texts, which are in lower case."""
    size, attempt = _CODE_BYTES, 0
    data = f"{name}\0{text}".encode()
    while True:
        state = blake2b(data, digest_size=size, person=b"umwelten.frame")
        state.update(b"\0%d" % attempt)
        code = state.hexdigest()
        if not any(code in each for each in texts):
            return code
        attempt += 1
        # Longer each time: whatever the texts hold, they run out of codes.
        size = min(size + 1, 64)


def _text(value: str | Attached) -> str:
    text = f"[attached: {value.name}]" if isinstance(value, Attached) else value
    return text.encode(errors="surrogatepass").decode(errors="replace")
