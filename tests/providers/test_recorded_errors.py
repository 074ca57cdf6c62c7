"""Errors that providers sent, as people reported and vendors documented them, and what they mean.

`recorded_errors.jsonl` has one a line. `body` is what arrived: a JSON value, or a string where it was no
JSON or its exact bytes matter; `stream`: it came as a stream. `verified` True: the source shows the body
itself (ids shortened, a Python repr written as JSON); else `note` says what was reconstructed. `wait_s` is
the wait that the reply states, `retry` of a refused account that a later run may ask again.

`open` marks rows that are still taken for something else: they are run, and one that is put right without
taking the mark away fails.

`credit`, `blocked` and `model` are the classes that vendors do not keep apart by status: an account without
money or with its plan used up; content refused; a refusal that every call of the same model will meet (not
there, not permitted, not in this region, a wrong path) and other models will not.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from umwelten.providers.protocol import Endpoint, Head, Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import Failure, FailureKind, Outcome, Secret

NOW = 1_795_514_400.0  # Tue, 24 Nov 2026 10:00:00 GMT
LATER_WIRES = {"bedrock"}
"""Wires that have rows but no decoder yet; rows of any other unknown wire are an error."""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the row's error is to be taken for."""

    kind: str
    lane_down: bool
    retry: bool
    wait_s: float | None
    parameter: str | None
    credit: bool
    blocked: bool
    model: bool


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recorded error."""

    vendor: str
    wire: str
    name: str
    status: int
    headers: dict[str, str]
    body: Any
    stream: bool
    expected: Expected
    source: str
    verified: bool
    note: str = ""
    open: bool = False

    @property
    def id(self) -> str:
        """A name for the test's output."""
        return f"{self.vendor}-{self.status}-{self.name}".replace(" ", "_")


ELSEWHERE = "https://api.example/v1"
ADDRESSES = {"dashscope": "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"}
"""Of vendors without a row of ours whose errors are told by where they come from."""

LINES = (Path(__file__).parent / "recorded_errors.jsonl").read_text(encoding="utf-8").splitlines()
ROWS = [msgspec.json.decode(line, type=Row) for line in LINES]


def endpoint(row: Row) -> Endpoint:
    """The vendor's own row; for vendors without one a plain row of the wire, at their address."""
    vendor = VENDORS.get(row.vendor)
    if vendor is None or vendor.wire != row.wire:
        vendor = Vendor(name=row.vendor, wire=row.wire, base_url=ADDRESSES.get(row.vendor, ELSEWHERE))
    return Endpoint(vendor=vendor, base_url=vendor.base_url, api_key=Secret("sk-not-in-any-body"))


def decode(row: Row) -> Outcome:
    """The outcome of the recorded reply, through the wire's public decoders."""
    data = row.body.encode() if isinstance(row.body, str) else msgspec.json.encode(row.body)
    head = Head(status=row.status, headers=row.headers, now_unix=NOW)
    wire = WIRES[row.wire]
    if not row.stream:
        return wire.decode(head, data, endpoint(row))
    decoder = wire.stream(head, endpoint(row))
    decoder.feed(data)
    return decoder.finish()


def _marked(row: Row) -> Any:
    marks = [pytest.mark.xfail(reason="open", strict=True)] if row.open else []
    return pytest.param(row, id=row.id, marks=marks)


@pytest.mark.parametrize("row", [_marked(row) for row in ROWS if row.wire not in LATER_WIRES])
def test_a_recorded_error_is_taken_for_what_it_is(row: Row) -> None:
    outcome = decode(row)
    assert isinstance(outcome, Failure), f"taken for an answer, from {row.source}"
    expected = row.expected
    verdict = (str(outcome.kind), outcome.lane_down, outcome.retry, outcome.parameter)
    assert verdict == (expected.kind, expected.lane_down, expected.retry, expected.parameter), row.source
    assert outcome.model_down == expected.model, row.source
    assert outcome.hints.retry_after_s == pytest.approx(expected.wait_s), row.source
    assert outcome.message


@pytest.mark.parametrize(
    ("name", "base_url", "kind"),
    [
        ("mine", "https://dashscope.aliyuncs.com/compatible-mode/v1", "rate_limit"),
        ("mine", "http://relay.internal/compatible-mode/v1", "rate_limit"),
        ("qwen", "http://relay.internal/v1", "rate_limit"),
        ("mine", "http://relay.internal/v1", "unavailable"),
        ("mine", "http://aliyuncs.com.example/v1", "unavailable"),
    ],
)
def test_the_code_of_an_empty_account_is_a_rate_at_dashscope_alone(
    name: str, base_url: str, kind: str
) -> None:
    row = next(row for row in ROWS if row.vendor == "dashscope" and "current quota" in str(row.body))
    head = Head(status=row.status, headers=row.headers, now_unix=NOW)
    vendor = Vendor(name=name, wire="openai", base_url=base_url)
    place = Endpoint(vendor=vendor, base_url=base_url, api_key=None)
    outcome = WIRES["openai"].decode(head, msgspec.json.encode(row.body), place)
    assert isinstance(outcome, Failure) and outcome.kind == kind


def test_there_are_enough_and_each_names_its_source() -> None:
    assert len(ROWS) >= 120
    assert len({row.vendor for row in ROWS}) >= 25
    assert all("/" in row.source and row.name and (row.verified or row.note) for row in ROWS)
    assert [name for name, times in Counter(row.id for row in ROWS).items() if times > 1] == []
    assert sum(row.verified for row in ROWS) >= 100


def test_every_row_can_be_decoded_or_is_known_to_be_early() -> None:
    assert {row.wire for row in ROWS} <= WIRES.keys() | LATER_WIRES
    assert {row.expected.kind for row in ROWS} <= set(FailureKind)
    assert LATER_WIRES.isdisjoint(WIRES)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_what_a_row_expects_does_not_contradict_itself(row: Row) -> None:
    expected = row.expected
    assert not expected.lane_down or expected.kind == "unavailable"
    assert not expected.credit or expected.lane_down
    assert not expected.blocked or (expected.kind, expected.retry) == ("bad_request", False)
    assert expected.parameter is None or expected.kind == "bad_request"
    assert not expected.model or not expected.lane_down


@pytest.mark.parametrize(
    "message",
    [
        "Token usage limit exceeded, try again in 20s",
        "已达到每分钟的使用上限",
        "Rate limit reached: over budget of tokens per minute",
        "Usage limit reached for this minute",
    ],
)
def test_a_limit_by_the_minute_is_no_empty_account_whatever_it_is_called(message: str) -> None:
    body = msgspec.json.encode({"error": {"message": message}})
    row = ROWS[0]
    outcome = WIRES["openai"].decode(Head(status=429, headers={}, now_unix=NOW), body, endpoint(row))
    assert isinstance(outcome, Failure)
    assert (outcome.kind, outcome.lane_down) == (FailureKind.RATE_LIMIT, False)
