"""An evaluation as the work of a job."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from umwelten.api.argument_names import as_argument
from umwelten.api.background_run import Halted
from umwelten.report.output_files import write_report

if TYPE_CHECKING:
    from umwelten.api.background_run import Background
    from umwelten.api.learning_work import LearningAfter
    from umwelten.api.scoring_work import ScoringAfter
    from umwelten.evaluation.evaluation import Evaluation
    from umwelten.events import Observer


class EvaluationWork:
    """Makes the calls of an evaluation, scores the answers, learns from them, and writes the reports."""

    def __init__(
        self,
        evaluation: Evaluation,
        tell: Observer,
        reports: Sequence[Path],
        scoring: ScoringAfter | None = None,
        learning: LearningAfter | None = None,
    ) -> None:
        self._evaluation, self._tell, self._reports, self._scoring = evaluation, tell, reports, scoring
        self._learning = learning

    def do(self, thread: Background) -> None:
        """Also where the job is stopped, the answers that there are are scored, and reports are written."""
        evaluation = self._evaluation
        try:
            thread.make_calls(evaluation, self._tell)
        finally:
            evaluation.close()
        interrupted = thread.stopped is not None and thread.stopped[1]
        if self._scoring is not None and not interrupted:
            with suppress(Halted):
                self._scoring.run(evaluation.folder, self._tell, thread)
        if self._learning is not None and not interrupted:
            self._learning.run(evaluation.folder, self._tell, thread)
        for path in self._reports:
            write_report(evaluation.folder, path, vendors=evaluation.vendors, spelling=as_argument)
        if thread.stopped is None and (problem := evaluation.problem_of_program) is not None:
            raise problem.spell(as_argument)
