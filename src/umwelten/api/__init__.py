"""What `import umwelten` gives: ask models from Python, and read what was answered."""

from umwelten.api.answer import Answer, Failure
from umwelten.api.answer_score import AnswerScore
from umwelten.api.background_job import NeverRun
from umwelten.api.comparisons import compare
from umwelten.api.functions import batch, evaluations, open, run
from umwelten.api.job import Job
from umwelten.api.results import Answers, Results, Summary
from umwelten.api.score_job import ScoreJob
from umwelten.api.scores import ScorerFigures, Scores

__all__ = [
    "Answer",
    "AnswerScore",
    "Answers",
    "Failure",
    "Job",
    "NeverRun",
    "Results",
    "ScoreJob",
    "ScorerFigures",
    "Scores",
    "Summary",
    "batch",
    "compare",
    "evaluations",
    "open",
    "run",
]
