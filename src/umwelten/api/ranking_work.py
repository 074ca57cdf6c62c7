"""Ranking as the work of a job."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from umwelten.api.argument_names import as_argument
from umwelten.config.endpoints import vendors
from umwelten.config.option_types import PlainText
from umwelten.config.settings import Settings, load
from umwelten.errors import UmweltenError, UsageError
from umwelten.evaluation.evaluation import Evaluation
from umwelten.evaluation.ranking.ranking import RankingEvaluation
from umwelten.evaluation.spec import check_id
from umwelten.events import Note
from umwelten.phrases import Wording, spell
from umwelten.report.output_files import write_report
from umwelten.store.reader import Reader

if TYPE_CHECKING:
    from umwelten.api.background_run import Background
    from umwelten.events import Observer

_ARGUMENTS = {"prompt": "question", "control_for": "control"}
"""What `umwelten.rank` calls options by another name than `config.options`."""


class RankingWork:
    """Asks judges about pairs of answers, and ranks. Errors: before anything is asked."""

    def __init__(
        self,
        ranked: Sequence[str | Path],
        question: str | Path | None,
        given: Mapping[str, Any],
        tell: Observer,
    ) -> None:
        self._tell = tell
        try:
            configured = load(Path.cwd(), os.environ, profile=given.get("profile"))
            flags = {**given, **_output_dir(ranked, given), **_control(given), "pairs": _pairs(given)}
            settings = configured.with_flags(flags, as_rank_argument, arguments=True)
            with settings.concealing():
                self._prepare(ranked, question, settings)
        except UmweltenError as error:
            raise _spelt(error) from None

    def _prepare(self, ranked: Sequence[str | Path], question: str | Path | None, settings: Settings) -> None:
        self.settings, self._vendors = settings, vendors(settings)
        self._reports: Sequence[Path] = settings.get("report")
        notes = list[Wording](settings.notes)
        prompt = PlainText(question) if isinstance(question, str) else question
        folders = _folders(ranked, settings.get("output_dir"))
        self._ranking = RankingEvaluation(folders, settings, self._vendors, notes, prompt=prompt)
        self._ranking.check_some()
        self._evaluation = Evaluation.prepare(self._ranking.spec, settings, self._vendors, as_rank_argument)
        for text in notes:
            self._tell(Note(text=settings.conceal(spell(text, as_rank_argument))))

    def do(self, thread: Background) -> None:
        """Also where the job is stopped, what the judges have said is ranked, and reports are written."""
        try:
            with self.settings.concealing():
                try:
                    thread.make_calls(self._evaluation, self._tell)
                finally:
                    self.close()
                self._ranking.collect()
                for path in self._reports:
                    write_report(self._ranking.folder, path, vendors=self._vendors, spelling=as_rank_argument)
        except UmweltenError as error:
            raise _spelt(error) from None

    def close(self) -> None:
        """Close the evaluation; again: does nothing."""
        self._evaluation.close()


def as_rank_argument(name: str, value: str | None = None) -> str:
    """Spell an option as `umwelten.rank` has it."""
    if name not in _ARGUMENTS:
        return as_argument(name, value)
    return _ARGUMENTS[name] if value is None else f'{_ARGUMENTS[name]}="{value}"'


def _spelt(error: UmweltenError) -> UmweltenError:
    if error.argument is not None:
        error.argument = _ARGUMENTS.get(error.argument, error.argument)
    return error.spell(as_rank_argument)


def _control(given: Mapping[str, Any]) -> dict[str, Any]:
    """`control` of a ranking is what is controlled for; a truth value is that of a run."""
    control = given.get("control")
    if control is None or isinstance(control, bool):
        return {"control": control}
    return {"control": None, "control_for": control}


def _pairs(given: Mapping[str, Any]) -> str | None:
    """Return the pairs as text: 0.25 is a quarter of them, 500 so many."""
    pairs = given.get("pairs")
    if pairs is None or isinstance(pairs, str):
        return pairs
    if isinstance(pairs, float) and 0 < pairs <= 1:
        return f"{100 * pairs:.10f}".rstrip("0").rstrip(".") + "%"
    if isinstance(pairs, int) and not isinstance(pairs, bool) and pairs > 0:
        return str(pairs)
    raise UsageError(
        f"pairs cannot be {pairs!r}",
        "It is 'all', a share above 0 and up to 1.0 such as 0.25 or '25%', or a whole number such as 500.",
        argument="pairs",
    )


def _output_dir(ranked: Sequence[str | Path], given: Mapping[str, Any]) -> dict[str, Any]:
    """A ranking belongs beside the answers: ids are looked up where the first evaluation is."""
    first = ranked[0] if ranked else None
    if given.get("output_dir") is not None or not isinstance(first, Path):
        return {}
    return {"output_dir": first.parent}


def _folders(ranked: Sequence[str | Path], output_dir: Path) -> list[Path]:
    """Return the folders of the evaluations, each once. Raises `UsageError`, `StoreError`."""
    if not ranked:
        raise UsageError("there is nothing to rank", "Name an evaluation: its id, its folder or its Results.")
    found: dict[Path, None] = {}
    for each in ranked:
        if isinstance(each, str):
            folder = output_dir / check_id(each)
        elif isinstance(each, Path):
            folder = each
        else:
            raise UsageError(
                f"{each!r:.80} cannot be ranked", "Give the id, the folder or the Results of an evaluation."
            )
        if folder.absolute().parent != output_dir.absolute():
            raise UsageError(
                f"{folder} is not in {output_dir}, where the ranking belongs",
                "Evaluations that are ranked together are in one output directory.",
            )
        Reader.open(folder).close()
        found[output_dir / folder.name] = None
    return list(found)
