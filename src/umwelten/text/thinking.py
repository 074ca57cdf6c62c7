"""Keep apart the thinking that stands in tags at the start of an answer's text.

Servers without a reasoning parser, and some vendors, send it as part of the answer: `<think>…</think>` and
its relatives. Only a block at the very start counts; an answer that speaks of such tags is left alone.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Tag(NamedTuple):
    """`opening` in lower case; `closing` ends the block, "" at once. `certain`: no answer begins like that.

    Another one may be what the prompt asked for: it is thinking only where an answer follows it, or where
    the answer was cut off.
    """

    opening: str
    closing: re.Pattern[str]
    certain: bool = True
    longest: int = 0


def _tag(opening: str, closing: str, certain: bool = True) -> _Tag:
    pattern = re.compile(re.escape(closing), re.IGNORECASE)
    return _Tag(opening.lower(), pattern, certain, max(len(closing) - 1, 0))


_TAGS = (
    _tag("<think>", "</think>"),
    _tag("<thinking>", "</thinking>", certain=False),
    _tag("<thought>", "</thought>", certain=False),  # Gemini at its OpenAI address
    _tag("<seed:think>", "</seed:think>"),  # Seed-OSS
    _tag("[THINK]", "[/THINK]"),  # Magistral
    _tag("◁think▷", "◁/think▷"),  # Kimi
    _tag("<|begin_of_thought|>", "<|end_of_thought|>"),
    _tag("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    _tag("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),  # gpt-oss
    _tag("<|channel>thought", "<channel|>"),  # Gemma
    # What is left of a block whose opening is in the prompt, or of an empty one.
    _tag("</think>", ""),
    _tag("<|channel|>final<|message|>", ""),
)
_STARTS = frozenset("<[◁")
_LONGEST = max(len(tag.opening) for tag in _TAGS)
# What stands between the two channels of gpt-oss.
_TURN = re.compile(r"(?:<\|end\|>)?(?:<\|start\|>assistant)?\Z")
# The end of thinking that began in the prompt (DeepSeek-R1, QwQ and others): the tag on a line of its own,
# after a sentence, before an empty line, or before JSON. A sentence about the tag has it between spaces,
# quotes or backticks.
_CLOSING = "</think>"
_END = re.compile(
    r"(?<![^\n])[ \t]*</think>[ \t]*(?=\n|\Z)"
    r"|(?<=[.!?:…。！？])</think>(?=\S|\n)"
    r"|(?<![\s`'\"(])</think>(?=[ \t]*\n[ \t]*\n|\s*(?:[{\[]|```))"
)
_FENCE = re.compile(r"^[ \t]*```", re.MULTILINE)


class Answer(NamedTuple):
    """An answer's text and the thinking in it. `unclosed`: it is all thinking, which never ended."""

    text: str
    thinking: str = ""
    unclosed: bool = False


class AnswerText:
    """The text of an answer that arrives in pieces, however they were split."""

    __slots__ = ("_blanks", "_held", "_pieces", "_settled", "_sure", "_tag", "_thinking", "_unsettled")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._settled = False
        # Until it is settled that the answer has begun:
        self._blanks: list[str] = []  # white space in front of `_held`
        self._held = ""
        self._tag: _Tag | None = None
        self._sure = False
        self._thinking: list[str] = []
        self._unsettled: list[str] = []

    @property
    def begun(self) -> bool:
        """Whether any text arrived, thinking or not."""
        return self._settled or bool(self._unsettled)

    def add(self, piece: str) -> str:
        """Take the next piece; return what of the answer became certain with it."""
        if self._settled:
            self._pieces.append(piece)
            return piece
        return self._begin(piece) if piece else ""

    def split(self, *, cut: bool = False) -> Answer:
        """Return the answer so far. `cut`: it is not complete."""
        if self._settled:
            text = "".join(self._pieces)
            return Answer(text, self._thought()) if self._thinking else _split_at_end(text)
        whole = "".join(self._unsettled)
        if not (self._tag or self._thinking):
            return Answer(whole)
        if not (cut or self._sure):
            return Answer(whole)
        if self._tag is None:
            return Answer(self._held.lstrip(), self._thought())
        return Answer("", self._thought(self._held), unclosed=True)

    def _thought(self, rest: str = "") -> str:
        return _TURN.sub("", "".join((*self._thinking, rest)).strip(), count=1).rstrip()

    def _begin(self, piece: str) -> str:
        """Read a piece of a start that may be thinking."""
        self._unsettled.append(piece)
        if self._tag is None and not self._held and piece.isspace():
            # Joined once there is something else: white space may come in a million pieces.
            self._blanks.append(piece)
            return ""
        if self._blanks:
            piece, self._blanks = "".join((*self._blanks, piece)), []
        self._held += piece
        while True:
            if self._tag is None:
                start = self._held.lstrip()
                self._tag = _opened(start)
                if self._tag is None:
                    if not start:
                        self._blanks, self._held = [self._held], ""
                        return ""
                    return "" if _may_open(start) else self._settle()
                self._sure = self._sure or self._tag.certain
                self._held = start[len(self._tag.opening) :]
            end = self._tag.closing.search(self._held)
            if end is None:
                # A closing tag may be split; what is before it never is looked at again.
                kept = min(len(self._held), self._tag.longest)
                self._thinking.append(self._held[: len(self._held) - kept])
                self._held = self._held[len(self._held) - kept :]
                return ""
            self._thinking.append(self._held[: end.start()])
            self._held, self._tag = self._held[end.end() :], None

    def _settle(self) -> str:
        """Take the answer as begun; white space between thinking and answer belongs to neither."""
        text = self._held.lstrip() if self._thinking else self._held
        self._settled, self._held, self._unsettled = True, "", []
        self._pieces.append(text)
        return text


def _opened(start: str) -> _Tag | None:
    if start[:1] not in _STARTS:
        return None
    lower = start[:_LONGEST].lower()
    return next((tag for tag in _TAGS if lower.startswith(tag.opening)), None)


def _may_open(start: str) -> bool:
    """Return whether more text may turn this start into a tag."""
    if not start:
        return True
    if start[0] not in _STARTS or len(start) >= _LONGEST:
        return False
    lower = start.lower()
    return any(tag.opening.startswith(lower) for tag in _TAGS)


def _split_at_end(text: str) -> Answer:
    """Return the answer after thinking whose beginning is in the prompt, where there is any."""
    if _CLOSING not in text or "<think>" in text:
        return Answer(text)
    end = _END.search(text)
    if end is None or len(_FENCE.findall(text, 0, end.start())) % 2:
        return Answer(text)
    return Answer(text[end.end() :].lstrip(), text[: end.start()].strip())
