"""What calls of an evaluation cost, and what they may take at most."""

from __future__ import annotations

import time
from collections.abc import Mapping

from umwelten.attempts.target import Target
from umwelten.control.stop import OPEN_ENDED
from umwelten.evaluation.request_terms import request_terms, with_input
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.pricing import PriceBook, cost_nusd, max_cost_nusd
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.prompts.token_estimates import input_size
from umwelten.types import Call, ModelRef, Turn, Usage

ASSUMED_OUTPUT = 1024
"""Tokens that an answer is expected to have at most when no `max_tokens` says so."""

LONGEST_OUTPUT = OPEN_ENDED * ASSUMED_OUTPUT
"""Tokens that are reserved for such an answer while many calls are under way."""


class CallEstimates:
    """Prices attempts and bounds calls. `targets` by the models' numbers; costs are in nano-USD."""

    def __init__(
        self,
        spec: EvaluationSpec,
        builder: RequestBuilder,
        targets: Mapping[int, Target],
        prices: PriceBook,
    ) -> None:
        self._builder, self._targets, self.prices = builder, targets, prices
        sent = {ref: spec.request.of(ref) for ref in spec.models}
        self._longest = {ref: own.parameters.max_tokens for ref, own in sent.items()}
        self.terms = {ref: request_terms(own) for ref, own in sent.items()}

    def cost(self, usage: Usage, model: ModelRef) -> int | None:
        """Return what such an attempt costs, `None` if that is not known."""
        return cost_nusd(usage, model, self.prices, at=time.time(), terms=self.terms[model])

    def tokens(self, call: Call, turns: tuple[Turn, ...]) -> tuple[int, int | None]:
        """Return the tokens that a call's request sends, roughly, and that it may write at most."""
        target, size = self._targets[call.model], input_size(call.input)
        longest = self._longest[target.model]
        return self._builder.input_tokens(size, target.prompt, turns, target.model.variant), longest

    def broken_off(self, call: Call) -> int | None:
        """Return what an attempt costs that was broken off: nobody knows, unless it is nothing anyway."""
        return 0 if self._targets[call.model].endpoint.vendor.is_free else None

    def most(self, call: Call, turns: tuple[Turn, ...]) -> int | None:
        """Return the most that a call's next request can cost."""
        model, size = self._targets[call.model].model, input_size(call.input)
        return max_cost_nusd(
            model,
            self._builder.most_tokens(size, turns),
            self._longest[model] or LONGEST_OUTPUT,
            self.prices,
            at=time.time(),
            terms=with_input(self.terms[model], size.name),
        )
