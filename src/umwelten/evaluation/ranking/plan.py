"""Which answers are compared: the pairs that are drawn, those that a judge sees, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from umwelten.evaluation.ranking.answers import RankedAnswer, RankedAnswers
from umwelten.inputs.pairs import AnswerPair
from umwelten.scoring.ranking.comparison import Seats, Unit, UnitState, Vote
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import PairShare, Row, comparisons, drawn, seat
from umwelten.statistics.connectivity import connected_components
from umwelten.store.stored_pairs import AnswerPlace
from umwelten.types import FrozenStruct

Order = tuple[AnswerPlace, AnswerPlace]
"""Two answers as they are shown: in the first seat, in the second."""


class PairChoice(FrozenStruct):
    """Which pairs are judged, by the options of that name."""

    share: PairShare
    against: Contestant | None = None
    seats: Seats = "both"


class _Drawn(NamedTuple):
    """A comparison that is drawn; an answer that is missing is `None`."""

    row: Row
    a: Contestant
    b: Contestant
    first: RankedAnswer | None
    second: RankedAnswer | None


class RankingPlan:
    """The comparisons of a ranking. `seed` decides which are drawn, as far as not all are."""

    def __init__(self, answers: RankedAnswers, choice: PairChoice, seed: str) -> None:
        self.answers, self.choice, self._seed = answers, choice, seed
        self.all_comparisons = comparisons(
            len(answers.rows), len(answers.contestants), against=choice.against is not None
        )
        answers.read({(row, each) for row, a, b in self._draw() for each in (a, b)})

    def states(self) -> Counter[str]:
        """Return how many of the drawn comparisons are judged, and why the others are not."""
        return Counter(self._state(one) for one in self._drawn())

    def groups(self) -> list[list[Contestant]]:
        """Return the groups of contestants that have no comparison with those of another, the largest first.

        One that has none at all is in no group.
        """
        numbers = {contestant: number for number, contestant in enumerate(self.answers.contestants)}
        met = {
            (numbers[one.a], numbers[one.b])
            for one in self._drawn()
            if self._state(one) in ("judged", "equal")
        }
        there = {number for pair in met for number in pair}
        found = connected_components(len(numbers), met)
        return [[self.answers.contestants[n] for n in group] for group in found if there.intersection(group)]

    def pairs(self) -> Iterator[AnswerPair]:
        """Yield what judges are shown, in the order of asking."""
        suffixes: dict[tuple[str, str], str] = {}
        for one in self._drawn():
            if self._state(one) != "judged":
                continue
            for swapped in self._orders(one):
                first, second = (one.second, one.first) if swapped else (one.first, one.second)
                assert first is not None and second is not None
                slugs = first.slug, second.slug
                if slugs not in suffixes:
                    suffixes[slugs] = _suffix(slugs, suffixes.values())
                name = ".".join(part for part in (one.row.file, suffixes[slugs]) if part)
                name = name if one.row.repeat == 1 else f"{name}.r{one.row.repeat}"
                yield AnswerPair(first=first.place, second=second.place, name=name)

    def units(self, votes: Mapping[Order, list[Vote]], changed: Collection[Order]) -> Iterator[Unit]:
        """Yield the drawn comparisons with what judges said, by what they were shown.

        `changed`: those that no judge could be shown, as their input is no longer what was sent.
        """
        for one in self._drawn():
            state = self._state(one)
            said: list[Vote] = []
            if state == "judged":
                assert one.first is not None and one.second is not None
                for swapped in self._orders(one):
                    first, second = (one.second, one.first) if swapped else (one.first, one.second)
                    order = first.place, second.place
                    said += votes.get(order, ())
                    state = "input_changed" if order in changed else state
            yield Unit(
                row=one.row,
                a=one.a,
                b=one.b,
                state=state,
                votes=tuple(said),
                a_characters=one.first.characters if one.first is not None else 0,
                b_characters=one.second.characters if one.second is not None else 0,
                cluster=self.answers.cluster(one.row.file),
            )

    def swapped(self) -> dict[Order, bool]:
        """Return for each order in which two answers are shown whether it is the other way round."""
        found = {}
        for one in self._drawn():
            if self._state(one) == "judged":
                assert one.first is not None and one.second is not None
                places = one.first.place, one.second.place
                for swapped in self._orders(one):
                    found[places[::-1] if swapped else places] = swapped
        return found

    def _orders(self, one: _Drawn) -> tuple[bool, ...]:
        if self.choice.seats == "both":
            return False, True
        return (not seat(one.row, one.a, one.b, self._seed),)

    def _draw(self) -> Iterator[tuple[Row, Contestant, Contestant]]:
        answers, choice = self.answers, self.choice
        return drawn(
            answers.rows, answers.contestants, seed=self._seed, share=choice.share, against=choice.against
        )

    def _drawn(self) -> Iterator[_Drawn]:
        cells = self.answers.cells
        for row, a, b in self._draw():
            yield _Drawn(row, a, b, cells.get((row, a)), cells.get((row, b)))

    def _state(self, one: _Drawn) -> UnitState:
        first, second = one.first, one.second
        if first is None or second is None:
            return "no_answer"
        if not self.answers.same_input(first, second):
            return "input_changed"
        return "equal" if first.text == second.text else "judged"


def _suffix(slugs: tuple[str, str], taken: Collection[str]) -> str:
    """Return how the two are named in the names of inputs: names of models may hold any words and dots."""
    suffix = f"{slugs[0]}.vs.{slugs[1]}"
    while suffix in taken:
        suffix += "_"
    return suffix
