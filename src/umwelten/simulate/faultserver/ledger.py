"""What came in and what became of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Literal

import msgspec

from umwelten.simulate.faultserver.message_parts import FileMark

Fate = Literal["open", "answered", "refused", "faulted", "abandoned", "invalid"]

PAID = ("answered", "abandoned")
"""What a provider bills."""


class Record(msgspec.Struct, kw_only=True):
    """One request. `at_s` and `done_s` are seconds since the first request; `status` 0: none was sent.

    `fate`: "open" while it is worked on, "answered" with a sound answer, "refused" by a limiter or an
    outage, "faulted" on purpose, "abandoned" by the client while a sound answer was under way, "invalid"
    for what `verdict` says: the client got the tools wrong. `key` is the fingerprint of the authorization,
    never the key. `files` names what came along, `marks` the words `mark:…` in the prompt. `body` is kept
    only if the profile says so. `conversation`, `step` and `content` of a request that has to do with
    tools: see `tools.values.Transcript`.
    """

    n: int
    at_s: float
    wire: str
    model: str
    prompt: str
    system: str
    marks: list[str]
    files: tuple[FileMark, ...]
    stream: bool
    key: str | None
    max_tokens: int | None = None
    status: int = 0
    fault: str | int = "none"
    fate: Fate = "open"
    done_s: float | None = None
    body: str | None = None
    conversation: str = ""
    step: int = 1
    content: str = ""
    verdict: str | None = None

    @property
    def images(self) -> list[str]:
        """The types of the images that came along."""
        return [file.mime for file in self.files if file.mime.startswith("image/")]


class Sums(msgspec.Struct):
    """Counts of requests, altogether or of one model. Tokens are those of sound answers."""

    requests: int = 0
    answered: int = 0
    refused: int = 0
    faulted: int = 0
    abandoned: int = 0
    invalid: int = 0
    in_flight: int = 0
    peak_in_flight: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def begin(self) -> None:
        """One more in flight."""
        self.requests += 1
        self.in_flight += 1
        if self.in_flight > self.peak_in_flight:
            self.peak_in_flight = self.in_flight

    def end(self, fate: Fate) -> None:
        """One fewer."""
        self.in_flight -= 1
        setattr(self, fate, getattr(self, fate) + 1)


class Conversation(msgspec.Struct, kw_only=True):
    """What was asked in one conversation with a model.

    `requests` and `paid` count by step: all requests, and those that were answered or abandoned, which a
    provider bills. `paid_again`: how many of these repeat a request that was answered before, to its last
    word.
    """

    wire: str
    model: str
    conversation: str
    requests: dict[int, int] = {}
    paid: dict[int, int] = {}
    paid_again: int = 0

    def add(self, record: Record, *, again: bool) -> None:
        """Count a request; `again`: it repeats one that was paid."""
        self.requests[record.step] = self.requests.get(record.step, 0) + 1
        if record.fate in PAID:
            self.paid[record.step] = self.paid.get(record.step, 0) + 1
            self.paid_again += again


class Ledger:
    """Sums over all requests, over those of each model, and the last `keep` requests one by one."""

    def __init__(self, keep: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.origin: float | None = None
        self.totals = Sums()
        self.models: dict[str, Sums] = {}
        self.listings = 0
        self.unreadable = 0
        self._records: deque[Record] = deque(maxlen=keep)

    @property
    def records(self) -> list[Record]:
        """The requests that are remembered, oldest first."""
        return list(self._records)

    @property
    def requests(self) -> int:
        """How many requests came in."""
        return self.totals.requests

    @property
    def answered(self) -> int:
        """How many got a sound answer."""
        return self.totals.answered

    @property
    def refused(self) -> int:
        """How many a limiter or an outage refused."""
        return self.totals.refused

    @property
    def faulted(self) -> int:
        """How many met a fault."""
        return self.totals.faulted

    @property
    def in_flight(self) -> int:
        """How many are being worked on or wait for a slot."""
        return self.totals.in_flight

    @property
    def peak_in_flight(self) -> int:
        """The most that ever were at the same time."""
        return self.totals.peak_in_flight

    @property
    def verdicts(self) -> list[str]:
        """What the judge said of the requests that are remembered, oldest first; none for a client that is
        right."""
        return [record.verdict for record in self._records if record.verdict is not None]

    def conversations(self) -> list[Conversation]:
        """The conversations with tools among the requests that are remembered, in the order of their first
        ones."""
        found: dict[tuple[str, str, str], Conversation] = {}
        paid: set[tuple[str, str, str]] = set()
        for record in self._records:
            if record.conversation:
                key = (record.wire, record.model, record.conversation)
                step = (record.wire, record.model, record.content)
                if key not in found:
                    wire, model, name = key
                    found[key] = Conversation(wire=wire, model=model, conversation=name)
                found[key].add(record, again=step in paid)
                if record.fate in PAID:
                    paid.add(step)
        return list(found.values())

    def age_s(self) -> float:
        """Seconds since the first request."""
        return 0.0 if self.origin is None else self._clock() - self.origin

    def open(self) -> float:
        """The age at which a request comes in; the first one sets it to 0."""
        if self.origin is None:
            self.origin = self._clock()
        return self.age_s()

    def begin(self, model: str) -> Sums:
        """Count a request that came in; returns the sums of its model."""
        sums = self.models.get(model)
        if sums is None:
            sums = self.models[model] = Sums()
        self.totals.begin()
        sums.begin()
        return sums

    def keep(self, record: Record) -> None:
        """Remember a request."""
        self._records.append(record)

    def end(self, sums: Sums, fate: Fate, input_tokens: int, output_tokens: int) -> None:
        """Count a request that ended."""
        for counts in (self.totals, sums):
            counts.end(fate)
            if fate == "answered":
                counts.input_tokens += input_tokens
                counts.output_tokens += output_tokens

    def as_json(self, records: bool = True) -> bytes:
        """All of it."""
        whole = {"totals": self.totals, "models": self.models, "listings": self.listings}
        whole |= {"unreadable": self.unreadable, "records": self.records if records else []}
        whole |= {"conversations": self.conversations() if records else []}
        return msgspec.json.encode(whole)
