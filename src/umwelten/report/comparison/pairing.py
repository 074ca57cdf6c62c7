"""What of two evaluations belongs together: models and prompts, scorers, files."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence

from umwelten.errors import UsageError
from umwelten.phrases import Named, Phrase, Wording
from umwelten.report.comparison.side import NO_CONTENT, Contents, Side, SideScorer
from umwelten.scoring.columns import ColumnName
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import FrozenStruct

_SHOWN = 3

ColumnPair = tuple[ColumnName, ColumnName]
"""A column of the base and the one of the new evaluation that is compared with it."""


class SomeFiles(FrozenStruct):
    """Files that are left out: how many, and the names of the first."""

    count: int = 0
    names: tuple[str, ...] = ()


# --- scorers ---------------------------------------------------------------------------------


def pair_scorers(base: Side, new: Side, wanted: Sequence[str], notes: list[Wording]) -> list[str]:
    """Return the names of the scorers to compare. Raises `UsageError` unless both sides have them alike."""
    before, after = _by_name(base), _by_name(new)
    known = list(dict.fromkeys((*before, *after)))
    for name in wanted:
        if name not in known:
            raise UsageError(
                f"no scorer {name!r} in {base.label} and {new.label}",
                " ".join(filter(None, (did_you_mean(closest(name, known)), f"There are {_list(known)}."))),
                argument="score",
            )
    names = list(dict.fromkeys(wanted)) or known
    problems = [problem for name in names if (problem := _problem(name, before, after, base, new))]
    if problems:
        both = [name for name in before if name in after and before[name].digest == after[name].digest]
        raise UsageError("; ".join(problems), _way_out(new, both))
    for name in names:
        first, second = before[name].at_least, after[name].at_least
        if first != second:
            notes.append(
                f"{name} passes from {_threshold(first)} in {base.label}, from {_threshold(second)} in "
                f"{new.label}: values are compared, passes may differ by it"
            )
    return names


def _by_name(side: Side) -> Mapping[str, SideScorer]:
    return {scorer.name: scorer for scorer in side.scorers}


def _problem(
    name: str, before: Mapping[str, SideScorer], after: Mapping[str, SideScorer], base: Side, new: Side
) -> str | None:
    if name not in after or name not in before:
        has, lacks = (base, new) if name in before else (new, base)
        return f"{lacks.label} is not scored by {name!r}, {has.label} is"
    first, second = before[name], after[name]
    if first.type != second.type:
        return f"{name!r} is {first.type} in {base.label} and {second.type} in {new.label}"
    if first.digest != second.digest:
        return f"{name!r} ({first.type}) has other settings in {new.label} than in {base.label}"
    return None


def _way_out(new: Side, both: Sequence[str]) -> Wording:
    score = Phrase(
        "Score {id} with the scorers of the base: umwelten eval score {id} {option:scorers=FILE}",
        id=new.label,
    )
    if not both:
        return score
    some = Phrase.of(("Or compare what both have: ", Named("score", both[0])))
    return Phrase("{score}. {some}", score=score, some=some)


def _threshold(at_least: float | None) -> str:
    return "no threshold" if at_least is None else f"{at_least:g}"


# --- models and prompts ----------------------------------------------------------------------


def pair_columns(
    base: Side, new: Side, renamed: Mapping[str, Sequence[str]], notes: list[Wording]
) -> list[ColumnPair]:
    """Return the columns to compare. `renamed` are models of the new evaluation by those of the base.

    Raises `UsageError` where nothing belongs together.
    """
    models = _pair_models(base, new, renamed, notes)
    pairs = [pair for before, after in models for pair in _pair_prompts(base, new, before, after, notes)]
    if not pairs:
        raise UsageError(
            f"no prompt of {base.label} is one of {new.label}",
            f"{base.label} has {_list(_prompts(base))}; {new.label} has {_list(_prompts(new))}.",
        )
    return pairs


def _pair_models(
    base: Side, new: Side, renamed: Mapping[str, Sequence[str]], notes: list[Wording]
) -> list[tuple[str, str]]:
    before, after = _models(base), _models(new)
    given = [name for names in renamed.values() for name in names]
    for known, side, wanted in ((before, base, list(renamed)), (after, new, given)):
        for name in wanted:
            if name not in known:
                raise UsageError(
                    f"no model {name!r} in {side.label}",
                    " ".join(filter(None, (did_you_mean(closest(name, known)), f"It has {_list(known)}."))),
                    argument="models",
                )
    pairs = [(old, name) for old, names in renamed.items() for name in dict.fromkeys(names)]
    taken = {name for _, name in pairs}
    pairs += [(name, name) for name in before if name in after and name not in renamed and name not in taken]
    if not pairs and len(before) == len(after) == 1:
        notes.append(f"{before[0]} in {base.label} is compared with {after[0]} in {new.label}")
        return [(before[0], after[0])]
    if not pairs:
        raise UsageError(
            f"{base.label} and {new.label} have no model in common",
            Phrase(
                "Say which belong together: {option:models=OLD=NEW}. {base} has {before}; {new} has {after}.",
                base=base.label,
                before=_list(before),
                new=new.label,
                after=_list(after),
            ),
            argument="models",
        )
    for side, known, used in (
        (base, before, {old for old, _ in pairs}),
        (new, after, {name for _, name in pairs}),
    ):
        if alone := [name for name in known if name not in used]:
            notes.append(f"only in {side.label}: {_list(alone)}")
    return pairs


def _pair_prompts(
    base: Side, new: Side, before: str, after: str, notes: list[Wording]
) -> Iterable[ColumnPair]:
    """The prompts of two models: by name, but one alone belongs to one alone."""
    first = [name for name in base.columns if name.model == before]
    second = [name for name in new.columns if name.model == after]
    if len(first) == len(second) == 1:
        return [(first[0], second[0])]
    by_prompt = {name.prompt: name for name in second}
    pairs = [(name, by_prompt[name.prompt]) for name in first if name.prompt in by_prompt]
    used = {name.prompt for name, _ in pairs}
    for side, columns in ((base, first), (new, second)):
        alone = [name.prompt or "one without a name" for name in columns if name.prompt not in used]
        note = f"prompts only in {side.label}: {_list(alone)}"
        if alone and note not in notes:
            notes.append(note)
    return pairs


def _models(side: Side) -> list[str]:
    return list(dict.fromkeys(name.model for name in side.columns))


def _prompts(side: Side) -> list[str]:
    return list(dict.fromkeys(name.prompt or "one prompt without a name" for name in side.columns))


# --- files -----------------------------------------------------------------------------------


class FilePairs:
    """The files that both evaluations have, by name."""

    def __init__(self, base: Side, new: Side) -> None:
        self._base, self._new = base, new
        common = [(number, new.names[name]) for name, number in base.names.items() if name in new.names]
        self.base, self.new = array("q", (one for one, _ in common)), array("q", (one for _, one in common))
        self.only_base = _some(name for name in base.names if name not in new.names)
        self.only_new = _some(name for name in new.names if name not in base.names)
        self._changed: set[int] = set()
        if not common:
            raise UsageError(
                f"{base.label} and {new.label} have no file in common",
                f"{base.label} has {_list(base.names)}; {new.label} has {_list(new.names)}.",
            )

    def of(self, pair: ColumnPair) -> list[tuple[int, int]]:
        """Return the files whose content is the same for these columns, as far as it is known."""
        before, after = self._base.columns[pair[0]].contents, self._new.columns[pair[1]].contents
        same = []
        for one, other in zip(self.base, self.new, strict=True):
            if self._differ(before, after, one, other):
                self._changed.add(one)
            else:
                same.append((one, other))
        return same

    def _differ(self, before: Contents, after: Contents, one: int, other: int) -> bool:
        first, second = before.of(one), after.of(other)
        if first and second and before.use == after.use:
            return first != second
        # Prompts that take other columns of a row tell nothing, but the row's bytes do.
        stamp, other_stamp = self._base.stamp(one), self._new.stamp(other)
        if stamp != NO_CONTENT and other_stamp != NO_CONTENT:
            return stamp != other_stamp
        return False

    @property
    def changed(self) -> SomeFiles:
        """Files with another content than before, for some column that was asked for."""
        return _some(name for name, number in self._base.names.items() if number in self._changed)


def _some(names: Iterable[str]) -> SomeFiles:
    found: list[str] = []
    count = 0
    for name in names:
        count += 1
        if count <= _SHOWN:
            found.append(name)
    return SomeFiles(count=count, names=tuple(found))


def _list(names: Iterable[str]) -> str:
    every = [name or "no file" for name in names]
    more = f" and {len(every) - _SHOWN:,} more" if len(every) > _SHOWN else ""
    return ", ".join(every[:_SHOWN]) + more
