"""Which labels are taken for which: how often each, F1 by label, and agreement beyond chance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from umwelten.statistics import Kappa, cohens_kappa


class Confusion:
    """How often an answer said which label, by the label that it should have said.

    `labels` are those of the references, in the order of the table. Whatever else an answer says is counted
    as None: nobody could have expected it.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self.labels = tuple(dict.fromkeys(labels))
        self._known = frozenset(self.labels)
        self._counts = Counter[tuple[str, str | None]]()

    def add(self, wanted: str, said: str | None) -> None:
        """Add an answer. ValueError: `wanted` is not among the labels."""
        if wanted not in self._known:
            raise ValueError(f"{wanted!r} is no label of the table")
        self._counts[wanted, said if said in self._known else None] += 1

    @property
    def counts(self) -> Mapping[tuple[str, str | None], int]:
        """The number of answers by (what it should have been, what it said)."""
        return self._counts

    @property
    def answers(self) -> int:
        """The number of answers."""
        return self._counts.total()

    @property
    def macro_f1(self) -> float | None:
        """The mean of the labels' F1, 2·TP/(2·TP + FP + FN), each label alike; None without answers.

        Over the labels that an answer should have had or said.
        """
        wanted, said = Counter[str](), Counter[str | None]()
        for (one, other), number in self._counts.items():
            wanted[one] += number
            said[other] += number
        f1 = [
            2 * self._counts[label, label] / (wanted[label] + said[label])
            for label in self.labels
            if wanted[label] + said[label]
        ]
        return sum(f1) / len(f1) if f1 else None

    def kappa(self, *, level: float = 0.95) -> Kappa:
        """Return Cohen's κ of the answers and what they should be, with its interval."""
        pairs = list(self._counts.items())
        wanted = [one for (one, _), number in pairs for _ in range(number)]
        said = [(other,) for (_, other), number in pairs for _ in range(number)]
        return cohens_kappa([(label,) for label in wanted], said, level=level)
