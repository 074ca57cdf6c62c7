"""One score from several verdicts: of several judges, samples and criteria."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from umwelten.scoring.judge.reply import Opinion, Verdict
from umwelten.scoring.judge.scale import Scale
from umwelten.scoring.judge.settings import Combine
from umwelten.scoring.score import Part, Result, Score, Unscored, UnscoredKind
from umwelten.types import FrozenStruct


class Ballot(FrozenStruct):
    """What came of one call of a judge: `opinions` by criterion ("" without). `sample` counts from 1."""

    judge: str
    sample: int
    opinions: Mapping[str, Opinion]


class Outcome(NamedTuple):
    """What verdicts amount to, exactly. A draw lies between `low` and `high`, else all three are equal.

    `word` is the verdict that won or that all gave, `None` if there is none.
    """

    value: Fraction
    low: Fraction
    high: Fraction
    word: str | None


def combine(
    ballots: Sequence[Ballot],
    *,
    scale: Scale,
    criteria: Sequence[str],
    how: Combine,
    planned: int,
    at_least: float | None,
) -> Result:
    """Return the score of an answer; unscored if a criterion has less than half of the planned verdicts.

    `planned` is the number of verdicts on each criterion. Where some are still to come, the answer is
    `pending`: a score of a part of them would change when they are there. `passed` is `None` where a draw
    decides. Errors: `ValueError` for two ballots of one judge and sample on one criterion.
    """
    opinions = _by_criterion(ballots, criteria or ("",))
    outcomes: dict[str, Outcome] = {}
    missing: list[Unscored] = []
    for name, given in opinions.items():
        found = _outcome(given, scale, how, planned)
        if isinstance(found, Unscored):
            missing.append(_named(found, name))
        else:
            outcomes[name] = found
    if missing:
        return min(missing, key=lambda each: _GRAVITY.index(each.kind))
    count = len(outcomes)
    value = sum(each.value for each in outcomes.values()) / count
    low = sum(each.low for each in outcomes.values()) / count
    high = sum(each.high for each in outcomes.values()) / count
    parts = [_part(name, outcome, opinions[name], scale) for name, outcome in outcomes.items() if name]
    words = {outcome.word for outcome in outcomes.values()}
    return Score(
        value=float(value),
        label=words.pop() if len(words) == 1 else None,
        passed=_passed(float(low), float(high), at_least),
        reason=_reasons(outcomes, opinions, scale),
        parts=tuple(parts),
    )


_GRAVITY = ("pending", "judge_failed", "judge_declined")
"""What is said of an answer where criteria have no outcome for unlike reasons: the first of these."""


def combine_words(words: Sequence[str], scale: Scale, how: Combine) -> Outcome:
    """Return what one or more verdicts amount to.

    `majority`: the most frequent; a draw is worth the mean of those in it. `median`, `all` (the lowest, so
    that it passes if all do) and `any` (the highest). Of pass and fail, the median is the majority.
    """
    return _COMBINATIONS[how](words, scale)


def _majority(words: Sequence[str], scale: Scale) -> Outcome:
    counts = Counter(words)
    most = max(counts.values())
    first = [word for word in counts if counts[word] == most]
    shares = [scale.share(word) for word in first]
    word = first[0] if len(first) == 1 else None
    return Outcome(Fraction(sum(shares), len(shares)), min(shares), max(shares), word)


def _mean(words: Sequence[str], scale: Scale) -> Outcome:
    share = Fraction(sum(scale.share(word) for word in words), len(words))
    return _exactly(share, words[0] if len(set(words)) == 1 else None)


def _median(words: Sequence[str], scale: Scale) -> Outcome:
    if not scale.graded:
        return _majority(words, scale)
    ordered = sorted(words, key=scale.share)
    low, high = ordered[(len(words) - 1) // 2], ordered[len(words) // 2]
    return _exactly((scale.share(low) + scale.share(high)) / 2, low if low == high else None)


def _end(choose: Callable[[Sequence[Fraction]], Fraction]) -> Callable[[Sequence[str], Scale], Outcome]:
    def combined(words: Sequence[str], scale: Scale) -> Outcome:
        share = choose([scale.share(word) for word in words])
        return _exactly(share, next(word for word in words if scale.share(word) == share))

    return combined


def _exactly(share: Fraction, word: str | None) -> Outcome:
    return Outcome(share, share, share, word)


_COMBINATIONS: Mapping[Combine, Callable[[Sequence[str], Scale], Outcome]] = {
    "majority": _majority,
    "mean": _mean,
    "median": _median,
    "all": _end(min),
    "any": _end(max),
}


def _by_criterion(ballots: Sequence[Ballot], names: Sequence[str]) -> dict[str, list[Opinion]]:
    opinions: dict[str, list[Opinion]] = {name: [] for name in names}
    seen = set()
    for ballot in ballots:
        for name, opinion in ballot.opinions.items():
            key = (ballot.judge, ballot.sample, name)
            if key in seen:
                raise ValueError(f"two verdicts of {ballot.judge}, sample {ballot.sample}, on {name!r}")
            seen.add(key)
            opinions[name].append(opinion)
    return opinions


def _outcome(given: Sequence[Opinion], scale: Scale, how: Combine, planned: int) -> Outcome | Unscored:
    if len(given) < planned or not given:
        message = f"{len(given)} of {planned} verdicts are there"
        return Unscored(kind="pending", message=message)
    words = [opinion.label for opinion in given if isinstance(opinion, Verdict)]
    if 2 * len(words) >= planned and words:
        return combine_words(words, scale, how)
    without = [opinion for opinion in given if isinstance(opinion, Unscored)]
    if planned == 1:
        return without[0]
    declined = sum(opinion.kind == "judge_declined" for opinion in without)
    message = (
        f"{len(words)} of {planned} verdicts are usable, at least half are needed: "
        f"{len(without) - declined} failed, {declined} could not tell"
    )
    # Declined where that alone was enough, whatever became of the others.
    kind: UnscoredKind = "judge_declined" if 2 * (planned - declined) < planned else "judge_failed"
    return Unscored(kind=kind, message=message)


def _named(unscored: Unscored, name: str) -> Unscored:
    if not name or unscored.message.startswith(f"{name}: "):
        return unscored
    return Unscored(kind=unscored.kind, message=f"{name}: {unscored.message}")


def _passed(low: float, high: float, at_least: float | None) -> bool | None:
    if at_least is None:
        return None
    passes = low >= at_least, high >= at_least
    return passes[0] if passes[0] == passes[1] else None


def _part(name: str, outcome: Outcome, given: Sequence[Opinion], scale: Scale) -> Part:
    return Part(
        name=name,
        value=float(outcome.value),
        label=outcome.word,
        message=_reason(outcome, given, scale),
    )


def _reasons(
    outcomes: Mapping[str, Outcome], opinions: Mapping[str, Sequence[Opinion]], scale: Scale
) -> str | None:
    """Return the reason of an answer: with criteria, that of the first one that is worth least."""
    name = min(outcomes, key=lambda each: outcomes[each].value)
    reason = _reason(outcomes[name], opinions[name], scale)
    return f"{name}: {reason}" if name and reason else reason


def _reason(outcome: Outcome, given: Sequence[Opinion], scale: Scale) -> str | None:
    """Return the reason of the verdict that is nearest to the outcome; of several, with how many agree."""
    verdicts = [opinion for opinion in given if isinstance(opinion, Verdict)]
    nearest = min(verdicts, key=lambda verdict: abs(scale.share(verdict.label) - outcome.value))
    if len(given) == 1:
        return nearest.reason or None
    alike = sum(verdict.label == nearest.label for verdict in verdicts)
    count = f"{alike} of {len(given)} say {nearest.label}"
    return f"{count}: {nearest.reason}" if nearest.reason else count
