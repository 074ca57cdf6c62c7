"""Which wire a conversation is held in, where a provider has two."""

from __future__ import annotations

import msgspec
import pytest

from umwelten.attempts.target import Target
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.tool_calls import ModelTurn, ToolCall
from umwelten.types import ModelRef, Turn

ROW = VENDORS["openai"]
CALLS = (ToolCall(id="c", name="f"),)
ITEMS = ModelTurn(raw=b'[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]', calls=CALLS)
MESSAGE = ModelTurn(raw=b'{"role":"assistant","content":null,"tool_calls":[]}', calls=CALLS)


@pytest.mark.parametrize(
    ("chosen", "dropped", "turns", "expected"),
    [
        ("auto", (), (), "openai"),
        ("auto", ("seed",), (MESSAGE,), "openai"),
        ("auto", ("api",), (), "responses"),
        ("auto", ("api",), (MESSAGE,), "responses"),
        ("auto", (), (ITEMS,), "responses"),
        ("chat", ("api",), (), "openai"),
        ("chat", (), (ITEMS,), "responses"),
    ],
)
def test_a_conversation_goes_on_where_it_began_unless_that_is_refused(
    chosen: str, dropped: tuple[str, ...], turns: tuple[Turn, ...], expected: str
) -> None:
    place = Endpoint(vendor=msgspec.structs.replace(ROW, api=chosen), base_url=ROW.base_url)
    other = WIRES["responses"] if chosen == "auto" else None
    target = Target(model=ModelRef("openai", "m"), endpoint=place, wire=WIRES["openai"], other_wire=other)
    assert target.settled(frozenset(dropped), turns).wire is WIRES[expected]


def test_a_list_of_blocks_is_another_vendors_turn() -> None:
    row = VENDORS["anthropic"]
    place = Endpoint(vendor=row, base_url=row.base_url)
    target = Target(model=ModelRef("anthropic", "m"), endpoint=place, wire=WIRES["anthropic"])
    assert target.settled(frozenset(), (ITEMS,)) is target
