"""Failed calls grouped by kind and message, whatever numbers and names the messages hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from umwelten.types import Failure, FrozenStruct

MOST_GROUPS = 200
"""Groups that are told apart, so that memory stays bounded whatever providers write."""
_MESSAGE = 500
"""Characters of a message that tell groups apart: what follows is mostly data of the call."""
_VARIES = re.compile(r"""[^\s"'`()\[\]{}<>,;=]*[\d/\\][^\s"'`()\[\]{}<>,;=]*""")
"""Words with a digit or a slash: numbers, ids, times, addresses, paths and most names of files."""


class MessageGroup(FrozenStruct):
    """Failed calls of one kind whose messages say the same, and what to do about them.

    `example` is the first one's message with its HTTP status, `file` the input of that call; `itself`: the
    message says what to do.
    """

    kind: str
    count: int
    example: str
    file: str | None
    advice: str
    itself: bool = False


class _Group:
    __slots__ = ("count", "failure", "file", "providers")

    def __init__(self, failure: Failure, file: str | None) -> None:
        self.failure, self.file, self.count = failure, file, 0
        self.providers: dict[str, None] = {}


class FailureGroups:
    """Counts failed calls by kind and message as they come, in bounded memory."""

    def __init__(self) -> None:
        self._groups: dict[tuple[str, str], _Group] = {}

    def add(self, failure: Failure, *, file: str | None, provider: str) -> None:
        """Count one more failed call."""
        key = (str(failure.kind), f"{failure.status} {pattern(failure.message, file)}")
        if key not in self._groups and len(self._groups) >= MOST_GROUPS:
            key = (str(failure.kind), "")
        group = self._groups.setdefault(key, _Group(failure, file))
        group.count += 1
        group.providers[provider] = None

    def take_back(self, kinds: Mapping[str, int]) -> None:
        """Count so many of each kind no more, as they are made again: those of the largest groups first."""
        for kind, count in kinds.items():
            left = count
            of_kind = [(key, group) for key, group in self._groups.items() if key[0] == kind]
            for key, group in sorted(of_kind, key=lambda item: -item[1].count):
                taken = min(left, group.count)
                group.count -= taken
                left -= taken
                if not group.count:
                    del self._groups[key]

    def told(
        self, advise: Callable[..., str], reason: Callable[[Failure], str], itself: Callable[[Failure], bool]
    ) -> tuple[MessageGroup, ...]:
        """Return the groups, the largest first. `advise` as `advice.advice`, `reason` tells the message."""
        groups = sorted(self._groups.items(), key=lambda item: (-item[1].count, item[0][0]))
        return tuple(
            MessageGroup(
                kind=kind,
                count=group.count,
                example=reason(group.failure),
                file=group.file,
                advice=advise(
                    kind,
                    message=reason(group.failure),
                    providers=tuple(group.providers),
                    code=group.failure.code,
                ),
                itself=itself(group.failure),
            )
            for (kind, _), group in groups
        )


def pattern(message: str, file: str | None = None) -> str:
    """Return the message with `#` for each word that differs between calls: numbers, ids, paths, the file."""
    text = message[:_MESSAGE]
    for name in _names(file):
        text = text.replace(name, "#")
    return re.sub(r"#(?:\s*#)+", "#", _VARIES.sub("#", " ".join(text.split())))


def _names(file: str | None) -> Iterable[str]:
    """The file's name as messages have it: with its folders, and alone."""
    return (name for name in (file, (file or "").rpartition("/")[2]) if name)
