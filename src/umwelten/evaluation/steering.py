"""Changing a run while it goes on: settings, pauses, the end, failed calls once more.

Every method may be called from any thread but that of the run's event loop. A change is applied in the
loop, then journalled in the store; the method returns once it is committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from umwelten.types import FrozenStruct

if TYPE_CHECKING:
    from umwelten.evaluation.run_state import RunState
    from umwelten.events import Event
    from umwelten.records import ChangeKey


class Author(FrozenStruct):
    """Who changes a run, through what ("ctl", "view", "ui", "library"), and why; "" where not said."""

    via: str = "library"
    name: str = ""
    reason: str = ""


class Change(FrozenStruct):
    """What came of a change. `old` and `new` are values of JSON; `note` is what the user should know.

    `journalled` False: it holds, but could not be stored. `None`: nothing was changed (a dry run).
    """

    key: str
    scope: str
    old: Any
    new: Any
    journalled: bool | None
    note: str = ""


class Steering:
    """Changes one run. Refuses with a `UsageError` what is not allowed, and changes nothing then.

    `scope` is the name of a lane, a provider or a model, or "" for the whole run.
    """

    def state(self) -> RunState:
        """Return the run as it is now. Takes what progress takes; never waits for the loop."""
        raise NotImplementedError

    def set(
        self, key: ChangeKey | str, value: Any, by: Author, *, scope: str = "", dry_run: bool = False
    ) -> Change:
        """Change a setting, given as the option of that name takes it, as a text or as a value."""
        raise NotImplementedError

    def pause(self, by: Author, *, scope: str = "", for_s: float | None = None) -> Change:
        """Start nothing more until `resume`, or for so long; what is in flight ends, and is committed."""
        raise NotImplementedError

    def resume(self, by: Author, *, scope: str = "") -> Change:
        """End a pause."""
        raise NotImplementedError

    def stop(self, by: Author, *, now: bool = False) -> Change:
        """End the run as the first Ctrl-C does, or with `now` as the second one."""
        raise NotImplementedError

    def retry_failed(self, by: Author, *, kind: str = "", model: str = "", input: str = "") -> Change:
        """Make the calls again that this run gave up: all, or those of a kind, model or input.

        `new` is how many.
        """
        raise NotImplementedError

    def cancel(self, by: Author, call: int) -> Change:
        """Cancel a call under way, by the number that events have; it stays pending."""
        raise NotImplementedError

    def __call__(self, event: Event) -> None:
        """Take note of an event: it is an observer of its run."""
        raise NotImplementedError
