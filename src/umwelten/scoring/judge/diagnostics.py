"""How far judges can be relied on: what failed, who contradicts whom, what goes with the length."""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence

from umwelten.scoring.judge.combination import Ballot, combine_words
from umwelten.scoring.judge.reply import Verdict
from umwelten.scoring.judge.scale import Scale
from umwelten.scoring.judge.settings import Combine
from umwelten.scoring.score import Unscored
from umwelten.statistics import krippendorffs_alpha, spearman
from umwelten.types import FrozenStruct

_MOST_KNOWN = 10_000
"""Sets of verdicts whose outcome is kept: five samples of 1–5 have 126."""


class JudgeFigures(FrozenStruct):
    """Figures of one judge, over answers and criteria; `None` is what cannot be known.

    `asked` = `given` + `failed` + `declined`. `pass_share` is the share of verdicts that pass, of those
    given. `repeated` counts the answers (with criteria: answers × criteria) with two verdicts or more, on
    `contradicted` of which they differ, `spread` being the mean distance of the highest from the lowest, as a
    share of the scale. `agreement` is the share of the verdicts of other judges on the same answers that
    equal this one's, `distance` the mean distance from them. `length_correlation` is Spearman's ρ of its
    value with the length of the answer. `own` counts the answers that it wrote itself, as far as names tell.
    """

    judge: str
    asked: int
    given: int
    failed: int
    declined: int
    pass_share: float | None
    repeated: int
    contradicted: int
    contradiction_share: float | None
    spread: float | None
    agreement: float | None
    distance: float | None
    length_correlation: float | None
    own: int


class JuryFigures(FrozenStruct):
    """Figures of all judges of a scorer.

    `alpha` is Krippendorff's α between them: 1 where all agree, 0 at chance, below where they contradict each
    other; `None` with one judge, or where nothing varies. `metric` is `nominal`, or `ordinal` on a scale.
    """

    judges: tuple[JudgeFigures, ...]
    alpha: float | None
    metric: str
    answers: int


class Diagnostics:
    """Collects what judges said, an answer at a time; keeps some 16 bytes for each answer, judge, criterion.

    `judges` is their order; `at_least` as in `Judge`, `how` is how a judge's own samples are combined.
    """

    def __init__(
        self,
        judges: Sequence[str],
        criteria: Sequence[str],
        scale: Scale,
        how: Combine,
        at_least: float | None,
    ) -> None:
        self._judges = {judge: _Tally() for judge in judges}
        self._criteria = tuple(criteria) or ("",)
        self._scale, self._how, self._at_least = scale, how, at_least
        self._answers = 0
        self._known: dict[tuple[str, ...], float] = {}

    def add(self, ballots: Iterable[Ballot], *, length: int | None = None, model: str | None = None) -> None:
        """Add what was said about one answer: of `length` characters, written by `model`.

        Errors: `KeyError` for a judge that is none of `judges`.
        """
        self._answers += 1
        by_judge: dict[str, list[Ballot]] = {judge: [] for judge in self._judges}
        for ballot in ballots:
            by_judge[ballot.judge].append(ballot)
        for judge, given in by_judge.items():
            tally = self._judges[judge]
            values = [self._value(tally, given, criterion) for criterion in self._criteria]
            tally.values.extend(math.nan if value is None else value for value in values)
            known = [value for value in values if value is not None]
            if known and length is not None:
                tally.means.append(math.fsum(known) / len(known))
                tally.lengths.append(length)
            if given and model is not None and same_model(judge, model):
                tally.own += 1
        self._compare()

    def figures(self) -> JuryFigures:
        """Return the figures of all that was added."""
        metric = "ordinal" if self._scale.graded else "nominal"
        rows = [
            [None if math.isnan(value) else value for value in tally.values]
            for tally in self._judges.values()
        ]
        alpha = None
        if len(rows) > 1:
            alpha = krippendorffs_alpha(rows, "ordinal" if self._scale.graded else "nominal")
        judges = tuple(_figures(judge, tally) for judge, tally in self._judges.items())
        return JuryFigures(judges=judges, alpha=alpha, metric=metric, answers=self._answers)

    def _value(self, tally: _Tally, ballots: Sequence[Ballot], criterion: str) -> float | None:
        """Count one judge's opinions on a criterion of an answer; return what they amount to."""
        words = []
        for ballot in ballots:
            opinion = ballot.opinions.get(criterion)
            if isinstance(opinion, Verdict):
                words.append(opinion.label)
                if self._at_least is not None:
                    tally.decided += 1
                    tally.passed += opinion.value >= self._at_least
            elif isinstance(opinion, Unscored):
                tally.without[opinion.kind] += 1
        tally.given += len(words)
        if len(words) > 1:
            shares = [self._scale.share(word) for word in words]
            tally.repeated += 1
            tally.contradicted += len(set(words)) > 1
            tally.spread += float(max(shares) - min(shares))
        return self._combined(tuple(sorted(words))) if words else None

    def _combined(self, words: tuple[str, ...]) -> float:
        if words not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[words] = float(combine_words(words, self._scale, self._how).value)
        return self._known[words]

    def _compare(self) -> None:
        """Compare the judges on the answer that was added last."""
        last = len(self._criteria)
        for one, other in itertools.permutations(self._judges.values(), 2):
            for mine, theirs in zip(one.values[-last:], other.values[-last:], strict=True):
                if not math.isnan(mine) and not math.isnan(theirs):
                    one.compared += 1
                    one.equal += mine == theirs
                    one.distance += abs(mine - theirs)


class _Tally:
    """The counts of one judge. `values` has one for each answer and criterion, NaN where there is none."""

    def __init__(self) -> None:
        self.without: Counter[str] = Counter()
        self.given = self.decided = self.passed = self.own = 0
        self.repeated = self.contradicted = 0
        self.compared = self.equal = 0
        self.spread = self.distance = 0.0
        self.values = array("d")
        self.means = array("d")
        self.lengths = array("q")


def _figures(judge: str, tally: _Tally) -> JudgeFigures:
    declined = tally.without["judge_declined"]
    failed = tally.without.total() - declined
    return JudgeFigures(
        judge=judge,
        asked=tally.given + failed + declined,
        given=tally.given,
        failed=failed,
        declined=declined,
        pass_share=_share(tally.passed, tally.decided),
        repeated=tally.repeated,
        contradicted=tally.contradicted,
        contradiction_share=_share(tally.contradicted, tally.repeated),
        spread=_share(tally.spread, tally.repeated),
        agreement=_share(tally.equal, tally.compared),
        distance=_share(tally.distance, tally.compared),
        length_correlation=spearman(tally.means, tally.lengths),
        own=tally.own,
    )


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def same_model(judge: str, model: str) -> bool:
    """Return whether two models, as `provider:model`, are the same by name, wherever they are served.

    A provider, an owner in front (`openai/gpt-5.4-mini`), a variant behind (`@cool`) and case make no
    difference.
    """
    return bare_name(judge) == bare_name(model)


def bare_name(name: str) -> str:
    """Return a model's name in lower case, without provider, owner and variant."""
    model = name.partition(":")[2] or name
    return model.rpartition("/")[2].partition("@")[0].casefold()
