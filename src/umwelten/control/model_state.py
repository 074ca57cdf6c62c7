"""Whether a model can be asked at all, as far as its calls have shown.

Theory of operation. A model that is not there, not permitted or retired refuses every call alike. That costs
nothing, but says the same thing a thousand times. The words of a refusal may mislead, though: what sounds
like the model may be about one request. So a refusal holds the model: no further call of it starts, and the
refused one is put aside. If one of those in flight is answered, the model is well: what was put aside goes
again, and is given up if it is refused once more. If none is, the model is stopped for the rest of the run,
and its calls stay pending. A model that has answered in this run is never held. Where several lanes make its
calls, one that was refused the model before it got an answer of it is left out, as long as others are left.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from umwelten.control.scheduled_call import ScheduledCall
from umwelten.types import Failure


@dataclass(slots=True)
class ModelState:
    """The state of one model with all its prompts. `answered`: at these lanes, by their places
    among those that make its calls. `stopped`: why it takes no more calls.
    """

    in_flight: int = 0
    answered: set[int] = field(default_factory=set)
    refused: Failure | None = None
    stopped: Failure | None = None
    aside: list[ScheduledCall] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Return whether no call may start until those in flight have ended."""
        return self.refused is not None

    def put_aside(self, scheduled: ScheduledCall, failure: Failure) -> None:
        """Note a refusal of the model, and keep the call that got it."""
        self.refused = self.refused or failure
        self.aside.append(scheduled)

    def on_answer(self, lane: int = 0) -> list[ScheduledCall]:
        """Note that the model answered at that lane; return the calls that go again."""
        self.answered.add(lane)
        self.refused = None
        again, self.aside = self.aside, []
        return again

    def on_loss(self) -> list[ScheduledCall]:
        """Note that what was in flight is lost: it proves nothing. Return the calls that go again, if any."""
        if self.refused is None or self.in_flight:
            return []
        self.refused = None
        again, self.aside = self.aside, []
        return again

    def stop_if_refused(self) -> bool:
        """Stop the model if it was refused and nothing of it is in flight. True if it was open until now."""
        if self.refused is None or self.in_flight or self.stopped is not None:
            return False
        self.stopped = self.refused
        self.aside.clear()
        return True
