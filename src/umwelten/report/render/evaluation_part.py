"""One evaluation of an HTML report, and what all its sections read of it."""

from __future__ import annotations

from umwelten.report.models import Overview
from umwelten.report.queries.rankings import shown_rankings
from umwelten.report.queries.schema_validation import validation
from umwelten.report.queries.score_details import ScoreDetails, score_details
from umwelten.report.queries.score_overview import read_overview
from umwelten.store.reader import Reader
from umwelten.store.scores.reader import ScoreReader


class ReportSection:
    """One evaluation of a page."""

    def __init__(self, reader: Reader, overview: Overview, scores: ScoreReader | None = None) -> None:
        """Both readers are open while the page is written."""
        self.reader, self.overview, self.score_reader = reader, overview, scores
        self.id = overview.evaluation.id
        self.validation = validation(reader)
        self.rankings = shown_rankings(reader)
        self.scores = None if scores is None else read_overview(reader, scores, overview.models)

    def score_details(self) -> ScoreDetails | None:
        """What single labels and choices say together, where there are any. It walks over all scores."""
        types = {scorer.type for scorer in self.scores.scorers} if self.scores is not None else set()
        if self.score_reader is None or not types & {"label", "choice"}:
            return None
        return score_details(self.reader, self.score_reader, worst=0)
