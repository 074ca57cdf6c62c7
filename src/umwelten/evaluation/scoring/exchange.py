"""Answers sent to a scorer's process and scores taken back, many under way at a time.

Replies come in the order of the answers. An answer that takes too long, or with which the process ends, has
no score; the process is replaced, and those after it are sent again.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from umwelten.evaluation.scoring.child import LONGEST_LINE, Child
from umwelten.evaluation.scoring.replies import Masked, Unreadable, decode_reply, read_result
from umwelten.scoring.score import Result, Unscored
from umwelten.text.sanitize import one_line

AHEAD = 1_000
"""Answers under way. A program that keeps what it prints in a buffer of 8 kB shows it within so many."""
_AHEAD_BYTES = 32 << 20
_SENT_AHEAD = 1 << 17
"""Bytes handed to the process that it has not taken: twice what a pipe holds."""
_LONGEST_SAID = 1 << 16
"""Bytes of a line that it prints, from its end."""
GIVE_UP = 10
"""Answers in a row that end the process, or take all their time: then the others are not tried. They would
take as long, and a scorer with a fault that ends every call is worth no day."""


@dataclass
class _Asked:
    id: int
    data: bytes
    result: Result | None = None


class Exchange:
    """Scores by one process after another. `start` makes one that is ready, `encode` a line of an answer.

    `is_program`: it may also answer when its stdin ends, and end when it likes. Errors: what `start` raises.
    """

    def __init__(
        self,
        start: Callable[[], Child],
        encode: Callable[[int, Any], bytes | Unscored],
        *,
        timeout_s: float,
        at_least: float | None,
        masked: Masked,
        said: Callable[[str], None],
        is_program: bool,
    ) -> None:
        self._start, self._encode = start, encode
        self._timeout_s, self._at_least, self._is_program = timeout_s, at_least, is_program
        self._masked, self._said = masked, said
        self.child: Child | None = None
        self._asked: deque[_Asked] = deque()
        self._bytes = 0
        self._to_send = 0
        self._count = 0
        self._replied = 0
        self._failed_in_a_row = 0
        self._last_words = ""
        self._gave_up = ""

    def score(self, items: Iterable[Any]) -> Iterator[Result]:
        """Yield the results, in order."""
        source = iter(items)
        more = True
        while more or self._asked:
            if self._gave_up:
                yield from self._not_tried(source)
                return
            more = more and self._take(source)
            if self._waits():
                self._step(more)
            while self._asked and (result := self._asked[0].result) is not None:
                self._forget_first()
                yield result
        if self._is_program:
            self.close()

    def close(self) -> str:
        """End the process, and return how it ended."""
        if self.child is None:
            return ""
        child, self.child = self.child, None
        status = child.close()
        self._tell(child, all_of_it=True)
        return status

    # --- answers ---

    def _take(self, source: Iterator[Any]) -> bool:
        """Take answers while there is room; false if there are no more."""
        while len(self._asked) < AHEAD and self._bytes < _AHEAD_BYTES:
            try:
                item = next(source)
            except StopIteration:
                return False
            self._count += 1
            line = self._encode(self._count, item)
            asked = _Asked(self._count, b"" if isinstance(line, Unscored) else line)
            asked.result = line if isinstance(line, Unscored) else None
            self._bytes += len(asked.data)
            self._asked.append(asked)
        return True

    def _forget_first(self) -> None:
        self._bytes -= len(self._asked.popleft().data)
        self._to_send = max(self._to_send - 1, 0)

    def _not_tried(self, source: Iterator[Any]) -> Iterator[Result]:
        for asked in self._asked:
            yield asked.result or Unscored(kind="scorer_error", message=self._gave_up)
        self._asked.clear()
        for _ in source:
            yield Unscored(kind="scorer_error", message=self._gave_up)

    # --- the process ---

    def _step(self, more: bool) -> None:
        """Move until something is known about the first answer."""
        child = self.child
        if child is None:
            child = self.child = self._start()
            self._to_send = self._replied = 0
            self._last_words = ""
        until = time.monotonic() + self._timeout_s
        while self._waits():
            self._send(child)
            if self._is_program and not more and self._to_send == len(self._asked):
                child.end_input()
            if child.move(until - time.monotonic()) and self._is_program:
                until = time.monotonic() + self._timeout_s  # it takes several at a time
            self._tell(child)
            self._read(child)
            if self.child is None or not self._waits():
                return
            if child.has_ended:
                self._ended()
                return
            if time.monotonic() >= until:
                if self._is_program and not child.unsent and child.end_input():
                    until = time.monotonic() + self._timeout_s  # it may wait for the end
                    continue
                self._fail(self._lateness())
                self.close()
                return

    def _waits(self) -> bool:
        """Whether the first answer has no result."""
        return bool(self._asked) and self._asked[0].result is None

    def _lateness(self) -> str:
        if self._is_program:
            return f"no line came within {self._timeout_s:g} s; write each as it is known, and flush it"
        return f"took longer than {self._timeout_s:g} s"

    def _send(self, child: Child) -> None:
        while self._to_send < len(self._asked) and child.unsent < _SENT_AHEAD and child.takes_input:
            asked = self._asked[self._to_send]
            if asked.result is None:
                child.send(asked.data)
            self._to_send += 1

    def _read(self, child: Child) -> None:
        """Take the replies that are whole."""
        if b"\n" not in child.output:
            if len(child.output) > LONGEST_LINE:
                self._fail("wrote a line that does not end")
                self.close()
            return
        lines = child.output.split(b"\n")
        child.output[:] = lines.pop()
        first = self._asked[0].id
        place = next(at for at, asked in enumerate(self._asked) if asked.result is None)
        for line in lines:
            place = self._settle(bytes(line), first, place)

    def _settle(self, line: bytes, first: int, place: int) -> int:
        """Take one reply; `place` is the first answer without one. Return the next such place."""
        while place < len(self._asked) and self._asked[place].result is not None:
            place += 1
        try:
            said = decode_reply(line)
        except Unreadable as error:
            if place < len(self._asked):
                self._asked[place].result = self._error(str(error))
            return place
        found: int = said["id"] - first
        if not place <= found < self._to_send or self._asked[found].result is not None:
            return place  # of an answer that has a result
        for asked in (self._asked[at] for at in range(place, found)):
            if asked.result is None:
                asked.result = self._error("no line came for it before that of a later answer")
        self._asked[found].result = read_result(said, self._at_least, self._masked)
        self._replied += 1
        self._failed_in_a_row = 0
        return found + 1

    def _ended(self) -> None:
        """The process has ended by itself, and the first answer has no result."""
        replied = self._replied
        status = self.close()
        if self._is_program and replied and status == "status 0":
            return  # it takes a few at a time
        words = f": {self._last_words}" if self._last_words and not status.startswith("SIG") else ""
        self._fail(f"the scorer's process ended ({status}) without a result for this answer{words}")

    def _fail(self, message: str) -> None:
        """The first answer is what the process failed at."""
        first = next(asked for asked in self._asked if asked.result is None)
        first.result = self._error(message)
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= GIVE_UP:
            self._gave_up = f"not tried, for {GIVE_UP} answers in a row failed so: {message}"

    def _error(self, message: str) -> Unscored:
        return Unscored(kind="scorer_error", message=self._masked(message))

    def _tell(self, child: Child, *, all_of_it: bool = False) -> None:
        """Pass on what it printed."""
        if all_of_it and child.errors:
            child.errors += b"\n"
        if b"\n" not in child.errors:
            del child.errors[:-_LONGEST_SAID]
            return
        lines = child.errors.split(b"\n")
        child.errors[:] = lines.pop()
        for line in lines:
            text = self._masked(one_line(line.decode(errors="replace"), 1_000))
            if text:
                self._last_words = text
                self._said(text)
