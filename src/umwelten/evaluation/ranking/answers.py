"""The answers that are ranked, of one evaluation or of several about the same inputs."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from umwelten.errors import InputError, UsageError
from umwelten.identity import input_part
from umwelten.inputs.questions import chained_columns
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.request_builder import row_use
from umwelten.prompts.template import Template
from umwelten.records import StoredSpec
from umwelten.scoring.folding import fold
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.draw import Row
from umwelten.store.derived import JUDGE, RANK
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader, has_scores
from umwelten.store.stored_calls import (
    ScorableAnswer,
    costs_by_column,
    numbered_inputs,
    scorable_answers,
)
from umwelten.store.stored_pairs import AnswerPlace
from umwelten.text.suggestions import closest, did_you_mean
from umwelten.types import NANO, RowUse

_ASK_FIRST = Phrase("Ask first: {option:resume} goes on where the evaluation was stopped.")
_SHOWN = 3


class RankedAnswer(NamedTuple):
    """An answer as far as pairs need it. `text` is a hash of it, folded; `content` one of what was sent."""

    place: AnswerPlace
    slug: str
    text: bytes
    characters: int
    content: bytes
    stamp: str


class _Source:
    """One evaluation: what it asked, and of whom."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with Reader.open(folder) as reader:
            self.spec: StoredSpec = reader.spec()
            self.names = dict(numbered_inputs(reader))
        if (derived := self.spec.derived) is not None and derived.role in (JUDGE, RANK):
            raise UsageError(
                f"the answers of {folder.name!r} are verdicts of judges on those of {derived.of!r}",
                "Name the evaluations whose answers are to be compared.",
            )
        self.models = [str(model) for model in self.spec.models]
        self.prompts = {prompt.name or None: prompt.text for prompt in self.spec.request.prompts}

    @property
    def uses(self) -> set[RowUse]:
        return {row_use(self.spec.request, text) for text in self.prompts.values()}

    @property
    def files(self) -> Sequence[str]:
        return list(self.names.values()) if self.spec.kind == "batch" else [""]

    def answers(self) -> Iterator[ScorableAnswer]:
        with Reader.open(self.folder) as reader:
            yield from scorable_answers(reader)


