"""Plans the next turn of a simulated model: whether it calls tools, which, and with what."""

from __future__ import annotations

import json
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Any

from umwelten.simulate.faultserver.tools.seals import call_id, sign
from umwelten.simulate.faultserver.tools.spec import ToolTurns
from umwelten.simulate.faultserver.tools.values import OfferedTool, PlannedCall, PlannedTurn, Transcript

_PREFIXES = {"anthropic": "toolu_"}
Render = Callable[[str], str]
MakeUp = Callable[[dict[str, Any], str], Any]


def next_turn(
    spec: ToolTurns, transcript: Transcript, wire: str, render: Render, make_up: MakeUp
) -> PlannedTurn | None:
    """Return the model's next turn; `None` where it answers.

    `render` fills in the texts of arguments, `make_up` makes a value for a schema and a seed.
    """
    number = transcript.turns
    quirks = spec.quirks_in(number)
    if wire == "anthropic" and "pause_turn" in quirks and not transcript.pauses:
        return PlannedTurn(calls=(), thought=_thought(spec, transcript), quirks=quirks, number=number)
    if not transcript.tools or not _calls(spec, transcript):
        return None
    if wire == "gemini" and quirks & {"malformed_call", "unexpected_call"}:
        return PlannedTurn(calls=(), thought="", quirks=quirks, number=number)
    count = spec.calls_in(number)
    return PlannedTurn(
        calls=tuple(
            _call(spec, transcript, wire, place, cut=place == count - 1, render=render, make_up=make_up)
            for place in range(count)
        ),
        thought=_thought(spec, transcript),
        quirks=quirks,
        number=number,
    )


def _calls(spec: ToolTurns, transcript: Transcript) -> bool:
    if "always_calls" in spec.quirks or transcript.choice == "any":
        return True
    return transcript.choice == "auto" and transcript.turns < spec.turns


def _thought(spec: ToolTurns, transcript: Transcript) -> str:
    """Different in every turn, so that no turn's thoughts pass for another's."""
    if not spec.thinking:
        return ""
    return f"Thought of step {transcript.step}: {sign(transcript.content, str(transcript.turns))}"


def _call(
    spec: ToolTurns,
    transcript: Transcript,
    wire: str,
    place: int,
    *,
    cut: bool,
    render: Render,
    make_up: MakeUp,
) -> PlannedCall:
    quirks = spec.quirks_in(transcript.turns)
    total = transcript.calls + place
    tool = _tool(spec, transcript, total)
    if spec.arguments:
        value: Any = _filled(spec.arguments[total % len(spec.arguments)], transcript.turns, place, render)
    else:
        value = make_up(tool.schema, f"{transcript.turns}.{place}")
    name = "no_such_tool" if "unknown_tool" in quirks else tool.name
    arguments = _spoiled(json.dumps(value, ensure_ascii=False), quirks, cut and "cut_arguments" in quirks)
    return PlannedCall(
        name=name, arguments=arguments, id=_id(spec, quirks, wire, transcript, place, name, arguments)
    )


def _tool(spec: ToolTurns, transcript: Transcript, total: int) -> OfferedTool:
    named = [tool for tool in transcript.tools if tool.name == transcript.named]
    chosen = [tool for glob in spec.tools for tool in transcript.tools if fnmatchcase(tool.name, glob)]
    row = named or chosen or list(transcript.tools[:1])
    return row[total % len(row)]


def _spoiled(arguments: str, quirks: frozenset[str], cut: bool) -> str:
    if "empty_arguments" in quirks:
        return ""
    if "malformed_arguments" in quirks:
        return f"{arguments[:-1]},,"
    return arguments[: len(arguments) // 2] if cut else arguments


def _id(
    spec: ToolTurns,
    quirks: frozenset[str],
    wire: str,
    transcript: Transcript,
    place: int,
    name: str,
    arguments: str,
) -> str | None:
    if "no_ids" in quirks and wire not in ("anthropic", "responses"):
        return None
    if "repeated_ids" in quirks:
        return f"call_{place}"
    prefix = "" if spec.ids == "mistral" else _PREFIXES.get(wire, "call_")
    return call_id(prefix, name, arguments, transcript.content, str(place))


def _filled(value: Any, turn: int, place: int, render: Render) -> Any:
    """The same JSON with all texts filled in."""
    if isinstance(value, str):
        return render(value.replace("{turn}", str(turn + 1)).replace("{call}", str(place + 1)))
    if isinstance(value, dict):
        return {key: _filled(inner, turn, place, render) for key, inner in value.items()}
    return [_filled(inner, turn, place, render) for inner in value] if isinstance(value, list) else value
