"""Which behaviour a request meets, how long it takes and what it says."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.profile import (
    DEFAULT_TEXT,
    Behaviour,
    LatencyForm,
    Lognormal,
    Profile,
    Rule,
)
from umwelten.simulate.faultserver.records import record, shape_answer
from umwelten.simulate.faultserver.scoped_limits import matches
from umwelten.simulate.faultserver.tools.turns import next_turn
from umwelten.simulate.faultserver.tools.values import PlannedTurn
from umwelten.simulate.faultserver.wires import ScriptedAnswer
from umwelten.simulate.limiters import RequestCost

_FIELD = re.compile(r"\{(model|n|prompt|tail|digest|files|marks|results)\}")
_WORDS: dict[str, Callable[[IncomingRequest, int], str]] = {
    "model": lambda ask, n: ask.model,
    "n": lambda ask, n: str(n),
    "prompt": lambda ask, n: ask.prompt,
    "tail": lambda ask, n: ask.tail,
    "digest": lambda ask, n: ask.digest,
    "files": lambda ask, n: " ".join(file.name or file.mark for file in ask.files),
    "marks": lambda ask, n: " ".join(ask.marks),
    "results": lambda ask, n: "" if ask.transcript is None else " | ".join(ask.transcript.results),
}
_QUOTING_TEXT = "{model} says {digest}: {results}"
"""In place of the default text once there are results."""


_KEYS: dict[str, Callable[[IncomingRequest], str]] = {
    "rule": lambda ask: "",
    "prompt": lambda ask: ask.digest,
    "mark": lambda ask: " ".join((*ask.marks, *(file.mark for file in ask.files))),
    "step": lambda ask: ask.digest if ask.transcript is None else ask.transcript.content,
}


class BehaviourState:
    """A behaviour together with where its latencies have got to."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self._latency: LatencyForm = behaviour.latency_s
        self._turn = 0
        self._dice = random.Random(self._latency.seed) if isinstance(self._latency, Lognormal) else None

    def latency_s(self) -> float:
        """The next latency."""
        latency = self._latency
        if isinstance(latency, tuple):
            self._turn += 1
            return latency[(self._turn - 1) % len(latency)]
        if isinstance(latency, Lognormal) and self._dice is not None:
            return self._dice.lognormvariate(math.log(latency.median_s), latency.sigma)
        return latency if isinstance(latency, (int, float)) else 0.0


class _RuleCounter:
    """A rule and how often it was met."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.drawn = BehaviourState(rule.behaviour)
        self._counts: dict[str, int] = {}
        self._counts_requests = (rule.n, rule.every, rule.first) != (None, None, None)

    def holds(self, ask: IncomingRequest) -> bool:
        rule = self.rule
        if not (
            matches(rule.wire, ask.wire) and matches(rule.model, ask.model) and rule.prompt in ask.prompt
        ):
            return False
        if rule.schema is not None and rule.schema is (ask.schema is None):
            return False
        if rule.forced_tool is not None and rule.forced_tool is (ask.tool is None):
            return False
        if rule.step is not None and (ask.transcript is None or ask.transcript.step != rule.step):
            return False
        return not self._counts_requests or self._due(ask)

    def _due(self, ask: IncomingRequest) -> bool:
        rule = self.rule
        key = _KEYS[rule.counting](ask)
        count = self._counts[key] = self._counts.get(key, 0) + 1
        return (
            (rule.n is None or count == rule.n)
            and (rule.every is None or count % rule.every == 0)
            and (rule.first is None or count <= rule.first)
        )


class Chooser:
    """The rules of a profile at work."""

    def __init__(self, profile: Profile) -> None:
        self._default = BehaviourState(profile.default)
        self._rules = [_RuleCounter(rule) for rule in profile.rules]

    def choose(self, ask: IncomingRequest) -> BehaviourState:
        """Return the behaviour of the first rule that holds, or the default; count in all rules before it."""
        for rule in self._rules:
            if rule.holds(ask):
                return rule.drawn
        return self._default


def render(template: str, ask: IncomingRequest, n: int) -> str:
    """Return the text of an answer. Braces that name no field stay as they are."""
    return _FIELD.sub(lambda field: _WORDS[field[1]](ask, n), template)


def answer_to(
    ask: IncomingRequest, behaviour: Behaviour, n: int, now_unix: float, latency_s: float
) -> ScriptedAnswer:
    """Return the whole answer; one word is one token, and `max_tokens` of the request cuts it."""
    turn, finish = _turn(ask, behaviour, n), behaviour.finish
    text = _text(ask, behaviour, n, turn)
    tokens = behaviour.output_tokens
    if tokens is None:
        words = [text, *(call.arguments for call in turn.calls)] if turn is not None else [text]
        tokens = sum(each.count(" ") + 1 for each in words) + behaviour.reasoning_tokens
    if turn is not None:
        finish = "length" if "cut_arguments" in turn.quirks else finish
    elif ask.max_tokens is not None and tokens > ask.max_tokens:
        text = " ".join(text.split(" ")[: ask.max_tokens])
        tokens, finish = ask.max_tokens, "length"
    return ScriptedAnswer(
        ask=ask,
        n=n,
        text=text,
        input_tokens=ask.input_tokens if behaviour.input_tokens is None else behaviour.input_tokens,
        output_tokens=tokens,
        cached_tokens=behaviour.cached_tokens,
        reasoning_tokens=min(tokens, behaviour.reasoning_tokens),
        finish=finish,
        now_unix=now_unix,
        latency_s=latency_s,
        cost_usd=behaviour.cost_usd,
        turn=turn,
    )


def _turn(ask: IncomingRequest, behaviour: Behaviour, n: int) -> PlannedTurn | None:
    if behaviour.tool_turns is None or ask.transcript is None:
        return None
    return next_turn(
        behaviour.tool_turns,
        ask.transcript,
        ask.wire,
        render=lambda text: render(text, ask, n),
        make_up=lambda schema, seed: record(schema, f"{ask.digest}.{seed}"),
    )


def _text(ask: IncomingRequest, behaviour: Behaviour, n: int, turn: PlannedTurn | None) -> str:
    """The text of an answer, or what stands beside the calls of a turn."""
    spec, transcript = behaviour.tool_turns, ask.transcript
    if spec is None or transcript is None:
        return shape_answer(ask, behaviour.shaped, render(behaviour.text, ask, n))
    if turn is not None:
        return render(spec.text, ask, n)
    if "empty_reply" in spec.quirks and transcript.ends_with_results:
        return ""
    quotes = transcript.results and behaviour.text == DEFAULT_TEXT
    return shape_answer(ask, behaviour.shaped, render(_QUOTING_TEXT if quotes else behaviour.text, ask, n))


def cost_of(answer: ScriptedAnswer) -> RequestCost:
    """Return what limits count."""
    return RequestCost(
        input_tokens=answer.input_tokens, output_tokens=answer.output_tokens, max_tokens=answer.ask.max_tokens
    )
