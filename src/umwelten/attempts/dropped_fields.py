"""Optional fields that models refused: they are left out of all later requests at that address."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from umwelten.attempts.attempt import Attempt
from umwelten.attempts.target import Target
from umwelten.events import Note, NoteLevel, Observer
from umwelten.providers.common.refused_fields import API, STREAM, SYSTEM
from umwelten.providers.openai.responses.requests import left_out
from umwelten.types import Failure

OnRefused = Callable[[str, str, str], None]
"""Is told of a field that was refused: the model, its address, the field."""


class DroppedFields:
    """The fields that are left out, by model and address; a new one is reported once.

    `on_refused` is told of those that an answer to this process named, not of those that it was told of.
    """

    def __init__(self, observer: Observer, on_refused: OnRefused | None = None) -> None:
        self._observer, self._on_refused = observer, on_refused
        self._fields: dict[tuple[str, str], frozenset[str]] = {}

    def of(self, target: Target) -> frozenset[str]:
        """Return the fields that are left out of the requests to a target."""
        return self._fields.get(_server(target), frozenset())

    def learn(self, model: str, address: str, fields: Iterable[str]) -> None:
        """Leave out fields as well that another process was refused."""
        server = model, address
        self._fields[server] = self._fields.get(server, frozenset()).union(fields)

    def refuse(self, field: str, failure: Failure, attempt: Attempt) -> Failure:
        """Leave out a field from now on, if the request had it; returns the failure, to retry if so."""
        if field in attempt.dropped or not _is_sent(field, attempt):
            return msgspec.structs.replace(failure, retry=False, model_down=field == API)
        model, address = server = _server(attempt.target)
        if field not in self._fields.get(server, frozenset()):
            self.learn(model, address, (field,))
            self._observer(Note(text=f"{model} {_without(field, attempt)}", level=NoteLevel.WARNING))
            if self._on_refused is not None:
                self._on_refused(model, address, field)
        return msgspec.structs.replace(failure, retry=True)


def _server(target: Target) -> tuple[str, str]:
    """Return what refuses fields: a model as one server has it."""
    return str(target.model.plain), target.endpoint.base_url


def _is_sent(field: str, attempt: Attempt) -> bool:
    """Return whether the request would be another one without the field: messages may name any."""
    if field == API:
        return attempt.target.other_wire is not None
    if field == STREAM or attempt.outline is None:
        return field == STREAM
    target = attempt.target
    with_it, without = (
        target.wire.encode(attempt.outline, target.endpoint, dropped).body
        for dropped in (attempt.dropped, attempt.dropped | {field})
    )
    return with_it != without


def _without(field: str, attempt: Attempt) -> str:
    """Return what is done without a refused field, after the model's name."""
    if field == STREAM:
        return "is asked without streaming" if attempt.stream else "only streams; it is asked so"
    if field == API:
        lost = () if attempt.outline is None else left_out(attempt.outline.parameters)
        without = f", without {', '.join(lost)}" if lost else ""
        return f"is asked over the Responses API, as its provider says{without}"
    if field == SYSTEM:
        return "does not take a system message; its text goes to the beginning of the prompt"
    return f"does not take {field}; it is sent without"