class RankedAnswers:
    """The answers of these evaluations by question and contestant.

    A question (`rows`) is an input, a repeat and, where models are ranked, one of several prompts. With one
    model, its prompts are ranked. Errors: `UsageError` with fewer than two contestants, or for evaluations
    without a common input.
    """

    def __init__(self, folders: Sequence[Path], notes: list[Wording]) -> None:
        self._sources = [_Source(folder) for folder in folders]
        self.folder = folders[0]
        self.ids = tuple(folder.name for folder in folders)
        first = self._sources[0]
        columns = [(source, model) for source in self._sources for model in source.models]
        self._prompts_compete = len(columns) == 1 or any(
            source.prompts.keys() != first.prompts.keys() for source in self._sources
        )
        self._columns = self._name_columns(columns)
        self.contestants = tuple(dict.fromkeys(self._columns.values()))
        if len(self.contestants) < 2:
            raise UsageError(
                f"evaluation {first.folder.name!r} has answers of {self.contestants[0]} alone",
                Phrase(
                    "A ranking needs two models or prompts: ask another one with {option:models} and "
                    "{option:resume}, or name further evaluations of the same inputs."
                ),
            )
        self.rows = self._rows(notes)
        self.cells: Mapping[tuple[Row, Contestant], RankedAnswer] = {}
        self.clusters = _clusters(first)
        uses = [source.uses for source in self._sources]
        self._same_use = all(use == uses[0] for use in uses)

    # --- who is ranked ---

    def _name_columns(
        self, columns: Sequence[tuple[_Source, str]]
    ) -> dict[tuple[str, str, str | None], Contestant]:
        """Return the contestants by evaluation, model and prompt; all prompts of one that is not ranked by
        them are the same contestant."""
        models = [model for _, model in columns]
        several = len(models) != len(set(models))
        found: dict[tuple[str, str, str | None], Contestant] = {}
        for source, model in columns:
            for prompt in source.prompts:
                found[source.folder.name, model, prompt] = Contestant(
                    model=model,
                    prompt=prompt if self._prompts_compete and len(source.prompts) > 1 else None,
                    evaluation=source.folder.name if several else None,
                )
        return dict(found)

    @property
    def same_prompt(self) -> bool:
        """Whether two answers to one question were asked it in the same words."""
        first = self._sources[0].prompts
        return not self._prompts_compete and all(source.prompts == first for source in self._sources)

    @property
    def has_inputs(self) -> bool:
        """Whether there are files, rows or earlier answers, and not the prompt alone."""
        return self._sources[0].spec.kind == "batch"

    @property
    def places_input(self) -> bool:
        """Whether every prompt has its input in it, so that it is seen with the prompt."""
        return all(
            Template(text).places_input for source in self._sources for text in source.prompts.values()
        )

    @property
    def shown_columns(self) -> tuple[str, ...]:
        """The columns of rows that the prompts show, in no prompt the whole row; empty where one does."""
        templates = [Template(text) for source in self._sources for text in source.prompts.values()]
        if any(not each.columns or "content" in each.names for each in templates):
            return ()
        there = chained_columns(self.folder) or ()
        return tuple(dict.fromkeys(name for each in templates for name in each.columns if name in there))

    def contestant(self, name: str) -> Contestant:
        """Return the contestant of that name. Errors: `UsageError`."""
        names = {str(each): each for each in self.contestants}
        found = names.get(name) or next((each for each in self.contestants if each.prompt == name), None)
        if found is None:
            raise UsageError(
                Phrase("{option:against={name}}: no such model is ranked", name=name),
                f"{did_you_mean(closest(name, names)) or ''} Ranked are {', '.join(names)}.".strip(),
                argument="against",
            )
        return found

    # --- what they were asked ---

    def _rows(self, notes: list[Wording]) -> tuple[Row, ...]:
        first, *others = self._sources
        there = [set(source.files) for source in others]
        common = [name for name in first.files if all(name in names for names in there)]
        if not common:
            listed = "; ".join(f"{one.folder.name} has {_some(one.files)}" for one in self._sources)
            raise UsageError("these evaluations have no file in common", f"{listed}.")
        for source in self._sources:
            if alone := len(source.files) - len(common):
                notes.append(f"{alone:,} files are in {source.folder.name} alone, and are left out")
        repeats = min(source.spec.repeats for source in self._sources)
        if any(source.spec.repeats != repeats for source in self._sources):
            notes.append(f"the first {repeats} repeats are compared, as not all evaluations have more")
        prompts = [None] if self._prompts_compete else list(first.prompts)
        return tuple(
            Row(file=file, prompt=prompt if len(prompts) > 1 else None, repeat=repeat)
            for repeat in range(1, repeats + 1)
            for prompt in prompts
            for file in common
        )

    def read(self, wanted: Collection[tuple[Row, Contestant]]) -> None:
        """Read the answers that are compared into `cells`. Errors: `InputError` without any answer."""
        several = not self._prompts_compete and len(self._sources[0].prompts) > 1
        found: dict[tuple[Row, Contestant], RankedAnswer] = {}
        for source in self._sources:
            evaluation = "" if source is self._sources[0] else source.folder.name
            for answer in source.answers():
                call = answer.call
                row = Row(file=call.file or "", prompt=call.prompt if several else None, repeat=call.repeat)
                contestant = self._columns.get((source.folder.name, call.model, call.prompt))
                if contestant is None or (row, contestant) not in wanted:
                    continue
                text = call.text or ""
                found[row, contestant] = RankedAnswer(
                    place=AnswerPlace(call=call.id, evaluation=evaluation),
                    slug=call.slug if contestant.evaluation is None else f"{source.folder.name}.{call.slug}",
                    text=blake2b(fold(text).encode(errors="surrogatepass"), digest_size=12).digest(),
                    characters=len(text),
                    content=input_part(answer.content),
                    stamp=answer.stamp if call.part.startswith("row ") else "",
                )
        if not found:
            raise InputError(f"evaluation {self.folder.name!r} has no answers to compare", _ASK_FIRST)
        self.cells = found

    def same_input(self, one: RankedAnswer, other: RankedAnswer) -> bool:
        """Return whether two answers to a question are about the same content, as far as it is known."""
        if one.place.evaluation == other.place.evaluation:
            return True
        if self._same_use:
            return one.content == other.content
        # Prompts that take other columns of a row tell nothing, but the row's bytes do.
        return not (one.stamp and other.stamp) or one.stamp == other.stamp

    def cluster(self, file: str) -> Hashable:
        """Return what a file belongs to: by itself, unless the first evaluation was scored by clusters."""
        return self.clusters.get(file, ("", file))

    def costs(self) -> Mapping[Contestant, float | None]:
        """Return what the answers of each cost in USD, `None` where that of some is not known."""
        found: dict[Contestant, float | None] = dict.fromkeys(self.contestants, 0.0)
        for source in self._sources:
            with Reader.open(source.folder) as reader:
                for model, prompt, nano in costs_by_column(reader):
                    contestant = self._columns.get((source.folder.name, model, prompt))
                    if contestant is None:
                        continue
                    known = found[contestant]
                    found[contestant] = None if nano is None or known is None else known + nano / NANO
        return found


def _clusters(source: _Source) -> Mapping[str, str]:
    if not has_scores(source.folder):
        return {}
    with ScoreReader.open(source.folder) as scores:
        return {
            source.names[number]: label
            for number, label in scores.clusters().items()
            if number in source.names
        }


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(name or "no file" for name in names[:_SHOWN]) + more
